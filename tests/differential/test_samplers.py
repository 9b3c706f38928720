# SPDX-License-Identifier: Apache-2.0
"""Our samplers choose what Python's choose, and keep what Python's keep, for the same random history.

A controller of each kind, in polling mode, gets the same messages: samples are registered, tagged and produced bit by
bit, tasks of several ranks fetch, partitions go. Seeds are printed when a run fails.
"""

import json
import random
import sys
import time

import pytest
import torch
from judged import NEWEST, START_SECONDS, Node, python_env, tq_binary
from nodes import PEER
from raw import RawPeer

TASKS = ("train", "rank")
ROUNDS, STEPS = 3, 400
SECONDS = 30
SAMPLERS = {
    "SequentialSampler": "SequentialSampler",
    "GRPOGroupNSampler:1": "GRPOGroupNSampler",
    "GRPOGroupNSampler:3": "GRPOGroupNSampler,n_samples_per_prompt=3",
    "RankAwareSampler": "RankAwareSampler",
    "SeqlenBalancedSampler:2:2": "SeqlenBalancedSampler,n_samples_per_prompt=2,dp_size=2",
    "SeqlenBalancedSampler:1:3": "SeqlenBalancedSampler,n_samples_per_prompt=1,dp_size=3",
}
REFUSING = ("GRPOGroupNSampler:3", "RankAwareSampler", "SeqlenBalancedSampler:2:2")  # what some of the fetches ask for
DENSE = {"dtype": torch.float32, "shape": (4,), "is_nested": False, "is_non_tensor": False}


class History:
    """Random messages; what they say depends on the seed alone, and on how many samples a partition has."""

    def __init__(self, seed: int, with_clears: bool):
        self.with_clears = with_clears
        self.random = random.Random(seed)
        self.partitions = (f"p{seed}", f"q{seed}")
        self.indexes: dict[str, list[int]] = {name: [] for name in self.partitions}

    def step(self, number: int) -> tuple[str, dict]:
        """Partitions go at the very end, for which index is reused is not a sampler's choice."""
        late = self.with_clears and number > STEPS * 0.9
        weights = {self.insert: 0 if late else 3, self.tag: 2, self.produce: 4, self.fetch: 6, self.consumption: 1,
                   self.clear: 1 if late else 0}
        return self.random.choices(list(weights), list(weights.values()))[0]()

    def partition(self) -> str:
        return self.random.choice(self.partitions)

    def some(self, partition: str) -> list[int]:
        known = self.indexes[partition]
        return sorted(self.random.sample(known, self.random.randint(0, len(known))))

    def insert(self):
        count = self.random.randint(1, 12)
        return "GET_META", {"data_fields": ["x"], "batch_size": count, "partition_id": self.partition(), "mode": "insert"}

    def is_of_another(self, body: dict, judge: tuple) -> bool:
        """Whether Python gives samples that the partition does not have: a client that names no partition to the sampler
        gets what it kept for another one, or for one that is gone. Ours refuses that."""
        return body.get("mode") == "fetch" and len(judge) > 1 and not set(judge[1]) <= set(self.indexes[body["partition_id"]])

    def learn(self, body: dict, answer: tuple) -> None:
        """Of a reply that both gave."""
        if body.get("mode") == "insert":
            self.indexes[body["partition_id"]] += answer[1]

    def tag(self):
        partition = self.partition()
        lengths = {index: {"total_lengths": self.random.choice([1, 5, 5, 7, 100, 1000])} for index in self.some(partition)}
        return "SET_CUSTOM_META", {"partition_custom_meta": {partition: lengths}}

    def produce(self):
        partition = self.partition()
        return "NOTIFY_DATA_UPDATE", {
            "partition_id": partition, "global_indexes": self.some(partition), "field_schema": {"x": DENSE},
        }

    def fetch(self):
        partition, task = self.partition(), self.random.choice(TASKS)
        config = {"dp_rank": self.random.randrange(3), "batch_index": self.random.randrange(6), "partition_id": partition,
                  "task_name": task}
        for name in list(config):
            if self.random.random() < 0.07:
                del config[name]
        return "GET_META", {
            "data_fields": ["x"], "batch_size": self.random.choice([1, 2, 3, 4, 6]), "partition_id": partition, "mode": "fetch",
            "task_name": task, "sampling_config": config if self.random.random() < 0.9 else None,
        }

    def consumption(self):
        return "GET_CONSUMPTION", {"partition_id": self.partition(), "task_name": self.random.choice(TASKS)}

    def clear(self):
        partition = self.partition()
        self.indexes[partition] = []
        return "CLEAR_PARTITION", {"partition_id": partition}


def said(answer: tuple[str, dict]) -> tuple:
    kind, body = answer
    if "metadata" in body:
        return kind, tuple(body["metadata"].global_indexes)
    if kind == "CONSUMPTION_RESPONSE":
        indexes, status = body["global_index"], body["consumption_status"]
        if indexes is None:
            return kind, None
        return kind, tuple(sorted(zip(map(int, indexes), map(int, status), strict=True)))
    return (kind,)


class Controller:
    def __init__(self, node: Node):
        self._node = node
        node.wait_ready(time.monotonic() + START_SECONDS)
        address = json.loads(node.infos[0].read_text())
        self._peer = RawPeer(f"tcp://{address['ip']}:{address['ports']['request_handle_socket']}")

    def ask(self, kind: str, body: dict) -> tuple[str, dict]:
        self._peer.send(kind, body)
        answer = self._peer.receive(SECONDS)
        assert answer is not None, f"{self._node.name} did not answer {kind} {body}"
        return answer

    def stop(self) -> None:
        self._peer.close()
        self._node.stop()


def controllers(folder, sampler: str) -> list[Controller]:
    judge, ours = folder / "python.json", folder / "cpp.json"
    python = [sys.executable, PEER / "peer_node.py", "controller", "--info", judge, "--polling", "--sampler", sampler]
    cpp = [tq_binary(), "controller", "--info-file", ours, "--polling", "--sampler", SAMPLERS[sampler]]
    nodes = [Node("controller-python", python, [judge], python_env(NEWEST)), Node("controller-cpp", cpp, [ours], {})]
    return [Controller(node) for node in nodes]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_same_choices_for_the_same_history(tmp_path, sampler):
    both = controllers(tmp_path, sampler)
    batches = errors = 0
    try:
        for seed in range(ROUNDS):
            history = History(seed, with_clears=seed == ROUNDS - 1)
            for step in range(STEPS):
                kind, body = history.step(step)
                judge, ours = (said(controller.ask(kind, body)) for controller in both)
                expected = ("REQUEST_ERROR",) if history.is_of_another(body, judge) else judge
                assert ours == expected, f"seed {seed}, step {step}: {kind} {body}; Python: {judge}"
                history.learn(body, judge)
                batches += body.get("mode") == "fetch" and len(judge) > 1 and len(judge[1]) > 0
                errors += body.get("mode") == "fetch" and len(judge) == 1
    finally:
        for controller in both:
            controller.stop()
    assert batches >= 20 * ROUNDS, "too few to mean anything"
    if sampler in REFUSING:
        assert errors >= 5
