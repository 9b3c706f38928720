# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the interop tests: clusters that stop with their test, and the logs of nodes where a test failed."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "peer"))

import nodes  # noqa: E402


@pytest.fixture
def start(tmp_path):
    """start(controller, units, ...) as nodes.Cluster, stopped when the test ends."""
    clusters = []

    def run(*args, **kwargs) -> nodes.Cluster:
        clusters.append(nodes.Cluster(tmp_path / f"nodes-{len(clusters)}", *args, **kwargs))
        return clusters[-1]

    yield run
    for cluster in clusters:
        cluster.stop()


@pytest.fixture(scope="module")
def cpp_nodes(tmp_path_factory):
    """One C++ controller with two units for a whole file of tests."""
    cluster = nodes.Cluster(tmp_path_factory.mktemp("cpp"))
    yield cluster
    cluster.stop()


@pytest.fixture
def root(tmp_path):
    """A folder for checkpoints."""
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    return folder


@pytest.fixture
def rooted(start, root):
    """start() whose C++ nodes have a checkpoint root."""
    env = {"TQ_CHECKPOINT_ROOT": str(root)}
    return lambda *args, **kwargs: start(*args, **{"env": env, "controller_args": ("--polling",), **kwargs})


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed:
        for node in nodes.live:
            state = node.process.poll()
            words = "running" if state is None else f"ended with {state}"
            report.sections.append((f"last lines of {node.name} ({words})", node.last_lines() or "(none)"))
    return report


def pytest_sessionfinish():
    for node in list(nodes.live):
        node.stop()
