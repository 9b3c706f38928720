# SPDX-License-Identifier: Apache-2.0
"""What of a reply is compared: its canonical JSON with that masked which two runs cannot share, rows made explicit.

Left out       sender_id, request_id, timestamp
Masked         ids of nodes; sentences, which no client reads (of an error there stay its type, its [TQ...] markers and
               whether it names a TimeoutError; "success" stays itself); the numbers of metrics
Same thing     a receiver_id of nil and the request's sender_id (no client of any version reads it)
               a column of GET data as a list of N rows and as one dense or nested tensor of N rows
Sorted by row  metadata whose row order upstream leaves to CPython's sets (force_fetch, GET_PARTITION_META), and the
               status replies, which list indexes in ascending order
"""

import base64
import math
import re
from typing import Any, Callable

# Bytes of one element; what is missing here fails loudly.
ELEMENT_BYTES = {
    "bool": 1,
    "uint8": 1,
    "int8": 1,
    "float8_e4m3fn": 1,
    "float8_e5m2": 1,
    "uint16": 2,
    "int16": 2,
    "float16": 2,
    "bfloat16": 2,
    "uint32": 4,
    "int32": 4,
    "float32": 4,
    "uint64": 8,
    "int64": 8,
    "float64": 8,
    "complex64": 8,
    "complex128": 16,
}

NOBODY_OR_SENDER = "<nobody or the sender>"


def is_form(value: Any, name: str) -> bool:
    return isinstance(value, dict) and set(value) == {name}


def tensor_rows(tensor: dict) -> list[dict]:
    """The rows [i] of a canonical tensor, as canonical tensors."""
    dtype, (count, *shape) = tensor["dtype"], tensor["shape"]
    data, size = base64.b64decode(tensor["data"]), ELEMENT_BYTES[dtype] * math.prod(shape)
    assert len(data) == count * size, f"{len(data)} bytes for {tensor['shape']} of {dtype}"
    pieces = [base64.b64encode(data[i * size : (i + 1) * size]).decode() for i in range(count)]
    return [{"$tensor": {"dtype": dtype, "shape": shape, "data": piece}} for piece in pieces]


def column_rows(column: Any) -> Any:
    """A column's rows, whichever of the forms it has that a client can index by row; else the column itself."""
    if is_form(column, "$tensor") and column["$tensor"]["shape"]:
        return tensor_rows(column["$tensor"])
    if is_form(column, "$nested"):
        return column["$nested"]["tensors"]
    if is_form(column, "$nontensor"):
        return column["$nontensor"]
    return column


def integers(tensor: dict) -> list[int]:
    """The values of a canonical int64 or int8 tensor or int8 array, flattened."""
    inner = tensor.get("$tensor") or tensor["$ndarray"]
    size = ELEMENT_BYTES[inner["dtype"]]
    data = base64.b64decode(inner["data"])
    return [int.from_bytes(data[i : i + size], "little", signed=True) for i in range(0, len(data), size)]


def mask_ids(value: Any, ids: list[str]) -> Any:
    """Replaces the nodes' ids in every text, keys included."""
    if isinstance(value, str):
        for number, node_id in enumerate(ids):
            value = value.replace(node_id, "<node>")
        return value
    if isinstance(value, list):
        return [mask_ids(v, ids) for v in value]
    if isinstance(value, dict):
        return {mask_ids(k, ids): mask_ids(v, ids) for k, v in value.items()}
    return value


def _words(message: Any, failed: bool) -> Any:
    """What a client can rely on in a sentence."""
    if not isinstance(message, str) or not message:
        return {"$no text": message}
    if not failed:
        return message if message == "success" else "<text>"
    return {"$error": {"markers": sorted(set(re.findall(r"\[TQ\w+\]", message))), "timeout": "TimeoutError" in message}}


def _masked_metrics(body: dict) -> dict:
    return {
        k: "<text>" if isinstance(v, str) else "<numbers>" if isinstance(v, dict) else "<number>"
        for k, v in body.items()
    }


def metadata_rows(meta: dict, sort: bool, rename: Callable[[int], int]) -> dict:
    """A canonical BatchMeta with its row-aligned slots turned into rows."""
    count = len(meta["global_indexes"])
    production = meta["production_status"]
    assert production["$ndarray"]["dtype"] == "int8" and production["$ndarray"]["shape"] == [count], production
    columns = {
        "index": [rename(index) for index in meta["global_indexes"]],
        "partition": meta["partition_ids"],
        "produced": integers(production),
        "custom_meta": meta["custom_meta"],
        "backend_meta": meta["_custom_backend_meta"],
    }
    schema = {}
    for field, column in meta["field_schema"].items():
        shapes = column.get("per_sample_shapes")
        if isinstance(shapes, list):
            columns[f"shape of {field}"] = shapes
            column = {**column, "per_sample_shapes": "<in the rows>"}
        schema[field] = column
    for name, values in columns.items():
        assert len(values) == count, f"{len(values)} values of {name} for {count} rows"
    rows = [{name: values[i] for name, values in columns.items()} for i in range(count)]
    if sort:
        rows.sort(key=lambda row: (row["index"], repr(row)))
    rest = {slot: meta[slot] for slot in ("extra_info", "_size", "_field_names", "_is_ready")}
    return {"rows": rows, "schema": schema, **rest}


def _status_rows(body: dict, status_name: str, rename: Callable[[int], int]) -> dict:
    """A status reply as pairs of index and status row; dtypes and the shape of a row are kept."""
    index, status = body["global_index"], body[status_name]
    if index is None or status is None:
        return body
    indexes, flat = integers(index), integers(status)
    count, *row_shape = status["$tensor"]["shape"]
    assert index["$tensor"]["shape"] == [len(indexes)] == [count], (
        index["$tensor"]["shape"],
        status["$tensor"]["shape"],
    )
    width = math.prod(row_shape)
    assert len(flat) == count * width, f"{len(flat)} values for {status['$tensor']['shape']}"
    rows = sorted([rename(indexes[i]), flat[i * width : (i + 1) * width]] for i in range(count))
    dtypes = [index["$tensor"]["dtype"], status["$tensor"]["dtype"]]
    rest = {k: v for k, v in body.items() if k not in ("global_index", status_name)}
    return {**rest, "ascending": indexes == sorted(indexes), "dtypes": dtypes, "row shape": row_shape, "status": rows}


def comparable(reply: dict, request: dict, ids: list[str], rename: Callable[[int], int] = lambda index: index) -> dict:
    """The part of a canonical reply that two runs must share.

    ids: the nodes' ids in that run. rename: from that run's global indexes to those of the other.
    """
    kind, body = reply["request_type"], reply["body"]
    if isinstance(body, dict):
        body = dict(body)
        failed = kind.endswith("_ERROR") or body.get("success") is False
        if "message" in body:
            body["message"] = _words(body["message"], failed)
        if kind == "METRICS_RESPONSE":
            body = _masked_metrics(body)
        if is_form(body.get("metadata"), "$batchmeta"):
            set_order = request["request_type"] == "GET_PARTITION_META" or request["body"].get("mode") == "force_fetch"
            body["metadata"] = metadata_rows(body["metadata"]["$batchmeta"], set_order, rename)
        if kind == "GET_DATA_RESPONSE":
            body["data"] = {field: column_rows(column) for field, column in body["data"].items()}
        for name in ("consumption_status", "production_status"):
            if name in body:
                body = _status_rows(body, name, rename)
    receiver = reply["receiver_id"]
    receiver = NOBODY_OR_SENDER if receiver in (None, request.get("sender_id")) else receiver
    return mask_ids({"request_type": kind, "receiver_id": receiver, "body": body}, ids)


def differences(expected: Any, got: Any, path: str = "") -> list[str]:
    """Where two canonical values differ, one line a place."""
    if isinstance(expected, dict) and isinstance(got, dict):
        found = []
        for key in [*expected, *(k for k in got if k not in expected)]:
            where = f"{path}.{key}"
            if key not in got:
                found.append(f"{where}: is missing; Python: {expected[key]!r}")
            elif key not in expected:
                found.append(f"{where}: is {got[key]!r}; Python has none")
            else:
                found += differences(expected[key], got[key], where)
        return found
    if isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        return [line for i, pair in enumerate(zip(expected, got)) for line in differences(*pair, f"{path}[{i}]")]
    if type(expected) is type(got) and expected == got:
        return []
    return [f"{path}: is {got!r}; Python: {expected!r}"]
