# SPDX-License-Identifier: Apache-2.0
"""Nodes and clients as processes: C++ nodes, and Python nodes and clients of any installed TransferQueue version.

A kind of node or client is "cpp", a Python version such as "0.1.9", or "0.1.9+numpy1". Environment variables:
    TQ_BIN         the program tq (default: build/release/bin/tq of the source tree)
    TQ_PYTHON_ENV  what scripts/python-env made (default: build/python of the source tree)
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PEER = HERE.parent / "peer"
NEWEST = "0.1.11"
START_SECONDS = 60  # a Python node imports torch and Ray; on a busy machine that takes its time
PR_SET_PDEATHSIG = 1

live: list["Node"] = []  # every node that runs now; conftest.py shows their logs when a test fails


def tq_binary() -> Path:
    return Path(os.environ.get("TQ_BIN") or ROOT / "build/release/bin/tq")


def python_env(kind: str) -> dict[str, str]:
    """Environment variables under which this interpreter imports that version of the package."""
    version, _, numpy = kind.partition("+")
    assert numpy in ("", "numpy1"), kind
    home = Path(os.environ.get("TQ_PYTHON_ENV") or ROOT / "build/python")
    folders = [PEER]
    if version != NEWEST:
        folders.append(home / f"tq-{version}")
    if numpy:
        folders.append(home / "numpy1")
    missing = [str(folder) for folder in folders if not folder.is_dir()]
    assert not missing, f"scripts/python-env did not make {missing}"
    return {"PYTHONPATH": os.pathsep.join(map(str, folders)), "RAY_DEDUP_LOGS": "0", "PYTHONWARNINGS": "ignore"}


def end_with_parent() -> None:
    """Run in a child before exec: a killed test run leaves no nodes behind."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def spawn(command: list, env: dict[str, str] | None = None, **kwargs) -> subprocess.Popen:
    return subprocess.Popen(
        [str(part) for part in command], env={**os.environ, **(env or {})}, preexec_fn=end_with_parent, **kwargs
    )


class Node:
    """One process that serves and the address files that it writes."""

    def __init__(self, name: str, command: list, infos: list[Path], env: dict[str, str]):
        self.name, self.infos = name, infos
        self.log = infos[0].parent / f"{name}.log"
        with open(self.log, "wb") as log:
            self.process = spawn(command, env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        live.append(self)

    def wait_ready(self, deadline: float) -> None:
        """Returns once all address files are there (they appear whole) and it says that it is ready, which is later."""
        while not all(path.exists() for path in self.infos) or "ready" not in self.log.read_text(errors="replace"):
            try:
                self.process.wait(timeout=0.02)
            except subprocess.TimeoutExpired:
                assert time.monotonic() < deadline, f"{self.name} wrote no {self.infos}, or not that it is ready:\n{self.last_lines()}"
            else:
                raise AssertionError(f"{self.name} ended with {self.process.returncode}:\n{self.last_lines()}")

    def stop(self) -> int:
        """SIGTERM, and SIGKILL for one that does not heed it; the exit status."""
        if self in live:
            live.remove(self)
        self.process.terminate()
        try:
            return self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def last_lines(self, count: int = 25) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-count:])


class Cluster:
    """A controller and storage units, each of its own kind, in one folder of address files."""

    def __init__(self, folder: Path, controller: str = "cpp", units: tuple[str, ...] = ("cpp", "cpp"), *,
                 controller_args: tuple = (), unit_args: tuple = (), env: dict[str, str] | None = None):
        folder.mkdir(parents=True, exist_ok=True)
        self.controller = folder / "controller.json"
        self.units = [folder / f"storage-{i}.json" for i in range(len(units))]
        self.nodes = []
        try:
            if {controller, *units} == {"cpp"}:
                command = [tq_binary(), "up", "--units", len(units), "--info-dir", folder]
                infos = [self.controller, *self.units]
                self.nodes.append(Node("up", command + [*controller_args, *unit_args], infos, env or {}))
            else:
                self._start("controller", controller, self.controller, controller_args, env or {})
                for kind, path in zip(units, self.units):
                    self._start("storage", kind, path, unit_args, env or {})
            deadline = time.monotonic() + START_SECONDS
            for node in self.nodes:
                node.wait_ready(deadline)
        except BaseException:
            self.stop()
            raise

    def _start(self, role: str, kind: str, info: Path, args: tuple, env: dict[str, str]) -> None:
        if kind == "cpp":
            command = [tq_binary(), role, "--info-file", info, *args]
        else:
            command = [sys.executable, PEER / "peer_node.py", role, "--info", info, *args]
            env = {**python_env(kind), **env}
        self.nodes.append(Node(f"{info.stem}-{kind}", command, [info], env))

    def join_args(self) -> list[str]:
        return ["--controller", str(self.controller), "--storage", *map(str, self.units)]

    def addresses(self) -> tuple[str, list[str]]:
        return str(self.controller), [str(path) for path in self.units]

    def address(self, path: Path, socket: str) -> str:
        """The ZeroMQ address of one socket of a node."""
        record = json.loads(path.read_text())
        return f"tcp://{record['ip']}:{record['ports'][socket]}"

    def stop(self) -> None:
        for node in self.nodes:
            node.stop()
        self.nodes = []


class Client:
    """A script under a Python client of one kind, in a process of its own."""

    def __init__(self, kind: str, script: str, args: list, env: dict[str, str] | None = None):
        self.name = f"{script} under {kind}"
        self.process = spawn(
            [sys.executable, HERE / script, *args], {**python_env(kind), **(env or {})},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )

    def finish(self, timeout: float = 300) -> list:
        """Waits for its end; the JSON values that it printed, one a line."""
        try:
            out, err = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, err = self.process.communicate()
            raise AssertionError(f"{self.name} did not end; its last line: {out.strip().splitlines()[-1:]}\n{err[-3000:]}")
        assert self.process.returncode == 0, f"{self.name} ended with {self.process.returncode}:\n{err[-3000:]}"
        return [json.loads(line) for line in out.splitlines()]

    def expect(self, line: str) -> None:
        """Waits for this line of its output."""
        got = self.process.stdout.readline().strip()
        assert got == line, f"{self.name} said {got!r} in place of {line!r}:\n{self.process.stderr.read() if not got else ''}"

    def tell(self, line: str) -> None:
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()
