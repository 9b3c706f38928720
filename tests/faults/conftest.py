# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the fault tests: C++ nodes, what is in them, and their log where a test failed."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "interop"), str(HERE.parent / "peer")]

import nodes  # noqa: E402
import world as world_module  # noqa: E402
from running import start, stop  # noqa: E402

@pytest.fixture(scope="module")
def cpp(tmp_path_factory):
    """A controller and two units for the whole file."""
    running = start(tmp_path_factory.mktemp("cpp"))
    yield running
    stop(running)


@pytest.fixture(scope="module")
def world(cpp):
    return world_module.World(cpp)


@pytest.fixture(scope="module", autouse=True)
def client(cpp):
    """An unmodified Python client that waits to be told; it imports torch while the raw tests run."""
    process = nodes.Client(nodes.NEWEST, str(HERE / "client_story.py"), cpp.cluster.join_args())
    yield process
    process.kill()


@pytest.fixture
def fresh(tmp_path):
    """Nodes of its own for a test that may kill them."""
    running = start(tmp_path / "fresh")
    yield running
    stop(running)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed:
        for node in nodes.live:
            report.sections.append((f"last lines of {node.name}", node.last_lines() or "(none)"))
    return report


def pytest_sessionfinish():
    for node in list(nodes.live):
        node.stop()
