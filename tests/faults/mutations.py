# SPDX-License-Identifier: Apache-2.0
"""Recorded requests with bits flipped, bytes and frames lost, moved and repeated; the same for the same seed."""

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
from protocol_page import CONTROLLER, STORAGE

# The reply to each request that does not fail, as the recordings have them.
SUCCESS = {
    "HANDSHAKE": "HANDSHAKE_ACK",
    "SET_CUSTOM_META": "SET_CUSTOM_META_RESPONSE",
    "GET_META": "GET_META_RESPONSE",
    "GET_PARTITION_META": "GET_PARTITION_META_RESPONSE",
    "MARK_CLEARING": "MARK_CLEARING_RESPONSE",
    "CLEAR_META": "CLEAR_META_RESPONSE",
    "CLEAR_PARTITION": "CLEAR_PARTITION_RESPONSE",
    "GET_CONSUMPTION": "CONSUMPTION_RESPONSE",
    "RESET_CONSUMPTION": "RESET_CONSUMPTION_RESPONSE",
    "GET_PRODUCTION": "PRODUCTION_RESPONSE",
    "GET_LIST_PARTITIONS": "LIST_PARTITIONS_RESPONSE",
    "NOTIFY_DATA_UPDATE": "NOTIFY_DATA_UPDATE_ACK",
    "KV_RETRIEVE_META": "KV_RETRIEVE_META_RESPONSE",
    "KV_RETRIEVE_KEYS": "KV_RETRIEVE_KEYS_RESPONSE",
    "KV_LIST": "KV_LIST_RESPONSE",
    "SAVE_CONTROLLER_CHECKPOINT": "SAVE_CONTROLLER_CHECKPOINT_RESPONSE",
    "LOAD_CONTROLLER_CHECKPOINT": "LOAD_CONTROLLER_CHECKPOINT_RESPONSE",
    "GET_PARTITION_SNAPSHOT": "GET_PARTITION_SNAPSHOT_RESPONSE",
    "REGISTER_SAMPLER": "REGISTER_SAMPLER_RESPONSE",
    "PUT": "PUT_DATA_RESPONSE",
    "GET": "GET_DATA_RESPONSE",
    "CLEAR_DATA": "CLEAR_DATA_RESPONSE",
    "GET_METRICS": "METRICS_RESPONSE",
    "SAVE_STORAGE_CHECKPOINT": "SAVE_STORAGE_CHECKPOINT_RESPONSE",
    "LOAD_STORAGE_CHECKPOINT": "LOAD_STORAGE_CHECKPOINT_RESPONSE",
}
GOLDEN = Path(__file__).resolve().parents[1] / "golden"


@dataclass
class Recorded:
    name: str
    request_type: str
    frames: list[bytes]


def recorded_requests() -> list[Recorded]:
    """One of each length and type; those that would write to a disk are left out."""
    distinct = {}
    for path in sorted(GOLDEN.rglob("*_request_*.msg")):
        request_type = path.stem.split("_request_")[1]
        if "CHECKPOINT" in request_type:
            continue
        frames = read_frames(path.read_bytes())
        name = str(path.relative_to(GOLDEN).with_suffix(""))
        distinct.setdefault((request_type, tuple(map(len, frames))), Recorded(name, request_type, frames))
    return list(distinct.values())


def read_frames(data: bytes) -> list[bytes]:
    frames, at = [], 0
    while at < len(data):
        (size,) = struct.unpack_from("<Q", data, at)
        frames.append(data[at + 8 : at + 8 + size])
        at += 8 + size
    return frames


def _flip(rng: random.Random, frame: bytes) -> bytes:
    bits = bytearray(frame)
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        if bits:
            bits[rng.randrange(len(bits))] ^= 1 << rng.randrange(8)
    return bytes(bits)


def _mutate(rng: random.Random, frames: list[bytes], others: list[list[bytes]]) -> tuple[str, list[bytes]]:
    frames = list(frames)
    at = rng.randrange(len(frames))
    what = rng.choice(("flip header", "flip header", "flip header", "flip", "cut", "lengthen", "insert", "delete", "swap", "drop", "repeat", "borrow"))
    if what == "flip header":
        frames[0] = _flip(rng, frames[0])
    elif what == "flip":
        frames[at] = _flip(rng, frames[at])
    elif what == "cut":
        frames[at] = frames[at][: rng.randrange(len(frames[at]) + 1)]
    elif what == "lengthen":
        frames[at] += rng.randbytes(rng.randrange(1, 9))
    elif what in ("insert", "delete"):
        start = rng.randrange(len(frames[at]) + 1)
        head, tail = frames[at][:start], frames[at][start:]
        frames[at] = head + (rng.randbytes(rng.randrange(1, 5)) + tail if what == "insert" else tail[1:])
    elif what == "swap":
        other = rng.randrange(len(frames))
        frames[at], frames[other] = frames[other], frames[at]
    elif what == "drop" and len(frames) > 1:
        del frames[at]
    elif what == "repeat":
        frames.insert(at, frames[at])
    else:
        frames[at] = rng.choice(rng.choice(others))
    return f"{what} of frame {at}", frames


def mutations(seed: int, count: int) -> Iterator[tuple[str, bool, list[bytes]]]:
    """(name, whether it goes to a controller, frames)."""
    rng, recorded = random.Random(seed), recorded_requests()
    others = [request.frames for request in recorded]
    by_type: dict[str, list[Recorded]] = {}
    for request in recorded:
        by_type.setdefault(request.request_type, []).append(request)
    for number in range(count):
        request = rng.choice(by_type[rng.choice(list(by_type))])  # rare types as often as frequent ones
        what, frames = _mutate(rng, request.frames, others)
        if rng.random() < 0.2:
            more, frames = _mutate(rng, frames, others)
            what = f"{what}, {more}"
        yield f"mutation {number} of {request.name}: {what}", request.request_type in CONTROLLER, frames


def request_type_of(frames: list[bytes]) -> str | None:
    """The type that the header gives, if it is a msgpack map that msgspec reads and names one."""
    try:
        head = msgspec.msgpack.decode(frames[0], ext_hook=lambda code, data: None)
        request_type = head["request_type"]
    except Exception:  # noqa: BLE001  whatever is wrong with it
        return None
    return request_type if request_type in CONTROLLER or request_type in STORAGE else None
