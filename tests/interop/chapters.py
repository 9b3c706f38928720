# SPDX-License-Identifier: Apache-2.0
"""The steps of the scenario that put, get and tag; control_chapters.py has the others.

Each step has its own partition, so that a failing one leaves the others alone.
"""

import numpy as np
import torch
from columns import COLUMNS, LENGTHS, ROWS, SINCE, jagged
from story import FIRST, KEYS, Client, listing, step
from tensordict import NonTensorStack, TensorDict
from transcript import attempt


def round_trip(client: Client, partition: str, make) -> dict:
    def put():
        client.put(partition, {"column": make(), "beside": torch.arange(ROWS)})

    return {
        "put": attempt(put),
        "metadata": attempt(lambda: client.meta(partition)),
        "all": attempt(lambda: client.get(partition)),
        "two, out of order": attempt(lambda: client.get(partition, ["d", "a"])),
        "three, one twice": attempt(lambda: client.get(partition, ["b", "a", "b"])),
        "one, one column": attempt(lambda: client.get(partition, ["ключ"], ["column"])),
        "metadata of two": attempt(lambda: client.meta(partition, ["d", "a"])),
        "as the units have it": attempt(lambda: client.stored(partition, ["column", "beside"])),
    }


for _name, _make in COLUMNS.items():
    step("columns", _name, SINCE.get(_name, FIRST))(lambda client, partition, make=_make: round_trip(client, partition, make))




# --- columns: what is there, what is not, and what changes


@step("partial", "a column that only some rows have")
def partial_columns(client: Client, partition: str):
    client.put(partition, {"x": torch.arange(ROWS)})
    client.put(partition, {"y": torch.ones(2, 3)}, KEYS[:2])
    return {
        "all": attempt(lambda: client.meta(partition)),
        "the two": attempt(lambda: client.meta(partition, KEYS[:2])),
        "one of each": attempt(lambda: client.meta(partition, [KEYS[3], KEYS[0]])),
        "data of all": attempt(lambda: client.get(partition)),
        "data of the two": attempt(lambda: client.get(partition, KEYS[:2])),
        "production": attempt(lambda: client.production(partition, ["x", "y"])),
        "production of one": attempt(lambda: client.production(partition, ["y"])),
        "a column nobody put": attempt(lambda: client.production(partition, ["x", "nope"])),
        "state": client.state(partition),
    }


@step("partial", "rows of several puts in one look-up")
def partial_rows(client: Client, partition: str):
    client.put(partition, {"x": torch.zeros(2, 2)}, ["a", "d"])
    client.put(partition, {"x": torch.ones(1, 2)}, ["b"])
    client.register(partition, ["not yet"])
    return {
        "three": attempt(lambda: client.get(partition, ["d", "b", "a"])),
        "with one not yet put": attempt(lambda: client.meta(partition, ["a", "not yet"])),
        "data of it": attempt(lambda: client.get(partition, ["a", "not yet"])),
        "a partition that is not there": attempt(lambda: client.meta(partition + " not there")),
        "no keys": attempt(lambda: client.meta(partition, [])),
        "production": attempt(lambda: client.production(partition, ["x"])),
        "state": client.state(partition),
    }


@step("partial", "a column put twice")
def update(client: Client, partition: str):
    client.put(partition, {"x": torch.zeros(ROWS, 2), "text": NonTensorStack(*"abcd")})
    client.put(partition, {"x": torch.ones(2, 2)}, ["d", "b"])
    client.put(partition, {"text": NonTensorStack("new", None)}, ["a", "d"])
    return {"data": attempt(lambda: client.get(partition)), "metadata": client.meta(partition)}


@step("partial", "dense, then ragged, then dense again")
def change_shape(client: Client, partition: str):
    seen = []
    for column in (torch.zeros(ROWS, 2), jagged([torch.ones(n) for n in LENGTHS]), torch.ones(ROWS, 3)):
        error = attempt(lambda: client.put(partition, {"x": column}) and None)
        seen.append([error, attempt(lambda: client.meta(partition)), attempt(lambda: client.get(partition))])
    return seen


@step("partial", "rows of other lengths in later puts")
def grow_shape(client: Client, partition: str):
    seen = []
    for keys, length in ((["a", "b"], 2), (["ключ"], 5), (["d"], 2)):
        client.put(partition, {"x": torch.ones(len(keys), length)}, keys)
        seen.append([client.meta(partition, ["a"]), attempt(lambda: client.get(partition, ["a"]))])
    return [seen, client.meta(partition), attempt(lambda: client.get(partition))]


@step("partial", "text, then a tensor")
def change_kind(client: Client, partition: str):
    client.put(partition, {"x": NonTensorStack(*"abcd")})
    error = attempt(lambda: client.put(partition, {"x": torch.ones(2, 2)}, ["a", "b"]) and None)
    return [error, attempt(lambda: client.get(partition)), attempt(lambda: client.meta(partition))]


@step("partial", "many rows, small ones and ragged")
def many_rows(client: Client, partition: str):
    keys = [f"k{i}" for i in range(300)]
    columns = {
        "small": torch.arange(900, dtype=torch.int32).reshape(300, 3),
        "scalar": torch.arange(300.0),
        "ragged": jagged([torch.arange(i % 7) for i in range(300)]),
        "text": NonTensorStack(*(f"row {i}" for i in range(300))),
    }
    client.put(partition, columns, keys)
    return {
        "every third": attempt(lambda: client.get(partition, keys[::3])),
        "backwards": attempt(lambda: client.get(partition, keys[:20:-1], ["small", "ragged"])),
        "one": attempt(lambda: client.get(partition, keys[77:78])),
    }


# --- tags


TAGS = {
    "plain values": [{"score": 0.5, "ok": True, "n": 3}, {"score": None, "text": "t", "list": [1, "x"]}, {"d": {"k": 1}}, {}],
    "numpy scalars": [{"r": np.float32(0.5)}, {"n": np.int64(3), "b": np.bool_(False)}, {"h": np.float16(1.5)}, {"s": np.str_("x")}],
    "numpy arrays": [{"a": np.arange(3)}, {"a": np.ones((2, 2), np.float32)}, {"a": np.zeros(0)}, {"a": np.array(["x", "yz"])}],
    "tensors": [{"t": torch.arange(4)}, {"t": torch.zeros(0)}, {"in": [{"t": torch.ones(2, 2, dtype=torch.float16)}]}, {"t": torch.tensor(True)}],
    "bytes": [{"raw": b"\x00\xff"}, {"raw": b""}, {"raw": [b"a", b"b"]}, {"raw": b"x" * 300}],
    "int keys": [{"map": {1: "one"}}, {1: "one"}, {"map": {2: {3: [4]}}}, {"map": {-1: None, "a": 1}}],
    "tuples and sets": [{"t": (1, 2)}, {"s": {1}}, {"t": ((),)}, {"n": None}],
    "large numbers": [{"n": 2**63}, {"n": -(2**63)}, {"n": 2**64 - 1}, {"f": 1e308, "whole": 3.0}],
    "functions": [{"f": len}, {"dtype": torch.int8}, {"f": np.float32}, {"size": torch.Size([1])}],
}


def tag_round(client: Client, partition: str, tags: list) -> dict:
    def put():
        meta = client.register(partition)
        meta.update_custom_meta(tags)
        client.raw.put(TensorDict({"x": torch.arange(ROWS)}, batch_size=[ROWS]), meta)

    return {
        "put": attempt(put),
        "list": attempt(lambda: listing(client.raw.kv_list(partition))),
        "look-up": attempt(lambda: client.meta(partition, ["d", "a"])),
        "fetch": attempt(lambda: client.transcript.meta(client.fetch(partition, ["x"], ROWS))),
        "partition": attempt(lambda: client.partition_meta(partition)),
    }


for _name, _tags in TAGS.items():
    step("tags", _name)(lambda client, partition, tags=_tags: tag_round(client, partition, tags))


@step("tags", "set without data, replaced, wiped by a put")
def replace_tags(client: Client, partition: str):
    def tag(keys, tags):
        meta = client.look_up(partition, keys)
        meta.update_custom_meta(tags)
        client.raw.set_custom_meta(meta)
        return listing(client.raw.kv_list(partition))

    client.register(partition)
    return [
        attempt(lambda: tag(["a", "d"], [{"x": 1, "y": 2}, {"x": 3}])),
        attempt(lambda: tag(["a"], [{"x": 9}])),
        attempt(lambda: client.put(partition, {"c": torch.ones(2, 1)}, ["a", "b"]) and None),
        client.state(partition),
    ]
