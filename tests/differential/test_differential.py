# SPDX-License-Identifier: Apache-2.0
"""Our controller answers thousands of random requests as Python's does (differential.py)."""

import re
import subprocess
import sys

import pytest

from diff_judge import ALLOWED
from judged import HERE

STEPS = 2000
RUNS = {  # name -> arguments
    "polling": ("--polling", "--seed", "1", "2"),
    "not polling": ("--seed", "3"),
    "pre-allocating": ("--polling", "--pre-alloc", "4", "--seed", "4"),
}
allowed: set[str] = set()  # the allowances that the runs met


def differential(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(HERE / "differential.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=600)


def counts(said: str) -> dict[str, int]:
    """The lines that --counts adds, over all seeds."""
    found: dict[str, int] = {}
    for count, name in re.findall(r"^ +(\d+) (.+)$", said, re.MULTILINE):
        found[name] = found.get(name, 0) + int(count)
    return found


@pytest.mark.parametrize("name", RUNS)
def test_our_controller_answers_as_pythons(name):
    done = differential("--subject", "cpp", "--steps", str(STEPS), "--counts", *RUNS[name])
    print(done.stdout)  # seeds and allowances; shown when this fails
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    for line in re.findall(r"^seed .*allowed: (.*)$", done.stdout, re.MULTILINE):
        allowed.update(re.sub(r" \d+$", "", part) for part in line.split(", "))
    answers = counts(done.stdout)
    for kind in ("fetch: equal row by row", "fetch: equal as sets", "fetch: another choice"):
        assert answers.get(kind, 0) >= 5, f"too few to mean anything: {kind}"
    for kind in (
        "GET_META",
        "KV_RETRIEVE_META",
        "CLEAR_META",
        "GET_CONSUMPTION",
        "GET_PRODUCTION",
        "KV_LIST",
        "SET_CUSTOM_META",
    ):
        assert answers[f"{kind} -> {kind.replace('GET_CON', 'CON').replace('GET_PRO', 'PRO')}_RESPONSE"] >= 30
    assert answers["NOTIFY_DATA_UPDATE -> NOTIFY_DATA_UPDATE_ACK"] >= 200 and answers["GET_META -> REQUEST_ERROR"] >= 5


def test_every_allowed_difference_is_there():
    """One that no run met is gone, or names nothing."""
    if not allowed:
        pytest.fail("needs the runs above")
    assert sorted(set(ALLOWED) - allowed) == []


def test_other_indexes_alone_make_no_difference():
    """Python's controller with our order of indexes: each difference that this finds is a fault of the test itself."""
    done = differential("--subject", "python-ascending", "--polling", "--seed", "1", "--steps", str(STEPS), "--counts")
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert counts(done.stdout)["fetch: another choice"] >= 5


def test_each_defect_is_found():
    done = differential("--subject", "defects", "--polling", "--seed", "1", "2", "3", "--steps", "1000")
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert len(re.findall(r"^\w+: found", done.stdout, re.MULTILINE)) >= 20
