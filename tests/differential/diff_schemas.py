# SPDX-License-Identifier: Apache-2.0
"""Random field schemas and tags, as clients send them."""

import random
from typing import Any

import numpy as np
import torch

from diff_world import Logical

# name -> (kind, dtype, shape of a row or its trailing dimensions)
FIELDS = {
    "scores": ("dense", torch.float32, [2]),
    "reward": ("dense", torch.int64, [1]),
    "image": ("dense", torch.uint8, [4, 4, 3]),
    "flags": ("dense", torch.bool, [3]),
    "half": ("dense", torch.bfloat16, [2]),
    "ids": ("nested", torch.int64, []),
    "embedding": ("nested", torch.float32, [8]),
    "text": ("non-tensor", None, []),
}
DTYPES = [torch.float32, torch.float64, torch.int64, torch.int32, torch.uint8, torch.bool, torch.bfloat16]
DEVIATIONS = {"usual": 80, "other shape": 7, "other layout": 6, "other dtype": 5, "no tensor": 2}


def column(rng: random.Random, field: str, rows: list[Any]) -> dict:
    """A schema for these rows of a field: mostly the field's usual one."""
    kind, dtype, shape = FIELDS[field]
    deviation = rng.choices(list(DEVIATIONS), DEVIATIONS.values())[0]
    if deviation == "other layout" and kind != "non-tensor":
        kind = "nested" if kind == "dense" else "dense"
    if deviation == "other dtype":
        kind, dtype = kind.replace("non-tensor", "dense"), rng.choice(DTYPES)
    if deviation == "no tensor" or kind == "non-tensor":
        return {"dtype": None, "shape": None, "is_nested": False, "is_non_tensor": True}
    if kind == "dense":
        shape = [*shape, 5] if deviation == "other shape" else shape
        return {"dtype": dtype, "shape": shape, "is_nested": False, "is_non_tensor": False}
    longest = rng.choice([1, 2, 6])  # often all rows alike, so that columns collapse
    shapes = {row: [rng.randint(1, longest), *shape] for row in rows}
    if len(rows) > 1 and rng.random() < 0.04:
        del shapes[rows[-1]]  # a shape that nobody tells
    first = next(iter(shapes.values()), [0])
    return {"dtype": dtype, "shape": first, "is_nested": True, "is_non_tensor": False, "per_sample_shapes": shapes}


def tag(rng: random.Random) -> dict:
    """A tag: anything that a client may put into one."""
    values = [
        lambda: rng.randint(-(2**63), 2**63 - 1),
        lambda: rng.random(),
        lambda: None,
        lambda: rng.random() < 0.5,
        lambda: "текст" * rng.randint(0, 3),
        lambda: bytes(rng.randrange(256) for _ in range(5)),
        lambda: [1, ["x", None]],
        lambda: {"inner": {"deep": rng.randint(0, 9)}},
        lambda: {rng.randint(0, 99): "int key"},
        lambda: np.float32(rng.randint(0, 99)),
        lambda: np.int64(rng.randint(0, 99)),
        lambda: np.arange(rng.randint(0, 4)),
        lambda: torch.arange(rng.randint(0, 5)),
        lambda: torch.ones(2, 2, dtype=torch.bfloat16),
        lambda: (1, 2),
    ]
    return {f"tag {rng.randint(0, 3)}": rng.choice(values)() for _ in range(rng.choice([0, 1, 1, 2, 3]))}


def backend_meta(rng: random.Random, rows: list[Logical], fields: list[str]) -> dict | None:
    """What a storage backend other than ours would note on some rows."""
    if rng.random() > 0.12 or not rows:
        return None
    return {
        row: {field: {"place": rng.randint(0, 9)} for field in fields}
        for row in rng.sample(rows, rng.randint(1, len(rows)))
    }
