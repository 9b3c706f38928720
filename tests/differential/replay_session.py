# SPDX-License-Identifier: Apache-2.0
"""A recorded session (tests/golden/VERSION): its requests in order, each with the reply that Python gave, if any.

Replies carry no request id; a node answers in order, and the recorded client had one request in flight a node. So a
recorded reply, whose sender_id names the node, belongs to that node's oldest request without a reply.
"""

import json
import struct
from collections import deque
from dataclasses import dataclass
from pathlib import Path

CONTROLLER = "controller"


@dataclass
class Exchange:
    name: str  # the request's file name without suffix
    step: str
    node: str  # CONTROLLER, "unit 0", "unit 1"
    socket: str  # the name that the node's address gives to the port
    frames: list[bytes]
    request: dict  # canonical JSON
    reply_name: str | None = None
    reply: dict | None = None  # canonical JSON; None: Python never answered
    reply_frames: list[bytes] | None = None

    @property
    def kind(self) -> str:
        return self.request["request_type"]


@dataclass
class Session:
    version: tuple[int, ...]
    exchanges: list[Exchange]
    ids: list[str]  # of the controller and of the units at recording time


def read_frames(path: Path) -> list[bytes]:
    data, frames, at = path.read_bytes(), [], 0
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        frames.append(data[at + 8 : at + 8 + length])
        at += 8 + length
    return frames


def _units(records: list[tuple[str, str, dict]]) -> dict[str, str]:
    """Unit ids -> "unit N": a sample lies in the unit of its index modulo the number of units."""
    units = {}
    for _, direction, record in records:
        message = record["message"]
        receiver, body = message["receiver_id"] or "", message["body"]
        if direction == "request" and receiver.startswith("TQ_STORAGE_UNIT_") and "global_indexes" in body:
            remainders = {index % 2 for index in body["global_indexes"]}
            assert len(remainders) == 1, f"rows of both units sent to {receiver}"
            name = f"unit {remainders.pop()}"
            assert units.setdefault(receiver, name) == name, f"{receiver} is both {units[receiver]} and {name}"
    assert sorted(units.values()) == ["unit 0", "unit 1"], units
    return units


def _route(message: dict, units: dict[str, str], old_notify_socket: bool) -> tuple[str, str]:
    """Node and socket of a recorded request."""
    kind, sender, receiver = message["request_type"], message["sender_id"], message["receiver_id"]
    if receiver in units:
        return units[receiver], "put_get_socket"
    if sender == "TQ_STORAGE_raw":  # the recorder's raw requests to the first unit name no receiver
        return "unit 0", "put_get_socket"
    if kind == "HANDSHAKE":
        return CONTROLLER, "handshake_socket"
    if kind == "NOTIFY_DATA_UPDATE" and old_notify_socket:
        return CONTROLLER, "data_status_update_socket"
    return CONTROLLER, "request_handle_socket"


def load(folder: Path, version: tuple[int, ...]) -> Session:
    records = []
    for path in sorted(folder.glob("[0-9]*.json")):
        records.append((path.stem, path.stem.split("_")[1], json.loads(path.read_text())))
    if not records:
        raise FileNotFoundError(f"no recorded messages in {folder}")
    units = _units(records)
    waiting: dict[str, deque[Exchange]] = {CONTROLLER: deque(), "unit 0": deque(), "unit 1": deque()}
    exchanges, ids = [], list(units)
    for name, direction, record in records:
        message, frames = record["message"], read_frames(folder / f"{name}.msg")
        if direction == "request":
            node, socket = _route(message, units, version < (0, 1, 8))
            exchange = Exchange(name, record["step"], node, socket, frames, message)
            exchanges.append(exchange)
            waiting[node].append(exchange)
        else:
            exchange = waiting[units.get(message["sender_id"], CONTROLLER)].popleft()
            exchange.reply_name, exchange.reply, exchange.reply_frames = name, message, frames
            if message["sender_id"] not in ids:
                ids.append(message["sender_id"])
    return Session(version, exchanges, ids)
