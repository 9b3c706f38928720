# SPDX-License-Identifier: Apache-2.0
"""The calls of verl and NeMo-RL, unmodified, on C++ nodes under Ray, from several processes at once."""

import json
import re
from pathlib import Path

import pytest
from conftest import HERE, ROOT, tq_binary

EXPECTED_VERL = {"notes": 3, "advantages": [1.0, 2.5, 4.0, 5.5], "left": 16}
EXPECTED_NEMO = {"empty": 0, "each once": list(range(8)), "names": [f"r{i}" for i in range(8)]}

LAUNCH = """
import os, sys, ray, transfer_queue_cpp
ray.init(address=os.environ["RAY_ADDRESS"], logging_level="warning")
transfer_queue_cpp.launch({"controller": {"polling_mode": True}})
print("ready", flush=True)
sys.stdin.read()
"""


def recorder(folder: Path) -> tuple[str, Path]:
    """A program that notes each start of nodes before it becomes tq."""
    log, program = folder / "starts", folder / "tq"
    program.write_text(f'#!/bin/sh\n[ "$1" = --version ] || [ "$2" = --help ] || echo "$1" >>{log}\nexec {tq_binary()} "$@"\n')
    program.chmod(0o755)
    return str(program), log


def story(package, cluster, order: str, **kwargs) -> dict:
    return json.loads(package.succeed(HERE / "trainer_story.py", order, RAY_ADDRESS=cluster, **kwargs).strip().splitlines()[-1])


@pytest.mark.parametrize("version", ["0.1.7", "0.1.8", "0.1.9", "0.1.11"])
def test_tq_init_itself_starts_cpp_nodes(package, cluster, tmp_path, version):
    program, log = recorder(tmp_path)
    seen = story(package, cluster, "driver first", version=version, TQ_BACKEND="cpp", TQ_CPP_BIN=program)
    assert seen == {"version": version, "verl": EXPECTED_VERL, "nemo": EXPECTED_NEMO, "endpoint": None}
    assert sorted(log.read_text().split()) == ["controller", "up", "up"]  # and Python's nodes had no part


def test_workers_that_call_init_at_once_share_one_system(package, cluster, tmp_path):
    program, log = recorder(tmp_path)
    seen = story(package, cluster, "workers first", TQ_BACKEND="cpp", TQ_CPP_BIN=program)
    assert (seen["verl"], seen["nemo"]) == (EXPECTED_VERL, EXPECTED_NEMO)
    assert sorted(log.read_text().split()) == ["controller", "up", "up"]


@pytest.mark.parametrize("version", ["0.1.8", "0.1.11"])
def test_after_launch_nothing_else_changes(package, cluster, version):
    """No variable is set in the trainer, and the launcher may be of another version."""
    launcher = package.start("-c", LAUNCH, RAY_ADDRESS=cluster)
    try:
        assert launcher.stdout.readline() == "ready\n", launcher.stderr.read()
        seen = story(package, cluster, "attach", version=version)
        assert (seen["verl"], seen["nemo"]) == (EXPECTED_VERL, EXPECTED_NEMO)
    finally:
        launcher.stdin.close()
        assert launcher.wait(60) == 0


@pytest.mark.parametrize("nodes", ["Python", "C++"])
def test_the_example_trains_on_both(package, cluster, nodes):
    """examples/grpo, fewer steps than it needs to learn anything: who runs it sees the rest."""
    out = package.succeed(
        ROOT / "examples/grpo/grpo.py", "--steps", 6, "--prompts", 8, "--group", 4, RAY_ADDRESS=cluster,
        TQ_BACKEND="cpp" if nodes == "C++" else "python",
    )  # fmt: skip
    assert len(re.findall(r"^step +\d: reward [01]\.\d\d, waited +\d+\.\d ms for data$", out, re.MULTILINE)) == 6
    assert out.strip().endswith(f"ms for data (median, {nodes} nodes)")
