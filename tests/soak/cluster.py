# SPDX-License-Identifier: Apache-2.0
"""The nodes of a soak: a controller and storage units, a process each, that may be stopped, killed and replaced."""

import contextlib
import json
import os
import random
import signal
import socket
import time
from pathlib import Path

from nodes import START_SECONDS, Node

# Small, so that what an idle node keeps for the next large message does not hide a leak.
KEEP_MEMORY = 16 << 20
PATIENT = ("--metadata-timeout", "0.3", "--check-interval", "0.3")
LIMITS = ("--limit", "rows_max=65536", "--limit", "header_bytes_max=4MiB", "--keep-memory", str(KEEP_MEMORY))
# Below the ports that the kernel gives to connections: a client that looks for a dead node must not find itself there.
PORTS = range(11_000, 32_000)


def free_port(rng: random.Random) -> int:
    while True:
        port = rng.choice(PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port


def load_of(pid: int) -> dict | None:
    """Resident bytes, descriptors, threads and processor seconds of a process; None when it is gone."""
    try:
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return {"rss": int(status["VmRSS"].split()[0]) * 1024, "fds": len(os.listdir(f"/proc/{pid}/fd")),
                "threads": int(status["Threads"]),
                "cpu": (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")}  # fmt: skip
    except (OSError, KeyError):
        return None


class SoakCluster:
    """`restarts` are [unit, when it was killed]; `windows` [begin, end, what] in which calls may fail; all of the
    monotonic clock."""

    def __init__(self, binaries: Path, folder: Path, units: int, rng: random.Random):
        self._tq, self.folder, self._rng = binaries / "tq", folder, rng
        self.restarts, self.windows = [], []
        folder.mkdir(parents=True, exist_ok=True)
        self.nodes = {"controller": self._start("controller", 0, PATIENT)}
        for i in range(units):
            self.nodes[f"unit {i}"] = self._start_unit(i, free_port(rng))
        for node in self.nodes.values():
            node.wait_ready(time.monotonic() + START_SECONDS)
        self.floor = self.load()

    def _start(self, role: str, port: int, args: tuple, name: str = "controller") -> Node:
        info = self.folder / f"{name}.json"
        info.unlink(missing_ok=True)
        command = [self._tq, "--log-level", "error", role, "--info-file", info, "--bind",
                   f"127.0.0.1:{port}" if port else "127.0.0.1", *LIMITS, *args]  # fmt: skip
        return Node(name, command, [info], {})

    def _start_unit(self, unit: int, port: int) -> Node:
        return self._start("storage", port, (), f"storage-{unit}")

    @property
    def units(self) -> int:
        return len(self.nodes) - 1

    def ports(self) -> list[int]:
        """Of every socket of every node."""
        records = [json.loads(path.read_text()) for path in self.folder.glob("*.json")]
        return [port for record in records for port in record["ports"].values()]

    def unit_port(self, unit: int) -> int:
        return json.loads((self.folder / f"storage-{unit}.json").read_text())["ports"]["put_get_socket"]

    def kill_unit(self, unit: int) -> None:
        node = self.nodes[f"unit {unit}"]
        self.restarts.append((unit, time.monotonic()))
        node.process.kill()
        node.stop()

    def restart_unit(self, unit: int, port: int) -> None:
        """One that was killed, with nothing in it."""
        self.nodes[f"unit {unit}"] = self._start_unit(unit, port)
        self.nodes[f"unit {unit}"].wait_ready(time.monotonic() + START_SECONDS)

    def signal(self, name: str, signum: int) -> None:
        pid = self.nodes[name].process.pid
        os.kill(pid, signum)
        if signum == signal.SIGSTOP:
            os.waitid(os.P_PID, pid, os.WSTOPPED)

    def pids(self) -> dict[str, int]:
        """{node: its process}"""
        return {name: node.process.pid for name, node in list(self.nodes.items())}

    def load(self) -> dict:
        """{node: its load}"""
        return {name: load_of(node.process.pid) for name, node in self.nodes.items()}

    def died(self) -> list[str]:
        """The nodes that ended by themselves, and their last words."""
        return [f"{name} ended with {node.process.returncode}: {node.last_lines(3)}"
                for name, node in self.nodes.items() if node.process.poll() is not None]  # fmt: skip

    def stop(self) -> list[str]:
        """Nodes that did not end well."""
        bad = []
        for name, node in self.nodes.items():
            with contextlib.suppress(ProcessLookupError):
                node.process.send_signal(signal.SIGCONT)
            status = node.stop()
            if status:
                bad.append(f"{name} ended with {status} at SIGTERM: {node.last_lines(3)}")
        return bad
