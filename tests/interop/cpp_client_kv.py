# SPDX-License-Identifier: Apache-2.0
"""What the KV functions of the C++ client mean, on any nodes. The expectation is the data itself and Python's own answer.

Each check has partitions of its own, so that it runs on nodes that others used.
"""

import base64

import pytest
import torch
from canonical import canonical
from cpp_client import ClientError, dense, plain, rows, rows_of, values
from cpp_client_world import World
from tensordict import NonTensorStack, TensorDict

KEYS = ["a", "b", "ключ", "d"]
CHECKS: list = []  # functions of a world; `since` is the first version of nodes that they are for
VIAS = ("call", "future", "callback", "thread")


def check(function=None, since: tuple = (0, 1, 6)):
    if function is None:
        return lambda function: check(function, since)
    function.since = since
    CHECKS.append(function)
    return function


# Nodes before 0.1.8 take reports of data on a socket that the newest Python client does not know.
PYTHON_PUTS = (0, 1, 8)
# Older controllers answer nothing at all when one key is unknown.
UNKNOWN_KEYS_LEFT_OUT = (0, 1, 9)
# Older nodes end at a message that is pickled whole.
PICKLED_WHOLE = (0, 1, 10)


def numbers(count: int = 4, start: int = 0) -> torch.Tensor:
    return torch.arange(start, start + 2 * count).reshape(count, 2)


def canonical_rows(tensor: torch.Tensor) -> list:
    return [canonical(row) for row in tensor]


def python_rows(world: World, partition: str, keys: list, field: str) -> list:
    got = world.python.kv_batch_get(keys=keys, partition_id=partition, select_fields=[field])[field]
    return [canonical(row) for row in (got.unbind() if isinstance(got, torch.Tensor) else got)]


def cpp_rows(world: World, partition: str, keys: list, field: str) -> list:
    return rows_of(world.cpp("get", keys=keys, partition=partition, fields=[field])[field])


def refused(client, code: str, *words: str, do: str, **arguments) -> ClientError:
    """One sentence that holds these words."""
    with pytest.raises(ClientError) as caught:
        client(do, **arguments)
    error = caught.value
    assert error.code == code, error
    assert "\n" not in error.message, error
    for word in words:
        assert word in error.message, (word, error.message)
    return error


@check
def every_way_of_calling(world: World):
    for via in VIAS:
        partition = f"by {via}"
        x, text = numbers(), ["one", None, "три", {"n": [1.5]}]
        meta = world.cpp("put", via=via, keys=KEYS, partition=partition, columns=[["x", dense(x)], ["text", values(text)]],
                         tags=[{"n": n} for n in range(4)])
        assert meta == {"keys": KEYS, "tags": [{"n": n} for n in range(4)], "partition_id": partition, "fields": ["text", "x"],
                        "extra_info": {}}
        one = world.cpp("put_one", via=via, key="e", partition=partition, fields=[["x", canonical(x[1])], ["note", "n"]],
                        tag={"s": "t"})
        assert one == {"keys": ["e"], "tags": [{"s": "t"}], "partition_id": partition, "fields": ["note", "x"],
                       "extra_info": {}}
        got = world.cpp("get", via=via, keys=["d", "a"], partition=partition)
        assert rows_of(got["x"]) == canonical_rows(x[[3, 0]])
        assert plain(rows_of(got["text"])) == plain(canonical([text[3], text[0]]))
        assert got["x"]["kind"] == "dense"
        got = world.cpp("get_by_meta", via=via, meta=meta, fields=["x"], form="rows")
        assert list(got) == ["x"] and rows_of(got["x"]) == canonical_rows(x)
        assert set(world.cpp("get_by_meta", via=via, meta=meta)) == {"x", "text"}
        want = world.python.kv_list(partition)
        assert want == {partition: {**{key: {"n": n} for n, key in enumerate(KEYS)}, "e": {"s": "t"}}}
        assert dict(world.cpp("list", via=via, partition=partition)[0][1]) == want[partition]
        world.cpp("clear", via=via, keys=KEYS, partition=partition)
        assert world.python.kv_list(partition) == {partition: {"e": {"s": "t"}}}
        assert python_rows(world, partition, ["e"], "x") == canonical_rows(x[1:2])


@check
def errors_reach_every_way_of_calling(world: World):
    for via in VIAS:
        for do in ("get", "clear"):
            refused(world.cpp, "KeyError", "'nowhere'", "'k'", do=do, via=via, keys=["k"], partition="nowhere")
        meta = {"keys": ["k"], "tags": [], "partition_id": "nowhere", "fields": ["x"]}
        refused(world.cpp, "KeyError", "'k'", do="get_by_meta", via=via, meta=meta)
        refused(world.cpp, "ValueError", "'y'", "'x'", do="get_by_meta", via=via, meta=meta, fields=["y"])
        refused(world.cpp, "ValueError", "twice", "'k'", do="put", via=via, keys=["k", "k"], partition="nowhere",
                columns=[["x", dense(numbers(2))]])
        refused(world.cpp, "ValueError", "fields", "tag", do="put_one", via=via, key="k", partition="nowhere")
    assert world.cpp("list", partition="nowhere") == []


@check(since=PYTHON_PUTS)
def one_sample_is_what_python_makes_of_it(world: World):
    """kv_put of tensors without batch dimension, scalars, and values."""
    fields = {"vector": torch.ones(3), "scalar": torch.tensor(2.5), "image": torch.arange(6, dtype=torch.uint8).reshape(1, 2, 3),
              "empty": torch.zeros(0), "text": "t", "none": None, "dict": {"t": torch.ones(1), "l": [1, None]}, "bytes": b"\x00"}
    world.python.kv_put(key="k", partition_id="one by python", fields=fields, tag={"n": 1})
    world.cpp("put_one", key="k", partition="one by cpp", fields=[[name, canonical(value)] for name, value in fields.items()],
              tag={"n": 1})
    seen = []
    for partition in ("one by python", "one by cpp"):
        meta = world.raw.kv_retrieve_meta(keys=["k"], partition_id=partition)
        seen.append([canonical(meta.field_schema), canonical(world.raw.get_data(meta)), canonical(meta.custom_meta)])
    assert seen[0] == seen[1]
    got = world.cpp("get", keys=["k"], partition="one by python")
    assert {name: plain(rows_of(column)) for name, column in got.items()} == {
        name: [plain(canonical(value))] for name, value in fields.items()}


@check(since=PYTHON_PUTS)
def partial_columns(world: World):
    world.cpp("put", keys=KEYS, partition="partial", columns=[["x", dense(numbers())]])
    world.python.kv_batch_put(keys=KEYS[:2], partition_id="partial", fields=TensorDict({"y": torch.ones(2, 3)}, batch_size=[2]))
    assert set(world.cpp("get", keys=KEYS, partition="partial")) == {"x"}
    assert set(world.cpp("get", keys=KEYS[:2], partition="partial")) == {"x", "y"}
    refused(world.cpp, "KeyError", "'y'", "'x'", "'partial'", do="get", keys=KEYS, partition="partial", fields=["x", "y"])
    refused(world.cpp, "KeyError", "'y'", do="get", keys=KEYS[2:], partition="partial", fields=["y"])
    refused(world.cpp, "KeyError", "'nope'", do="get", keys=["a"], partition="partial", fields=["nope"])
    refused(world.cpp, "KeyError", "'zz'", "'partial'", do="get", keys=["a", "zz"], partition="partial", fields=["x"])
    # Python's way: what is not there is left out.
    want = world.python.kv_batch_get(keys=KEYS, partition_id="partial", select_fields=["x", "y"])
    got = world.lenient("get", keys=KEYS, partition="partial", fields=["x", "y"])
    assert set(got) == set(want.keys()) == {"x"}


@check(since=UNKNOWN_KEYS_LEFT_OUT)
def unknown_keys_are_left_out_when_asked_for(world: World):
    world.cpp("put", keys=KEYS, partition="lenient", columns=[["x", dense(numbers())]])
    want = world.python.kv_batch_get(keys=["d", "zz", "a"], partition_id="lenient")
    got = world.lenient("get", keys=["d", "zz", "a"], partition="lenient")
    assert rows_of(got["x"]) == [canonical(row) for row in want["x"].unbind()] == canonical_rows(numbers()[[3, 0]])
    refused(world.lenient, "KeyError", "'zz'", do="get", keys=["zz"], partition="lenient")
    world.lenient("clear", keys=["zz", "d"], partition="lenient")
    assert list(world.python.kv_list("lenient")["lenient"]) == KEYS[:3]


@check(since=PYTHON_PUTS)
def an_update_of_one_column_leaves_the_others(world: World):
    x, y, new = numbers(), numbers(4, 100), numbers(2, 1000)
    columns = [["x", dense(x)], ["y", dense(y)], ["text", values(list("abcd"))]]
    world.cpp("put", keys=KEYS, partition="update", columns=columns, tags=[{"n": n} for n in range(4)])
    meta = world.cpp("put", keys=["d", "b"], partition="update", columns=[["x", dense(new)]])
    assert meta["fields"] == ["text", "x", "y"] and meta["tags"] == [{"n": 3}, {"n": 1}]
    x[3], x[1] = new[0], new[1]
    y[0] = 0
    world.python.kv_batch_put(keys=["a"], partition_id="update", fields=TensorDict({"y": y[:1]}, batch_size=[1]))
    world.cpp("put_one", key="b", partition="update", fields=[["text", "new"]])
    for read in (python_rows, cpp_rows):
        assert read(world, "update", KEYS, "x") == canonical_rows(x)
        assert read(world, "update", KEYS, "y") == canonical_rows(y)
        assert read(world, "update", KEYS, "text") == ["a", "new", "c", "d"]
    assert world.python.kv_list("update") == {"update": {key: {"n": n} for n, key in enumerate(KEYS)}}


@check(since=PYTHON_PUTS)
def partitions_isolate(world: World):
    world.cpp("put", keys=KEYS, partition="left", columns=[["x", dense(numbers())]])
    world.python.kv_batch_put(keys=KEYS, partition_id="right", fields=TensorDict({"x": numbers(4, 50)}, batch_size=[4]))
    assert cpp_rows(world, "left", KEYS, "x") == python_rows(world, "left", KEYS, "x") == canonical_rows(numbers())
    assert cpp_rows(world, "right", KEYS, "x") == python_rows(world, "right", KEYS, "x") == canonical_rows(numbers(4, 50))
    world.cpp("clear", keys=KEYS, partition="left")
    assert cpp_rows(world, "right", KEYS, "x") == canonical_rows(numbers(4, 50))
    listing = dict(world.cpp("list"))
    assert listing["left"] == [] and [key for key, _ in listing["right"]] == KEYS
    assert [name for name in world.cpp("partitions") if name in ("left", "right")] == ["left", "right"]
    world.cpp("clear_partition", partition="right")
    assert "right" not in world.python.kv_list() and "right" not in world.cpp("partitions")
    refused(world.cpp, "KeyError", "'right'", do="clear_partition", partition="right")


@check
def clear_and_put_again(world: World):
    columns = [["x", dense(numbers())], ["y", dense(numbers())]]
    world.cpp("put", keys=KEYS, partition="clear", columns=columns, tags=[{"n": 1}] * 4)
    refused(world.cpp, "KeyError", "'zz'", "'clear'", do="clear", keys=["a", "zz"], partition="clear")
    assert len(world.python.kv_list("clear")["clear"]) == 4, "a refused clear cleared"
    world.cpp("clear", keys=["a", "d"], partition="clear")
    assert list(world.python.kv_list("clear")["clear"]) == KEYS[1:3]
    refused(world.cpp, "KeyError", "'a', 'd'", do="get", keys=KEYS, partition="clear")
    world.cpp("put", keys=["d"], partition="clear", columns=[["x", dense(numbers(1, 7))]])
    assert set(world.cpp("get", keys=["d"], partition="clear")) == {"x"}, "a column of the cleared sample came back"
    assert world.python.kv_list("clear")["clear"]["d"] == {}, "a tag of the cleared sample came back"
    assert python_rows(world, "clear", ["d", "b"], "x") == canonical_rows(torch.stack([numbers(1, 7)[0], numbers()[1]]))


@check
def look_up_by_key_and_index(world: World):
    world.cpp("put", keys=KEYS, partition="look up", columns=[["x", dense(numbers())]])
    found = world.cpp("look_up", keys=["d", "a"], partition="look up")
    want = world.raw.kv_retrieve_meta(keys=["d", "a"], partition_id="look up")
    assert found == {"global_indexes": want.global_indexes, "fields": ["x"], "ready": True, "keys": ["d", "a"]}


@check
def tags_of_several_partitions_at_once(world: World):
    entries = []
    for n, key in enumerate(("a", "b", "c", "d")):
        partition = f"tags {n % 2}"  # in turns
        index = world.cpp("look_up", keys=[key], partition=partition, create=True)["global_indexes"][0]
        entries.append([partition, index, {"n": n}])
    world.cpp("set_tags", tags=entries)
    assert world.python.kv_list("tags 0") == {"tags 0": {"a": {"n": 0}, "c": {"n": 2}}}
    assert world.python.kv_list("tags 1") == {"tags 1": {"b": {"n": 1}, "d": {"n": 3}}}
    world.cpp("set_tags", tags=[entries[0], [*entries[2][:2], {"n": 22}]], one_partition_for_all=True)
    assert world.python.kv_list("tags 0") == {"tags 0": {"a": {"n": 0}, "c": {"n": 22}}}


@check
def wrong_arguments_store_and_register_nothing(world: World):
    two, three = ["x", dense(numbers(2))], ["y", dense(numbers(3))]
    bad = {"do": "put", "partition": "bad"}
    refused(world.cpp, "ValueError", "2", "3", "'y'", **bad, keys=["a", "b"], columns=[two, three])
    refused(world.cpp, "ValueError", "1 keys", "2 rows", **bad, keys=["a"], columns=[two])
    refused(world.cpp, "ValueError", "2 keys", "1 tags", **bad, keys=["a", "b"], columns=[two], tags=[{}])
    refused(world.cpp, "ValueError", "no keys", **bad, keys=[], columns=[["x", dense(numbers(0))]])
    refused(world.cpp, "ValueError", "no keys", do="get", keys=[], partition="bad")
    refused(world.cpp, "ValueError", "no keys", do="clear", keys=[], partition="bad")
    refused(world.cpp, "ValueError", "fields", "tags", **bad, keys=["a"])
    refused(world.cpp, "ValueError", "0-d", **bad, keys=["a"], columns=[["x", dense(torch.tensor(1))]])
    nested = canonical(torch.nested.as_nested_tensor([torch.ones(1), torch.ones(2)], layout=torch.jagged))
    refused(world.cpp, "ValueError", "'n'", "kv_batch_put", do="put_one", key="a", partition="bad", fields=[["n", nested]])
    assert "bad" not in world.python.kv_list()


@check
def rows_of_any_shape(world: World):
    """Columns given row by row: alike, of unlike sizes, dimensions and dtypes, large and small."""
    columns = {
        "alike": [torch.full((3,), n) for n in range(4)],
        "scalars": [torch.tensor(n / 2) for n in range(4)],
        "sizes": [torch.arange(n) for n in (3, 0, 1, 2)],
        "dimensions": [torch.ones(2), torch.ones(2, 2), torch.tensor(1.0), torch.zeros(0, 4)],
        "dtypes": [torch.ones(2, dtype=dtype) for dtype in (torch.float32, torch.int8, torch.bool, torch.bfloat16)],
        "large": [torch.arange(n, dtype=torch.float64) for n in (40_000, 1, 0, 70_000)],
    }
    world.cpp("put", keys=KEYS, partition="any", columns=[[name, rows(tensors)] for name, tensors in columns.items()])
    for form, kinds in (("contiguous", ["dense", "dense", "jagged", "jagged", "rows", "jagged"]), ("rows", ["rows"] * 6)):
        got = world.cpp("get", keys=KEYS, partition="any", fields=list(columns), form=form)
        assert [column["kind"] for column in got.values()] == kinds
        for name, tensors in columns.items():
            assert rows_of(got[name]) == [canonical(row) for row in tensors], (form, name)
    for name, tensors in columns.items():
        if name != "dtypes":  # Python's clients make them one dtype
            assert python_rows(world, "any", KEYS, name) == [canonical(row) for row in tensors], name


@check(since=PICKLED_WHOLE)
def text_and_numbers_that_msgpack_cannot_hold(world: World):
    """Python sends such a message pickled whole, and its nodes answer so, too; ours pickle the value alone."""
    surrogate = {"$surrogates": base64.b64encode(b"\xed\xa0\x80").decode()}
    data = {"s": NonTensorStack("\ud800", "x"), "n": NonTensorStack(1 << 80, -(1 << 70)), "t": numbers(2)}
    world.python.kv_batch_put(keys=["a", "b"], partition_id="whole", fields=TensorDict(data, batch_size=[2]))
    got = world.cpp("get", keys=["a", "b"], partition="whole")
    assert rows_of(got["s"]) == [surrogate, "x"] and rows_of(got["t"]) == canonical_rows(numbers(2))
    assert rows_of(got["n"]) == [float(1 << 80), -float(1 << 70)]  # as the driver's JSON can say it
    world.cpp("copy", keys=["a", "b"], partition="whole", to="whole copy")
    copy = world.python.kv_batch_get(keys=["a", "b"], partition_id="whole copy")
    assert [copy["s"].tolist(), copy["n"].tolist()] == [["\ud800", "x"], [1 << 80, -(1 << 70)]]
    assert torch.equal(torch.stack(copy["t"].unbind()), numbers(2))


@check
def many_threads_share_the_client(world: World):
    """Each writes, reads, compares and clears rows of its own; more connections than libzmq's default of sockets carries."""
    assert world.cpp("storm", threads=200, rounds=1, rows=5, width=300) == []
    assert world.cpp("storm", threads=4, rounds=20, rows=50, width=3000) == []
