# SPDX-License-Identifier: Apache-2.0
"""checkpoint_client.py FOLDER CONTROLLER UNIT...: an unmodified Python client whose checkpoints a test orders.

Each line of its input is an order, and each gets one line of JSON: {"ok": ...} or {"error": text}.
    fill          puts every kind of column, tags, consumption, and clears some of it
    state         all that can be asked, row by row
    save, load    tq.interface.save_checkpoint(FOLDER, metadata={"step": 7}), load_checkpoint(FOLDER)
    go on         what requests that change something give
"""

import json
import sys
import traceback

import columns
import torch
from canonical import canonical
from peer_client import connect
from tensordict import TensorDict
from transfer_queue import interface

KEYS = ["a", "b", "ключ", "d"]
assert len(KEYS) == columns.ROWS


class Client:
    def __init__(self, folder: str, controller: str, units: list[str]):
        self.folder, self.client = folder, connect(controller, units)
        interface._TQ_CLIENT = self.client  # as tq.init() does where Ray runs
        interface._TQ_CONTROLLER = object()

    def put(self, partition: str, keys: list[str], data: dict):
        meta = self.client.kv_retrieve_meta(keys=keys, partition_id=partition, create=True)
        return self.client.put(TensorDict(data, batch_size=[len(keys)]), meta)

    def fill(self) -> int:
        stored = 0
        for name, make in columns.COLUMNS.items():
            try:
                self.put("train", KEYS, {name: make()})
                stored += 1
            except Exception:  # what this release cannot put
                continue
        meta = self.client.kv_retrieve_meta(keys=KEYS, partition_id="train", create=False)
        meta.update_custom_meta([{"score": 0.5, "t": torch.arange(3)}, {}, {"deep": {"a": [1, None]}}, {"s": "x"}])
        self.client.set_custom_meta(meta)
        self.put("other", [f"k{i}" for i in range(30)], {"x": torch.arange(30.0).reshape(30, 1)})
        gone = self.client.kv_retrieve_meta(keys=["k3", "k4", "k29"], partition_id="other", create=False)
        self.client.clear_samples(gone)
        self.client.get_meta(["x"], 5, "other", mode="fetch", task_name="trainer")
        return stored

    def column(self, meta, name: str):
        try:
            return canonical(self.client.get_data(meta.select_fields([name]))[name])
        except Exception as error:  # what this release's client cannot put together
            return f"{type(error).__name__}: {error}"

    def state(self) -> dict:
        seen = {"list": canonical(self.client.kv_list(None)), "partitions": self.client.get_partition_list()}
        for partition, keys in self.client.kv_list(None).items():
            meta = self.client.kv_retrieve_meta(keys=list(keys), partition_id=partition, create=False)
            rows = {name: self.column(meta, name) for name in meta.field_names}
            status = self.client.get_consumption_status("trainer", partition)
            production = self.client.get_production_status(list(meta.field_names), partition)
            seen[partition] = [canonical(meta), rows, canonical(status), canonical(production)]
        return seen

    def save(self) -> None:
        interface.save_checkpoint(self.folder, metadata={"step": 7})

    def load(self) -> None:
        interface.load_checkpoint(self.folder)

    def go_on(self) -> list:
        fetched = self.client.get_meta(["x"], 5, "other", mode="fetch", task_name="trainer")
        new = self.put("train", ["new"], {"scalars": torch.tensor([2.5])})
        return [list(fetched.global_indexes), list(new.global_indexes), self.state()]


def main() -> None:
    folder, controller, *units = sys.argv[1:]
    client = Client(folder, controller, units)
    print("ready", flush=True)
    for line in sys.stdin:
        try:
            answer = {"ok": getattr(client, line.strip().replace(" ", "_"))()}
        except Exception as error:  # the test looks at it
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
