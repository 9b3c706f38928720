# SPDX-License-Identifier: Apache-2.0
"""Sends one request to both controllers, learns what the replies tell of samples, and has the replies compared."""

import random
from collections import Counter
from typing import Any, Callable

from diff_judge import Judge
from diff_world import Log, Mismatch, Side, World, listed_indexes

LISTINGS = {"GET_PARTITION_META", "GET_CONSUMPTION", "GET_PRODUCTION"}
# Given both forms: the name of the allowance that covers their difference, or nothing.
Excuse = Callable[[dict, dict], str | None]


class Driver:
    def __init__(self, reference: Side, subject: Side, rng: random.Random, polling: bool):
        self.world, self.rng, self.polling = World(reference, subject), rng, polling
        self.sides = self.world.sides
        self.judge, self.log, self.step = Judge(self.world), Log(), 0
        self.answers: Counter[str] = Counter()  # "request -> reply type", of the reference

    def ask(self, kind: str, body: Any, excuse: Excuse | None = None) -> list[dict]:
        """Both answers, compared and, unless an excuse was needed, equal."""
        replies, forms = self.ask_uncompared(kind, body)
        self.compare(kind, body, forms, excuse)
        return replies

    def ask_uncompared(self, kind: str, body: Any) -> tuple[list[dict], list[dict]]:
        try:
            replies = [side.ask(kind, body) for side in self.sides]
        except Mismatch as mismatch:
            raise Mismatch(f"{mismatch}\nrequest: {kind} {body!r}") from None
        self.answers[f"{kind} -> {replies[0]['request_type']}"] += 1
        try:
            self._learn(kind, body, replies)
            forms = [self.judge.form(side, kind, body, reply) for side, reply in zip(self.sides, replies)]
        except Mismatch as mismatch:
            raise Mismatch(f"{mismatch}\n{self._both(kind, body, replies)}") from None
        return replies, forms

    def compare(self, kind: str, body: Any, forms: list[dict], excuse: Excuse | None = None) -> None:
        partition = body.get("partition_id") if isinstance(body, dict) else None
        self.log.add(self.step, kind, body, forms)
        if found := self.judge.left(forms, partition):
            name = excuse(*forms) if excuse else None
            if not name:
                raise Mismatch("\n".join(["the answers differ:", *found[:20], self._both(kind, body, forms)]))
            self.judge.allow(name)

    def _both(self, kind: str, body: Any, answers: list[dict]) -> str:
        sides = [
            f"{side.name} was asked {side.translate(body)!r}\n  and answered {answer}"
            for side, answer in zip(self.sides, answers)
        ]
        return "\n".join([f"request: {kind} {body!r}", *sides])

    def _learn(self, kind: str, body: Any, replies: list[dict]) -> None:
        if not isinstance(body, dict):
            return
        partition = body.get("partition_id")
        if kind == "GET_META" and body.get("mode") == "insert":
            self.world.learn_created(partition, None, replies)
        elif kind == "KV_RETRIEVE_META" and body.get("create") is True:
            self.world.learn_created(partition, body.get("keys"), replies)
        elif kind in LISTINGS or (kind == "GET_META" and body.get("mode") == "force_fetch"):
            self.world.learn_listing(partition, replies)
        for side, reply in zip(self.sides, replies):
            for index in listed_indexes(reply) or ():
                if index not in side.logical and index not in side.pool.get(partition, ()):
                    raise Mismatch(f"{side.name} shows index {index}, which is no sample of {partition}")
        self.judge.note_collapsed(replies[0], kind, partition)

    # ---- requests that more than one kind of step makes ----
    def partition_meta(self, partition: str) -> dict | None:
        """Python's metadata of a whole partition."""
        reply = self.ask("GET_PARTITION_META", {"partition_id": partition})[0]
        return reply["body"]["metadata"] and reply["body"]["metadata"]["$batchmeta"]

    def clear_partition(self, partition: str) -> None:
        self.ask("CLEAR_PARTITION", {"partition_id": partition})
        self.world.forget_partition(partition)

    def clear_samples(self, pairs: list[tuple[Any, str]]) -> None:
        """CLEAR_META of (index or logical sample, partition) pairs; looks at the partitions afterwards, for a clear may
        make a nested column dense again and what is built on that must know."""
        self.ask("CLEAR_META", {"global_indexes": [i for i, _ in pairs], "partition_ids": [p for _, p in pairs]})
        dead = {i.number for i, p in pairs if hasattr(i, "number") and self.world.home.get(i.number) == p}
        self.world.forget_samples(sorted(dead))
        for partition in sorted({p for _, p in pairs}):
            self.partition_meta(partition)
