#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A worker of the soak with an unmodified Python client; soak_client.cc is the one with the C++ client, and says more.

One thread takes the three roles in turn. A call of this client has no deadline of its own (it waits for a controller
as long as that takes), so none is checked here.
"""

import argparse
import contextlib
import json
import random
import sys
import threading
import time
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "peer"), str(Path(__file__).resolve().parent)]

from peer_client import connect  # noqa: E402
from values import columns_of, keys_in, wrong_in  # noqa: E402

FIELDS = ["x", "y", "note"]
TASKS = ["actor", "critic"]
ENTRIES_MAX, PUTS_OF_PARTITION, ROWS_OF_PUT, CONSUMED_WITHIN, PATIENCE = 6, 4, 16, 15, 30


class Failed(Exception):
    """A call that failed was noted; `missing` when what it asked for is not there."""

    def __init__(self, missing: bool):
        self.missing = missing


class Session:
    def __init__(self, args):
        self.number, self._folder = args.number, Path(args.info_dir)
        self._client, self._stale, self._stop, self._pause = None, True, threading.Event(), 0.0
        self._done, self._failed, self._bytes, self._lock = Counter(), Counter(), 0, threading.Lock()
        threading.Thread(target=self._obey, daemon=True).start()
        threading.Thread(target=self._report, daemon=True).start()

    def _obey(self) -> None:
        for line in sys.stdin:
            word, *rest = line.split()
            if word == "pause":
                self._pause = int(rest[0]) / 1000
            elif word == "nodes":
                self._stale = True
            elif word == "stop":
                break
        self._stop.set()

    def _report(self) -> None:
        while not self._stop.wait(1):
            self.say_counts()

    def say_counts(self) -> None:
        with self._lock:
            line = {"kind": "counts", "done": dict(self._done), "failed": dict(self._failed), "bytes": self._bytes}
            self._done, self._failed, self._bytes = Counter(), Counter(), 0
        self.tell(line)

    def tell(self, line: dict) -> None:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()

    def violation(self, what: str) -> None:
        self.tell({"kind": "violation", "what": "Python's client: " + what, "at": time.monotonic()})

    def count_bytes(self, count: int) -> None:
        with self._lock:
            self._bytes += count

    def next(self) -> bool:
        return not self._stop.wait(self._pause)

    def _joined(self):
        if self._stale:
            self._stale = False
            old, self._client = self._client, None
            if old is not None:
                old.close()
            units = sorted(self._folder.glob("storage-*.json"), key=lambda path: int(path.stem[8:]))
            self._client = connect(str(self._folder / "controller.json"), list(map(str, units)), f"soak_{self.number}")
            self.units = len(units)
        return self._client

    @contextlib.contextmanager
    def call(self, name: str):
        began = time.monotonic()
        try:
            yield self._joined()
        except Exception as error:  # the client raises RuntimeError, KeyError, ValueError, TimeoutError
            signs = ("KeyNotFound", "not found", "there is no field")
            missing = isinstance(error, KeyError) or any(sign in str(error) for sign in signs)
            nothing = "TimeoutError" in str(error) and name == "fetch"  # too few samples: an error of this client
            kind = "nothing" if nothing else "KeyError" if missing else type(error).__name__
            with self._lock:
                self._failed[f"{name} {kind}"] += 1
            if self._client is None:
                self._stale = True
            if not nothing:
                self.tell({"kind": "error", "call": name, "error": kind, "message": str(error)[-600:], "began": began,
                           "ended": time.monotonic(), "python": True})  # fmt: skip
            raise Failed(missing) from error
        with self._lock:
            self._done[name] += 1


class Entry:
    """What was put under some keys."""

    def __init__(self, keys: list[str], width: int):
        self.keys, self.width, self.versions, self.unsure, self.put_began = keys, width, [], False, 0.0


class Keys:
    def __init__(self, session: Session, rng: random.Random):
        self.session, self.rng, self.partition = session, rng, f"keys-{session.number}"
        self.entries, self.round = [], 0

    def step(self) -> None:
        unsure = [entry for entry in self.entries if entry.unsure]
        sure = [entry for entry in self.entries if not entry.unsure]
        if unsure:
            return self.clear(self.rng.choice(unsure))
        choice = self.rng.random()
        if not sure or (choice < 0.25 and len(sure) < ENTRIES_MAX):
            keys = [f"k{self.session.number}-{self.round}-{i}" for i in range(self.rng.randint(4, 32))]
            self.round += 1
            self.entries.append(Entry(keys, 8 << self.rng.randrange(9)))
            return self.put(self.entries[-1])
        self.rng.choices([self.put, self.read, self.clear], [15, 45, 15])[0](self.rng.choice(sure))

    def put(self, entry: Entry) -> None:
        version = entry.versions[-1] + 1 if entry.versions else 1
        entry.versions.append(version)
        entry.unsure, entry.put_began = True, time.monotonic()
        with self.session.call("put") as client:
            meta = client.kv_retrieve_meta(keys=entry.keys, partition_id=self.partition, create=True)
            meta.update_custom_meta([{"v": version}] * len(entry.keys))
            client.put(columns_of(entry.keys, version, entry.width), meta)
        entry.unsure, entry.versions = False, [version]
        self.session.count_bytes(len(entry.keys) * entry.width * 8)

    def read(self, entry: Entry) -> None:
        try:
            with self.session.call("get") as client:
                meta = client.kv_retrieve_meta(keys=entry.keys, partition_id=self.partition, create=False)
                got = client.get_data(meta.select_fields(FIELDS))
        except Failed as failed:
            if failed.missing:
                self.find_lost(entry, meta, time.monotonic())
            raise
        wrong = wrong_in(got, entry.keys, entry.versions)
        if wrong:
            self.session.violation("a wrong value: " + wrong)
        self.session.count_bytes(len(entry.keys) * entry.width * 8)

    def find_lost(self, entry: Entry, meta, seen: float) -> None:
        entry.unsure, explained = True, False
        for unit in range(self.session.units):
            positions = [i for i, index in enumerate(meta.global_indexes) if index % self.session.units == unit]
            if not positions:
                continue
            try:
                with self.session.call("get") as client:
                    client.get_data(meta.select_samples(positions).select_fields(["x"]))
            except Failed as failed:
                explained = True
                if failed.missing:
                    self.session.tell({"kind": "lost", "unit": unit, "rows": len(positions), "put_began": entry.put_began,
                                       "seen": seen, "key": entry.keys[0]})  # fmt: skip
        if not explained:
            self.session.violation(f"rows of '{entry.keys[0]}' were missing, and then were there again")

    def clear(self, entry: Entry) -> None:
        entry.unsure = True
        with self.session.call("clear") as client:
            meta = client.kv_retrieve_meta(keys=entry.keys, partition_id=self.partition, create=False)
            if meta.size:
                client.clear_samples(meta)
        self.entries.remove(entry)

    def clear_up(self) -> None:
        until = time.monotonic() + PATIENCE
        while self.entries and time.monotonic() < until:
            with contextlib.suppress(Failed):
                self.clear(self.entries[-1])
        if self.entries:
            self.session.violation(f"cannot clear '{self.entries[-1].keys[0]}'")


class Producer:
    def __init__(self, session: Session):
        self.session, self.round, self.give_up_at = session, -1, 0.0
        self.next_partition()

    def next_partition(self) -> None:
        self.round += 1
        self.partition, self.puts_left = f"train-{self.session.number}-{self.round}", PUTS_OF_PARTITION
        self.consumed = False

    def step(self) -> None:
        if self.puts_left:
            keys = [f"{self.partition}-{self.puts_left}-{i}" for i in range(ROWS_OF_PUT)]
            self.puts_left -= 1
            self.give_up_at = time.monotonic() + CONSUMED_WITHIN
            with self.session.call("put") as client:
                meta = client.kv_retrieve_meta(keys=keys, partition_id=self.partition, create=True)
                client.put(columns_of(keys, 1, 256), meta)
            return
        if self.consumed or time.monotonic() > self.give_up_at:  # a step later, for the last batch to be read
            return self.clear_up()
        with self.session.call("ask consumption") as client:
            self.consumed = all(client.check_consumption_status(task, self.partition) for task in TASKS)

    def clear_up(self) -> None:
        with self.session.call("clear partition") as client:
            if self.partition in client.get_partition_list():
                client.clear_partition(self.partition)
        self.session.tell({"kind": "cleared", "partition": self.partition})
        self.next_partition()


def consume(session: Session, rng: random.Random) -> None:
    with session.call("list partitions") as client:
        names = [name for name in client.get_partition_list() if name.startswith("train-")]
    if not names:
        return
    partition, task = rng.choice(names), rng.choice(TASKS)
    with session.call("fetch") as client:
        meta = client.get_meta(data_fields=FIELDS, batch_size=4, partition_id=partition, mode="fetch", task_name=task)
    if not meta.size:
        return
    session.tell({"kind": "fetched", "task": task, "partition": partition, "indexes": list(meta.global_indexes)})
    with session.call("get of task") as client:
        got = client.get_data(meta)
    keys = keys_in(got)
    wrong = wrong_in(got, keys, [1]) if len(keys) == meta.size else "rows are missing"
    strange = [key for key in keys if not key.startswith(partition + "-")]
    if wrong or strange:
        session.violation(f"a wrong value in a fetched batch: {wrong or strange}")


def inherit(session: Session, number: int) -> None:
    with session.call("clear partition") as client:
        for name in client.get_partition_list():
            if name == f"keys-{number}" or name.startswith(f"train-{number}-"):
                client.clear_partition(name)
                session.tell({"kind": "cleared", "partition": name})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--info-dir", required=True, help="folder with the nodes' addresses")
    parser.add_argument("--number", type=int, required=True, help="of this worker; it names what it puts by it")
    parser.add_argument("--seed", type=int, default=1, help="decides what it does")
    parser.add_argument("--heir-of", type=int, help="clear first what the worker of this number left")
    args = parser.parse_args()
    session, rng = Session(args), random.Random(args.seed)
    if args.heir_of is not None:
        with contextlib.suppress(Failed):
            inherit(session, args.heir_of)
    keys, producer = Keys(session, rng), Producer(session)
    while session.next():
        with contextlib.suppress(Failed):
            rng.choices([keys.step, producer.step, lambda: consume(session, rng)], [5, 2, 3])[0]()
    keys.clear_up()
    with contextlib.suppress(Failed):
        producer.clear_up()
    session.say_counts()
    return 0


if __name__ == "__main__":
    sys.exit(main())
