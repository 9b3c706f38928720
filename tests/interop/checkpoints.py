# SPDX-License-Identifier: Apache-2.0
"""What the tests of checkpoints share: clients of both languages, and what they put and read."""

import json
from pathlib import Path

from cpp_client import CppClient, dense
from nodes import NEWEST, Client

TRAIN = list("abcdefgh")
KEYS = [f"k{i}" for i in range(64)]


class Python:
    """A Python client of any release in a process of its own."""

    def __init__(self, cluster, folder, kind=NEWEST):
        self._client = Client(kind, "checkpoint_client.py", [str(folder), *map(str, flat(cluster.addresses()))])
        self._client.expect("ready")

    def __call__(self, order: str):
        self._client.tell(order)
        line = self._client.process.stdout.readline()
        assert line, self._client.process.stderr.read()[-3000:]
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["ok"]

    def end(self) -> None:
        self._client.finish()


def flat(addresses):
    controller, units = addresses
    return [controller, *units]


def kill(cluster) -> None:
    for node in cluster.nodes:
        node.process.kill()
        node.process.wait()


def join(cluster, **options) -> CppClient:
    return CppClient().join(cluster, **options)


def put(client, keys, column, partition="train", tags=None):
    extra = {"tags": tags} if tags else {}
    client("put", keys=keys, partition=partition, columns=[["x", dense(column)]], **extra)


def rows_of(client, keys, partition="train"):
    return client("get", keys=keys, partition=partition, fields=["x"])


def column_of(client, keys, partition="train"):
    return dict(rows_of(client, keys, partition))["x"]


def written(folder: Path) -> int:
    return sum(entry.stat().st_size for entry in folder.rglob("*") if entry.is_file()) if folder.exists() else 0
