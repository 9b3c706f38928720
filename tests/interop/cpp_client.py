# SPDX-License-Identifier: Apache-2.0
"""The C++ client as a process (cpp_client.cc), and columns in the JSON form in which it takes and gives them."""

import base64
import itertools
import json
import select
import subprocess
import time

import numpy as np
import torch
from canonical import canonical
from nodes import Cluster, spawn, tq_binary
from tensordict import NonTensorStack

PATIENCE = 60  # seconds for an answer that has no bound of its own


class ClientError(Exception):
    """What the client threw: `code` is the name of the Python exception that stands for it."""

    def __init__(self, answer: dict):
        error = answer["error"]
        super().__init__(f"{error['code']}: {error['message']}")
        self.code, self.message, self.seconds = error["code"], error["message"], answer["seconds"]
        self.rows_not_stored = error.get("rows_not_stored")


class CppClient:
    """One C++ client. A call waits for its answer; start() does not, and wait() fetches its answer."""

    def __init__(self, program: str = "tq_cpp_client"):
        self.process = spawn(
            [tq_binary().parent / program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self._ids, self._answers, self._text = itertools.count(), {}, b""
        self.seconds = 0.0  # that the last call took

    def start(self, do: str, **arguments) -> int:
        number = next(self._ids)
        line = json.dumps({"id": number, "do": do, **arguments})
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        return number

    def answered(self, number: int, timeout: float = 0) -> bool:
        """Whether the answer is there, or comes in time."""
        deadline = time.monotonic() + timeout
        while number not in self._answers:
            left = max(0.0, deadline - time.monotonic())
            if not select.select([self.process.stdout], [], [], left)[0]:
                return False
            self._read()
        return True

    def wait(self, number: int, timeout: float = PATIENCE):
        assert self.answered(number, timeout), f"no answer within {timeout} s"
        answer = self._answers.pop(number)
        self.seconds = answer["seconds"]
        if "error" in answer:
            raise ClientError(answer)
        return answer["ok"]

    def __call__(self, do: str, **arguments):
        return self.wait(self.start(do, **arguments))

    def join(self, cluster: Cluster, **options) -> "CppClient":
        self("connect", info_dir=str(cluster.controller.parent), **options)
        return self

    def _read(self) -> None:
        chunk = self.process.stdout.read1(1 << 20)
        if not chunk:
            error = self.process.stderr.read().decode(errors="replace")
            raise AssertionError(f"the C++ client ended with {self.process.wait()}:\n{error[-3000:]}")
        *lines, self._text = (self._text + chunk).split(b"\n")
        for line in lines:
            answer = json.loads(line)
            self._answers[answer["id"]] = answer

    def end(self) -> int:
        """Closes its input and waits: the exit status tells whether it cleaned up."""
        self.process.stdin.close()
        try:
            return self.process.wait(timeout=PATIENCE)
        finally:
            self.process.kill()
            self.process.stdout.close()
            self.process.stderr.close()


# --- columns


def dense(tensor: torch.Tensor) -> dict:
    return {"kind": "dense", "tensor": canonical(tensor)}


def rows(tensors: list[torch.Tensor]) -> dict:
    return {"kind": "rows", "rows": [canonical(row) for row in tensors]}


def jagged(tensors: list[torch.Tensor]) -> dict:
    offsets = [0, *itertools.accumulate(row.numel() for row in tensors)]
    flat = torch.cat([row.reshape(-1) for row in tensors])
    return {"kind": "jagged", "values": canonical(flat), "offsets": offsets, "shapes": [list(row.shape) for row in tensors]}


def values(items: list) -> dict:
    return {"kind": "values", "rows": [canonical(item) for item in items]}


def column_of(column) -> dict:
    """The JSON form of a column of a TensorDict."""
    if isinstance(column, torch.Tensor):
        if not column.is_nested:
            return dense(column)
        return jagged(list(column.unbind()))
    assert isinstance(column, NonTensorStack), type(column)
    return values(column.tolist())


def _tensor(dtype: str, shape: list[int], data: bytes) -> dict:
    return {"$tensor": {"dtype": dtype, "shape": shape, "data": base64.b64encode(data).decode()}}


def rows_of(column: dict) -> list:
    """The canonical rows of a column that the client gave, cut here and not by the client."""
    if "rows" in column:
        return column["rows"]
    tensor = column["tensor" if column["kind"] == "dense" else "values"]["$tensor"]
    data = base64.b64decode(tensor["data"])
    if column["kind"] == "dense":
        count, shapes = tensor["shape"][0], [tensor["shape"][1:]] * tensor["shape"][0]
        offsets = [len(data) // count * i for i in range(count + 1)]
    else:
        shapes = column["shapes"]
        item = len(data) // max(1, tensor["shape"][0])
        offsets = [offset * item for offset in column["offsets"]]
        assert [b - a for a, b in itertools.pairwise(column["offsets"])] == [int(np.prod(shape)) for shape in shapes]
    return [_tensor(tensor["dtype"], shape, data[a:b]) for shape, (a, b) in zip(shapes, itertools.pairwise(offsets), strict=True)]


# --- comparison

UNREADABLE = ("$opaque", "$object", "$callable", "$npscalar", "$objarray", "$size")  # pickled; C++ need not look inside


def plain(value):
    """A canonical value in one spelling for both languages: floats by value, tuples as the lists that msgpack makes of
    them, and what is pickled as one word, for whether it is the same is seen when Python reads a copy of it."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) <= 2 and any(key in value for key in UNREADABLE):
        return "<pickled>"
    if set(value) == {"$float"}:
        return {"$float": repr(float(value["$float"]))}
    if set(value) == {"$tuple"}:
        return plain(value["$tuple"])
    return {key: plain(item) for key, item in value.items()}
