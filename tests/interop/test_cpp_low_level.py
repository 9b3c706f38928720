# SPDX-License-Identifier: Apache-2.0
"""The C++ client's low-level functions do on C++ and on Python nodes what Python's client does on Python's."""

import pytest
import torch
from cpp_client import ClientError, CppClient, dense
from nodes import NEWEST
from peer_client import connect
from tensordict import TensorDict

POLLING = ("--polling",)
ROWS = 6


class Python:
    """The functions by the names of the C++ driver's commands."""

    def __init__(self, cluster):
        self._client = connect(*cluster.addresses())

    def put_new(self, partition, column):
        data = TensorDict({"x": column}, batch_size=[len(column)])
        return list(self._client.put(data, partition_id=partition).global_indexes)

    def get_meta(self, **a):
        meta = self._client.get_meta(a["fields"], a["batch_size"], a["partition"], mode=a.get("mode", "fetch"),
                                     task_name=a.get("task"), sampling_config=a.get("sampling_config"))
        return {"global_indexes": list(meta.global_indexes), "production_status": list(map(int, meta.production_status)),
                "ready": bool(meta.is_ready)}

    def consumption(self, task, partition):
        indexes, status = self._client.get_consumption_status(task, partition)
        return {"global_indexes": [] if indexes is None else indexes.tolist(),
                "consumed": [] if status is None else status.tolist(),
                "all": self._client.check_consumption_status(task, partition)}

    def production(self, fields, partition):
        indexes, status = self._client.get_production_status(fields, partition)
        return {"global_indexes": [] if indexes is None else indexes.tolist(),
                "fields": 0 if status is None else status.shape[1],
                "produced": [] if status is None else status.flatten().tolist(),
                "all": self._client.check_production_status(fields, partition)}

    def reset(self, partition, task=None):
        return self._client.reset_consumption(partition, task)


class Cpp:
    def __init__(self, cluster):
        self._client = CppClient()
        self._client("connect", info_dir=str(cluster.controller.parent))

    def put_new(self, partition, column):
        return self._client("put_new", partition=partition, columns=[["x", dense(column)]])

    def __getattr__(self, name):
        return lambda *names, **a: self._client(name, **dict(zip(("fields", "partition"), names)), **a)


def story(client) -> list:
    """What each call gave, in turn."""
    said = [client.put_new("p", torch.arange(ROWS * 2, dtype=torch.int64).reshape(ROWS, 2))]

    def fetch(size, task="train", **a):
        said.append(client.get_meta(fields=["x"], batch_size=size, partition="p", task=task, **a))

    said.append(client.production(fields=["x"], partition="p"))
    said.append(client.production(fields=["x", "y"], partition="p"))
    fetch(4)
    said.append(client.consumption(task="train", partition="p"))
    fetch(2, sampling_config={"dp_rank": 0, "batch_index": 1})
    said.append(client.consumption(task="train", partition="p"))
    fetch(1)
    fetch(6, task="other")
    client.reset(partition="p", task="train")
    said.append(client.consumption(task="train", partition="p"))
    said.append(client.consumption(task="other", partition="p"))
    client.reset(partition="p")
    said.append(client.consumption(task="other", partition="p"))
    said.append(client.get_meta(fields=["x"], batch_size=1, partition="p", mode="force_fetch"))
    said.append(client.get_meta(fields=["x", "new"], batch_size=2, partition="p", mode="insert"))
    said.append(client.consumption(task="train", partition="nowhere"))
    said.append(client.production(fields=["x"], partition="nowhere"))
    return said


def test_the_same_story(start):
    judge = story(Python(start(NEWEST, (NEWEST, NEWEST), controller_args=POLLING)))
    assert story(Cpp(start(controller_args=POLLING))) == judge
    assert story(Cpp(start(NEWEST, (NEWEST, NEWEST), controller_args=POLLING))) == judge


def test_a_sampler_by_request(start):
    client = Cpp(start(controller_args=POLLING))
    client.put_new("p", torch.zeros(5, 1))
    three = {"sampler": "GRPOGroupNSampler", "sampler_arguments": {"n_samples_per_prompt": 3}}
    got = client.get_meta(fields=["x"], batch_size=3, partition="p", task="t", **three)
    assert got["global_indexes"] == [0, 1, 2]
    with pytest.raises(ClientError, match="must be a multiple of n_samples_per_prompt"):
        client.get_meta(fields=["x"], batch_size=2, partition="p", task="t", **three)
    assert client.get_meta(fields=["x"], batch_size=3, partition="p", task="t", **three)["global_indexes"] == []
    assert client.get_meta(fields=["x"], batch_size=2, partition="p", task="t")["global_indexes"] == [3, 4]


def test_bad_requests_name_what_is_wrong(start):
    client = Cpp(start(controller_args=POLLING))
    client.put_new("p", torch.zeros(2, 1))
    for arguments, sentence in (
        ({"batch_size": 1}, "needs a task_name"),
        ({"batch_size": 0, "task": "t"}, "batch_size must be positive"),
        ({"batch_size": 2**40, "task": "t"}, "the limit is"),
        ({"batch_size": 1, "task": "t", "sampler": "None"}, "there is no sampler 'None'"),
        ({"batch_size": 1, "partition": "q", "mode": "force_fetch"}, "there is no partition 'q'"),
    ):
        with pytest.raises(ClientError, match=sentence):
            client.get_meta(**{"fields": ["x"], "partition": "p", **arguments})
    client.reset(partition="q")  # as upstream: there is nothing to reset
    assert client.consumption(task="t", partition="p")["consumed"] == [0, 0]


def test_a_python_controller_takes_no_sampler_by_request(start):
    client = Cpp(start(NEWEST, (NEWEST,), controller_args=POLLING))
    with pytest.raises(ClientError, match="which takes no sampler by request; start it with RankAwareSampler"):
        client.get_meta(fields=["x"], batch_size=1, partition="p", task="t", sampler="RankAwareSampler")
