# SPDX-License-Identifier: Apache-2.0
"""The operations of BatchMeta and KVBatchMeta give in C++ what Python's classes give for the same random input.

A BatchMeta goes to C++ as Python pickles it and comes back as C++ pickles it: all of its state is compared.
"""

import base64
import pickle
import random

import numpy as np
import pytest
import torch
from canonical import canonical
from cpp_client import ClientError, CppClient, column_of
from tensordict import NonTensorStack, TensorDict
from transfer_queue.metadata import BatchMeta, KVBatchMeta

SEEDS = 60
DTYPES = (torch.float32, torch.int64, torch.bfloat16)


@pytest.fixture(scope="module")
def cpp():
    client = CppClient()
    yield client
    client.end()


def any_value(r: random.Random):
    return r.choice([1, -5, 2.5, "text", None, True, [1, "two"], {"a": {"b": 1}}])


def any_dict(r: random.Random) -> dict:
    return {r.choice("abcdef"): any_value(r) for _ in range(r.randrange(4))}


def any_field(r: random.Random, size: int) -> dict:
    kind = r.choice(["dense", "nested", "other", "unknown"])
    if kind == "dense":
        return {"dtype": r.choice(DTYPES), "shape": (r.randrange(5), 2), "is_nested": False, "is_non_tensor": False}
    if kind == "other":
        return {"dtype": None, "shape": None, "is_nested": False, "is_non_tensor": True}
    shapes = [(r.randrange(9),) for _ in range(size)]
    nested = {"dtype": r.choice(DTYPES), "shape": None, "is_nested": True, "is_non_tensor": False}
    return {**nested, "per_sample_shapes": shapes}


def any_meta(r: random.Random, size: int | None = None, fields: dict | None = None, like: BatchMeta | None = None) -> BatchMeta:
    size = r.randrange(1, 8) if size is None else size
    return BatchMeta(
        global_indexes=like.global_indexes if like else r.sample(range(1000), size),
        partition_ids=like.partition_ids if like else [r.choice(["p", "q"]) for _ in range(size)],
        field_schema={name: any_field(r, size) for name in r.sample("uvwxyz", r.randrange(5))} if fields is None else fields,
        production_status=np.array([r.random() < 0.8 for _ in range(size)], dtype=np.int8),
        extra_info=any_dict(r),
        custom_meta=[any_dict(r) for _ in range(size)],
        _custom_backend_meta=[{name: any_value(r) for name in r.sample(["_own", "u", "v", "w"], r.randrange(3))} for _ in range(size)],
    )


def state(meta: BatchMeta) -> dict:
    told = {slot: getattr(meta, slot) for slot in BatchMeta.__slots__}
    # The shape of a field is a tuple, a torch.Size or a list, as its way has made it; all three are one to its users.
    schema = {}
    for name, field in told["field_schema"].items():
        field = dict(field)
        field["shape"] = None if field.get("shape") is None else list(field["shape"])
        if field.get("per_sample_shapes") is not None:
            field["per_sample_shapes"] = [None if s is None else list(s) for s in field["per_sample_shapes"]]
        schema[name] = field
    return {**told, "field_schema": schema, "production_status": told["production_status"].tolist()}


def asked(cpp, op: str, metas: list, **arguments) -> list[dict] | str:
    pickles = [base64.b64encode(pickle.dumps(meta)).decode() for meta in metas]
    try:
        return [state(pickle.loads(base64.b64decode(one))) for one in cpp("meta", op=op, metas=pickles, **arguments)]
    except ClientError as error:
        return f"refused: {error.code}"


def judged(call) -> list[dict] | str:
    try:
        result = call()
    except (ValueError, RuntimeError) as error:
        return f"refused: {type(error).__name__}"
    return [state(meta) for meta in (result if isinstance(result, list) else [result])]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_batch_meta(cpp, seed):
    r = random.Random(seed)
    meta = any_meta(r)
    size = meta.size
    assert asked(cpp, "copy", [meta]) == [state(meta)]

    positions = [r.randrange(size + (r.random() < 0.1)) for _ in range(r.randrange(6))]
    assert asked(cpp, "select_samples", [meta], positions=positions) == judged(lambda: meta.select_samples(positions))
    names = r.sample("uvwxyz", r.randrange(6))
    assert asked(cpp, "select_fields", [meta], names=names) == judged(lambda: meta.select_fields(names))
    chunks = r.randrange(1, 6)
    assert asked(cpp, "chunk", [meta], chunks=chunks) == judged(lambda: meta.chunk(chunks))
    assert asked(cpp, "chunk_by_partition", [meta]) == judged(meta.chunk_by_partition)
    tags = [any_dict(r) for _ in range(size)]
    changed = meta.copy()
    changed.update_custom_meta(tags)
    assert asked(cpp, "update_custom_meta", [meta], tags=[canonical(tag) for tag in tags]) == [state(changed)]

    order = r.choice([r.sample(range(size), size), [0] * size, list(range(size + 1))])
    changed = meta.copy()
    ours = asked(cpp, "reorder", [meta], positions=order)
    assert ours == judged(lambda: changed.reorder(order) or changed)

    other = any_meta(r, size, like=meta if r.random() < 0.8 else None)
    assert asked(cpp, "union", [meta, other]) == judged(lambda: meta.union(other))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_concat(cpp, seed):
    r = random.Random(seed)
    first = any_meta(r)
    parts = [first, BatchMeta.empty()]
    for _ in range(r.randrange(4)):
        size = r.randrange(1, 5)
        fields = {}
        for name, field in first.field_schema.items():
            fields[name] = dict(field) if r.random() < 0.9 else any_field(r, size)
            if fields[name].get("per_sample_shapes") is not None:
                fields[name]["per_sample_shapes"] = [(r.randrange(9),) for _ in range(size)]
        part = any_meta(r, size, fields if r.random() < 0.9 else None)
        part.extra_info = dict(first.extra_info) if r.random() < 0.8 else part.extra_info
        parts.append(part)
    for validate in (True, False):
        assert asked(cpp, "concat", parts, validate=validate) == judged(lambda: BatchMeta.concat(parts, validate=validate))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_columns_become_fields(cpp, seed):
    r = random.Random(seed)
    meta = any_meta(r)
    rows = meta.size if r.random() < 0.8 else meta.size + 1
    columns = {
        "u": torch.zeros(rows, 3),
        "new": torch.zeros(rows, dtype=torch.int64),
        "ragged": torch.nested.as_nested_tensor([torch.zeros(r.randrange(1, 5)) for _ in range(rows)], layout=torch.jagged),
        "text": NonTensorStack(*["a"] * rows),
    }
    data = TensorDict({name: columns[name] for name in r.sample(list(columns), r.randrange(1, 5))}, batch_size=[rows])
    told = [[name, column_of(data.get(name))] for name in data.keys()]
    changed = meta.copy()
    assert asked(cpp, "add_fields", [meta], columns=told) == judged(lambda: changed.add_fields(data))


def kv(r: random.Random, size: int, first: KVBatchMeta | None = None) -> KVBatchMeta:
    keys = [f"k{number}" for number in r.sample(range(40 if r.random() < 0.3 else 10_000), size)]
    same = first is not None and r.random() < 0.8
    return KVBatchMeta(
        keys=keys, tags=[any_dict(r) for _ in keys], partition_id=first.partition_id if same else r.choice("pq"),
        fields=list(reversed(first.fields)) if same else r.sample("uvw", r.randrange(1, 3)),
        extra_info=dict(first.extra_info) if same and r.random() < 0.8 else any_dict(r),
    )


def kv_state(meta: KVBatchMeta) -> dict:
    return {"keys": meta.keys, "tags": [canonical(tag) for tag in meta.tags], "partition_id": meta.partition_id,
            "fields": meta.fields, "extra_info": canonical(meta.extra_info or {})}


@pytest.mark.parametrize("seed", range(SEEDS))
def test_kv_batch_meta(cpp, seed):
    r = random.Random(seed)
    meta = kv(r, r.randrange(1, 7))

    def ours(op: str, metas: list, **arguments):
        try:
            return cpp("kv_meta", op=op, metas=[kv_state(one) for one in metas], **arguments)
        except ClientError:
            return "refused"

    def theirs(call):
        try:
            result = call()
        except (ValueError, RuntimeError):
            return "refused"
        return [kv_state(one) for one in (result if isinstance(result, list) else [result])]

    wanted = r.choice([r.sample(meta.keys, r.randrange(meta.size + 1)), [meta.keys[0]] * 2, ["nowhere"]])
    assert ours("select_keys", [meta], names=wanted) == theirs(lambda: meta.select_keys(wanted))
    chunks = r.randrange(1, 6)
    assert ours("chunk", [meta], chunks=chunks) == theirs(lambda: meta.chunk(chunks))
    parts = [meta] + [kv(r, r.randrange(4), meta) for _ in range(r.randrange(3))]
    assert ours("concat", parts) == theirs(lambda: KVBatchMeta.concat(parts))
    order = r.choice([r.sample(range(meta.size), meta.size), [0] * (meta.size + 1)])
    reordered = ours("reorder", [meta], positions=order)  # before Python's changes it
    assert reordered == theirs(lambda: meta.reorder(order) or meta)
