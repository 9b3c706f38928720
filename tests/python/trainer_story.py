# SPDX-License-Identifier: Apache-2.0
"""What verl and NeMo-RL call of TransferQueue, as one driver program that knows nothing of C++ nodes.

Several Ray workers work at once; each kind of value goes there and back; who calls tq.init first differs by argument.
Prints one JSON object: what the nodes are, and what was seen.
"""

import asyncio
import json
import os
import sys

import numpy as np
import ray
import torch
import transfer_queue as tq
from omegaconf import OmegaConf
from tensordict import NonTensorData, NonTensorStack, TensorDict

CONF = {
    "controller": {"sampler": "SequentialSampler", "polling_mode": True},
    "backend": {"storage_backend": "SimpleStorage", "SimpleStorage": {"num_data_storage_units": 3}},
}


def columns(first: int, rows: int) -> TensorDict:
    """A column of each kind that trainers send."""
    numbers = range(first, first + rows)
    return TensorDict(
        {
            "input_ids": torch.nested.as_nested_tensor([torch.arange(i % 5 + 1) + i for i in numbers], layout=torch.jagged),
            "mask": torch.tensor([[i % 2 == 0, True] for i in numbers]),
            "logits": torch.stack([torch.full((2, 3), float(i), dtype=torch.bfloat16) for i in numbers]),
            "reward": torch.tensor([i / 2 for i in numbers], dtype=torch.float64),
            "text": NonTensorStack(*(NonTensorData(f"text {i} é") for i in numbers)),
            "extra": NonTensorStack(*(NonTensorData({"turns": [i, {"x": np.float32(i)}], "none": None}) for i in numbers)),
        },
        batch_size=rows,
    )


def check(got: TensorDict, numbers: list[int]) -> None:
    for row, i in enumerate(numbers):
        assert got["input_ids"][row].tolist() == [i + k for k in range(i % 5 + 1)]
        assert got["mask"][row].tolist() == [i % 2 == 0, True]
        assert got["logits"][row].dtype == torch.bfloat16 and got["logits"][row].tolist() == [[float(i)] * 3] * 2
        assert float(got["reward"][row]) == i / 2
        assert got["text"][row] == f"text {i} é"
        extra = got["extra"][row]
        assert dict(extra)["turns"][0] == i and dict(extra)["none"] is None


@ray.remote(num_cpus=0.1)
class Rollout:
    """A rollout worker of verl: asyncio, keys, tags."""

    def __init__(self):
        tq.init()

    def generate(self, first: int, rows: int) -> list[str]:
        keys = [f"sample_{i}" for i in range(first, first + rows)]

        async def work():
            await tq.async_kv_batch_put(
                keys=keys, partition_id="train", fields=columns(first, rows), tags=[{"step": first, "ok": True}] * rows
            )
            await tq.async_kv_put(key=f"note_{first}", partition_id="val", fields={"n": torch.tensor([first])}, tag={"by": first})
            return sorted((await tq.async_kv_list(partition_id="val"))["val"])

        return asyncio.run(work())


@ray.remote(num_cpus=0.1)
def score(keys: list[str]) -> int:
    """A reward worker: reads some fields and adds one."""
    tq.init()
    got = tq.kv_batch_get(keys=keys, partition_id="train", select_fields=["reward", "input_ids"])
    assert set(got.keys()) == {"reward", "input_ids"}
    values = torch.tensor([[float(r) + len(ids)] for r, ids in zip(got["reward"], got["input_ids"])])
    tq.kv_batch_put(keys=keys, partition_id="train", fields=TensorDict({"score": values}, batch_size=len(keys)))
    return len(keys)


def verl(rows: int, workers: int) -> dict:
    """The trainer's side: verl's calls, low-level ones as well."""
    rollouts = [Rollout.remote() for _ in range(workers)]
    seen = ray.get([worker.generate.remote(n * rows, rows) for n, worker in enumerate(rollouts)])
    listed = tq.kv_list(partition_id="train")["train"]
    keys = [f"sample_{i}" for i in range(rows * workers)]
    assert sorted(listed) == sorted(keys) and all(tag["ok"] for tag in listed.values())
    check(tq.kv_batch_get(keys=keys, partition_id="train"), list(range(rows * workers)))
    assert sum(ray.get([score.remote(keys[n::workers]) for n in range(workers)])) == len(keys)
    client = tq.get_client()

    async def low_level():
        meta = await client.async_kv_retrieve_meta(keys=keys[:4], partition_id="train", create=False)
        names = await client.async_kv_retrieve_keys(global_indexes=meta.global_indexes, partition_id="train")
        assert names == keys[:4]
        data = await client.async_get_data(meta.select_fields(["score"]))
        new = TensorDict({"advantage": data["score"].to_padded_tensor(0) if data["score"].is_nested else data["score"]}, batch_size=4)
        after = await client.async_put(new, meta)
        assert "advantage" in after.field_names
        return [float(x) for x in (await tq.async_kv_batch_get(keys=keys[:4], partition_id="train", select_fields="advantage"))["advantage"]]

    advantages = client._run_coroutine(low_level()) if hasattr(client, "_run_coroutine") else asyncio.run(low_level())
    tq.kv_clear(keys=keys[:2], partition_id="train")
    left = len(tq.kv_list(partition_id="train")["train"])
    asyncio.run(tq.async_kv_clear(keys=keys[2:], partition_id="train"))
    try:
        tq.kv_batch_get(keys=keys, partition_id="train")
        raise AssertionError("cleared keys were found")
    except ValueError:
        pass
    return {"notes": max(map(len, seen)), "advantages": advantages, "left": left}


@ray.remote(num_cpus=0.1)
def fetch_by_polling(task: str, size: int, rank: int) -> list[int]:
    """A NeMo-RL worker: asks until its share is there, and until all is consumed."""
    tq.init()
    client, got = tq.get_client(), []
    while not client.check_consumption_status(task_name=task, partition_id="rollouts"):
        meta = client.get_meta(data_fields=["n"], batch_size=size, partition_id="rollouts", task_name=task)
        if meta.size:
            got += [int(n) for n in client.get_data(meta)["n"]]
    return got


def nemo(rows: int) -> dict:
    client = tq.get_client()
    empty = client.get_meta(data_fields=["n"], batch_size=1, partition_id="rollouts", task_name="nobody")
    keys = [f"r{i}" for i in range(rows)]
    tq.kv_batch_put(keys=keys[:2], partition_id="rollouts", fields=TensorDict({"n": torch.arange(2).reshape(2, 1)}, batch_size=2))
    workers = [fetch_by_polling.remote("train", 2, rank) for rank in range(2)]
    later = torch.arange(2, rows).reshape(-1, 1)
    tq.kv_batch_put(keys=keys[2:], partition_id="rollouts", fields=TensorDict({"n": later}, batch_size=rows - 2))
    shares = ray.get(workers)
    meta = client.get_meta(data_fields=["n"], batch_size=rows, partition_id="rollouts", task_name="logger")
    names = client.kv_retrieve_keys(global_indexes=meta.global_indexes, partition_id="rollouts")
    assert client.check_production_status(data_fields=["n"], partition_id="rollouts")
    client.clear_partition(partition_id="rollouts")
    return {"empty": empty.size, "each once": sorted(shares[0] + shares[1]), "names": sorted(names)}


@ray.remote(num_cpus=0.1)
class Starter:
    def init(self) -> None:
        tq.init(OmegaConf.create(CONF))


def main() -> None:
    order = sys.argv[1]
    variables = {name: os.environ[name] for name in ("PYTHONPATH", "TQ_BACKEND", "TQ_CPP_BIN") if name in os.environ}
    ray.init(
        address=os.environ["RAY_ADDRESS"], namespace="trainer", logging_level="warning", runtime_env={"env_vars": variables}
    )
    if order == "driver first":
        tq.init(OmegaConf.create(CONF))
    elif order == "workers first":  # all at once: one of them starts the nodes, the others attach
        starters = [Starter.remote() for _ in range(3)]  # Ray ends what an actor started when it ends the actor
        ray.get([starter.init.remote() for starter in starters])
        tq.init()
    else:
        tq.init()
    seen = {"version": tq.__version__, "verl": verl(rows=6, workers=3), "nemo": nemo(rows=8), "endpoint": tq.get_metrics_endpoint()}
    tq.close()
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
