# SPDX-License-Identifier: Apache-2.0
"""A cluster in parts that a test may stop, kill and replace one by one, at addresses that it may change."""

import contextlib
import json
import os
import random
import signal
import socket
import sys
import time

from cpp_client import CppClient
from nodes import PEER, START_SECONDS, Node, python_env, tq_binary


def free_ports(count: int) -> int:
    """The first of so many ports in a row that nobody has, below those that the kernel gives to connections: a client
    that looks for a dead node must not find itself there."""
    for first in random.sample(range(11_000, 32_000), 1000):
        with contextlib.ExitStack() as probes, contextlib.suppress(OSError):
            for port in range(first, first + count):
                probe = probes.enter_context(socket.socket())
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
            return first
    raise AssertionError("this machine has no free ports")


class Parts:
    """A controller and storage units, a process each, and what else ends with them."""

    def __init__(self, folder, controller: str = "cpp", unit: str = "cpp", unit_args: tuple = ((), ()),
                 controller_args: tuple = ()):
        self.folder, self._unit_kind, self._unit_args, self.extra = folder, unit, unit_args, []
        folder.mkdir(exist_ok=True)
        self.nodes = {"controller": self._node("controller", "controller", controller, controller_args)}
        for i in range(len(unit_args)):
            self.nodes[i] = self._node("storage", f"storage-{i}", unit, unit_args[i])
        self.wait()

    def _node(self, role: str, name: str, kind: str, args: tuple) -> Node:
        info = self.folder / f"{name}.json"
        info.unlink(missing_ok=True)
        if kind == "cpp":
            return Node(f"{name}-cpp", [tq_binary(), role, "--info-file", info, *args], [info], {})
        command = [sys.executable, PEER / "peer_node.py", role, "--info", info, *args]
        return Node(f"{name}-{kind}", command, [info], python_env(kind))

    def wait(self) -> None:
        for node in self.nodes.values():
            node.wait_ready(time.monotonic() + START_SECONDS)

    def address(self, place) -> dict:
        return json.loads(self.nodes[place].infos[0].read_text())

    def addresses(self, **changed_ports) -> dict:
        """The arguments of `connect`; unit_1=PORT puts another port in the place of one's own."""
        found = {"controller": self.address("controller"), "units": [self.address(i) for i in range(len(self._unit_args))]}
        for name, port in changed_ports.items():
            if name.startswith("unit_"):
                found["units"][int(name[5:])]["ports"]["put_get_socket"] = port
            else:
                found["controller"]["ports"][name] = port
        return found

    def client(self, deadline: float = 3, **changed_ports) -> CppClient:
        client = CppClient()
        self.extra.append(client)
        client("connect", **self.addresses(**changed_ports), deadline_ms=int(deadline * 1000))
        return client

    def restart(self, unit: int) -> None:
        """Kills a unit and starts one with nothing in it, a C++ one at the same port."""
        port = self.address(unit)["ports"]["put_get_socket"]
        self.nodes[unit].process.kill()
        self.nodes[unit].stop()
        args = ("--bind", f"127.0.0.1:{port}") if self._unit_kind == "cpp" else ()
        self.nodes[unit] = self._node("storage", f"storage-{unit}", self._unit_kind, args)
        self.wait()

    def replace(self, place, port: int) -> None:
        """Kills a C++ node and starts one with nothing in it, whose first port is this one."""
        self.nodes[place].process.kill()
        self.nodes[place].stop()
        at = ("--bind", f"127.0.0.1:{port}")
        if place == "controller":
            self.nodes[place] = self._node("controller", "controller", "cpp", at)
        else:
            self.nodes[place] = self._node("storage", f"storage-{place}", "cpp", at)
        self.wait()

    def signal(self, place, signum: int) -> None:
        pid = self.nodes[place].process.pid
        os.kill(pid, signum)
        if signum == signal.SIGSTOP:  # which takes a moment, enough for an answer
            os.waitid(os.P_PID, pid, os.WSTOPPED)

    def stop(self) -> None:
        for thing in self.extra:
            thing.end() if isinstance(thing, CppClient) else thing.close()
        for node in self.nodes.values():
            with contextlib.suppress(ProcessLookupError):
                node.process.send_signal(signal.SIGCONT)
            node.stop()
