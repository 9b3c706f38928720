# SPDX-License-Identifier: Apache-2.0
"""The nodes that the tests of this folder judge, ours or Python's, as processes (started by ../interop/nodes.py)."""

import json
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
for folder in ("interop", "peer"):
    sys.path.insert(0, str(HERE.parent / folder))

from nodes import NEWEST, START_SECONDS, Cluster, Node, python_env, tq_binary  # noqa: E402, F401

# A fetch that can never be satisfied ends after this long, at Python's controller and at ours.
WAIT = {"TQ_CONTROLLER_GET_METADATA_TIMEOUT": "1", "TQ_CONTROLLER_GET_METADATA_CHECK_INTERVAL": "1"}
NO_REST = ("--index-rest-seconds", "0")  # freed indexes are handed out again at once, as Python does


@dataclass
class Nodes:
    controller: dict  # {"role", "id", "ip", "ports"}
    units: list[dict]

    def ids(self) -> list[str]:
        return [node["id"] for node in (self.controller, *self.units)]


@contextmanager
def running(folder: Path, kind: str, polling: bool = False, rest: bool = False):
    """A controller and two units of one kind: "cpp", or a version of the Python package as in "0.1.9+numpy1".

    rest: ours let a freed index rest before it is handed out again, as they do by default.
    """
    arguments = (*(NO_REST if kind == "cpp" and not rest else ()), *(("--polling",) if polling else ()))
    cluster = Cluster(folder, kind, (kind, kind), controller_args=arguments, env=WAIT)
    try:
        yield Nodes(
            json.loads(cluster.controller.read_text()), [json.loads(unit.read_text()) for unit in cluster.units]
        )
    finally:
        cluster.stop()


@contextmanager
def controller_of_ours(folder: Path, arguments: tuple):
    """The address of a single controller of ours, under this process's environment."""
    node = Node(
        "controller-cpp",
        [tq_binary(), "controller", "--info-file", folder / "controller.json", *arguments],
        [folder / "controller.json"],
        {},
    )
    try:
        node.wait_ready(time.monotonic() + START_SECONDS)
        yield json.loads(node.infos[0].read_text())
    finally:
        node.stop()
