# SPDX-License-Identifier: Apache-2.0
"""What stands in the nodes before bad input arrives, a look at all of it, and a client's usual course of requests."""

import itertools
import struct

from raw_peer import Nodes, Peer, Reply, nested, read_batch_meta, tensor
from msgspec.msgpack import Ext

_stories = itertools.count()
FLOAT32 = Ext(1, b"\x80\x05\x8c\x05torch\x94\x8c\x07float32\x94\x93\x94.")  # pickle.dumps(torch.float32, protocol=5)


def floats(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


def dense(**change) -> dict:
    """One field of NOTIFY_DATA_UPDATE's schema."""
    return {"dtype": FLOAT32, "shape": [3], "is_nested": False, "is_non_tensor": False, "per_sample_shapes": None, **change}


TEXT = dense(dtype=None, shape=None, is_non_tensor=True)


def create(nodes: Nodes, partition: str, keys: list[str]) -> list[int]:
    body = {"keys": keys, "partition_id": partition, "create": True}
    return read_batch_meta(nodes.ask("KV_RETRIEVE_META", body).body["metadata"])["global_indexes"]


class World:
    """Partition `canary` has data that nobody may touch; `victim` has rows that a bad request could give data to."""

    FIELDS = ["scores", "text", "ragged"]

    def __init__(self, nodes: Nodes):
        self.nodes = nodes
        create(nodes, "ballast", [f"b{i}" for i in range(20)])  # the small indexes, which bad requests name
        self.canary = create(nodes, "canary", [f"c{i}" for i in range(6)])
        self.victim = create(nodes, "victim", [f"v{i}" for i in range(6)])
        for index in self.canary:
            unit, data = nodes.unit_of(index), {
                "scores": tensor("float32", (1, 3), 1),
                "text": [f"text of {index}"],
                "ragged": nested([("float32", (index % 3,), 2)]),
            }  # fmt: skip
            nodes.ask_unit(unit, "PUT", {"global_indexes": [index], "data": data}, floats(index, 1, 2), floats(*[7.0] * (index % 3)))
        schema = {"scores": dense(), "text": TEXT,
                  "ragged": dense(is_nested=True, shape=None, per_sample_shapes={i: [i % 3] for i in self.canary})}  # fmt: skip
        nodes.ask("NOTIFY_DATA_UPDATE", {"partition_id": "canary", "global_indexes": self.canary, "field_schema": schema,
                                         "custom_backend_meta": None})  # fmt: skip
        nodes.ask("SET_CUSTOM_META", {"partition_custom_meta": {"canary": {index: {"step": index} for index in self.canary}}})
        nodes.ask("GET_META", {"data_fields": ["scores"], "batch_size": 2, "partition_id": "canary", "mode": "fetch",
                               "task_name": "reader", "sampling_config": None})  # fmt: skip

    def on_unit(self, indexes: list[int], unit: int) -> list[int]:
        return [index for index in indexes if self.nodes.unit_of(index) == unit]

    def look(self, peer: Peer | None = None) -> dict:
        """All that can be asked of the node behind this peer (of all nodes) without changing anything. Equal looks:
        nothing was stored, not even in part."""
        seen = {}
        if peer is None or peer in self.nodes.controller:
            seen |= self._look_at_controller()
        for number, unit in enumerate(self.nodes.units):
            if peer is None or peer is unit:
                seen |= self._look_at_unit(number)
        return {name: (reply.type, reply.body) for name, reply in seen.items()}

    def _look_at_controller(self) -> dict[str, Reply]:
        ask = self.nodes.controller[0].ask
        return {
            "keys and tags": ask("KV_LIST", {"partition_id": None}),
            "partitions": ask("GET_LIST_PARTITIONS", {}),
            "rows of canary": ask("GET_PARTITION_META", {"partition_id": "canary"}),
            "rows of victim": ask("GET_PARTITION_META", {"partition_id": "victim"}),
            "consumed": ask("GET_CONSUMPTION", {"partition_id": "canary", "task_name": "reader"}),
            "produced": ask("GET_PRODUCTION", {"partition_id": "canary", "data_fields": self.FIELDS}),
        }

    def _look_at_unit(self, number: int) -> dict[str, Reply]:
        unit, canary, victim = self.nodes.units[number], self.on_unit(self.canary, number), self.on_unit(self.victim, number)
        seen = {f"unit {number}: data": unit.ask("GET", {"global_indexes": canary, "fields": self.FIELDS})}
        # The error for a field that was never put lists the fields there are.
        for field in (*self.FIELDS, "good column", "odd column", "no such field"):
            seen[f"unit {number}: {field}"] = unit.ask("GET", {"global_indexes": victim[:1], "fields": [field]})
        metrics = unit.ask("GET_METRICS", {})
        metrics.body = metrics.body["active_keys"]
        return {**seen, f"unit {number}: samples": metrics}


def changes(before: dict, after: dict) -> list[str]:
    found = []
    for name in after:
        old, new = repr(before[name]), repr(after[name])
        if old != new:
            start = max(0, next((i for i, pair in enumerate(zip(old, new)) if pair[0] != pair[1]), min(len(old), len(new))) - 40)
            found.append(f"changed '{name}': ...{old[start : start + 120]}... became ...{new[start : start + 120]}...")
    return found


def usual_course(nodes: Nodes) -> None:
    """Create, put, notify, tag, list, get, fetch, clear: what a client does all day, and every answer is checked."""
    partition = f"story-{next(_stories)}"
    keys = ["a", "b", "ключ", "d"]
    rows = create(nodes, partition, keys)
    assert len(set(rows)) == len(keys)
    for unit in range(len(nodes.units)):
        mine = [index for index in rows if nodes.unit_of(index) == unit]
        body = {"global_indexes": mine, "data": {"x": tensor("float32", (len(mine), 1), 1), "y": [{"n": index} for index in mine]}}
        if mine:
            nodes.ask_unit(unit, "PUT", body, floats(*mine))
    schema = {"x": dense(shape=[1]), "y": TEXT}
    nodes.ask("NOTIFY_DATA_UPDATE", {"partition_id": partition, "global_indexes": rows, "field_schema": schema})
    nodes.ask("SET_CUSTOM_META", {"partition_custom_meta": {partition: {index: {"tag": index} for index in rows}}})
    listed = nodes.ask("KV_LIST", {"partition_id": partition}).body["partition_info"]
    assert listed == {partition: {key: {"tag": index} for key, index in zip(keys, rows)}}
    fetch = {"data_fields": ["x", "y"], "batch_size": len(rows), "partition_id": partition, "mode": "fetch", "task_name": "t"}
    fetched = read_batch_meta(nodes.ask("GET_META", fetch).body["metadata"])
    assert sorted(fetched["global_indexes"]) == sorted(rows) and fetched["_field_names"] == ["x", "y"] and fetched["_is_ready"]
    for index in rows:
        data = nodes.ask_unit(nodes.unit_of(index), "GET", {"global_indexes": [index], "fields": ["x", "y"]}).body["data"]
        assert data == {"x": (3, "float32", (1, 1), floats(index)), "y": [{"n": index}]}
    nodes.ask("CLEAR_META", {"global_indexes": rows, "partition_ids": [partition] * len(rows)})
    for unit in range(len(nodes.units)):
        nodes.ask_unit(unit, "CLEAR_DATA", {"global_indexes": [index for index in rows if nodes.unit_of(index) == unit]})
    gone = nodes.units[nodes.unit_of(rows[0])].ask("GET", {"global_indexes": rows[:1], "fields": ["x"]})
    assert gone.type == "GET_ERROR" and gone.text.startswith("[TQKeyNotFound] ")
    nodes.ask("CLEAR_PARTITION", {"partition_id": partition})


