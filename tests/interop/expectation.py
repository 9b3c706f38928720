# SPDX-License-Identifier: Apache-2.0
"""The scenario on given nodes, and what Python's own nodes answer to it: the expectation of the interop tests.

What Python says is found out by running it. Since it cannot change while neither the scenario nor the packages do, it
is kept in the folder of the Python environment under a name that hashes both.
"""

import functools
import hashlib
import importlib.metadata
import json
import os
import tempfile
from pathlib import Path

from nodes import HERE, NEWEST, PEER, ROOT, Client, Cluster

# A fetch that cannot be answered ends after a second.
NODE_ENV = {"TQ_CONTROLLER_GET_METADATA_CHECK_INTERVAL": "1", "TQ_CONTROLLER_GET_METADATA_TIMEOUT": "1"}
CLIENT_ENV = {"TQ_SIMPLE_STORAGE_SEND_RECV_TIMEOUT": "20"}
OWN = ("columns", "partial", "tags", "fetch", "kv", "clear")  # what nodes of every version answer
ALL = (*OWN, "newest")
SOURCES = [
    *(HERE / name for name in (
        "scenario.py", "story.py", "chapters.py", "control_chapters.py", "columns.py", "transcript.py", "nodes.py",
        "expectation.py")),
    *(PEER / name for name in ("peer_node.py", "peer_client.py", "canonical.py")),
]


def start_client(cluster: Cluster, kind: str, chapters: tuple, *more: str) -> Client:
    return Client(kind, "scenario.py", [*cluster.join_args(), "--chapters", *chapters, *more], env=CLIENT_ENV)


def play(controller: str, units: tuple, client: str, chapters: tuple, env: dict | None = None) -> list:
    """The transcript of one client on fresh nodes."""
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(Path(folder), controller, units, env={**NODE_ENV, **(env or {})})
        try:
            return start_client(cluster, client, chapters).finish(timeout=300)
        finally:
            cluster.stop()


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for path in SOURCES:
        digest.update(path.read_bytes())
    for package in ("torch", "tensordict", "numpy", "pyzmq", "msgspec", "TransferQueue"):
        digest.update(importlib.metadata.version(package).encode())
    return digest.hexdigest()[:16]


@functools.cache
def python_says(kind: str) -> list:
    """The transcript of a client of that version on nodes of the same version."""
    home = Path(os.environ.get("TQ_PYTHON_ENV") or ROOT / "build/python")
    kept = home / "transcripts" / f"{kind}-{_fingerprint()}.json"
    if kept.exists():
        return json.loads(kept.read_text())
    transcript = play(kind, (kind, kind), kind, ALL if kind == NEWEST else OWN)
    assert len(transcript) > 100, f"the scenario has {len(transcript)} steps under {kind}"
    kept.parent.mkdir(exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=kept.parent, delete=False) as f:
        json.dump(transcript, f)
    os.replace(f.name, kept)
    return transcript


def chapters_of(transcript: list, chapters: tuple) -> list:
    return [line for line in transcript if line["chapter"] in chapters]
