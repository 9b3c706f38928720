# SPDX-License-Identifier: Apache-2.0
"""waiter.py ADDRESS PARTITION COUNT: a client that waits for a fetch until it is killed; says "waiting" when it does."""

import sys

from raw import RawPeer


def main() -> None:
    address, partition, count = sys.argv[1:]
    peer = RawPeer(address)
    peer.send("GET_META", {
        "data_fields": ["x"], "batch_size": int(count), "partition_id": partition, "mode": "fetch", "task_name": "task",
        "sampling_config": None})
    peer.send("GET_LIST_PARTITIONS", {})
    kind, _ = peer.receive(60)
    assert kind == "LIST_PARTITIONS_RESPONSE", kind
    print("waiting", flush=True)
    peer.receive(600)


if __name__ == "__main__":
    main()
