# SPDX-License-Identifier: Apache-2.0
"""Nodes of either kind as processes, with the CPU seconds and the peak memory that they took."""

import json
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TQ = ROOT / "build/release/bin/tq"
WORKLOADS = ROOT / "build/release/bin/tq_workloads"
SINK = ROOT / "build/release/bin/tq_sink"
PYTHON = ROOT / "build/python/venv/bin/python"
START_SECONDS = 120
TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def status_bytes(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    return 0


class Nodes:
    """A controller and units as a context; `folder` holds their addresses. kind: "cpp", "python", or "sink" and
    "receive", a C++ controller with units that throw away what is put, or do nothing but receive it (bench/sink.cc)."""

    def __init__(self, kind: str, units: int = 2, processes: bool = False, args: tuple = ()):
        self.kind, self.units, self.processes, self.args = kind, units, processes, args

    def __enter__(self) -> "Nodes":
        self.temporary = tempfile.TemporaryDirectory(prefix="tq-compare-")
        self.folder = Path(self.temporary.name)
        self.running = [self._start(command) for command in self._commands()]
        end = time.monotonic() + START_SECONDS
        names = ["controller.json", *(f"storage-{i}.json" for i in range(self.units))]
        while not all((self.folder / name).exists() for name in names):
            if time.monotonic() > end or any(process.poll() is not None for process in self.running):
                self.__exit__()
                raise RuntimeError(f"the {self.kind} nodes did not start")
            time.sleep(0.05)
        return self

    def __exit__(self, *_) -> None:
        for process in self.running:
            process.send_signal(signal.SIGTERM)
        for process in self.running:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.temporary.cleanup()

    def _commands(self) -> list[list]:
        unit_files = [self.folder / f"storage-{i}.json" for i in range(self.units)]
        if self.kind == "cpp" and not self.processes:
            return [[TQ, "up", "--units", self.units, "--info-dir", self.folder, *self.args]]
        if self.kind != "python":
            before, after = {"cpp": ([TQ, "storage", "--info-file"], []), "sink": ([SINK], []), "receive": ([SINK], ["--receive"])}[self.kind]
            return [[TQ, "controller", "--info-file", self.folder / "controller.json"], *([*before, file, *after] for file in unit_files)]
        node = [PYTHON, ROOT / "tests/peer/peer_node.py"]
        return [[*node, "controller", "--info", self.folder / "controller.json"],
                *([*node, "storage", "--info", file] for file in unit_files)]

    def _start(self, command: list) -> subprocess.Popen:
        env = {**os.environ, "TQ_LOGGING_LEVEL": "ERROR", "PYTHONWARNINGS": "ignore"}
        return subprocess.Popen([str(part) for part in command], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def cpu_seconds(self) -> float:
        return sum(cpu_seconds(process.pid) for process in self.running)

    def peak_bytes(self) -> int:
        return sum(status_bytes(process.pid, "VmHWM") for process in self.running)

    def resident_bytes(self) -> int:
        return sum(status_bytes(process.pid, "VmRSS") for process in self.running)

    @staticmethod
    def wait_idle() -> None:
        """Until C++ nodes have given back what they need for requests only (EventLoop::kIdle)."""
        time.sleep(8)

    def addresses(self) -> list[str]:
        units = [str(self.folder / f"storage-{i}.json") for i in range(self.units)]
        return ["--controller", str(self.folder / "controller.json"), "--storage", *units]


def run_json(command: list) -> list[dict]:
    """The JSON lines that a command prints."""
    env = {**os.environ, "TQ_LOGGING_LEVEL": "ERROR", "PYTHONWARNINGS": "ignore"}
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, env=env, timeout=1800)
    if result.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))} failed:\n{result.stderr[-2000:]}")
    return [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
