# SPDX-License-Identifier: Apache-2.0
"""When the machine, not a node, was what stood still: threads of nodes that had no core, and this process itself.

The kernel counts how long a thread was ready and had no core (/proc/PID/task/TID/schedstat); a process that wakes late
tells of a machine that was paused as a whole. A violation is told with what was seen about its time: it stays one.
"""

import contextlib
import math
import threading
import time
from pathlib import Path

LOOK_SECONDS = 0.2
NOTED_SECONDS = 0.2  # a wait is noted from here on
NANOSECONDS = 1e-9


def without_core(pid: int) -> dict[Path, float]:
    """{thread: seconds that it was ready and had no core}"""
    waits = {}
    with contextlib.suppress(OSError, ValueError):  # it ends meanwhile
        for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            waits[path] = int(path.read_text().split()[1]) * NANOSECONDS
    return waits


class Stalls(threading.Thread):
    """Looks at the nodes until `finish`. `processes` gives {node: pid} of those that run."""

    def __init__(self, processes):
        super().__init__(daemon=True)
        self._processes, self._end, self._lock = processes, threading.Event(), threading.Lock()
        self._seen, self._last = [], {}  # [when, what, seconds]; thread -> seconds without a core

    def run(self) -> None:
        last = time.monotonic()
        while not self._end.wait(LOOK_SECONDS):
            now = time.monotonic()
            late, last = now - last - LOOK_SECONDS, now
            found = {"the soak's own watch was late": late, **self._waits()}
            with self._lock:
                self._seen += [[now, what, seconds] for what, seconds in found.items() if seconds > NOTED_SECONDS]

    def _waits(self) -> dict[str, float]:
        waits, before, self._last = {}, self._last, {}
        for name, pid in self._processes().items():
            threads = without_core(pid)
            self._last.update(threads)
            waits[f"{name} had no core"] = max((seconds - before.get(path, seconds) for path, seconds in threads.items()), default=0.0)
        return waits

    def longest(self, began: float = -math.inf, ended: float = math.inf) -> dict[str, float]:
        """Of that time, by what it was; of all the time unless told."""
        most = {}
        with self._lock:
            for when, what, seconds in self._seen:
                if when - seconds - LOOK_SECONDS <= ended and when >= began:
                    most[what] = max(most.get(what, 0.0), seconds)
        return most

    def about(self, began: float, ended: float) -> str:
        """The same, in words."""
        most = sorted(self.longest(began, ended).items())
        return ", ".join(f"{what} for {seconds:.1f} s" for what, seconds in most) or "all threads had a core"

    def finish(self) -> None:
        self._end.set()
        self.join()
