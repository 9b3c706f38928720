# SPDX-License-Identifier: Apache-2.0
"""A short soak, and one that must notice what went wrong."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "interop"))

from nodes import spawn, tq_binary  # noqa: E402

PATIENCE = 300


def soak(*args) -> subprocess.Popen:
    command = [sys.executable, HERE / "soak", "--bin", tq_binary().parent, "--seed", 7, *args]
    return spawn(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_twenty_seconds(tmp_path):
    """Every kind of fault comes, work goes on, and nothing is violated."""
    result, page = tmp_path / "result.json", tmp_path / "page.md"
    run = soak("--seconds", 20, "--fault-gap", 0.3, "--json", result, "--report", page)
    said, _ = run.communicate(timeout=PATIENCE)
    assert run.returncode == 0, said
    found = json.loads(result.read_text())
    assert len({what.split(" (")[0] for _, what in found["faults"]}) == 9, found["faults"]
    assert found["fetched"] and found["bursts"]
    for call in ("put", "get", "get of task", "get of others", "list", "clear", "clear partition"):
        assert found["ops"].get(call), (call, said)
    assert "No guarantee was violated." in page.read_text() and page.with_suffix(".svg").exists()


def children(pid: int) -> list[int]:
    return [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]


def test_a_node_that_dies_by_itself_is_noticed():
    run = soak("--seconds", 6, "--fault-gap", 60, "--python", 0, "--interval", 1)
    lines = [run.stdout.readline() for _ in range(2)]  # the seed, and the first sample: all is running
    units = [pid for pid in children(run.pid) if b"\0storage\0" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(units[0], signal.SIGKILL)
    said, _ = run.communicate(timeout=PATIENCE)
    assert run.returncode == 1, "".join(lines) + said
    assert "VIOLATED: unit 0 ended with -9" in said or "VIOLATED: unit 1 ended with -9" in said, said
