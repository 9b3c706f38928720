# SPDX-License-Identifier: Apache-2.0
"""Every kind of column between the C++ client and Python's: what one puts, the other reads.

The expectation is what a Python client of the nodes' version gets from Python's own nodes (expectation.py).
"""

import torch
from canonical import canonical
from columns import COLUMNS, ROWS
from compare import differences
from cpp_client import column_of, dense, plain, rows_of
from cpp_client_world import World
from story import KEYS

CHAPTER = "columns"
# Pickled as numpy's type, and yet a str to Python.
PICKLED_TEXT = {"numpy scalars": 3}
# What no C++ value stands for, so that it can only be passed on.
PYTHON_ALONE = (
    "sets", "objects of the standard library", "functions and classes", "torch's own types", "numpy objects",
    "numpy records", "numpy scalars", "numpy inside", "TensorDict", "TensorDict in a TensorDict")
LIKE_ROWS = ("ragged with like rows", "strided nested, like rows")
# How the rows are asked for: keys, fields, form.
WAYS = (
    (KEYS, [], "contiguous"),
    (["d", "a"], [], "rows"),
    (["b", "a", "b"], ["beside", "column"], "contiguous"),
    (["ключ"], ["column"], "contiguous"),
)


def put_by_python(world: World) -> dict:
    """Puts all columns by the Python client, under the prefix `py-`; {name: outcome} of those that the nodes took."""
    said, got = world.said(CHAPTER), world.peer("put", prefix="py-")
    refused = {name: outcome for name, outcome in got.items() if outcome is not None}
    assert not refused.keys() - {"numpy records"}, refused  # ours, and the newest, refuse these
    return {name: outcome for name, outcome in said.items() if name not in refused}


def put_by_cpp(world: World, names: list[str]) -> None:
    for name in names:
        columns = [["column", column_of(COLUMNS[name]())], ["beside", dense(torch.arange(ROWS))]]
        meta = world.cpp("put", keys=KEYS, partition=f"cpp-{CHAPTER}: {name}", columns=columns)
        assert meta["fields"] == ["beside", "column"] and meta["keys"] == KEYS, meta


def wrong_in_get(world: World, name: str, outcome: dict) -> list[str]:
    """What is wrong with the rows that the C++ client gets of a column that Python put."""
    stored = [plain(row["column"]) for row in outcome["as the units have it"]]
    if name in PICKLED_TEXT:
        stored[PICKLED_TEXT[name]] = "<pickled>"
    found = []
    for keys, fields, form in WAYS:
        got = world.cpp("get", keys=keys, partition=f"py-{CHAPTER}: {name}", fields=fields, form=form)
        where = f"{name}, {keys} as {form}"
        places = [KEYS.index(key) for key in keys]
        found += differences([stored[i] for i in places], plain(rows_of(got["column"])), where)
        if "beside" in got:
            found += differences([canonical(torch.tensor(i)) for i in places], rows_of(got["beside"]), where + ", beside")
        if set(got) != set(fields or ["beside", "column"]):
            found.append(f"{where}: fields {list(got)}")
        kind = got["column"]["kind"]
        if form == "contiguous" and is_dense(name) and kind != "dense":
            found.append(f"{where}: was put dense and came back as {kind}")
    return found


def is_dense(name: str) -> bool:
    column = COLUMNS[name]()
    return isinstance(column, torch.Tensor) and not column.is_nested


def wrong_in_step(world: World, prefix: str, names: list[str]) -> list[str]:
    """What differs for the Python client between columns that C++ put and those that Python itself put, in all that the
    scenario looks at."""
    said, got = world.said(CHAPTER), world.peer("play", prefix=prefix, chapter=CHAPTER, read_only=True)
    return [line for name in names for line in differences(said[name], got[name], name)]


def wrong_in_read(world: World, prefix: str, names: list[str]) -> list[str]:
    """The same in metadata and data alone."""
    said, got = world.said(CHAPTER), world.peer("read", prefix=prefix)
    found = []
    for name in names:
        # No reply of a unit tells that rows of one shape were put as a nested tensor, so a copy of them is dense.
        questions = ("all",) if prefix == "copy-" and name in LIKE_ROWS else ("all", "metadata")
        for question in questions:
            found += differences(said[name][question], got[name][question], f"{name}, {question}")
    return found
