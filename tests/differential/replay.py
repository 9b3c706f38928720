#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Judges nodes by a recorded session: sends each recorded request and compares the reply with the recorded one.

    replay.py --vectors tests/golden/0.1.9 --judge cpp
    replay.py --vectors tests/golden/0.1.11/polling --judge 0.1.11

It runs under the package version that made the recording (PYTHONPATH), whose own code decodes the replies: what a
client of that version would see is what is compared. Requests travel as the recorded bytes, unless they name a global
index that the judged controller gave another number; then they are decoded, renamed and encoded by the package. What is
compared, and what is not: replay_forms.py. Where the nodes differ on purpose: replay_allowed.py.
Exit status 0: equal but for the allowed differences; 1: not, and the differences are printed.
"""

import argparse
import os
import re
import signal
import sys
import tempfile
import warnings
from pathlib import Path

import numpy
import zmq

import transfer_queue
from transfer_queue.utils.serial_utils import decode, encode
from transfer_queue.utils.zmq_utils import ZMQMessage

from judged import NEWEST, Nodes, running
from canonical import canonical  # judged.py knows where it lies
from replay_allowed import Allowances
from replay_forms import comparable, differences
from replay_renaming import Renaming, rename_request
from replay_session import CONTROLLER, Exchange, Session, load

NUMPY1 = numpy.__version__.startswith("1.")
REPLY_MS = 30_000
SLOTS = ("request_type", "sender_id", "receiver_id", "request_id", "timestamp", "body")


class Connections:
    """One DEALER for each socket of the nodes; one request in flight at a time."""

    def __init__(self, nodes: Nodes):
        self.nodes, self.context, self.sockets = nodes, zmq.Context(), {}

    def _socket(self, node: str, name: str) -> zmq.Socket:
        if (node, name) not in self.sockets:
            info = self.nodes.controller if node == CONTROLLER else self.nodes.units[int(node.split()[1])]
            # A Python controller since 0.1.8 has no socket for notifications alone.
            port = info["ports"].get(name) or info["ports"]["request_handle_socket"]
            socket = self.context.socket(zmq.DEALER)
            socket.setsockopt(zmq.IDENTITY, f"TQ_STORAGE_replay_{len(self.sockets)}".encode())
            socket.connect(f"tcp://{info['ip']}:{port}")
            self.sockets[node, name] = socket
        return self.sockets[node, name]

    def ask(self, node: str, name: str, frames: list) -> list | None:
        """The frames of the reply; None when there is none in time, after which the socket is not used again."""
        socket = self._socket(node, name)
        socket.send_multipart(frames)
        if socket.poll(REPLY_MS):
            return socket.recv_multipart(copy=False)
        self.sockets.pop((node, name)).close(linger=0)
        return None

    def close(self) -> None:
        for socket in self.sockets.values():
            socket.close(linger=0)
        self.context.term()


def decode_reply(frames: list) -> tuple[dict, list[str]]:
    """Canonical JSON of a reply, and the warnings that decoding it gave."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        message = decode(frames)
        record = {slot: canonical(message[slot]) for slot in SLOTS}
        try:
            ZMQMessage.deserialize(frames)
        except ValueError as error:  # a type that this version does not know: its client raises at once
            record["request_type"] += f" (this version's client raises {type(error).__name__})"
    return record, sorted({re.sub(r"\d+", "N", str(w.message)) for w in caught})


class Replay:
    def __init__(self, session: Session, nodes: Nodes, allowances: Allowances, same_version: bool):
        self.session, self.nodes, self.allowances, self.same_version = session, nodes, allowances, same_version
        self.renaming, self.connections = Renaming(), Connections(nodes)
        self.rewritten = self.compared = 0
        self.usual_warnings: set[str] = set()

    def read_recording(self) -> list[str]:
        """Decodes the recorded replies here: they must give the JSON beside them; the warnings they give are usual."""
        problems = []
        for exchange in self.session.exchanges:
            try:
                reply, warned = decode_reply(exchange.reply_frames) if exchange.reply else (None, [])
            except ModuleNotFoundError as error:
                if "numpy._core" not in str(error) or not NUMPY1:
                    raise
                continue  # numpy 1 cannot read what Python packed with numpy 2
            problems += [f"{exchange.reply_name} as recorded: {line}" for line in differences(exchange.reply, reply)]
            self.usual_warnings.update(warned)
        return problems

    def _frames(self, exchange: Exchange) -> list:
        """The request's bytes as recorded, or its like with this controller's indexes."""
        if not self.renaming.changes(exchange.kind, exchange.request["body"]):
            return exchange.frames
        self.rewritten += 1
        message = decode([bytearray(frame) for frame in exchange.frames])
        message["body"] = rename_request(exchange.kind, message["body"], self.renaming.to_own)
        return encode(message)

    def _problems(self, exchange: Exchange, frames: list) -> list[str]:
        try:
            return self._compare(exchange, *decode_reply(frames))
        except Exception as error:  # whatever such a reply breaks, here or in the package
            head = bytes(frames[0])[:200]
            return [f"no reply that can be compared: {type(error).__name__}: {error}; {len(frames)} frames, {head}"]

    def _compare(self, exchange: Exchange, reply: dict, warned: list[str]) -> list[str]:
        if exchange.reply is None:
            return self.allowances.judge(exchange, None, comparable(reply, exchange.request, self.nodes.ids()))
        problems = [f"decoding it warns: {text}" for text in warned if text not in self.usual_warnings]
        problems += self.renaming.learn(exchange.request, exchange.reply, reply)
        expected = comparable(exchange.reply, exchange.request, self.session.ids)
        got = comparable(reply, exchange.request, self.nodes.ids(), self.renaming.to_recorded)
        self.compared += 1
        return problems + self.allowances.judge(exchange, expected, got)

    def run(self) -> list[str]:
        """The differences, each named by its request."""
        problems = self.read_recording()
        for exchange in self.session.exchanges:
            if exchange.reply is None and self.same_version:
                continue  # it ends a thread of a node and is not answered
            frames = self.connections.ask(exchange.node, exchange.socket, self._frames(exchange))
            found = ["no answer"] if frames is None else self._problems(exchange, frames)
            problems += [f"{exchange.name} ({exchange.step}): {line}" for line in found]
            self.renaming.forget(exchange.request)
        self.connections.close()
        return problems + self.allowances.unused()

    def summary(self, problems: int) -> str:
        return (
            f"{self.compared} replies compared, {problems} problems, {self.allowances.used} allowed differences; "
            f"{self.renaming.renamed} indexes renamed, {self.rewritten} requests rewritten"
        )


def scramble(nodes: Nodes) -> None:
    """Makes a Python controller, which reuses indexes in the order of their release, hand out others than at recording
    time. They still ascend, for a fetch takes the lowest first: another order would be another choice of samples."""
    connections, count = Connections(nodes), 60

    def ask(kind: str, **body) -> dict:
        frames = encode(
            {
                "request_type": kind,
                "sender_id": "scramble",
                "receiver_id": "",
                "request_id": "0",
                "timestamp": 0.0,
                "body": body,
            }
        )
        return decode(connections.ask(CONTROLLER, "request_handle_socket", frames))["body"]

    created = ask("KV_RETRIEVE_META", keys=[f"k{i}" for i in range(count)], partition_id="scramble", create=True)
    indexes = created["metadata"].global_indexes
    for index in (*indexes[5:], *indexes[:5]):
        ask("CLEAR_META", global_indexes=[index], partition_ids=["scramble"])
    ask("CLEAR_PARTITION", partition_id="scramble")
    connections.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=Path, required=True, help="folder of one recorded session")
    parser.add_argument(
        "--judge", required=True, metavar="KIND", help="cpp, or the version of a Python package to run as nodes"
    )
    parser.add_argument("--scramble", action="store_true", help="let a Python controller start with other free indexes")
    parser.add_argument("--rest", action="store_true", help="let our controller's freed indexes rest, as by default")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))

    vectors = args.vectors.resolve()
    named = next(part for part in reversed(vectors.parts) if re.fullmatch(r"\d+\.\d+\.\d+", part))
    if transfer_queue.__version__ != named:
        parser.error(f"this is version {transfer_queue.__version__} of the package, the recording is of {named}")
    session, polling = load(vectors, tuple(int(n) for n in named.split("."))), vectors.name == "polling"
    judged = "ours" if args.judge == "cpp" else "newest" if args.judge == NEWEST != named else "same"
    allowances = Allowances(session, vectors.name, judged)
    with tempfile.TemporaryDirectory() as folder:
        os.makedirs(f"{folder}/checkpoint/simple_storage")
        os.chdir(folder)  # recorded checkpoint requests name relative paths
        kind = f"{args.judge}+numpy1" if NUMPY1 and args.judge != "cpp" else args.judge
        with running(Path(folder), kind, polling, args.rest) as nodes:
            if args.scramble:
                scramble(nodes)
            replay = Replay(session, nodes, allowances, same_version=judged == "same")
            problems = replay.run()
    print("\n".join([*problems, replay.summary(len(problems))]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
