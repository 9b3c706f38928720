# SPDX-License-Identifier: Apache-2.0
"""Every kind of column that a Python client can put: {name: function that returns a column of ROWS rows}."""

import datetime
import fractions
import uuid

import numpy as np
import torch
from tensordict import NonTensorStack, TensorDict

ROWS = 4
DTYPES = [
    "float32", "float64", "float16", "bfloat16", "int8", "uint8", "int16", "int32", "int64", "bool", "complex64",
    "complex128", "uint16", "uint32", "uint64", "float8_e4m3fn", "float8_e5m2",
]
LENGTHS = (3, 1, 2, 5)


def jagged(rows: list) -> torch.Tensor:
    return torch.nested.as_nested_tensor(rows, layout=torch.jagged)


def strided(rows: list) -> torch.Tensor:
    return torch.nested.as_nested_tensor(rows, layout=torch.strided)


def cast(name: str, *shape: int) -> torch.Tensor:
    """0, 1, 2, ... of that dtype; some dtypes lack every operation but this conversion."""
    return torch.arange(int(np.prod(shape))).reshape(shape).to(getattr(torch, name))


def frozen_array() -> np.ndarray:
    array = np.arange(4.0)
    array.flags.writeable = False
    return array


TENSORS = {
    "scalars": lambda: torch.tensor([1.5, -0.0, float("inf"), float("nan")]),
    "bool scalars": lambda: torch.tensor([True, False, True, True]),
    "int scalars": lambda: torch.tensor([2**62, -(2**63), 0, 1]),
    "dense of three dimensions": lambda: torch.arange(48.0).reshape(4, 2, 3, 2),
    "one value a row": lambda: torch.arange(4).reshape(4, 1),
    "empty": lambda: torch.zeros(4, 0),
    "empty of two dimensions": lambda: torch.zeros(4, 3, 0, dtype=torch.int32),
    "transposed": lambda: torch.arange(16.0).reshape(4, 4).t(),
    "every other value": lambda: torch.arange(24).reshape(4, 6)[:, ::2],
    "every other row": lambda: torch.arange(24).reshape(8, 3)[::2],
    "rows backwards": lambda: torch.arange(8).reshape(4, 2).flip(0),
    "expanded": lambda: torch.ones(4, 1).expand(4, 7),
    "view into a larger tensor": lambda: torch.arange(1000).reshape(20, 50)[3:7, 10:20],
    "conjugated": lambda: torch.tensor([[1 + 2j], [3 - 1j], [0j], [1j]]).conj(),
    "with gradient": lambda: torch.ones(4, 2, requires_grad=True),
    "ragged": lambda: jagged([torch.arange(n) for n in LENGTHS]),
    "ragged bfloat16": lambda: jagged([torch.arange(n).to(torch.bfloat16) for n in LENGTHS]),
    "ragged bool": lambda: jagged([torch.arange(n) % 2 == 0 for n in LENGTHS]),
    "ragged of two dimensions": lambda: jagged([torch.ones(n, 2) * n for n in LENGTHS]),
    "ragged of three dimensions": lambda: jagged([torch.ones(n, 2, 3) * n for n in LENGTHS]),
    "ragged with an empty row": lambda: jagged([torch.arange(n) for n in (3, 0, 2, 5)]),
    "ragged with like rows": lambda: jagged([torch.arange(3) + n for n in LENGTHS]),
    "ragged from offsets": lambda: torch.nested.nested_tensor_from_jagged(torch.arange(11.0), torch.tensor([0, 3, 4, 6, 11])),
    "strided nested": lambda: strided([torch.ones(n, m) * n for n, m in ((1, 2), (2, 1), (3, 3), (1, 1))]),
    "strided nested, like rows": lambda: strided([torch.ones(2, 2) * n for n in LENGTHS]),
    "large rows": lambda: (torch.arange(4 * 300_000) % 251).to(torch.uint8).reshape(4, 300_000),
    "ragged large and small rows": lambda: jagged([torch.arange(n, dtype=torch.float64) for n in (70_000, 3, 40_000, 1)]),
}

VALUES = {
    "text": ["one", "", "четыре \U0001f642", "long " * 2000],
    "numbers": [1, 2.5, -(2**63), 2**64 - 1],
    "odd floats": [float("nan"), float("inf"), -0.0, 5e-324],
    "whole floats": [2.0, -3.0, 0.0, [1e10, {"f": 4.0}]],
    "truth": [True, False, True, False],
    "bytes": [b"", b"\x00\xff", b"x" * 5000, b"abc"],
    "lists": [[], [1, [2, [3]]], ["a", None], [True, 2.5]],
    "dicts": [{}, {"a": 1, "b": {"c": [1]}}, {"": None}, {"k": b"v"}],
    "int keys": [{1: "one"}, {2: {3: "three"}}, {"mixed": 1, 4: 5}, {-1: None}],
    "tuples": [(1, 2), (), ("a", (1,)), (None,)],
    "mixed": [{"a": 1, "b": [1.5, None]}, [1, 2, "x"], 7, "seven"],
    "some None": ["text", None, {"a": None}, None],
    "all None": [None, None, None, None],
    "sets": [{1}, set(), frozenset({"a"}), {2.5}],
    "objects of the standard library": [
        fractions.Fraction(1, 3), datetime.datetime(2026, 1, 2, 3, 4, 5), uuid.UUID(int=7), datetime.timedelta(1)],
    "functions and classes": [len, dict, str.upper, np.mean],
    "torch's own types": [torch.float16, torch.Size([1, 2]), torch.device("cpu"), torch.strided],
    "tensors of unlike dtypes": [torch.ones(2), torch.ones(2, dtype=torch.int8), torch.zeros(0), torch.tensor(True)],
    "tensors and None": [torch.ones(2), None, torch.zeros(1), None],
    "tensors inside": [{"img": torch.ones(2, 2, dtype=torch.uint8), "l": [torch.zeros(1)]}, [torch.tensor(3)],
                       {"deep": {"deeper": [{"t": torch.arange(3)}]}}, "none here"],
    "nested tensors inside": [{"j": jagged([torch.ones(1), torch.ones(3)])}, None, {"s": strided([torch.ones(1, 2)])}, 1],
    "numpy arrays": [np.arange(3, dtype=np.int32), np.ones((2, 2)), np.zeros((0, 3)), np.array(5)],
    "numpy dtypes": [np.array([1, 2], dtype=">i4"), np.array([True]), np.array([1 + 2j]), np.ones(3, np.float16)],
    "numpy text and time": [np.array(["ab", "c"]), np.array([b"xyz"]), np.array(["2026-01-02"], dtype="datetime64[D]"),
                            np.array([3], dtype="timedelta64[s]")],
    "numpy objects": [np.array([1, "a", None], dtype=object), np.array([{}]), np.array([[None]]), np.zeros(0, dtype=object)],
    "numpy records": [np.array([(1, 2.5)], dtype=[("i", "<i4"), ("f", "<f8")]), 1, 2, 3],
    "numpy strided and frozen": [np.arange(12).reshape(3, 4).T, np.arange(9)[::3], frozen_array(), np.asfortranarray(np.eye(3))],
    "numpy scalars": [np.float32(0.5), np.int64(-3), np.bool_(True), np.str_("s")],
    "numpy inside": [{"a": np.arange(2)}, [np.float64(1.5)], {"t": torch.ones(1), "n": np.ones(1)}, ()],
}


def tensor_dict() -> TensorDict:
    return TensorDict({"a": torch.arange(8).reshape(4, 2), "b": torch.ones(4)}, batch_size=[4])


def deep_tensor_dict() -> TensorDict:
    inner = TensorDict({"x": torch.arange(12.0).reshape(4, 3), "text": NonTensorStack("a", "b", "c", "d")}, batch_size=[4])
    return TensorDict({"inner": inner, "ragged": jagged([torch.arange(n) for n in LENGTHS])}, batch_size=[4])


# Older storage units of upstream do not survive these: the first version that does.
SINCE = {"numpy records": (0, 1, 11)}

COLUMNS = {
    **{f"dense {name}": lambda name=name: cast(name, ROWS, 2) for name in DTYPES},
    **{f"scalars {name}": lambda name=name: cast(name, ROWS) for name in DTYPES},
    **TENSORS,
    **{name: lambda values=values: NonTensorStack(*values) for name, values in VALUES.items()},
    "TensorDict": tensor_dict,
    "TensorDict in a TensorDict": deep_tensor_dict,
}
