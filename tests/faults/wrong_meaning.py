# SPDX-License-Identifier: Apache-2.0
"""Requests whose types are right and whose content is not: lengths, ranges, names, limits.

Each is (name, request type, body, buffers, words that the refusal must hold). Where a part of the request is good, it
must not be stored either.
"""

import pickle
import struct
from fractions import Fraction

from msgspec.msgpack import Ext
from raw_peer import array, nested, pickled, tensor
from world import FLOAT32, TEXT, World, dense

LONG = "n" * 70_000  # a name of more than the 64 KiB that src/wire/limits.h allows
BEYOND = 2**40  # the first global index that is too large
TOO_MANY = 2**24 + 1  # rows of one request

Case = tuple[str, str, dict, tuple[bytes, ...], tuple[str, ...]]


def _tensordict(batch_size: object, data: object) -> dict:
    return {"__tq_tensordict__": True, "batch_size": batch_size, "data": data}


def of_units(world: World) -> list[Case]:
    rows = world.on_unit(world.victim, 0)
    assert len(rows) == 3
    good = {"good column": ["a", "b", "c"]}
    six, four = struct.pack("<6f", *range(6)), struct.pack("<4f", *range(4))

    def column(name: str, value: object, *buffers: bytes) -> Case:
        body = {"global_indexes": rows, "data": {**good, "odd column": value}}
        return f"a column that is {name}", "PUT", body, buffers, ("odd column",)

    def put(name: str, words: str | tuple, indexes: list, data: dict, *buffers: bytes) -> Case:
        return name, "PUT", {"global_indexes": indexes, "data": data}, buffers, (words,) if isinstance(words, str) else words

    return [
        column("a tensor of 2 rows", tensor("float32", (2, 3), 1), six),
        column("a tensor of 6 rows", tensor("float32", (6,), 1), six),
        column("a tensor of no dimensions", tensor("float32", (), 1), six[:4]),
        column("a tensor of no rows", tensor("float32", (0, 3), 1), b""),
        column("a numpy array of 2 rows", array("float32", (2, 2), 1), four),
        column("a numpy scalar", array("float32", (), 1), four[:4]),
        column("a nested tensor of 2 rows", nested([("float32", (3,), 1), ("float32", (2, 2), 2)]), six[:12], four),
        column("a nested tensor of no rows", nested([])),
        column("a list of 2", [1, 2]),
        column("a list of 4", [1, 2, 3, 4]),
        column("an empty list", []),
        column("nil", None),
        column("a number", 3),
        column("a str of 3 letters", "abc"),
        column("3 bytes", b"abc"),
        column("a dict of 3", {"a": 1, "b": 2, "c": 3}),
        column("a pickled object", pickled(range(3))),
        column("a TensorDict of 2 rows", _tensordict([2], {"inner": [1, 2]})),
        column("a TensorDict with an entry of 2 rows", _tensordict([3], {"fine": [1, 2, 3], "inner": [1, 2]})),
        column("a TensorDict of no dimensions", _tensordict([], {})),
        column("a TensorDict without batch_size", {"__tq_tensordict__": True, "data": {}}),
        column("a TensorDict without data", {"__tq_tensordict__": True, "batch_size": [3]}),
        column("a TensorDict with data nil", _tensordict([3], None)),
        column("a TensorDict with a batch_size of str", _tensordict(["3"], {})),
        column("a TensorDict with a negative batch_size", _tensordict([-3], {})),
        column("a TensorDict with a batch_size of 2^63", _tensordict([2**63], {})),
        column("a TensorDict with a wrong second batch dimension", _tensordict([3, 2], {"inner": tensor("float32", (3, 1), 1)}), six[:12]),
        column("a TensorDict with a key that is no str", _tensordict([3], {7: [1, 2, 3]})),
        put("a negative index", "global_indexes", [rows[0], -1, rows[2]], good),
        put("the smallest index", "global_indexes", [rows[0], -(2**63), rows[2]], good),
        put("an index too large", "global_indexes", [rows[0], BEYOND, rows[2]], good),
        put("the largest index", "global_indexes", [rows[0], 2**63 - 1, rows[2]], good),
        put("more indexes than rows", "good column", [*rows, rows[0] + 100], good),
        put("fewer indexes than rows", "good column", rows[:2], good),
        put("a field's name that is an int", "field", rows, {**good, 5: [1, 2, 3]}),
        put("a field's name that is bytes", "field", rows, {**good, b"five": [1, 2, 3]}),
        put("a field's name that is too long", "field", rows, {**good, LONG: [1, 2, 3]}),
        put("more fields than the limit", "fields", rows[:1], {f"f{i}": [i] for i in range(65_537)}),
        ("a field that nobody put", "GET", {"global_indexes": world.on_unit(world.canary, 0), "fields": ["scores", "nobody"]}, (), ("nobody",)),
        ("a field's name that is too long", "GET", {"global_indexes": world.on_unit(world.canary, 0), "fields": ["scores", LONG]}, (), ("fields",)),
        ("a row that nobody put", "GET", {"global_indexes": [*world.on_unit(world.canary, 0), 4096], "fields": ["scores"]}, (),
         ("scores", "4096", "[TQKeyNotFound] ")),
        ("a negative index", "GET", {"global_indexes": [-1], "fields": ["scores"]}, (), ("global_indexes",)),
        ("an index too large", "GET", {"global_indexes": [BEYOND], "fields": ["scores"]}, (), ("global_indexes",)),
        ("a negative index", "CLEAR_DATA", {"global_indexes": [*world.on_unit(world.canary, 0), -1]}, (), ("global_indexes",)),
        ("an index too large", "CLEAR_DATA", {"global_indexes": [*world.on_unit(world.canary, 0), BEYOND]}, (), ("global_indexes",)),
    ]  # fmt: skip


def of_controllers(world: World) -> list[Case]:
    rows, canary = world.victim, world.canary
    partition = {"partition_id": "victim"}
    fetch = {"data_fields": ["scores"], "batch_size": 1, **partition, "mode": "fetch", "task_name": "t", "sampling_config": None}
    insert = {"data_fields": ["scores"], "batch_size": 1, **partition, "mode": "insert"}
    pairs = {"global_indexes": canary, "partition_ids": ["canary"] * len(canary)}

    def notify(name: str, words: str | tuple, **change) -> Case:
        schema = {"good field": TEXT, **change.pop("schema", {})}
        body = {**partition, "global_indexes": rows, "field_schema": schema, "custom_backend_meta": None, **change}
        return name, "NOTIFY_DATA_UPDATE", body, (), (words,) if isinstance(words, str) else words

    def odd(name: str, part: str, **change) -> Case:
        """A field of the schema that is wrong beside one that is good."""
        return notify(f"a field whose {name}", ("odd field", part), schema={f"odd field: {name}": dense(**change)})

    def tags(name: str, words: str, value: object) -> Case:
        body = {"partition_custom_meta": {"canary": {canary[0]: {"good": 1}}, "victim": value}}
        return f"tags: {name}", "SET_CUSTOM_META", body, (), (words,)

    def clears(name: str, words: str, **change) -> list[Case]:
        return [(name, request_type, {**pairs, **change}, (), (words,)) for request_type in ("CLEAR_META", "MARK_CLEARING")]

    return [
        notify("an index of nobody", ("global_indexes", "99999"), global_indexes=[rows[0], 99_999]),
        notify("an index of another partition", ("global_indexes", str(canary[0])), global_indexes=[rows[0], canary[0]]),
        notify("a negative index", "global_indexes", global_indexes=[rows[0], -1]),
        notify("an index too large", "global_indexes", global_indexes=[rows[0], BEYOND]),
        notify("a partition of nobody", "nobody", partition_id="nobody"),
        notify("a partition's name that is too long", "partition_id", partition_id=LONG),
        notify("a field's name that is too long", "field_schema", schema={LONG: dense()}),
        notify("a field's name that is an int", "field_schema", schema={5: dense()}),
        notify("more fields than the limit", "fields", schema={f"f{i}": TEXT for i in range(65_537)}),
        odd("shape is missing", "shape", shape=None),
        odd("shape is an int", "shape", shape=3),
        odd("shape holds a str", "shape", shape=["3"]),
        odd("shape holds a float", "shape", shape=[3.0]),
        odd("shape holds nil", "shape", shape=[None]),
        odd("shape holds a negative", "shape", shape=[-3]),
        odd("shape overflows 64 bits", "shape", shape=[2**64 - 1]),
        odd("shape has a product past 64 bits", "shape", shape=[2**62, 2**62]),
        odd("shape has 65 dimensions", "shape", shape=[1] * 65),
        odd("is_nested is a str", "is_nested", is_nested="yes"),
        odd("is_nested is an int", "is_nested", is_nested=1),
        odd("is_non_tensor is a list", "is_non_tensor", is_non_tensor=[]),
        odd("shapes are missing, though it is nested", "per_sample_shapes", is_nested=True),
        odd("shapes are a list", "per_sample_shapes", is_nested=True, per_sample_shapes=[[3]]),
        odd("shapes have a str for an index", "per_sample_shapes", is_nested=True, per_sample_shapes={"1": [3]}),
        odd("shapes have an index beside global_indexes", "per_sample_shapes", is_nested=True, per_sample_shapes={canary[0]: [3]}),
        odd("shapes have a negative index", "per_sample_shapes", is_nested=True, per_sample_shapes={-1: [3]}),
        odd("shapes hold a str", "per_sample_shapes", is_nested=True, per_sample_shapes={rows[0]: "3"}),
        odd("shapes hold a negative", "per_sample_shapes", is_nested=True, per_sample_shapes={rows[0]: [-3]}),
        odd("dtype is an int", "dtype", dtype=7),
        odd("dtype is a dict", "dtype", dtype={"a": FLOAT32}),
        odd("dtype is no pickle", "dtype", dtype=Ext(1, b"no pickle")),
        odd("dtype is a call", "dtype", dtype=Ext(1, pickle.dumps(Fraction(1, 3)))),
        notify("a schema that is nil", "odd field", schema={"odd field": None}),
        notify("backend meta of another's index", "custom_backend_meta", custom_backend_meta={rows[0]: {"a": 1}, canary[0]: {"a": 1}}),
        notify("backend meta of a str", "custom_backend_meta", custom_backend_meta={rows[0]: {"a": 1}, "1": {"a": 1}}),
        notify("backend meta that is no dict", "custom_backend_meta", custom_backend_meta={rows[0]: {"a": 1}, rows[1]: [1]}),
        notify("backend meta with int keys", "custom_backend_meta", custom_backend_meta={rows[0]: {"a": 1}, rows[1]: {1: 1}}),
        tags("a row whose tag is a list", "partition_custom_meta", {rows[0]: {"a": 1}, rows[1]: [1]}),
        tags("a row whose tag is nil", "partition_custom_meta", {rows[0]: {"a": 1}, rows[1]: None}),
        tags("an index that is a str", "partition_custom_meta", {rows[0]: {"a": 1}, "1": {"a": 1}}),
        tags("an index that is a float", "partition_custom_meta", {rows[0]: {"a": 1}, 1.5: {"a": 1}}),
        tags("an index that is bytes", "partition_custom_meta", {rows[0]: {"a": 1}, b"1": {"a": 1}}),
        *clears("fewer partitions than indexes", "partition_ids", partition_ids=["canary"] * 5),
        *clears("more partitions than indexes", "partition_ids", partition_ids=["canary"] * 7),
        *clears("a negative index", "global_indexes", global_indexes=[*canary[1:], -1]),
        *clears("an index too large", "global_indexes", global_indexes=[*canary[1:], BEYOND]),
        *clears("a partition's name that is too long", "partition_ids", partition_ids=["canary"] * 5 + [LONG]),
        *((f"fetch of {count}", "GET_META", {**fetch, "batch_size": count}, (), ("batch_size",)) for count in (-1, TOO_MANY, 2**63 - 1, -(2**63))),
        *((f"insert of {count}", "GET_META", {**insert, "batch_size": count}, (), ()) for count in (-1, TOO_MANY, 2**63 - 1, -(2**63))),
        ("an unknown mode", "GET_META", {**fetch, "mode": "take"}, (), ("mode", "take")),
        ("a mode that is too long", "GET_META", {**fetch, "mode": LONG}, (), ("mode",)),
        ("a task's name that is too long", "GET_META", {**fetch, "task_name": LONG}, (), ("task_name",)),
        ("a field's name that is too long", "GET_META", {**fetch, "data_fields": [LONG]}, (), ("data_fields",)),
        ("more fields than the limit", "GET_META", {**fetch, "data_fields": ["a"] * 65_537}, (), ("data_fields",)),
        ("more fields than the limit", "GET_META", {**insert, "data_fields": ["a"] * 65_537}, (), ("data_fields",)),
        ("sampling_config with an int key", "GET_META", {**fetch, "sampling_config": {1: 2}}, (), ("sampling_config",)),
        ("sampling_config with the sampler's own argument", "GET_META", {**fetch, "sampling_config": {"batch_size": 2}}, (),
         ("sampling_config", "batch_size")),
        ("force_fetch of nobody's partition", "GET_META", {**fetch, "mode": "force_fetch", "partition_id": "nobody"}, (), ("nobody",)),
        ("a key that is too long", "KV_RETRIEVE_META", {"keys": ["new", LONG], **partition, "create": True}, (), ("keys",)),
        ("a key that is nil", "KV_RETRIEVE_META", {"keys": ["new", None], **partition, "create": True}, (), ("keys",)),
        ("a partition's name that is too long", "KV_RETRIEVE_META", {"keys": ["new"], "partition_id": LONG, "create": True}, (), ("partition_id",)),
        ("neither keys nor indexes", "KV_RETRIEVE_KEYS", {**partition, "global_indexes": None, "keys": None}, (), ("global_indexes",)),
        ("an old request with a key that is nil", "KV_RETRIEVE_KEYS", {"keys": ["new", None], **partition, "create": True}, (), ("keys",)),
        ("a position past the samples", "GET_CONSUMPTION", {**partition, "task_name": "t", "sample_filter": [0, 99]}, (), ("sample_filter",)),
        ("a negative position", "GET_CONSUMPTION", {**partition, "task_name": "t", "sample_filter": [0, -1]}, (), ("sample_filter",)),
        ("a task's name that is too long", "GET_CONSUMPTION", {**partition, "task_name": LONG}, (), ("task_name",)),
        ("a task's name that is too long", "RESET_CONSUMPTION", {**partition, "task_name": LONG}, (), ("task_name",)),
        ("a partition's name that is too long", "KV_LIST", {"partition_id": LONG}, (), ("partition_id",)),
    ]  # fmt: skip
