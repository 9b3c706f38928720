#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PUT and GET of an unmodified Python client on any controller and storage units: medians, in Gbit/s of tensor bytes.

    put_get.py --controller controller.json --storage storage-0.json storage-1.json --sizes tiny small --runs 3

The tensors are those of upstream's put_benchmark: F columns of B rows of S values, whose dtypes rotate float32, int64,
float64, int32, float16; even columns dense, odd ones ragged with the same number of values in all (--dense makes all
dense). One run before the measured ones warms the nodes up. Every run reads back what it put and compares it.
"""

import argparse
import json
import logging
import os
import statistics
import sys
import time
import warnings
from pathlib import Path

os.environ.setdefault("TQ_LOGGING_LEVEL", "ERROR")
warnings.filterwarnings("ignore")
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "peer"))

import numpy as np  # noqa: E402
import torch  # noqa: E402
from tensordict import TensorDict  # noqa: E402

from peer_client import connect  # noqa: E402

SIZES = {  # name: (batch, sequence length, fields)
    "debug": (32, 128, 2),
    "tiny": (64, 1024, 4),
    "small": (512, 12800, 4),
    "medium": (1024, 65536, 4),
    "large": (2048, 128000, 5),
    "xlarge": (4096, 128000, 5),
    "huge": (4096, 128000, 10),
}
DTYPES = [torch.float32, torch.int64, torch.float64, torch.int32, torch.float16]


def make_batch(batch: int, sequence: int, fields: int, dense: bool) -> tuple[TensorDict, int]:
    """The columns and the number of their bytes."""
    rng = np.random.default_rng(0)
    columns, total = {}, 0
    for i in range(fields):
        dtype = DTYPES[i % len(DTYPES)]
        if dense or i % 2 == 0:
            column = values = torch.ones(batch, sequence, dtype=dtype)
        else:
            lengths = np.maximum((rng.dirichlet(np.ones(batch)) * batch * sequence).astype(int), 1)
            values = torch.ones(int(lengths.sum()), dtype=dtype)
            offsets = torch.from_numpy(np.concatenate([[0], np.cumsum(lengths)]))
            column = torch.nested.nested_tensor_from_jagged(values, offsets)
        columns[f"field_{i}"] = column
        total += values.numel() * values.element_size()
    return TensorDict(columns, batch_size=[batch]), total


def timed(call):
    """Seconds, seconds of CPU in all threads of this process, and the result."""
    start, cpu = time.perf_counter(), time.process_time()
    result = call()
    return time.perf_counter() - start, time.process_time() - cpu, result


def check_equal(put: TensorDict, got: TensorDict) -> None:
    for name in put.keys():
        for row in (0, put.batch_size[0] - 1):
            if not torch.equal(put[name][row], got[name][row]):
                raise SystemExit(f"put_get: row {row} of {name} came back changed")


def measure(client, size: str, runs: int, dense: bool, put_only: bool) -> dict:
    data, total = make_batch(*SIZES[size], dense)
    keys = [f"k{i}" for i in range(SIZES[size][0])]

    def put(partition):
        client.put(data, client.kv_retrieve_meta(keys=keys, partition_id=partition, create=True))

    def get(partition):
        return client.get_data(client.kv_retrieve_meta(keys=keys, partition_id=partition, create=False))

    calls = {"put": put} if put_only else {"put": put, "get": get}
    seconds = {name: [] for name in (*calls, "clear")}
    cpu = {name: [] for name in calls}
    for run in range(runs + 1):
        partition = f"{size}_{run}"
        got = None
        for name, call in calls.items():
            elapsed, busy, got = timed(lambda: call(partition))
            seconds[name].append(elapsed)
            cpu[name].append(busy)
        if not put_only:
            check_equal(data, got)
        del got
        seconds["clear"].append(timed(lambda: client.clear_partition(partition))[0])
    median = {name: statistics.median(values[1:]) for name, values in seconds.items()}
    gbit = total * 8 / 1e9
    return {
        "size": size, "MB": round(total / 1e6, 3), "runs": runs,
        **{f"{name}_gbps": round(gbit / median[name], 3) for name in calls},
        **{f"{name}_s": round(value, 5) for name, value in median.items()},
        **{f"{name}_client_cpu_s": round(statistics.median(values[1:]), 5) for name, values in cpu.items()},
    }


def print_row(*cells: str) -> None:
    name, shape, *numbers = cells
    print(f"  {name:<7} {shape:<18} " + " ".join(f"{number:>11}" for number in numbers), flush=True)


def print_result(result: dict) -> None:
    shape = " x ".join(str(n) for n in SIZES[result["size"]])
    print_row(
        result["size"], shape, f"{result['MB']:,.2f} MB",
        f"{result['put_s'] * 1e3:,.1f} ms", f"{result['put_gbps']:.2f} Gbit/s",
        f"{result['get_s'] * 1e3:,.1f} ms", f"{result['get_gbps']:.2f} Gbit/s",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--controller", required=True, help="address file of the controller")
    parser.add_argument("--storage", nargs="+", required=True, help="address files of the storage units, in order")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=["debug", "tiny", "small"])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--dense", action="store_true", help="every column dense")
    parser.add_argument("--put-only", action="store_true", help="with --json, on units that keep nothing")
    parser.add_argument("--json", action="store_true", help="one JSON line a size in place of the table")
    args = parser.parse_args()
    if args.put_only and not args.json:
        parser.error("--put-only goes with --json")
    logging.disable(logging.WARNING)

    client = connect(args.controller, args.storage, client_id="put_get")
    if not args.json:
        print_row("size", "rows x len x cols", "tensors", "PUT", "", "GET", "")
    for size in args.sizes:
        result = measure(client, size, args.runs, args.dense, args.put_only)
        if args.json:
            print(json.dumps(result), flush=True)
        else:
            print_result(result)


if __name__ == "__main__":
    main()
