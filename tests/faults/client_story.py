# SPDX-License-Identifier: Apache-2.0
"""An unmodified Python client's usual course: create, put, tag, get, fetch, clear, every answer checked.

    client_story.py --controller controller.json --storage storage-0.json storage-1.json

Prints "ready" once everything is imported, and begins with the next line of its input.
"""

import argparse
import json
import os
import sys

os.environ.setdefault("TQ_LOGGING_LEVEL", "CRITICAL")

import torch  # noqa: E402
from peer_client import connect  # noqa: E402
from tensordict import TensorDict  # noqa: E402


def story(client) -> int:
    partition, keys = "client story", ["a", "b", "ключ", "d"]
    numbers, ragged = torch.arange(12, dtype=torch.float32).reshape(4, 3), [torch.arange(n) for n in (1, 2, 3, 4)]
    meta = client.kv_retrieve_meta(keys=keys, partition_id=partition, create=True)
    columns = {"numbers": numbers, "ragged": torch.nested.as_nested_tensor(ragged, layout=torch.jagged)}
    meta = client.put(TensorDict(columns, batch_size=[4]), meta)
    meta.update_custom_meta([{"step": i} for i in range(4)])
    client.set_custom_meta(meta)
    listed = client.kv_list(partition)
    assert listed == {partition: {key: {"step": i} for i, key in enumerate(keys)}}, listed
    fetched = client.get_meta(data_fields=["numbers", "ragged"], batch_size=4, partition_id=partition, mode="fetch", task_name="t")
    assert fetched.size == 4 and fetched.is_ready
    data = client.get_data(client.kv_retrieve_meta(keys=keys, partition_id=partition, create=False))
    for field, rows in (("numbers", numbers), ("ragged", ragged)):
        got = data[field].unbind()
        assert len(got) == len(rows) and all(map(torch.equal, got, rows)), f"{field} came back as {got}"
    client.clear_samples(fetched)
    assert client.kv_list(partition) == {partition: {}}
    client.clear_partition(partition)
    return len(keys)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--controller", required=True)
    parser.add_argument("--storage", nargs="+", required=True)
    args = parser.parse_args()
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(story(connect(args.controller, args.storage))), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
