# SPDX-License-Identifier: Apache-2.0
"""Whether what the workers of a soak tell breaks a guarantee (docs/guarantees.md)."""

from collections import Counter

from stalls import Stalls

PYTHON_LATER = 8  # seconds that a Python client takes to notice that a node is back; it tries a unit for 3 s, twice
VIOLATIONS_MAX = 200  # that are kept word by word
MESSAGES_MAX = 5


class Judge:
    """Takes the workers' lines. `restarts` and `windows` are the cluster's (cluster.py), and grow meanwhile."""

    def __init__(self, restarts: list, windows: list, stalls: Stalls):
        self._restarts, self._windows, self._stalls = restarts, windows, stalls
        self.violations, self.violation_count = [], 0
        self.ops, self.errors = Counter(), Counter()  # by call; by call and error
        self.messages = {}  # of errors, the first few of each kind
        self.unexplained, self.lost_rows, self.losses, self.fetched = Counter(), 0, 0, 0
        self.bytes, self.late, self.bursts = 0, 0.0, 0
        self._given = {}  # partition -> {(task, index)}
        self._cleared = set()

    def violation(self, what: str) -> None:
        self.violation_count += 1
        print(f"VIOLATED: {what}", flush=True)
        if len(self.violations) < VIOLATIONS_MAX:
            self.violations.append(what)

    def hear(self, worker: str, line: dict) -> None:
        getattr(self, "_hear_" + line["kind"])(worker, line)

    def _hear_counts(self, _, line: dict) -> None:
        self.ops.update(line["done"] or {})
        self.errors.update(line["failed"] or {})
        self.bytes += line["bytes"]
        self.late = max(self.late, line.get("late", 0.0))

    def _hear_violation(self, worker: str, line: dict) -> None:
        self.violation(f"{worker}: {line['what']}")

    def _hear_error(self, worker: str, line: dict) -> None:
        """What is missing is either lost, which is told by itself, or was cleared by its owner."""
        told = self.messages.setdefault(f"{line['call']} {line['error']}", [])
        if len(told) < MESSAGES_MAX:
            told.append(line["message"])
        if line["error"] == "KeyError":
            return
        later = PYTHON_LATER if line.get("python") else 0.0
        for begin, end, _ in reversed(self._windows):
            if line["began"] <= end + later and line["ended"] >= begin:
                return
        self.unexplained[f"{line['call']} {line['error']}"] += 1
        self.violation(f"{worker}: {line['call']} failed though no node was down: {line['error']}: {line['message']} "
                       f"({line['ended'] - line['began']:.1f} s; meanwhile {self._stalls.about(line['began'], line['ended'])})")  # fmt: skip

    def _hear_lost(self, worker: str, line: dict) -> None:
        self.losses += 1
        self.lost_rows += line["rows"]
        if not any(unit == line["unit"] and line["put_began"] <= killed <= line["seen"] for unit, killed in self._restarts):
            self.violation(f"{worker}: {line['rows']} acknowledged rows of '{line['key']}' are lost, and unit {line['unit']} "
                           "was not restarted since")  # fmt: skip

    def _hear_fetched(self, worker: str, line: dict) -> None:
        self.fetched += len(line["indexes"])
        partition = line["partition"]
        if partition in self._cleared:  # told late
            return
        given = self._given.setdefault(partition, set())
        for index in line["indexes"]:
            if (line["task"], index) in given:
                self.violation(f"{worker}: task {line['task']} got sample {index} of '{partition}' a second time")
            given.add((line["task"], index))

    def _hear_cleared(self, _, line: dict) -> None:
        self._given.pop(line["partition"], None)
        self._cleared.add(line["partition"])

    def _hear_burst(self, _, line: dict) -> None:
        self.bursts += line["messages"]
        if line["unanswered"]:
            self.violation(f"{line['unanswered']} of {line['messages']} hostile messages got no reply")
        if line["executed"]:
            self.violation("a pickle in a hostile message was run")

    def _hear_ready(self, *_) -> None:
        pass
