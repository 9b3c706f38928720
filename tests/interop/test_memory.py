# SPDX-License-Identifier: Apache-2.0
"""What a storage unit holds of the machine's memory while it takes data, after most of it was cleared, and after all was."""

import contextlib
import random
import subprocess
import time
from pathlib import Path

import pytest
import torch
from parts import Parts
from peer_client import connect
from tensordict import TensorDict

MIB = 1 << 20
PUT_BYTES = 192 * MIB
KEPT = 16 * MIB  # the floor that the unit is given
PROCESS = 24 * MIB  # what a unit itself may grow by: tables of rows, stacks, the allocator's own
IDLE_SECONDS = 10
GRACE = 5


def status_bytes(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    raise AssertionError(name)


class Unit:
    """One storage unit with a Python client."""

    def __init__(self, folder):
        self._parts = Parts(folder, unit_args=(("--keep-memory", str(KEPT)),))
        self._process = self._parts.nodes[0].process
        self.pid = self._process.pid
        self._client = connect(str(folder / "controller.json"), [str(folder / "storage-0.json")])

    def put(self, row_bytes: int) -> list[str]:
        rows = PUT_BYTES // row_bytes
        keys = [f"k{i}" for i in range(rows)]
        data = TensorDict({"x": torch.ones(rows, row_bytes, dtype=torch.uint8)}, batch_size=[rows])
        self._client.put(data, self._client.kv_retrieve_meta(keys=keys, partition_id="p", create=True))
        return keys

    def clear(self, keys: list[str]) -> None:
        self._client.clear_samples(self._client.kv_retrieve_meta(keys=keys, partition_id="p", create=False))

    def resident(self) -> int:
        return status_bytes(self.pid, "VmRSS")

    def peak(self) -> int:
        return status_bytes(self.pid, "VmHWM")

    def falls_to(self, wanted: int) -> int:
        """What it holds once it is no more than wanted, or when it was idle for long enough."""
        end = time.monotonic() + IDLE_SECONDS + GRACE
        while self.resident() > wanted and time.monotonic() < end:
            with contextlib.suppress(subprocess.TimeoutExpired):
                raise AssertionError(f"the unit ended with {self._process.wait(timeout=0.1)}")
        return self.resident()

    def stop(self) -> None:
        self._parts.stop()


@pytest.fixture
def unit(tmp_path):
    one = Unit(tmp_path / "parts")
    yield one
    one.stop()


@pytest.mark.parametrize("row_bytes", [1 << 10, 6 << 10, 64 << 10, 300 << 10, 24 << 20])
def test_memory_of_a_unit(unit, row_bytes):
    before = unit.resident()
    keys = unit.put(row_bytes)
    put = len(keys) * row_bytes
    assert unit.peak() - before <= 1.1 * put + PROCESS
    random.Random(1).shuffle(keys)
    kept = max(1, len(keys) // 10)
    unit.clear(keys[kept:])
    live = kept * row_bytes
    assert unit.falls_to(before + 2 * live + KEPT + PROCESS) - before <= 2 * live + KEPT + PROCESS
    unit.clear(keys[:kept])
    assert unit.falls_to(before + KEPT + PROCESS) - before <= KEPT + PROCESS
