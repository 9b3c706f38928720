#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Control-plane cost of an unmodified Python client against any controller and storage units.

    control.py --controller controller.json --storage su0.json su1.json --keys 1024 16384

For each number of keys N, in one partition: register N keys; put one 8-byte scalar field for all of
them; list keys; look N keys up; look one key up (median of 200); put one key with a 1 KiB tensor (median
of 200); fetch batches of 256 through the sampler until the partition is consumed; clear. Prints one
JSON line per N, milliseconds.
"""

import argparse
import json
import statistics
import sys
import time
import warnings
from pathlib import Path

import torch
from tensordict import TensorDict

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "peer"))

from peer_client import connect  # noqa: E402

warnings.filterwarnings("ignore")


def ms(start: float) -> float:
    return round((time.perf_counter() - start) * 1e3, 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--controller", required=True)
    parser.add_argument("--storage", nargs="+", required=True)
    parser.add_argument("--keys", nargs="+", type=int, default=[1024, 16384])
    args = parser.parse_args()
    client = connect(args.controller, args.storage, client_id="bench_control")
    for n in args.keys:
        partition, row = f"control_{n}", {"keys": n}
        keys = [f"key-{i}" for i in range(n)]
        start = time.perf_counter()
        meta = client.kv_retrieve_meta(keys=keys, partition_id=partition, create=True)
        row["register"] = ms(start)
        start = time.perf_counter()
        client.put(TensorDict({"x": torch.arange(n)}, batch_size=[n]), meta)
        row["put_scalars"] = ms(start)
        start = time.perf_counter()
        assert len(client.kv_list(partition)[partition]) == n
        row["list"] = ms(start)
        start = time.perf_counter()
        client.kv_retrieve_meta(keys=keys, partition_id=partition, create=False)
        row["look_up_all"] = ms(start)
        times = []
        for i in range(200):
            start = time.perf_counter()
            client.kv_retrieve_meta(keys=[keys[i % n]], partition_id=partition, create=False)
            times.append((time.perf_counter() - start) * 1e3)
        row["look_up_one_p50"] = round(statistics.median(times), 3)
        value, times = TensorDict({"v": torch.zeros(1, 256)}, batch_size=[1]), []
        for i in range(200):
            start = time.perf_counter()
            one = client.kv_retrieve_meta(keys=[f"one-{i}"], partition_id=partition + "_one", create=True)
            client.put(value, one)
            times.append((time.perf_counter() - start) * 1e3)
        row["kv_put_1KiB_p50"] = round(statistics.median(times), 3)
        start, seen = time.perf_counter(), 0
        while seen < n:
            batch = client.get_meta(data_fields=["x"], batch_size=min(256, n - seen), partition_id=partition,
                                    task_name="bench")
            seen += batch.size
        row["fetch_256s"] = ms(start)
        start = time.perf_counter()
        client.clear_partition(partition)
        row["clear"] = ms(start)
        client.clear_partition(partition + "_one")
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
