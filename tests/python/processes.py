# SPDX-License-Identifier: Apache-2.0
"""Node processes as the system sees them."""

import os
import select
import time


def wait_gone(pids, seconds: float = 20) -> list[int]:
    """Waits for the end of these processes, which need not be children; those that run still are returned."""
    deadline = time.monotonic() + seconds
    running = []
    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            ended, _, _ = select.select([descriptor], [], [], max(0, deadline - time.monotonic()))
        finally:
            os.close(descriptor)
        if not ended:
            running.append(pid)
    return running


def nodes_with(mark: str) -> list[int]:
    """Processes whose environment has this text: a test marks what it starts, and finds what it left."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/environ", "rb") as environ, open(f"/proc/{name}/comm") as comm:
                if mark.encode() in environ.read() and comm.read().strip() == "tq":
                    found.append(int(name))
        except OSError:
            continue
    return found
