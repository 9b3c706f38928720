# SPDX-License-Identifier: Apache-2.0
"""Sends bad requests one after the other and notes what is wrong with the answers."""

import re
import resource
from pathlib import Path

import pytest
from protocol_page import REPLIES
from raw_peer import Nodes, Peer, Reply
from world import World, changes, usual_course

MIB = 1 << 20
REFUSAL_BYTES = 4096  # by which a refusal may be longer than the request, parts of which it may repeat
ADDRESS_SPACE_BYTES = 8 << 30  # so that a node that does not hold a bound fails, and not the machine
RSS_GROWTH_BYTES = 64 * MIB  # what small bad messages may leave behind in the allocator
PEAK_GROWTH_BYTES = 512 * MIB  # what one bad message of at most a few MB may take for a moment


class Memory:
    """Resident memory of the nodes' process."""

    def __init__(self, pid: int):
        self.folder = Path(f"/proc/{pid}")
        # A sanitizer's shadow and quarantine are resident too.
        self.scale = 4 if "libasan" in (self.folder / "maps").read_text() else 1
        if self.scale == 1:
            resource.prlimit(pid, resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
        self.start = self.value("VmRSS")
        (self.folder / "clear_refs").write_text("5")  # the peak counts from here

    def value(self, name: str) -> int:
        return 1024 * int(re.search(rf"^{name}:\s+(\d+) kB$", (self.folder / "status").read_text(), re.MULTILINE)[1])

    def problems(self) -> list[str]:
        return self._grown("resident", "VmRSS", RSS_GROWTH_BYTES) + self.peak_problems()

    def peak_problems(self) -> list[str]:
        return self._grown("peak", "VmHWM", PEAK_GROWTH_BYTES)

    def _grown(self, what: str, name: str, bound: int) -> list[str]:
        grown, bound = self.value(name) - self.start, bound * self.scale
        return [f"{what} memory grew by {grown // MIB} MiB, more than {bound // MIB}"] if grown > bound else []


class Judge:
    """Judges each answer; `finish` fails with all that was wrong.

    After every few requests it looks whether there was a reply too many, and whether anything was stored in part.
    """

    BATCH = 12

    def __init__(self, nodes: Nodes, world: World | None = None):
        self.nodes, self.world = nodes, world
        self.memory = Memory(nodes.process.pid)
        self.problems: list[str] = []
        self.asked = 0
        self.before: dict | None = world.look() if world else None  # None: not known since something was taken in
        self.batch: list[str] = []
        self.peers: list[Peer] = []  # those that the batch asked

    def refuse(self, name: str, peer: Peer, frames: list[bytes], types: set[str], *words: str) -> None:
        """The one reply must be of one of these types, say no, and name each of the words (a field, say)."""
        if self.world and self.before is None:
            self.check_batch()
            self.before = self.world.look()
        reply = self._ask(name, peer, frames)
        if reply is None:
            return
        if not reply.is_refusal:
            self.problems.append(f"{name}: taken in, and answered by {reply.type}")
            self.before = None
            return
        if reply.type not in types:
            self.problems.append(f"{name}: refused by {reply}, not by {' or '.join(sorted(types))}")
        if not reply.text or any(word not in reply.text for word in words):
            self.problems.append(f"{name}: the message does not name {words}: {reply.text[:300]!r}")
        if reply.size > sum(map(len, frames)) + REFUSAL_BYTES:
            self.problems.append(f"{name}: the refusal has {reply.size} bytes")

    def answer(self, name: str, peer: Peer, frames: list[bytes], types: set[str]) -> Reply | None:
        """The one reply must be of one of these types, be it yes or no."""
        if self.before is not None:
            self.check_batch()
            self.before = None
        reply = self._ask(name, peer, frames)
        if reply is not None and reply.type not in types:
            self.problems.append(f"{name}: answered by {reply}, not by {' or '.join(sorted(types))}")
        return reply

    def _ask(self, name: str, peer: Peer, frames: list[bytes]) -> Reply | None:
        if len(self.batch) == self.BATCH:
            self.check_batch()
        self.asked += 1
        self.batch.append(name)
        self.peers += [] if peer in self.peers else [peer]
        if self.nodes.process.poll() is not None:
            pytest.fail(f"the nodes ended with {self.nodes.process.returncode} before {name}\n" + "\n".join(self.problems))
        try:
            peer.send(frames)
            reply = peer.receive()
        except Exception as error:  # noqa: BLE001  whatever goes wrong with a reply belongs to this request
            self.problems.append(f"{name}: {type(error).__name__}: {error}")
            peer.close()
            return None
        if reply.type not in REPLIES:
            self.problems.append(f"{name}: {reply.type} is no reply of the protocol")
        return reply

    def check_batch(self) -> None:
        """One reply a request: the reply to a probe comes next. Equal looks before and after: nothing was stored."""
        names = "one of " + "; ".join(self.batch)
        for peer in self.peers:
            try:
                peer.check_in_step()
            except Exception as error:  # noqa: BLE001
                self.problems.append(f"{names}: {type(error).__name__}: {error}")
        if self.world and self.before is not None:
            for peer in self.peers:  # a request can change only the node that it was sent to
                after = self.world.look(peer)
                self.problems += [f"{names}: {change}" for change in changes(self.before, after)]
                self.before |= after
        self.batch, self.peers = [], []

    def finish(self, at_least: int) -> None:
        """`at_least`: so many requests must have been tried, or the test tested nothing."""
        assert self.asked >= at_least, f"only {self.asked} requests were tried"
        if self.nodes.process.poll() is None:
            try:
                self.check_batch()
                usual_course(self.nodes)
            except Exception as error:  # noqa: BLE001
                self.problems.append(f"afterwards the usual course of requests fails: {type(error).__name__}: {error}")
            self.problems += self.memory.problems()
        else:
            self.problems.append(f"the nodes ended with {self.nodes.process.returncode}")
        if self.problems:
            shown = "\n".join(self.problems[:60])
            pytest.fail(f"{len(self.problems)} problems in {self.asked} requests\n{shown}", pytrace=False)
