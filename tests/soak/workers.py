# SPDX-License-Identifier: Apache-2.0
"""The workers of a soak: processes that are told by lines on their standard input, and tell by lines of JSON."""

import json
import os
import queue
import subprocess
import threading
from pathlib import Path

from nodes import NEWEST, ROOT, python_env, spawn

HERE = Path(__file__).resolve().parent
# Python's client waits 200 s for a unit unless told otherwise.
PYTHON_PATIENCE = {"TQ_SIMPLE_STORAGE_SEND_RECV_TIMEOUT": "3", "TQ_SIMPLE_STORAGE_MAX_ATTEMPTS": "2",
                   "TQ_SIMPLE_STORAGE_PROBE_TIMEOUT": "1", "TQ_DATA_UPDATE_RESPONSE_TIMEOUT": "10",
                   "TQ_CLIENT_ZMQ_IO_THREADS": "1", "TQ_NUM_THREADS": "1", "OMP_NUM_THREADS": "1",
                   "TQ_LOGGING_LEVEL": "CRITICAL"}  # fmt: skip


def python_program() -> Path:
    """The interpreter that scripts/python-env made."""
    return Path(os.environ.get("TQ_PYTHON_ENV") or ROOT / "build/python") / "venv/bin/python"


class Worker:
    """One process. What it tells goes into `inbox`, as (worker, line)."""

    def __init__(self, name: str, command: list, inbox: queue.Queue, log: Path, env: dict | None = None):
        self.name, self.log = name, log
        with open(log, "ab") as errors:
            self.process = spawn(command, env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
        self._reader = threading.Thread(target=self._read, args=(inbox,), daemon=True)
        self._reader.start()

    def _read(self, inbox: queue.Queue) -> None:
        for line in self.process.stdout:
            try:
                inbox.put((self, json.loads(line)))
            except ValueError:  # what a killed one did not finish, or a library's word on standard output
                continue

    def tell(self, line: str) -> None:
        try:
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # its end is noticed elsewhere

    def wait(self, timeout: float) -> int | None:
        """The exit status; None for one that did not end in time, and was killed."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            status = None
        self._reader.join()
        return status

    def last_words(self) -> str:
        return self.log.read_text(errors="replace")[-500:]


class Workers:
    """Those that put and get: `cpp` of them with the C++ client, `python` with Python's."""

    def __init__(self, binaries: Path, folder: Path, info_dir: Path, deadline_ms: int, seed: int, inbox: queue.Queue):
        self._binaries, self._folder, self._info_dir = binaries, folder, info_dir
        self._deadline_ms, self._seed, self._inbox = deadline_ms, seed, inbox
        self._number, self.running, self.pause_ms = 0, {}, 0

    def start(self, kind: str, heir_of: int | None = None) -> Worker:
        number, self._number = self._number, self._number + 1
        args = ["--info-dir", self._info_dir, "--number", number, "--seed", self._seed * 1000 + number]
        if heir_of is not None:
            args += ["--heir-of", heir_of]
        if kind == "cpp":
            command, env = [self._binaries / "tq_soak_client", "--deadline-ms", self._deadline_ms, *args], {}
        else:
            command, env = [python_program(), HERE / "python_worker.py", *args], {**python_env(NEWEST), **PYTHON_PATIENCE}
        worker = Worker(f"{kind} {number}", command, self._inbox, self._folder / f"{kind}-{number}.log", env)
        worker.tell(f"pause {self.pause_ms}")
        self.running[number] = worker
        return worker

    def clear_all(self) -> int | None:
        command = [self._binaries / "tq_soak_client", "--deadline-ms", 10_000, "--info-dir", self._info_dir, "--clear-all"]
        return Worker("cleaner", command, self._inbox, self._folder / "cleaner.log").wait(120)

    def hostile(self) -> Worker:
        command = [self._binaries / "tq_soak_hostile", "--info-dir", self._info_dir]
        return Worker("hostile", command, self._inbox, self._folder / "hostile.log")

    def tell_all(self, line: str) -> None:
        for worker in list(self.running.values()):
            worker.tell(line)

    def set_pause(self, pause_ms: int) -> None:
        self.pause_ms = pause_ms
        self.tell_all(f"pause {pause_ms}")

    def kill(self, number: int) -> str:
        """kill -9; the kind of the killed one."""
        worker = self.running.pop(number)
        worker.process.kill()
        worker.wait(60)
        return worker.name.split()[0]

    def kill_all(self) -> None:
        for number in list(self.running):
            self.kill(number)

    def processes(self) -> list[subprocess.Popen]:
        return [worker.process for worker in list(self.running.values())]

    def died(self) -> list[str]:
        return [f"worker {worker.name} ended with {worker.process.returncode}: {worker.last_words()}"
                for worker in list(self.running.values()) if worker.process.poll() is not None]  # fmt: skip

    def stop(self) -> list[str]:
        """Has all clear what they put, and end; what went wrong with it."""
        self.set_pause(0)
        self.tell_all("stop")
        bad = []
        for worker in self.running.values():
            status = worker.wait(120)
            if status != 0:
                bad.append(f"worker {worker.name} ended with {status}: {worker.last_words()}")
        return bad
