# SPDX-License-Identifier: Apache-2.0
"""What a soak does to its nodes and workers, in an order that its seed decides.

Each fault returns when it is over. Those that keep a node from answering open a window, in which calls may fail; the
others are nobody's excuse.
"""

import contextlib
import random
import signal
import socket
import struct
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from cluster import SoakCluster, free_port
from workers import Worker, Workers

GOLDEN = Path(__file__).resolve().parents[1] / "golden/0.1.11"
STORM = 200  # connections
UNREAD = 500  # requests of a peer that reads no reply
BURST = 600  # hostile messages
SHORT, LATER = (0.1, 0.9), (0.5, 2.0)  # seconds: below any deadline; beyond one
DOWN = (0.0, 2.0)  # seconds that a killed unit is away
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16) + bytes(32)


def frame(flags: int, body: bytes) -> bytes:
    return bytes([flags | 2]) + struct.pack(">Q", len(body)) + body


HELLO = GREETING + frame(4, b"\x05READY\x0bSocket-Type" + struct.pack(">I", 6) + b"DEALER")


def recorded_request(kind: str) -> bytes:
    """One of tests/golden, as bytes of a connection."""
    raw = next(iter(sorted(GOLDEN.rglob(f"*_request_{kind}.msg")))).read_bytes()
    frames, at = [], 0
    while at < len(raw):
        (size,) = struct.unpack_from("<Q", raw, at)
        frames.append(raw[at + 8 : at + 8 + size])
        at += 8 + size
    return b"".join(frame(1 if i + 1 < len(frames) else 0, body) for i, body in enumerate(frames))


class Faults:
    """`run` makes one after the other until it is told to end; `done` has [when, what] of all."""

    def __init__(self, cluster: SoakCluster, workers: Workers, hostile: Worker, rng: random.Random, deadline: float):
        self.cluster, self.workers, self._hostile, self._rng, self._deadline = cluster, workers, hostile, rng, deadline
        self.done, self.over, self.burst_answered = [], threading.Event(), threading.Event()
        self._kinds = [self.kill_unit, self.move_unit, self.stop_briefly, self.stop_for_long, self.kill_worker,
                       self.storm, self.half_message, self.silent_reader, self.hostile_burst]  # fmt: skip
        self._request = recorded_request("KV_LIST")

    def run(self, until: float, gap: float) -> None:
        """All kinds once in each round, in another order; between two of them `gap` seconds in the mean."""
        while not self.over.is_set() and time.monotonic() < until:
            for fault in self._rng.sample(self._kinds, len(self._kinds)):
                pause = min(self._rng.uniform(0.5, 1.5) * gap, max(0.0, until - time.monotonic()))
                if self.over.wait(pause) or time.monotonic() >= until:
                    return
                if self.cluster.died():  # by itself: between two faults all of them live
                    return self.over.set()
                began = time.monotonic()
                self.done.append([began, fault()])

    @contextmanager
    def _window(self, what: str, after: float = 0.0):
        """Calls may fail from here to `after` seconds past the end."""
        window = [time.monotonic(), float("inf"), what]
        self.cluster.windows.append(window)
        try:
            yield
        finally:
            window[1] = time.monotonic() + after

    def _some_unit(self) -> int:
        return self._rng.randrange(self.cluster.units)

    def _some_node(self) -> str:
        return self._rng.choice(list(self.cluster.nodes))

    # --- nodes that die and stop

    def kill_unit(self) -> str:
        unit = self._some_unit()
        with self._window(f"unit {unit} killed", after=0.5):
            port = self.cluster.unit_port(unit)
            self.cluster.kill_unit(unit)
            self.over.wait(self._rng.uniform(*DOWN))
            self.cluster.restart_unit(unit, port)
        return "kill -9 of a unit, restart at its port"

    def move_unit(self) -> str:
        unit = self._some_unit()
        with self._window(f"unit {unit} moved", after=self._deadline):
            self.cluster.kill_unit(unit)
            self.cluster.restart_unit(unit, free_port(self._rng))
            self.workers.tell_all("nodes")
        return "kill -9 of a unit, restart at another port"

    def _stop(self, seconds: float) -> None:
        node = self._some_node()
        with self._window(f"{node} stopped", after=0.5):
            self.cluster.signal(node, signal.SIGSTOP)
            self.over.wait(seconds)
            self.cluster.signal(node, signal.SIGCONT)

    def stop_briefly(self) -> str:
        self._stop(self._rng.uniform(*SHORT))
        return "a node is stopped for less than a deadline"

    def stop_for_long(self) -> str:
        self._stop(self._deadline + self._rng.uniform(*LATER))
        return "a node is stopped for longer than a deadline"

    # --- clients that die

    def kill_worker(self) -> str:
        kinds = {number: worker.name.split()[0] for number, worker in self.workers.running.items()}
        weights = [4 if kind == "cpp" else 1 for kind in kinds.values()]  # a Python client takes seconds to start
        number = self._rng.choices(list(kinds), weights)[0]
        self.workers.start(self.workers.kill(number), heir_of=number)
        return f"kill -9 of a client ({kinds[number]})"

    # --- peers that are bad

    def _connect(self, count: int) -> list[socket.socket]:
        ports = self.cluster.ports()
        return [socket.create_connection(("127.0.0.1", self._rng.choice(ports)), timeout=10) for _ in range(count)]

    def _close(self, connections: list[socket.socket]) -> None:
        for connection in connections:
            if self._rng.random() < 0.5:  # with a reset
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()

    def storm(self) -> str:
        connections = self._connect(STORM)
        for connection in connections:
            said = self._rng.choice([b"", GREETING[:10], HELLO, self._rng.randbytes(100)])
            with contextlib.suppress(OSError):  # the node may have closed it
                connection.sendall(said)
        self.over.wait(1)
        self._close(connections)
        return f"{STORM} connections at once"

    def half_message(self) -> str:
        connections = self._connect(8)
        for connection in connections:
            cut = self._rng.randrange(1, len(self._request))
            beyond = bytes([2]) + struct.pack(">Q", self._rng.choice([1 << 10, 1 << 20, 1 << 30])) + bytes(500)
            with contextlib.suppress(OSError):
                connection.sendall(HELLO + self._rng.choice([self._request[:cut], beyond]))
        self.over.wait(1)
        self._close(connections)
        return "clients that die in mid-message"

    def silent_reader(self) -> str:
        connections = self._connect(2)
        for connection in connections:
            connection.settimeout(1)  # a node that reads no more of it
            with contextlib.suppress(OSError):
                connection.sendall(HELLO + self._request * UNREAD)
        self.over.wait(1)
        self._close(connections)
        return "clients that never read their replies"

    def hostile_burst(self) -> str:
        self.burst_answered.clear()
        self._hostile.tell(f"burst {BURST} {self._rng.randrange(1 << 32)}")
        if not self.burst_answered.wait(60):
            raise AssertionError(f"the hostile peer did not end its burst: {self._hostile.last_words()}")
        return f"{BURST} hostile messages"
