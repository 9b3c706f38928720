# SPDX-License-Identifier: Apache-2.0
"""Clients of several versions at once on the same C++ nodes, and C++ nodes beside Python nodes in one cluster."""

import pytest
from compare import assert_same
from expectation import ALL, NODE_ENV, OWN, chapters_of, play, python_says, start_client
from nodes import NEWEST, Cluster

VERSIONS = ["0.1.6", "0.1.8", "0.1.9", "0.1.11"]


def prefix(version: str) -> str:
    return f"by-{version}-"


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    """C++ nodes on which clients of all versions played the scenario at the same time, and their transcripts."""
    # What a client frees, no other must get meanwhile: which samples a fetch takes goes by index.
    args = ("--index-rest-seconds", "3600")
    cluster = Cluster(tmp_path_factory.mktemp("crowd"), controller_args=args, env=NODE_ENV)
    try:
        clients = {v: start_client(cluster, v, OWN, "--prefix", prefix(v)) for v in VERSIONS}
        yield cluster, {version: client.finish(timeout=400) for version, client in clients.items()}
    finally:
        cluster.stop()


@pytest.mark.parametrize("version", VERSIONS)
def test_versions_at_once(crowd, version):
    _, transcripts = crowd
    assert_same(chapters_of(python_says(version), OWN), transcripts[version])


@pytest.mark.parametrize("reader", VERSIONS)
def test_one_version_reads_what_another_put(crowd, reader):
    cluster, _ = crowd
    own = chapters_of(python_says(reader), ("columns",))
    for writer in VERSIONS:
        if writer != reader:
            client = start_client(cluster, reader, ("columns",), "--prefix", prefix(writer), "--read-only")
            written = {line["step"] for line in chapters_of(python_says(writer), ("columns",))}
            assert_same([line for line in own if line["step"] in written], client.finish())


@pytest.mark.parametrize("controller, units, client", [
    (NEWEST, ("cpp", "cpp"), NEWEST),
    ("cpp", (NEWEST, NEWEST), NEWEST),
    ("cpp", ("cpp", NEWEST), NEWEST),
    (NEWEST, (NEWEST, "cpp"), NEWEST),
    ("0.1.8", ("cpp", "0.1.8"), "0.1.8"),
    ("cpp", ("0.1.9", "cpp"), "0.1.9"),
])
def test_nodes_of_both_kinds(controller, units, client):
    assert_same(python_says(client), play(controller, units, client, ALL if client == NEWEST else OWN))
