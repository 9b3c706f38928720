# SPDX-License-Identifier: Apache-2.0
"""Requests to the C++ controller from its actor, and what upstream's methods return, made of the replies.

The actor itself decodes as little as it can: it has no torch. A reply goes to the caller as frames, and becomes an object
of the Python package where the caller unpickles it.
"""

import time
import uuid

import msgspec
import zmq

from ._error import Error

ANSWER_SECONDS = 60
_SENDER = "transfer_queue_cpp"


class Rebuilt:
    """A value that is made where it is unpickled: function(*arguments)."""

    def __init__(self, function, *arguments):
        self._parts = (function, arguments)

    def __reduce__(self):
        return self._parts


class Controller:
    """Blocking requests to a controller, one at a time."""

    def __init__(self, endpoint: str):
        self._endpoint, self._context, self._socket = endpoint, zmq.Context(), None

    def ask(self, request_type: str, **body) -> list[bytes]:
        """The frames of the reply. Raises Error for a refusal or no answer."""
        message = {
            "request_type": request_type, "sender_id": _SENDER, "receiver_id": None, "request_id": uuid.uuid4().hex[:8],
            "timestamp": time.time(), "body": body,
        }  # fmt: skip
        return self._exchange(request_type, _encoded(message))

    def plain(self, request_type: str, **body) -> dict:
        """The body of a reply that holds nothing but plain values."""
        return msgspec.msgpack.decode(self.ask(request_type, **body)[0])["body"]

    def _exchange(self, request_type: str, frames: list) -> list[bytes]:
        if self._socket is None:
            self._socket = self._context.socket(zmq.DEALER)
            self._socket.setsockopt(zmq.LINGER, 0)
            self._socket.connect(self._endpoint)
        self._socket.send_multipart(frames)
        if not self._socket.poll(ANSWER_SECONDS * 1000):
            self.close()  # a late reply must not be taken for the next one's
            raise Error(f"the controller at {self._endpoint} did not answer {request_type} within {ANSWER_SECONDS} s")
        reply = self._socket.recv_multipart()
        header = msgspec.msgpack.decode(reply[0], ext_hook=lambda code, data: None)
        if header["request_type"] == "REQUEST_ERROR" or header["body"].get("success") is False:
            raise Error(header["body"].get("message") or f"{request_type} was refused")
        return reply

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _encoded(message: dict) -> list:
    try:
        return [msgspec.msgpack.encode(message)]
    except (TypeError, OverflowError):  # tensors, arrays: what only the package itself can say
        from transfer_queue.utils.serial_utils import encode

        return encode(message)


# ---- where the caller unpickles ----


def server_info(record: dict):
    from transfer_queue.utils import enum_utils
    from transfer_queue.utils.zmq_utils import ZMQServerInfo

    role = getattr(enum_utils, "Role", None) or enum_utils.TransferQueueRole  # up to 0.1.6
    return ZMQServerInfo(role(record["role"]), record["id"], record["ip"], record["ports"])


def body_part(frames: list, *names: str):
    """One part of the body, or a tuple of several."""
    body = _body(frames)
    parts = tuple(body.get(name) for name in names)
    return parts[0] if len(parts) == 1 else parts


def index_range(frames: list) -> list[int]:
    meta = _body(frames)["metadata"]
    return list(meta.global_indexes) if meta is not None else []


def _body(frames: list) -> dict:
    from transfer_queue.utils.serial_utils import decode

    return decode(frames)["body"]


def partition_status(partition_id: str, frames: list):
    """Upstream's DataPartitionStatus out of GET_PARTITION_SNAPSHOT_RESPONSE; None where there is no such partition."""
    import torch
    from transfer_queue.controller import DataPartitionStatus, FieldMeta

    body = _body(frames)
    meta = body["metadata"]
    if meta is None:
        return None
    status = DataPartitionStatus(partition_id=partition_id)
    status.global_indexes = set(meta.global_indexes)
    status.pre_allocated_global_indexes = set(body["pre_allocated"].tolist())
    produced, consumed = body["produced"], body["consumed"]
    rows = max(status.global_indexes | status.pre_allocated_global_indexes, default=-1) + 1

    status.field_name_mapping = {name: column for column, name in enumerate(produced)}
    status.production_status = torch.zeros(rows, max(1, len(produced)), dtype=torch.int8)
    for column, indexes in enumerate(produced.values()):
        status.production_status[indexes, column] = 1
    for task, indexes in consumed.items():
        status.consumption_status[task] = torch.zeros(rows, dtype=torch.int8)
        status.consumption_status[task][indexes] = 1

    for name, schema in meta.field_schema.items():
        shapes = schema.get("per_sample_shapes") or []
        status.field_metadata[name] = FieldMeta(
            global_indexes=set(produced[name].tolist()),
            dtype=schema.get("dtype"),
            shape=schema.get("shape"),
            is_nested=schema.get("is_nested"),
            is_non_tensor=schema.get("is_non_tensor"),
            per_sample_shapes={i: shape for i, shape in zip(meta.global_indexes, shapes) if shape is not None},
        )
    status.custom_meta = {i: tag for i, tag in zip(meta.global_indexes, meta.custom_meta) if tag}
    backend_meta = getattr(meta, "_custom_backend_meta", None) or []
    status.field_custom_backend_meta = {i: fields for i, fields in zip(meta.global_indexes, backend_meta) if fields}
    status.keys_mapping = dict(body["keys"])
    status.revert_keys_mapping = {index: key for key, index in status.keys_mapping.items()}
    return status
