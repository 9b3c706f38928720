# SPDX-License-Identifier: Apache-2.0
"""Values of every kind, a good body of every request, and which kinds a key may take."""

import pickle
import struct

from msgspec.msgpack import Ext
from protocol_page import CONTROLLER, STORAGE, Key
from raw_peer import CALLABLE, array, nested, pickled, tensor
from world import World, dense

BUFFER = struct.pack("<2q", 1, 2)  # frame 1 of each message here: two int64 numbers
KINDS = {
    "nil": None,
    "true": True,
    "int": 7,
    "zero": 0,
    "negative": -1,
    "int64 max": 2**63 - 1,
    "int64 min": -(2**63),
    "uint64": 2**64 - 1,
    "float": 1.5,
    "whole float": 2.0,
    "nan": float("nan"),
    "infinity": float("inf"),
    "str": "wrong",
    "empty str": "",
    "bytes": b"\x00\xff",
    "empty list": [],
    "ints": [1, 2],
    "strs": ["wrong", "worse"],
    "negative in a list": [1, -1],
    "huge in a list": [1, 2**63],
    "floats": [1.0, 2.0],
    "bools": [True, False],
    "nil in a list": ["wrong", None],
    "mixed list": [1, "a"],
    "nested list": [[1], [2]],
    "dict in a list": [{"a": 1}],
    "empty dict": {},
    "dict": {"a": 1},
    "dict with int keys": {1: 2},
    "dict of dicts": {"a": {"b": 1}},
    "dict of int dicts": {"victim": {1: "no tag"}},
    "list in a dict": {"a": [1]},
    "tensor": tensor("float32", (2, 2), 1),
    "int64 tensor": tensor("int64", (2,), 1),
    "nested tensor": nested([("int64", (2,), 1)]),
    "numpy array": array("float32", (2, 2), 1),
    "pickled object": pickled({"a", "set"}),
    "callable": Ext(CALLABLE, pickle.dumps(print)),
    "tensor in a list": [tensor("int64", (2,), 1)],
    "callable in a dict": {"a": Ext(CALLABLE, b"no pickle at all")},
}

# Keys that the page calls `any`: the kinds that are answered without an error, and all others must be refused.
FREE = {
    ("GET_META", "sampling_config"): {"nil", "empty dict", "dict", "dict of dicts", "dict of int dicts", "list in a dict", "callable in a dict"},
    ("NOTIFY_DATA_UPDATE", "custom_backend_meta"): {"nil", "empty dict"},
    ("REGISTER_SAMPLER", "arguments"): {"nil", "empty dict"},
    ("PUT", "data"): {"empty dict"},
    ("PUT", "data_parser"): {"nil"},
}  # fmt: skip

# Kinds that fit the page's type and still cannot be meant.
NONSENSE = {
    "batch_size": {"nil", "zero", "negative", "int64 max", "int64 min"},
    "data_fields of GET_META": {"nil"},
    "mode": {"str", "empty str"},
    "task_name of GET_META": {"nil"},
    "partition_id of NOTIFY_DATA_UPDATE": {"nil"},
    "global_indexes of PUT": {"negative in a list", "empty list"},
    "global_indexes of GET": {"negative in a list"},
    "global_indexes of CLEAR_DATA": {"negative in a list"},
    "global_indexes of MARK_CLEARING": {"negative in a list", "empty list"},
    "global_indexes of CLEAR_META": {"negative in a list", "empty list"},
    "global_indexes of NOTIFY_DATA_UPDATE": {"negative in a list", "ints"},
    "global_indexes of KV_RETRIEVE_KEYS": {"nil"},
    "partition_custom_meta": {"dict of int dicts"},
    "partition_ids": {"empty list"},
    "sample_filter": {"negative in a list"},
    "sampler": {"str", "empty str"},
}

# Kinds beside the page's types that Python takes for what is meant: a list of integers may come as a vector of them.
TOLERATED = {"global_indexes": {"int64 tensor"}, "sample_filter": {"int64 tensor"}}


def good_bodies(world: World, folder: str) -> dict[str, dict]:
    """A body of each request type with every key that the page knows; only `victim` is changed by it."""
    victim = world.victim[:2]
    put = world.on_unit(world.victim, 0)[:2]
    return {
        "HANDSHAKE": {"storage_manager_id": "raw", "storage_manager_type": "raw"},
        "GET_META": {"data_fields": ["scores"], "batch_size": 1, "partition_id": "victim", "mode": "fetch", "task_name": "t",
                     "sampling_config": None},
        "GET_PARTITION_META": {"partition_id": "victim"},
        "SET_CUSTOM_META": {"partition_custom_meta": {"victim": {victim[0]: {}}}},
        "MARK_CLEARING": {"global_indexes": victim, "partition_ids": ["victim", "victim"]},
        "CLEAR_META": {"global_indexes": [0, 1], "partition_ids": ["nobody", "nobody"]},
        "CLEAR_PARTITION": {"partition_id": "nobody"},
        "GET_CONSUMPTION": {"partition_id": "victim", "task_name": "t", "sample_filter": [0]},
        "RESET_CONSUMPTION": {"partition_id": "victim", "task_name": "t"},
        "GET_PRODUCTION": {"partition_id": "victim", "data_fields": ["scores"]},
        "GET_LIST_PARTITIONS": {},
        "NOTIFY_DATA_UPDATE": {"partition_id": "victim", "global_indexes": [], "field_schema": {"fresh": dense()},
                               "custom_backend_meta": None},
        "KV_RETRIEVE_META": {"keys": ["v0"], "partition_id": "victim", "create": True},
        "KV_RETRIEVE_KEYS": {"global_indexes": victim, "partition_id": "victim", "keys": None, "create": None},
        "KV_LIST": {"partition_id": "victim"},
        "SAVE_CONTROLLER_CHECKPOINT": {"path": f"{folder}/no/such/folder"},
        "LOAD_CONTROLLER_CHECKPOINT": {"path": f"{folder}/no/such/folder"},
        "GET_PARTITION_SNAPSHOT": {"partition_id": "victim"},
        "REGISTER_SAMPLER": {"sampler": "SequentialSampler", "arguments": None},
        "PUT": {"global_indexes": put, "data": {"text": ["a", "b"]}, "data_parser": None},
        "GET": {"fields": ["scores"], "global_indexes": world.on_unit(world.canary, 0)[:2]},
        "CLEAR_DATA": {"global_indexes": put},
        "GET_METRICS": {},
        "SAVE_STORAGE_CHECKPOINT": {"path": f"{folder}/no/such/folder"},
        "LOAD_STORAGE_CHECKPOINT": {"path": f"{folder}/no/such/folder"},
    }  # fmt: skip


def must_refuse(request_type: str, key: Key, kind: str) -> bool:
    """Whether this kind of value in that key is an error."""
    free = FREE.get((request_type, key.name))
    if free is not None:
        return kind not in free
    if kind in NONSENSE.get(key.name, ()) or kind in NONSENSE.get(f"{key.name} of {request_type}", ()):
        return True
    return not key.type.allows(KINDS[kind]) and kind not in TOLERATED.get(key.name, ())


def refusals(request_type: str, wrong_key: str | None) -> set[str]:
    """The types that the page names for a failing request (table "Errors")."""
    if request_type == "NOTIFY_DATA_UPDATE":
        return {"NOTIFY_DATA_UPDATE_ACK"}
    # Without the one key that it is about, Python's handlers of these have no reply of their own to fill in.
    if request_type == "RESET_CONSUMPTION" and wrong_key != "partition_id":
        return {"RESET_CONSUMPTION_RESPONSE"}
    if request_type in ("SAVE_STORAGE_CHECKPOINT", "LOAD_STORAGE_CHECKPOINT"):
        return {"PUT_GET_ERROR"} if wrong_key else {f"{request_type}_RESPONSE"}
    if request_type in CONTROLLER:
        return {"REQUEST_ERROR"}
    return {{"PUT": "PUT_ERROR", "GET": "GET_ERROR", "CLEAR_DATA": "CLEAR_DATA_ERROR"}.get(request_type, "PUT_GET_ERROR")}


def refusals_without(request_type: str) -> set[str]:
    """The same for a body that lacks a key, or is no dict."""
    return {"PUT_GET_ERROR"} if request_type == "GET" else refusals(request_type, "partition_id")


assert set(KINDS) >= set().union(*FREE.values(), *NONSENSE.values(), *TOLERATED.values())
assert all(request_type in CONTROLLER or request_type in STORAGE for request_type, _ in FREE)
