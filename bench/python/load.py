#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The load that an RL trainer makes: many writers, one sample a call, while a reader lists and fetches.

    load.py --controller controller.json --storage su0.json su1.json --writers 2 --coroutines 32 --samples 400

Each writer process runs --coroutines coroutines on one client; a sample is one key with 12 columns (int64 and
float32 token columns of --tokens values, two text columns, a tag): look up or create the key, put, notify, tag.
Meanwhile one reader lists all keys every 0.5 s; at the end it fetches 4 columns of all samples at once. The first
round warms nodes and clients up. Prints one JSON line a measured round: puts per second, p50 and p99 of a put, CPU of
the writers, list p50, fetch time and Gbit/s, bytes a sample.
"""

import argparse
import asyncio
import contextlib
import json
import multiprocessing as mp
import queue
import statistics
import sys
import time
import warnings
from pathlib import Path

import torch
from tensordict import NonTensorStack, TensorDict

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "peer"))

from peer_client import connect  # noqa: E402

warnings.filterwarnings("ignore")


def sample(tokens: int) -> TensorDict:
    columns = {f"ids_{i}": torch.ones(1, tokens, dtype=torch.int64) for i in range(6)}
    columns |= {f"logp_{i}": torch.ones(1, tokens) for i in range(4)}
    columns |= {"messages": NonTensorStack("a user turn " * 40), "extra": NonTensorStack({"turns": 3, "reward": 0.5})}
    return TensorDict(columns, batch_size=[1])


def writer(number: int, args, start, results) -> None:
    client = connect(args.controller, args.storage, client_id=f"writer_{number}")

    async def one(key: str, times: list[float]) -> None:
        begin = time.perf_counter()
        meta = await client.async_kv_retrieve_meta(keys=[key], partition_id="load", create=True)
        meta.update_custom_meta([{"status": "finished", "writer": number}])
        await client.async_put(sample(args.tokens), meta)
        times.append(time.perf_counter() - begin)

    async def run(times: list[float]) -> None:
        pending = asyncio.Queue()
        for i in range(args.samples // args.writers):
            pending.put_nowait(f"w{number}-{i}")

        async def work() -> None:
            while not pending.empty():
                await one(pending.get_nowait(), times)

        await asyncio.gather(*(work() for _ in range(args.coroutines)))

    for _ in range(1 + args.rounds):
        times: list[float] = []
        start.wait()
        cpu = time.process_time()
        client._run_coroutine(run(times))
        results.put((times, time.process_time() - cpu))


def measure(reader, args, start, results) -> dict:
    """One round: all writers put their samples while the reader lists keys; then it fetches all and clears them."""
    start.wait()
    begin, lists, times, cpu = time.perf_counter(), [], [], 0.0
    done = 0
    while done < args.writers:
        now = time.perf_counter()
        reader.kv_list(None)
        lists.append(time.perf_counter() - now)
        with contextlib.suppress(queue.Empty):
            more, busy = results.get(timeout=0.5)
            times, cpu, done = times + more, cpu + busy, done + 1
    elapsed = time.perf_counter() - begin
    keys = list(reader.kv_list("load")["load"])
    now = time.perf_counter()
    meta = reader.kv_retrieve_meta(keys=keys, partition_id="load", create=False)
    got = reader.get_data(meta.select_fields(["ids_0", "ids_1", "logp_0", "messages"]))
    fetch = time.perf_counter() - now
    assert len(got["messages"]) == len(keys)
    reader.clear_partition("load")
    return {
        "samples": len(times), "bytes_a_sample": args.tokens * (6 * 8 + 4 * 4), "puts_per_s": round(len(times) / elapsed, 1),
        "put_p50_ms": round(statistics.median(times) * 1e3, 2),
        "put_p99_ms": round(sorted(times)[int(len(times) * 0.99) - 1] * 1e3, 2),
        "writers_cpu_ms_a_put": round(cpu / len(times) * 1e3, 3), "writers_cpus": round(cpu / elapsed, 2),
        "list_p50_ms": round(statistics.median(lists) * 1e3, 2), "fetch_s": round(fetch, 3),
        "fetch_gbps": round(len(keys) * args.tokens * 20 * 8 / 1e9 / fetch, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--controller", required=True)
    parser.add_argument("--storage", nargs="+", required=True)
    parser.add_argument("--writers", type=int, default=2)
    parser.add_argument("--coroutines", type=int, default=32)
    parser.add_argument("--samples", type=int, default=400)
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=1, help="measured rounds, one line each, after one that warms up")
    args = parser.parse_args()
    context = mp.get_context("spawn")
    start, results = context.Barrier(args.writers + 1), context.Queue()
    processes = [context.Process(target=writer, args=(i, args, start, results), daemon=True) for i in range(args.writers)]
    for process in processes:
        process.start()
    reader = connect(args.controller, args.storage, client_id="reader")
    measure(reader, args, start, results)
    for _ in range(args.rounds):
        print(json.dumps(measure(reader, args, start, results)), flush=True)


if __name__ == "__main__":
    main()
