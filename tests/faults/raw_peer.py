# SPDX-License-Identifier: Apache-2.0
"""A peer that writes its own bytes: a DEALER, msgspec and pickle, and nothing of the Python package.

What it reads it decodes without running anything: a reply may carry back a pickle that some test sent.
"""

import contextlib
import io
import itertools
import json
import pickle
import socket
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy
import zmq

SENTINEL = b"\xc1\xfe\xed"  # the first of the two frames of a message that is pickled whole
ANSWER_SECONDS = 8  # no request of these tests needs half a second; a loaded machine may need longer
PICKLE, CALLABLE, TENSOR, NESTED, NUMPY = 1, 2, 3, 4, 5

_numbers = itertools.count(1)


# ---- writing -----------------------------------------------------------------------------------------------------
def ext(code: int, payload: bytes) -> msgspec.msgpack.Ext:
    return msgspec.msgpack.Ext(code, payload)


def pickled(value: object) -> msgspec.msgpack.Ext:
    return ext(PICKLE, pickle.dumps(value, protocol=5))


def tensor(dtype: object, shape: object, index: object) -> msgspec.msgpack.Ext:
    """A tensor whose bytes are frame `index`, the header being frame 0."""
    return ext(TENSOR, pickle.dumps((dtype, shape, index), protocol=5))


def nested(metas: list, layout: object = "jagged") -> msgspec.msgpack.Ext:
    return ext(NESTED, pickle.dumps({"layout": layout, "tensors": metas}, protocol=5))


def array(dtype: object, shape: object, index: object) -> msgspec.msgpack.Ext:
    return ext(NUMPY, pickle.dumps((dtype, shape, index), protocol=5))


def header(request_type: object, body: object) -> dict:
    return {"request_type": request_type, "sender_id": "raw_peer", "receiver_id": None, "request_id": f"{next(_numbers):08x}",
            "timestamp": time.time(), "body": body}  # fmt: skip


def pack(value: object) -> bytes:
    return msgspec.msgpack.encode(value)


def message(request_type: object, body: object, *buffers: bytes) -> list[bytes]:
    return [pack(header(request_type, body)), *buffers]


# ---- reading -----------------------------------------------------------------------------------------------------
class BatchMeta:
    """The ten slots of a BatchMeta in a reply, unbuilt."""

    NAMES = ("global_indexes", "partition_ids", "field_schema", "production_status", "extra_info", "custom_meta",
             "_custom_backend_meta", "_size", "_field_names", "_is_ready")  # fmt: skip

    def __setstate__(self, state: tuple) -> None:
        assert len(state) == len(self.NAMES)
        self.slots = dict(zip(self.NAMES, state))

    def __getitem__(self, name: str):
        return self.slots[name]


class _Reader(pickle.Unpickler):
    """Builds a BatchMeta and numpy's int8 arrays; refuses to name anything else."""

    def find_class(self, module: str, name: str):
        if (module, name) == ("transfer_queue.metadata", "BatchMeta"):
            return BatchMeta
        if module == "torch":
            return f"torch.{name}"
        if (module, name) in {("numpy", "ndarray"), ("numpy", "dtype")}:
            return getattr(numpy, name)
        if (module, name) == ("numpy.core.multiarray", "_reconstruct"):
            return numpy._core.multiarray._reconstruct
        raise pickle.UnpicklingError(f"the reply's pickle names {module}.{name}")


def read_batch_meta(value: tuple[int, bytes]) -> BatchMeta:
    code, payload = value
    assert code == PICKLE
    return _Reader(io.BytesIO(payload)).load()


def _resolve(frames: list[bytes]):
    """Decodes extensions to tuples: tensors with their bytes, so that replies can be compared; the rest as bytes."""

    def hook(code: int, data: memoryview):
        payload = bytes(data)
        if code in (TENSOR, NUMPY):
            dtype, shape, index = _Reader(io.BytesIO(payload)).load()
            return (code, dtype, shape, frames[index])
        if code == NESTED:
            meta = _Reader(io.BytesIO(payload)).load()
            return (code, meta["layout"], [(dtype, shape, frames[index]) for dtype, shape, index in meta["tensors"]])
        assert code in (PICKLE, CALLABLE), f"a reply with msgpack ext {code}"
        return (code, payload)

    return hook


@dataclass
class Reply:
    type: str
    body: object
    size: int

    @property
    def text(self) -> str:
        """The message of an error reply."""
        return (self.body.get("message") or "") if isinstance(self.body, dict) else ""

    @property
    def is_refusal(self) -> bool:
        return self.type.endswith("_ERROR") or (isinstance(self.body, dict) and self.body.get("success") is False)

    def __str__(self) -> str:
        return f"{self.type} {self.text[:200]!r}" if self.is_refusal else self.type


def read_reply(frames: list[bytes]) -> Reply:
    """Strict: the six keys, their types, every buffer named and there."""
    head = msgspec.msgpack.decode(frames[0], ext_hook=_resolve(frames))
    assert set(head) == {"request_type", "sender_id", "receiver_id", "request_id", "timestamp", "body"}, head
    assert isinstance(head["request_type"], str) and isinstance(head["body"], dict), head
    return Reply(head["request_type"], head["body"], sum(map(len, frames)))


# ---- talking -----------------------------------------------------------------------------------------------------
class Silence(AssertionError):
    """No reply within the deadline."""


class Peer:
    """One DEALER with at most one request in flight."""

    def __init__(self, context: zmq.Context, address: str, probe: str):
        self.context, self.address, self.probe = context, address, probe
        self.socket = None

    def send(self, frames: list[bytes]) -> None:
        if self.socket is None:
            self.socket = self.context.socket(zmq.DEALER)
            self.socket.setsockopt(zmq.LINGER, 0)
            self.socket.connect(self.address)
        self.socket.send_multipart(frames)

    def receive(self) -> Reply:
        if not self.socket.poll(ANSWER_SECONDS * 1000):
            self.close()
            raise Silence(f"no reply within {ANSWER_SECONDS} s")
        return read_reply(self.socket.recv_multipart())

    def ask(self, request_type: object, body: object, *buffers: bytes) -> Reply:
        self.send(message(request_type, body, *buffers))
        return self.receive()

    def ask_exactly_once(self, frames: list[bytes]) -> Reply:
        self.send(frames)
        reply = self.receive()
        self.check_in_step()
        return reply

    def check_in_step(self) -> None:
        """The next reply is the one to the next request, so no earlier request got two."""
        mark = f"probe-{next(_numbers)}"
        reply = self.ask(self.probe, {"x_tq": {"version": 1, "request_id": mark}})
        if reply.body.get("x_tq", {}).get("request_id") != mark:
            self.close()
            raise AssertionError(f"a request got two replies: after the last came {reply}")

    def close(self) -> None:
        if self.socket is not None:
            self.socket.close(linger=0)
        self.socket = None


class TcpPeer:
    """A ZeroMQ DEALER of bytes, to say what no library would."""

    GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16) + b"\x00" + bytes(31)
    READY = b"\x04\x29\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER\x08Identity\x00\x00\x00\x00"

    def __init__(self, address: str):
        host, port = address.removeprefix("tcp://").split(":")
        self.connection, self.heard = socket.create_connection((host, int(port)), timeout=ANSWER_SECONDS), b""

    def say(self, words: bytes) -> None:
        with contextlib.suppress(ConnectionError):  # the node may hang up before all is said
            self.connection.sendall(words)

    def hear(self, words: bytes) -> None:
        while words not in self.heard:
            more = self.connection.recv(4096)
            assert more, f"the node hung up after {self.heard}"
            self.heard += more

    def join(self) -> None:
        self.say(self.GREETING)
        self.hear(b"NULL")
        self.say(self.READY)
        self.hear(b"READY")

    def close(self) -> None:
        self.connection.close()


class Nodes:
    """The sockets of one cluster: three of the controller, one a unit."""

    CONTROLLER = ("request_handle_socket", "handshake_socket", "data_status_update_socket")

    def __init__(self, cluster):
        self.cluster, self.context = cluster, zmq.Context()
        self.process = cluster.nodes[0].process
        self.log = cluster.nodes[0].log
        self.controller = [Peer(self.context, _address(cluster.controller, name), "HANDSHAKE") for name in self.CONTROLLER]
        self.units = [Peer(self.context, _address(path, "put_get_socket"), "GET_METRICS") for path in cluster.units]

    def everyone(self) -> list[tuple[str, Peer]]:
        return [*zip(self.CONTROLLER, self.controller), *((f"unit {i}", unit) for i, unit in enumerate(self.units))]

    def ask(self, request_type: str, body: object, *buffers: bytes) -> Reply:
        """Asks the controller and expects success."""
        return _succeeded(self.controller[0].ask(request_type, body, *buffers))

    def ask_unit(self, unit: int, request_type: str, body: object, *buffers: bytes) -> Reply:
        return _succeeded(self.units[unit].ask(request_type, body, *buffers))

    def unit_of(self, index: int) -> int:
        return index % len(self.units)

    def close(self) -> None:
        for _, peer in self.everyone():
            peer.close()
        self.context.destroy(linger=0)


def _succeeded(reply: Reply) -> Reply:
    assert not reply.is_refusal, str(reply)
    return reply


def _address(path: Path, socket: str) -> str:
    record = json.loads(path.read_text())
    return f"tcp://{record['ip']}:{record['ports'][socket]}"
