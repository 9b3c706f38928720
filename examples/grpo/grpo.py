# SPDX-License-Identifier: Apache-2.0
"""GRPO in one file: rollout workers, a reward worker and a trainer on Ray, which hand each other data by TransferQueue.

    python examples/grpo/grpo.py                   # on Python's nodes
    TQ_BACKEND=cpp python examples/grpo/grpo.py    # on C++ nodes (pip install ./python)

The task is small enough for a CPU: two digits are the prompt, the larger one is the right answer. The policy has one hidden
layer; --group answers are sampled for each prompt, and an answer's advantage is its reward against the others of its group. Who needs data takes it as soon as it is there: the reward worker scores answers while others are
still generated, and the trainer takes whole groups, whichever are complete first.

Each step prints the mean reward, and how long the trainer waited for data.

It runs on a small Ray cluster of its own, or on the one that RAY_ADDRESS names. The nodes are its own, with the sampler and the
polling mode that it asks for, and end with it: no others may run on that cluster.
"""

import argparse
import os
import time

import ray
import torch
import transfer_queue as tq
from omegaconf import OmegaConf
from tensordict import TensorDict

DIGITS = 10


class Policy(torch.nn.Module):
    """Logits of the ten answers to a prompt of two digits, [N, 2] -> [N, 10]."""

    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(2 * DIGITS, 128), torch.nn.ReLU(), torch.nn.Linear(128, DIGITS))

    def forward(self, prompts: torch.Tensor) -> torch.Tensor:
        return self.layers(torch.nn.functional.one_hot(prompts, DIGITS).flatten(1).float())

    def log_probs(self, prompts: torch.Tensor, answers: torch.Tensor) -> torch.Tensor:
        return self(prompts).log_softmax(-1).gather(1, answers[:, None]).squeeze(1)


def dense(column: torch.Tensor) -> torch.Tensor:
    """Rows of one shape as one tensor; TransferQueue may give them as a nested one."""
    return torch.stack(list(column.unbind()))


def take(client, fields: list[str], samples: int, step: int, task: str) -> tuple:
    """The metadata and the data of so many samples that have these fields, and the seconds until they were there."""
    begin = time.perf_counter()
    while True:
        meta = client.get_meta(data_fields=fields, batch_size=samples, partition_id=f"step_{step}", task_name=task)
        if meta.size:
            return meta, client.get_data(meta), time.perf_counter() - begin
        time.sleep(0.002)


@ray.remote(num_cpus=0.1)
class Rollout:
    """Samples answers to prompts and puts them, group by group."""

    def __init__(self, seed: int, group: int):
        torch.set_num_threads(1)
        torch.manual_seed(seed)
        tq.init()
        self.policy, self.group = Policy(), group

    @torch.no_grad()
    def generate(self, weights: dict, prompts: torch.Tensor, step: int) -> None:
        self.policy.load_state_dict(weights)
        client = tq.get_client()
        for prompt in prompts:
            group = prompt.repeat(self.group, 1)
            answers = self.policy(group).softmax(-1).multinomial(1).squeeze(1)
            batch = {"prompt": group, "answer": answers, "old_log_prob": self.policy.log_probs(group, answers)}
            client.put(TensorDict(batch, batch_size=self.group), partition_id=f"step_{step}")


@ray.remote(num_cpus=0.1)
class Reward:
    """Scores answers as they come."""

    def __init__(self, group: int):
        torch.set_num_threads(1)
        tq.init()
        self.group = group

    def score(self, groups: int, step: int) -> None:
        client = tq.get_client()
        for _ in range(groups):
            meta, data, _ = take(client, ["prompt", "answer"], self.group, step, "reward")
            right = dense(data["prompt"]).amax(1) == dense(data["answer"])
            client.put(TensorDict({"reward": right.float()}, batch_size=self.group), metadata=meta)


def update(policy: Policy, optimizer, batch: dict, group: int) -> float:
    """One step of GRPO over whole groups; the mean reward."""
    reward = batch["reward"].view(-1, group)
    advantage = ((reward - reward.mean(1, keepdim=True)) / (reward.std(1, keepdim=True) + 1e-4)).flatten()
    ratio = (policy.log_probs(batch["prompt"], batch["answer"]) - batch["old_log_prob"]).exp()
    loss = -torch.minimum(ratio * advantage, ratio.clamp(0.8, 1.2) * advantage).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return reward.mean().item()


def train(options: argparse.Namespace) -> None:
    torch.manual_seed(0)
    client, policy = tq.get_client(), Policy()
    optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2)
    rollouts = [Rollout.remote(seed, options.group) for seed in range(options.workers)]
    rewarder = Reward.remote(options.group)
    waits, rewards = [], []
    for step in range(options.steps):
        prompts = torch.randint(0, DIGITS, (options.prompts, 2))
        weights = ray.put(policy.state_dict())
        work = [r.generate.remote(weights, part, step) for r, part in zip(rollouts, prompts.chunk(options.workers))]
        work.append(rewarder.score.remote(options.prompts, step))
        waited, mean = 0.0, 0.0
        for _ in range(options.updates):
            samples = options.prompts * options.group // options.updates
            fields = ["prompt", "answer", "old_log_prob", "reward"]
            _, data, seconds = take(client, fields, samples, step, "train")
            mean += update(policy, optimizer, {name: dense(data[name]) for name in fields}, options.group) / options.updates
            waited += seconds
        ray.get(work)
        client.clear_partition(partition_id=f"step_{step}")
        waits.append(waited)
        rewards.append(mean)
        print(f"step {step:3}: reward {mean:.2f}, waited {1000 * waited:7.1f} ms for data", flush=True)
    first, last = sum(rewards[:5]) / 5, sum(rewards[-5:]) / 5
    nodes = "C++" if os.environ.get("TQ_BACKEND") == "cpp" else "Python"
    median = 1000 * sorted(waits)[len(waits) // 2]
    print(f"reward of the first five steps {first:.2f}, of the last five {last:.2f}; a step waited {median:.1f} ms for data (median, {nodes} nodes)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--prompts", type=int, default=32, help="a step; each is answered by a group")
    parser.add_argument("--group", type=int, default=8, help="answers to a prompt")
    parser.add_argument("--updates", type=int, default=2, help="of the policy a step, each over whole groups")
    parser.add_argument("--workers", type=int, default=2, help="that generate")
    options = parser.parse_args()
    if options.prompts % (options.workers * options.updates):
        parser.error("--prompts must be a multiple of --workers times --updates")
    own = {} if os.environ.get("RAY_ADDRESS") else {"address": "local", "num_cpus": 16}  # more CPUs than a small machine has
    ray.init(**own, logging_level="warning", log_to_driver=False)
    sampler = tq.GRPOGroupNSampler(n_samples_per_prompt=options.group)  # a fetch gets whole groups
    tq.init(OmegaConf.create({"controller": {"sampler": sampler, "polling_mode": True}}, flags={"allow_objects": True}))
    try:
        train(options)
    finally:
        tq.close()


if __name__ == "__main__":
    main()
