# SPDX-License-Identifier: Apache-2.0
"""A C++ client and unmodified Python clients on the same nodes."""

import functools
import json
from pathlib import Path

import transfer_queue.interface as kv
from cpp_client import CppClient
from expectation import CLIENT_ENV, chapters_of, python_says
from nodes import NEWEST, Client, Cluster
from scenario_server import DO
from story import Client as StoryClient


class Peer:
    """A Python client of one version, doing what scenario_server.py can do. The newest runs in this process."""

    def __init__(self, version: str, cluster: Cluster):
        self._server = self._here = None
        if version == NEWEST:
            self._here = StoryClient(*cluster.addresses())
        else:
            self._server = Client(version, "scenario_server.py", cluster.join_args(), env=CLIENT_ENV)

    def __call__(self, do: str, **arguments) -> dict:
        """{step: outcome}"""
        if self._here is not None:
            return DO[do](self._here, **arguments)
        self._server.tell(json.dumps({"do": do, **arguments}))
        line = self._server.process.stdout.readline()
        assert line, f"{self._server.name} ended:\n{self._server.process.stderr.read()[-3000:]}"
        return json.loads(line)

    def close(self) -> None:
        if self._server is not None:
            self._server.kill()


class World:
    """`peer` and what it `said` of Python's own nodes are of the nodes' version; `cpp` is the C++ client, `lenient` one
    with ignore_missing."""

    def __init__(self, folder: Path, controller: str, units: tuple[str, ...]):
        versions = {kind for kind in (controller, *units) if kind != "cpp"}
        assert len(versions) <= 1, "one version of Python a world"
        self.version = versions.pop() if versions else NEWEST
        self.cluster = Cluster(folder, controller, units)
        try:
            self.peer = Peer(self.version, self.cluster)
            self.cpp = CppClient().join(self.cluster)
        except BaseException:
            self.cluster.stop()
            raise

    @functools.cached_property
    def lenient(self) -> CppClient:
        return CppClient().join(self.cluster, ignore_missing=True)

    @functools.cached_property
    def raw(self):
        """A client of the newest version; what it asks for is known to controllers since 0.1.8."""
        return StoryClient(*self.cluster.addresses()).raw

    @property
    def python(self):
        """Python's own KV functions (kv_put, kv_list, ...) on these nodes."""
        kv._TQ_CLIENT = self.raw
        return kv

    def said(self, chapter: str) -> dict:
        """What that Python client gets from Python's own nodes: {step: outcome}."""
        return {line["step"]: line["outcome"] for line in chapters_of(python_says(self.version), (chapter,))}

    def stop(self) -> None:
        self.peer.close()
        clients = [self.cpp] + ([self.lenient] if "lenient" in self.__dict__ else [])
        states = [client.end() for client in clients]
        self.cluster.stop()
        assert set(states) == {0}, f"the C++ clients ended with {states}"
