# SPDX-License-Identifier: Apache-2.0
"""Tags between the C++ client and Python's.

The expectation is Python's own: the same tags set, and extended, by Python's kv functions in another partition.
"""

import collections
import datetime
import fractions
import http
import pathlib
import uuid

import torch
from canonical import canonical
from chapters import TAGS
from columns import ROWS
from compare import differences
from cpp_client import ClientError, plain
from cpp_client_world import World
from story import KEYS
from tensordict import TensorDict

ALL_TAGS = {
    **TAGS,
    "collections": [
        {"d": collections.defaultdict(int, a=1)}, {"q": collections.deque([1, [2]])}, {"o": collections.OrderedDict(a=1)},
        {"c": collections.Counter("aab")}],
    "objects": [
        {"f": fractions.Fraction(1, 3), "t": datetime.datetime(2026, 1, 2)}, {"u": uuid.UUID(int=7), "r": range(3)},
        {"e": http.HTTPStatus.OK, "z": complex(1, -2)}, {"p": pathlib.PurePosixPath("a/b"), "s": slice(1, 2)}],
}
# Set by Python, then changed by the other client: one entry more, one replaced, and a key that is no text.
CHANGES = [{"added": [1, {"deep": None}], "r": "replaced"}, {"n": 2.5, 1: "uno"}, {"in": []}, {"": b"\x00", -1: {}}]
EXPRESSIBLE = ("plain values", "tensors", "bytes", "int keys", "large numbers")


def data() -> TensorDict:
    return TensorDict({"x": torch.arange(ROWS)}, batch_size=[ROWS])


def listed(world: World, partition: str) -> list:
    return [[key, canonical(tags)] for key, tags in world.python.kv_list(partition)[partition].items()]


def looked_up(world: World, partition: str) -> list:
    return canonical(world.raw.kv_retrieve_meta(keys=KEYS, partition_id=partition).custom_meta)


def wrong_after_changes(world: World, name: str, tags: list) -> list[str]:
    """Tags that Python set and C++ extended, against those that Python set and extended."""
    for who in ("python", "cpp"):
        world.python.kv_batch_put(keys=KEYS, partition_id=f"{name} by {who}", fields=data(), tags=tags)
    for key, change in zip(KEYS, CHANGES):
        world.python.kv_put(key=key, partition_id=f"{name} by python", tag=change)
        try:
            world.cpp("put_one", key=key, partition=f"{name} by cpp", tag=canonical(change))
        except ClientError as error:
            return [f"{name}: {error}"]
    found = []
    for look in (listed, looked_up):
        want = look(world, f"{name} by python")
        found += differences(want, look(world, f"{name} by cpp"), f"{name}, {look.__name__}")
    got = dict(world.cpp("list", partition=f"{name} by cpp"))[f"{name} by cpp"]
    want = plain(listed(world, f"{name} by python"))
    if name == "numpy scalars":  # numpy's str is pickled, and yet a str to Python
        want[3][1]["$map"][0][1] = "<pickled>"
    return found + differences(want, plain(got), f"{name}, as C++ lists it")


def wrong_when_set_by_cpp(world: World, name: str, tags: list) -> list[str]:
    """Tags that C++ set with a put, against those that Python set."""
    world.python.kv_batch_put(keys=KEYS, partition_id=f"{name} set by python", fields=data(), tags=tags)
    column = {"kind": "dense", "tensor": canonical(torch.arange(ROWS))}
    meta = world.cpp("put", keys=KEYS, partition=f"{name} set by cpp", columns=[["x", column]],
                     tags=[canonical(tag) for tag in tags])
    found = differences(plain(canonical(tags)), plain(meta["tags"]), f"{name}, returned by the put")
    for look in (listed, looked_up):
        want = look(world, f"{name} set by python")
        found += differences(want, look(world, f"{name} set by cpp"), f"{name} set by C++, {look.__name__}")
    return found
