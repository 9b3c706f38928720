# SPDX-License-Identifier: Apache-2.0
"""What the soak puts, for Python's client: see values.h, which says what the columns are."""

import numpy as np
import torch
from tensordict import NonTensorStack, TensorDict

SALT_X, SALT_Y = 1, 2
LENGTHS_Y = 300
MASK = (1 << 64) - 1


def mix(x: int) -> int:
    """splitmix64"""
    x = (x + 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def mix_all(x: np.ndarray) -> np.ndarray:
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def seed_of(key: str, version: int, salt: int) -> int:
    hashed = 0xCBF29CE484222325  # FNV-1a
    for byte in key.encode():
        hashed = ((hashed ^ byte) * 0x100000001B3) & MASK
    return mix(hashed ^ mix((version * 4 + salt) & MASK))


def words(key: str, version: int, salt: int, count: int) -> torch.Tensor:
    seed = np.uint64(seed_of(key, version, salt))
    with np.errstate(over="ignore"):
        drawn = mix_all(seed + np.arange(count, dtype=np.uint64)).view(np.int64)
    drawn[0] = version
    return torch.from_numpy(drawn)


def length_of_y(key: str, version: int) -> int:
    return 1 + seed_of(key, version, SALT_Y) % LENGTHS_Y


def columns_of(keys: list[str], version: int, width: int) -> TensorDict:
    y = [words(key, version, SALT_Y, length_of_y(key, version)) for key in keys]
    return TensorDict({
        "x": torch.stack([words(key, version, SALT_X, width) for key in keys]),
        "y": torch.nested.as_nested_tensor(y, layout=torch.jagged),
        "note": NonTensorStack(*(f"{key}@{version}" for key in keys)),
    }, batch_size=[len(keys)])  # fmt: skip


def _rows(column) -> list:
    return list(column.unbind()) if isinstance(column, torch.Tensor) else column.tolist()


def keys_in(batch: TensorDict) -> list[str]:
    """The keys that the rows themselves name."""
    return [str(note).rpartition("@")[0] for note in _rows(batch["note"])] if "note" in batch.keys() else []


def wrong_in(batch: TensorDict, keys: list[str], versions: list[int]) -> str:
    """Empty when row i of all columns is keys[i]'s, of one of these versions (of any, when there are none)."""
    missing = {"x", "y", "note"} - set(batch.keys())
    if missing or batch.batch_size[0] != len(keys):
        return f"{batch.batch_size[0]} rows for {len(keys)} keys, without {sorted(missing)}"
    for key, x, y, note in zip(keys, _rows(batch["x"]), _rows(batch["y"]), _rows(batch["note"])):
        version = int(x[0])
        if versions and version not in versions:
            return f"key '{key}': version {version}, but what was put last is version {versions[-1]}"
        if not torch.equal(x, words(key, version, SALT_X, x.numel())):
            return f"key '{key}': field x is not what was put as version {version}"
        if not torch.equal(y, words(key, version, SALT_Y, length_of_y(key, version))):
            return f"key '{key}': field y is not what was put as version {version}"
        if note != f"{key}@{version}":
            return f"key '{key}': field note is not what was put as version {version}"
    return ""
