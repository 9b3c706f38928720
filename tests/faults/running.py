# SPDX-License-Identifier: Apache-2.0
"""Starts and stops the C++ nodes of these tests."""

from pathlib import Path

from nodes import Cluster
from raw_peer import Nodes

# A fetch that finds nothing waits no longer than this.
QUICK = ("--metadata-timeout", "0.05", "--check-interval", "0.05")


def start(folder: Path) -> Nodes:
    return Nodes(Cluster(folder, controller_args=QUICK))


def stop(running: Nodes) -> None:
    running.close()
    running.cluster.stop()
