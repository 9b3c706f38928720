# SPDX-License-Identifier: Apache-2.0
"""Samplers that users wrote in Python, run for the C++ controller, which asks over a socket pair.

The controller has the protocol in src/cli/python_sampler.h, and decides what a sampler may choose.
"""

import socket
import struct
import sys
import threading
import traceback
from typing import Any

import msgspec

from . import _sampler_state
from ._error import Error

NAME = "PythonSampler"  # the controller's name for all of them


class PartitionView:
    """What a sampler sees of the partition: upstream's DataPartitionStatus, as far as it concerns the ready samples."""

    def __init__(self, partition_id: str, custom_meta: dict[int, dict]):
        self.partition_id, self.custom_meta = partition_id, custom_meta

    def get_custom_meta(self, global_indices: list[int]) -> dict[int, dict]:
        return {index: self.custom_meta[index] for index in global_indices if index in self.custom_meta}

    def __getattr__(self, name: str):
        raise AttributeError(f"a sampler of C++ nodes sees partition_id, custom_meta and get_custom_meta of a partition, not {name}")


class SamplerServer:
    """Answers the controller from a thread of this process. Samplers have numbers and stay until the process ends."""

    def __init__(self):
        self._socket, self.peer = socket.socketpair()  # the peer is the controller's end, to be inherited
        self._samplers: list[Any] = []
        self._thread = None

    def add(self, sampler: Any) -> int:
        self._samplers.append(sampler)
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, daemon=True)
            self._thread.start()
        return len(self._samplers) - 1

    def _serve(self) -> None:
        from transfer_queue.utils.serial_utils import decode

        stream = self._socket.makefile("rb")
        try:
            while True:
                request = decode(_frames(stream))
                reply = {"number": request["number"], **self._answer(request)}
                data = msgspec.msgpack.encode(reply)
                self._socket.sendall(struct.pack("=IQ", 1, len(data)) + data)
        except EOFError:
            pass  # the controller ended
        except Exception:
            traceback.print_exc(file=sys.stderr)
        finally:
            self._socket.close()

    def _answer(self, request: dict) -> dict:
        try:
            return _OPERATIONS[request["operation"]](self._samplers[request["id"]], request)
        except Exception as error:
            return {"error": f"{type(error).__name__}: {error}"}


def _frames(stream) -> list[bytes]:
    (count,) = struct.unpack("=I", _exactly(stream, 4))
    frames = []
    for _ in range(count):
        (size,) = struct.unpack("=Q", _exactly(stream, 8))
        frames.append(_exactly(stream, size))
    return frames


def _exactly(stream, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _sample(sampler, request: dict) -> dict:
    partition = PartitionView(request["partition_id"], request["custom_meta"])
    chosen = sampler(request["ready_indexes"].tolist(), request["batch_size"], partition=partition, **request["sampling_config"])
    try:
        sampled, consumed = chosen
        reply = {"sampled": [int(i) for i in sampled], "consumed": [int(i) for i in consumed or []]}
    except (TypeError, ValueError):
        raise Error(f"{type(sampler).__name__}.sample() must return two lists of global indexes, not {chosen!r:.200}") from None
    return reply | {"is_kept": _has_cached_result(sampler, request)["result"]}


def _has_cached_result(sampler, request: dict) -> dict:
    return {"result": bool(sampler.has_cached_result(request["partition_id"], request["task_name"], request["sampling_config"]))}


def _clear_cache(sampler, request: dict) -> dict:
    sampler.clear_cache(request["partition_id"])
    return {}


def _save_checkpoint(sampler, _request: dict) -> dict:
    return {"class": type(sampler).__name__, "state": _sampler_state.save(sampler)}


def _load_checkpoint(sampler, request: dict) -> dict:
    _sampler_state.load(sampler, request["class"], request["state"])
    return {}


_OPERATIONS = {
    "sample": _sample,
    "has_cached_result": _has_cached_result,
    "clear_cache": _clear_cache,
    "save_checkpoint": _save_checkpoint,
    "load_checkpoint": _load_checkpoint,
}
