# SPDX-License-Identifier: Apache-2.0
"""Upstream's own tutorials and end-to-end tests, which its wheel carries, unchanged on C++ nodes: TQ_BACKEND=cpp."""

import re
import subprocess
from pathlib import Path

import pytest
from conftest import PYTHON_ENV, SITE, tq_binary
from test_call_sets import recorder

UPSTREAM = PYTHON_ENV / "venv" / SITE
TUTORIALS = {  # and how many systems each starts, one after the other
    "01_core_components": 1,
    "02_kv_interface": 1,
    "03_metadata_concepts": 1,
    "04_understanding_controller": 3,
    "05_custom_sampler": 3,  # three samplers in Python
    "06_streaming_dataloader": 1,
}


def text_of(output: str) -> str:
    """What a tutorial prints, without Ray's prefixes, which have process ids."""
    return re.sub(r"\x1b\[\d+m|\([\w ]+pid=\d+\) ", "", output)


@pytest.mark.parametrize("name", TUTORIALS)
def test_tutorial(package, cluster, tmp_path, name):
    program, log = recorder(tmp_path)
    out = text_of(package.succeed(UPSTREAM / "tutorial" / f"{name}.py", RAY_ADDRESS=cluster, TQ_BACKEND="cpp", TQ_CPP_BIN=program))
    assert "Tutorial Complete!" in out and "Traceback" not in out
    starts = log.read_text().split()
    assert starts.count("controller") == TUTORIALS[name] and starts.count("up") == 2 * TUTORIALS[name]
    CLAIMS.get(name, lambda text: None)(out)


def check_core(out: str) -> None:
    assert "Got metadata: 4 samples" in out and "Data matches original!" in out


def check_controller(out: str) -> None:
    assert re.findall(r"Got samples: (\[.*?\])", out) == ["[0, 1, 2]", "[3, 4, 5]", "[0, 1]"]


def check_samplers(out: str) -> None:
    with_replacement, without, priority = re.split(r"Example \d:", out)[1:4]
    chosen = [eval(text) for text in re.findall(r"Got samples(?: \(high priority\))?: (\[.*?\])", without)]
    assert sorted(chosen[0] + chosen[1] + chosen[2]) == list(range(6))  # each once
    drawn = [eval(text) for text in re.findall(r"Got samples: (\[.*?\])", with_replacement)]
    assert [len(batch) for batch in drawn] == [2, 1, 2]
    first = re.search(r"high priority\): (\[.*?\])", priority)
    assert eval(first.group(1))[0] in (2, 3, 7)


CLAIMS = {"01_core_components": check_core, "04_understanding_controller": check_controller, "05_custom_sampler": check_samplers}


def end_to_end_files() -> list[str]:
    files = ["test_kv_interface_e2e.py", "test_e2e_lifecycle_consistency.py"]
    known = subprocess.run([tq_binary(), "controller", "--help"], capture_output=True, text=True, check=True).stdout
    return files + ["test_checkpoint_e2e.py"] if "--checkpoint-root" in known else files


@pytest.mark.parametrize("file", end_to_end_files())
def test_end_to_end(package, cluster, tmp_path, file):
    program, log = recorder(tmp_path)
    out = package.succeed(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", Path(UPSTREAM, "tests/e2e", file), "--rootdir", tmp_path,
        RAY_ADDRESS=cluster, TQ_BACKEND="cpp", TQ_CPP_BIN=program,
    )  # fmt: skip
    assert re.search(r"^\d+ passed", out.strip().splitlines()[-1]) and "controller" in log.read_text()
