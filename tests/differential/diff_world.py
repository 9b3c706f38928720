# SPDX-License-Identifier: Apache-2.0
"""What the differential test knows of the two controllers: their samples, under names that both share.

A logical sample is a number that stands for one global index at each controller. It is born in the reply to a request
that registers samples (the position in the request says which is which) and dies with a clear. The indexes that a
partition pre-allocated have no name until they are registered: nothing has told them apart yet, so they compare as a
bag. A partition with a single one may name it in a request (PreAllocated).
"""

from collections import deque
from dataclasses import dataclass
from typing import Any

import zmq
from transfer_queue.utils.serial_utils import decode, encode
from transfer_queue.utils.zmq_utils import ZMQMessage

import judged  # noqa: F401 (knows where canonical.py lies)
from canonical import canonical
from replay_forms import integers, is_form

REPLY_MS = 20_000
SENDER = "differential"
NO_NAME = -1  # how a pre-allocated index shows in a comparison
SLOTS = ("request_type", "sender_id", "receiver_id", "request_id", "timestamp", "body")


class Mismatch(Exception):
    pass


@dataclass(frozen=True)
class Logical:
    number: int

    def __repr__(self) -> str:
        return f"<{self.number}>"


@dataclass(frozen=True)
class PreAllocated:
    partition: str


def listed_indexes(reply: dict) -> list[int] | None:
    """The global indexes that a canonical reply lists, in its order; None when it is of another kind."""
    body = reply["body"] if isinstance(reply["body"], dict) else {}
    if is_form(body.get("metadata"), "$batchmeta"):
        return body["metadata"]["$batchmeta"]["global_indexes"]
    if is_form(body.get("global_index"), "$tensor"):
        return integers(body["global_index"])
    return None


class Side:
    """One of the two controllers: the connection to it, and its index of each logical sample."""

    def __init__(self, name: str, info: dict, context: zmq.Context):
        self.name, self.id = name, info["id"]
        self.socket = context.socket(zmq.DEALER)
        self.socket.connect(f"tcp://{info['ip']}:{info['ports']['request_handle_socket']}")
        self.index: dict[int, int] = {}  # of a logical sample
        self.logical: dict[int, int] = {}  # of an index
        self.pool: dict[str, set[int]] = {}  # pre-allocated indexes by partition, once a reply has shown them

    def ask_raw(self, frames: list) -> dict:
        """Canonical JSON of the reply."""
        self.socket.send_multipart(frames)
        if not self.socket.poll(REPLY_MS):
            raise Mismatch(f"{self.name} did not answer within {REPLY_MS} ms")
        frames = self.socket.recv_multipart(copy=False)
        ZMQMessage.deserialize(frames)
        message = decode(frames)
        return {slot: canonical(message[slot]) for slot in SLOTS}

    def ask(self, kind: str, body: Any) -> dict:
        message = {
            "request_type": kind,
            "sender_id": SENDER,
            "receiver_id": self.id,
            "request_id": "00000000",
            "timestamp": 0.0,
        }
        return self.ask_raw(encode({**message, "body": self.translate(body)}))

    def translate(self, value: Any) -> Any:
        """A request in this controller's indexes."""
        if isinstance(value, Logical):
            return self.index[value.number]
        if isinstance(value, PreAllocated):
            (index,) = self.pool[value.partition]
            return index
        if isinstance(value, dict):
            return {self.translate(k): self.translate(v) for k, v in value.items()}
        return [self.translate(v) for v in value] if isinstance(value, list) else value

    def bind(self, logical: int, index: int) -> None:
        self.index[logical], self.logical[index] = index, logical

    def release(self, logical: int) -> None:
        del self.logical[self.index.pop(logical)]

    def name_of(self, index: int) -> int:
        return self.logical.get(index, NO_NAME)


class World:
    """The samples of both sides, by partition, and the keys that name them."""

    def __init__(self, reference: Side, subject: Side):
        self.sides = (reference, subject)
        self.partitions: dict[str, set[int]] = {}
        self.home: dict[int, str] = {}
        self.key: dict[int, str] = {}  # of a logical sample that was registered under one
        self.holder: dict[tuple[str, str], int] = {}  # (partition, key) -> the sample that a look-up finds
        self.collapsed: set[tuple[str, str]] = set()  # columns once nested, now of one shape: see diff_judge.py
        self.born = 0

    # ---- births ----
    def learn_created(self, partition: str, keys: list[str] | None, replies: list[dict]) -> None:
        """Names the samples of a reply that registered some: position by position."""
        lists = [listed_indexes(reply) for reply in replies]
        if None in lists:
            return  # refused: the comparison tells whether by both
        if len(lists[0]) != len(lists[1]):
            raise Mismatch(f"{len(lists[0])} and {len(lists[1])} samples registered")
        members = self.partitions.setdefault(partition, set())
        for position, indexes in enumerate(zip(*lists)):
            known = [side.logical.get(index) for side, index in zip(self.sides, indexes)]
            if known[0] != known[1]:
                raise Mismatch(f"position {position}: indexes {indexes} stand for the samples {known}")
            if known[0] is not None:
                continue
            from_pool = [index in side.pool.get(partition, ()) for side, index in zip(self.sides, indexes)]
            if all(partition in side.pool for side in self.sides) and from_pool[0] != from_pool[1]:
                raise Mismatch(f"position {position}: of indexes {indexes}, pre-allocated were {from_pool}")
            for side, index in zip(self.sides, indexes):
                side.bind(self.born, index)
                side.pool.get(partition, set()).discard(index)
            members.add(self.born)
            self.home[self.born] = partition
            if keys is not None:
                self.key[self.born] = keys[position]
                self.holder[partition, keys[position]] = self.born
            self.born += 1

    def learn_listing(self, partition: str, replies: list[dict]) -> None:
        """Checks, or learns from, a reply that lists all of a partition's indexes."""
        lists = [listed_indexes(reply) for reply in replies]
        if None in lists or partition not in self.partitions:
            return
        sizes = []
        for side, indexes in zip(self.sides, lists):
            nameless = {index for index in indexes if side.logical.get(index) not in self.partitions[partition]}
            if strangers := sorted(index for index in nameless if index in side.logical):
                raise Mismatch(f"{side.name} lists indexes of other partitions: {strangers}")
            if nameless != side.pool.setdefault(partition, nameless):
                raise Mismatch(
                    f"{side.name} lists {sorted(nameless)} in place of the pre-allocated {sorted(side.pool[partition])}"
                )
            sizes.append(len(nameless))
        if sizes[0] != sizes[1]:
            raise Mismatch(f"{sizes[0]} and {sizes[1]} indexes pre-allocated in {partition}")

    def has_known_pool(self, partition: str) -> bool:
        return all(partition in side.pool for side in self.sides)

    def pool_size(self, partition: str) -> int:
        return len(self.sides[0].pool.get(partition, ()))

    # ---- deaths ----
    def forget_samples(self, samples: list[int]) -> None:
        for sample in samples:
            partition = self.home.pop(sample)
            self.partitions[partition].discard(sample)
            for side in self.sides:
                side.release(sample)
            key = self.key.pop(sample, None)
            if key is not None and self.holder.get((partition, key)) == sample:
                del self.holder[partition, key]

    def forget_partition(self, partition: str) -> None:
        self.forget_samples(list(self.partitions.get(partition, ())))
        self.partitions.pop(partition, None)
        self.collapsed = {column for column in self.collapsed if column[0] != partition}
        for side in self.sides:
            side.pool.pop(partition, None)

    def shadowed(self, sample: int) -> int | None:
        """The sample that took this one's key since, if any."""
        holder = self.holder.get((self.home[sample], self.key.get(sample)))
        return holder if sample in self.key and holder != sample else None


class Log:
    """The exchanges of the last steps, for the report of a mismatch."""

    def __init__(self, steps_kept: int = 10):
        self.steps_kept = steps_kept
        self.exchanges: deque[tuple[int, str, Any, list[dict]]] = deque()

    def add(self, step: int, kind: str, body: Any, answers: list[dict]) -> None:
        self.exchanges.append((step, kind, body, answers))
        while self.exchanges[0][0] <= step - self.steps_kept:
            self.exchanges.popleft()

    def __str__(self) -> str:
        lines = []
        for step, kind, body, answers in self.exchanges:
            told = str(answers[0]) if answers[0] == answers[1] else " | ".join(map(str, answers))
            lines.append(f"step {step}: {kind} {_short(body)} -> {_short(told)}")
        return "\n".join(lines)


def _short(value: Any, limit: int = 700) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= limit else f"{text[:limit]} ... ({len(text)} characters)"
