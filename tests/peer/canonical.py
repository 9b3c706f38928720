# SPDX-License-Identifier: Apache-2.0
"""Canonical JSON of what Python decodes, so that two sides, or two codecs, can be compared exactly.

    None, bool, int, str      themselves                     float   {"$float": repr}
    bytes                     {"$bytes": base64}             tuple   {"$tuple": [...]}   (only from pickled parts)
    dict with str keys        an object                      other dict  {"$map": [[key, value], ...]}
    torch.Tensor              {"$tensor": {"dtype", "shape", "data": base64 of the row-major bytes}}
    nested tensor             {"$nested": {"layout", "tensors": [...]}}
    numpy.ndarray / scalar    {"$ndarray": {"dtype", "shape", "data"}} / {"$npscalar": {"dtype", "value"}}
    TensorDict                {"$tensordict": {"batch_size", "data"}}
    NonTensorStack / Data     {"$nontensor": [...]} / {"$nontensordata": value}
    torch.dtype, torch.Size   {"$dtype": "torch.int64"}, {"$size": [...]}
    BatchMeta                 {"$batchmeta": {slot: value, ...}}
    a callable                {"$callable": "qualified name"}
    anything else             {"$object": "module.type", "repr"}
"""

import base64
from typing import Any

import numpy as np
import torch
from tensordict import NonTensorData, NonTensorStack, TensorDictBase
from transfer_queue.metadata import BatchMeta


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _tensor(value: torch.Tensor) -> dict:
    if value.is_nested:
        layout = "jagged" if value.layout == torch.jagged else "strided"
        return {"$nested": {"layout": layout, "tensors": [canonical(t) for t in value.unbind()]}}
    value = value.detach().resolve_conj()
    raw = value.contiguous().flatten().view(torch.uint8).numpy().tobytes() if value.numel() else b""
    return {"$tensor": {"dtype": str(value.dtype).removeprefix("torch."), "shape": list(value.shape), "data": _b64(raw)}}


def _ndarray(value: np.ndarray) -> dict:
    if value.dtype.hasobject:
        return {"$objarray": {"shape": list(value.shape), "data": [canonical(v) for v in value.ravel().tolist()]}}
    raw = np.ascontiguousarray(value).tobytes()
    return {"$ndarray": {"dtype": str(value.dtype), "shape": list(value.shape), "data": _b64(raw)}}


def _batch_meta(value: BatchMeta) -> dict:
    return {"$batchmeta": {slot: canonical(getattr(value, slot)) for slot in BatchMeta.__slots__}}


def _dict(value: dict) -> dict:
    if all(isinstance(k, str) for k in value):
        return {k: canonical(v) for k, v in value.items()}
    return {"$map": [[canonical(k), canonical(v)] for k, v in value.items()]}


# In this order: the first type that fits decides.
FORMS = [
    (bool | str | None, lambda v: v),
    (np.generic, lambda v: {"$npscalar": {"dtype": str(v.dtype), "value": canonical(v.item())}}),
    (int, lambda v: v),
    (float, lambda v: {"$float": repr(v)}),
    (bytes | bytearray | memoryview, lambda v: {"$bytes": _b64(bytes(v))}),
    (torch.Size, lambda v: {"$size": list(v)}),
    (tuple, lambda v: {"$tuple": [canonical(x) for x in v]}),
    (list, lambda v: [canonical(x) for x in v]),
    (set | frozenset, lambda v: {"$set": sorted((canonical(x) for x in v), key=repr)}),
    (torch.Tensor, _tensor),
    (np.ndarray, _ndarray),
    (torch.dtype, lambda v: {"$dtype": str(v)}),
    (NonTensorStack, lambda v: {"$nontensor": [canonical(x) for x in v.tolist()]}),
    (NonTensorData, lambda v: {"$nontensordata": canonical(v.data)}),
    (TensorDictBase, lambda v: {
        "$tensordict": {"batch_size": list(v.batch_size), "data": {k: canonical(x) for k, x in v.items()}}}),
    (BatchMeta, _batch_meta),
    (dict, _dict),
]


def canonical(value: Any) -> Any:
    for kind, form in FORMS:
        if isinstance(value, kind):
            return form(value)
    if callable(value):
        return {"$callable": getattr(value, "__qualname__", type(value).__name__)}
    return {"$object": f"{type(value).__module__}.{type(value).__qualname__}", "repr": repr(value)}
