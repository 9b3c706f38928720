# SPDX-License-Identifier: Apache-2.0
"""Our nodes answer recorded requests as Python did, to clients of each version, with numpy 1 and 2 (replay.py)."""

import copy
import os
import re
import subprocess
import sys

import pytest

from judged import HERE, NEWEST, python_env
from replay_forms import comparable
from replay_session import load

GOLDEN = HERE.parent / "golden"
VERSIONS = ("0.1.6", "0.1.8", "0.1.9", "0.1.11")


def replay(
    version: str, *arguments: str, session: str = "", numpy1: bool = False, **env: str
) -> subprocess.CompletedProcess:
    command = [sys.executable, HERE / "replay.py", "--vectors", GOLDEN / version / session, *arguments]
    env = {**os.environ, **python_env(version + ("+numpy1" if numpy1 else "")), **env}
    return subprocess.run([str(part) for part in command], env=env, capture_output=True, text=True, timeout=300)


def assert_equal(done: subprocess.CompletedProcess) -> str:
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-3000:]}"
    assert int(re.search(r"(\d+) replies compared, 0 problems", done.stdout)[1]) > 20
    return done.stdout


@pytest.mark.parametrize("numpy1", [False, True], ids=["numpy2", "numpy1"])
@pytest.mark.parametrize("version", VERSIONS)
def test_our_nodes_answer_as_python_did(version, numpy1):
    assert_equal(replay(version, "--judge", "cpp", numpy1=numpy1))


def test_our_nodes_answer_as_python_did_in_polling_mode():
    assert_equal(replay(NEWEST, "--judge", "cpp", session="polling"))


def test_our_nodes_answer_as_python_did_with_other_indexes():
    """Where Python reused a freed index at once, ours lets it rest by default: later requests are renamed."""
    said = assert_equal(replay(NEWEST, "--judge", "cpp", "--rest"))
    assert int(re.search(r"(\d+) requests rewritten", said)[1]) >= 1


@pytest.mark.skip(
    reason="recorded with GRPOGroupNSampler: waits for the issue that brings the samplers of rows to our controller"
)
def test_our_nodes_answer_as_python_did_with_the_grpo_sampler():
    assert_equal(replay(NEWEST, "--judge", "cpp", session="grpo"))


def test_python_nodes_with_other_indexes_answer_as_recorded():
    said = assert_equal(replay(NEWEST, "--judge", NEWEST, "--scramble"))
    assert int(re.search(r"(\d+) indexes renamed", said)[1]) > 20


@pytest.mark.parametrize("version", VERSIONS[:-1])
def test_newest_python_nodes_differ_from_older_ones_as_allowed(version):
    """What is allowed for "newest" is what Python 0.1.11 really does; an allowance without need would fail here too."""
    assert_equal(replay(version, "--judge", NEWEST))


def test_nodes_that_behave_otherwise_are_caught():
    """With six samples pre-allocated a partition, metadata of partitions of four list two more."""
    done = replay(NEWEST, "--judge", "cpp", TQ_PRE_ALLOC_SAMPLE_NUM="6")
    assert done.returncode == 1, done.stdout
    for name in (
        "210_request_GET_META (force_fetch)",
        "212_request_GET_PARTITION_META",
        "288_request_GET_PARTITION_META",
    ):
        assert f"\n{name}" in f"\n{done.stdout}", done.stdout


def places(value, path=()):
    """Every leaf and every empty container of a canonical value."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from places(inner, (*path, key))
    elif isinstance(value, list) and value:
        for i, inner in enumerate(value):
            yield from places(inner, (*path, i))
    else:
        yield path, value


def another(value):
    """Some other value of the same kind."""
    if isinstance(value, str):  # base64 stays base64, a sentence keeps its marker
        return value + "!" if " " in value else ("B" if value[:1] == "A" else "A") + value[1:]
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    return 1 if value is None else [0] if value == [] else {"another": 0}


def masked(reply: dict, path: tuple) -> bool:
    """The places that replay_forms.py says it leaves out."""
    in_metrics = reply["request_type"] == "METRICS_RESPONSE" and path[:1] == ("body",)
    sentence = path == ("body", "message") and " " in reply["body"]["message"]
    return path[0] in ("sender_id", "request_id", "timestamp") or in_metrics or sentence


def changed(reply: dict, path: tuple, value) -> dict:
    """The reply with another value at one place."""
    reply = copy.deepcopy(reply)
    inner = reply
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = another(value)
    return reply


def missed(exchange, ids: list[str]) -> list[str]:
    """Changes of one recorded reply that the comparison does not see, though it should, or the other way round."""
    usual, found = comparable(exchange.reply, exchange.request, ids), []
    for path, value in places(exchange.reply):
        try:
            same = comparable(changed(exchange.reply, path, value), exchange.request, ids) == usual
        except Exception:  # no reply of the protocol any more, which replay.py reports too
            same = False
        if same != masked(exchange.reply, path):
            found.append(f"{exchange.reply_name} {path}: {'not seen' if same else 'seen'}")
    return found


@pytest.mark.parametrize("session", ["0.1.6", "0.1.11", "0.1.11/polling"])
def test_any_change_of_a_reply_is_seen(session):
    """Changes each single value of each recorded reply in turn."""
    loaded = load(GOLDEN / session, tuple(int(n) for n in session.split("/")[0].split(".")))
    answered = [exchange for exchange in loaded.exchanges if exchange.reply]
    assert len(answered) > 20
    assert [line for exchange in answered for line in missed(exchange, loaded.ids)] == []
