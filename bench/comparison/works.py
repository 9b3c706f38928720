# SPDX-License-Identifier: Apache-2.0
"""The works that are compared. One run() is one round: Python's figures first, then ours, name by name."""

import os
import re
import statistics
import subprocess
from dataclasses import dataclass, field
from typing import Callable

from .nodes import PYTHON, ROOT, TQ, WORKLOADS, Nodes, cpu_seconds, run_json

RUNS = 5  # measured runs of a size within one round
TURNS_OF_UNITS = 4  # of two units and eight within one round


@dataclass
class Figure:
    """One figure of one round. `theirs` is what it is compared with, if anything."""

    name: str
    unit: str
    ours: float
    theirs: float | None = None
    goal: float | None = None  # of the ratio ours / theirs; of our own figure where `absolute`
    more_is_better: bool = True
    absolute: bool = False


@dataclass
class Work:
    name: str
    says: str
    run: Callable[[], list[Figure]]
    notes: list[str] = field(default_factory=list)


def _bandwidth(nodes: Nodes, size: str, *flags: str) -> dict:
    runs = RUNS if size != "debug" else 20 * RUNS
    return run_json([TQ, "bench", "bandwidth", "--info-dir", nodes.folder, "--size", size, "--runs", runs, "--json", *flags])[0]


def _put_get(nodes: Nodes, size: str, *flags: str) -> dict:
    command = [PYTHON, ROOT / "bench/python/put_get.py", *nodes.addresses(), "--sizes", size, "--runs", RUNS, "--json", *flags]
    return run_json(command)[0]


def _transfer(label: str, theirs: dict, ours: dict, put_goal: float, get_goal: float | None) -> list[Figure]:
    return [Figure(f"{label} {verb.upper()}", "Gbit/s", ours[f"{verb}_gbps"], theirs[f"{verb}_gbps"], goal)
            for verb, goal in (("put", put_goal), ("get", get_goal))]


def _all_cpp(sizes: dict[str, tuple[float, float]], *flags: str) -> list[Figure]:
    figures = []
    for size, (put_goal, get_goal) in sizes.items():
        with Nodes("python") as nodes:
            theirs = _put_get(nodes, size, *flags)
        with Nodes("cpp") as nodes:
            ours = _bandwidth(nodes, size, *flags)
        figures += _transfer(" ".join([size, *(flag.strip("-") for flag in flags)]), theirs, ours, put_goal, get_goal)
    return figures


def _python_client() -> list[Figure]:
    goals = {"debug": (0.95, 0.95), "tiny": (0.95, 0.95), "small": (1.3, 1.3), "medium": (1.25, 0.95)}
    figures = []
    for size, (put_goal, get_goal) in goals.items():
        measured = {}
        for kind in ("python", "cpp"):
            with Nodes(kind) as nodes:
                _put_get(nodes, size)  # what a machine takes to find memory for the first time is not theirs
                before = nodes.cpu_seconds()
                line = _put_get(nodes, size)
                gigabytes = 2 * line["MB"] * (RUNS + 1) / 1e3  # each byte comes and goes
                measured[kind] = line, (nodes.cpu_seconds() - before) / gigabytes, nodes.peak_bytes()
        figures += _transfer(f"{size}, Python client", measured["python"][0], measured["cpp"][0], put_goal, get_goal)
        if size in ("small", "medium"):
            figures += _put_to_less(size, measured["python"][0])
            figures += [Figure(f"{size}, CPU the client itself needs for a {verb.upper()}", "s of a s", *(
                            measured[kind][0][f"{verb}_client_cpu_s"] / measured[kind][0][f"{verb}_s"] for kind in ("cpp", "python")),
                               None, False) for verb in ("put", "get")]
            figures.append(Figure(f"{size}, CPU of the nodes", "s/GB", measured["cpp"][1], measured["python"][1], 0.5, False))
            figures.append(Figure(f"{size}, peak memory of the nodes", "MB", measured["cpp"][2] / 1e6, measured["python"][2] / 1e6,
                                  None, False))
    return figures


def _put_to_less(size: str, theirs: dict) -> list[Figure]:
    """What the client reaches where units do less than any that stores: no other can give it more."""
    figures = []
    for kind, says in (("receive", "units that only receive"), ("sink", "units that throw away")):
        with Nodes(kind) as nodes:
            _put_get(nodes, size, "--put-only")
            bound = _put_get(nodes, size, "--put-only")
        figures.append(Figure(f"{size}, Python client PUT, {says}", "Gbit/s", bound["put_gbps"], theirs["put_gbps"]))
    return figures


def _bare_zmq() -> list[Figure]:
    warm = {**os.environ, "MIMALLOC_LARGE_OS_PAGES": "1", "MIMALLOC_DECOMMIT_DELAY": "10000", "MIMALLOC_SEGMENT_DECOMMIT_DELAY": "10000"}
    best = 0.0
    for kib in (64, 512, 4096, 32768, 204800):
        out = subprocess.run([str(ROOT / "build/release/bin/zmq_limit"), str(kib)], capture_output=True, text=True, check=True,
                             env=warm).stdout
        best = max(best, float(re.search(r"rest ([\d.]+)", out).group(1)))
    with Nodes("cpp") as nodes:
        rows = _bandwidth(nodes, "medium", "--dense", "--rows")
        gathered = _bandwidth(nodes, "medium", "--dense")
    return [
        Figure("PUT medium / bare libzmq", "Gbit/s", gathered["put_gbps"], best, 0.85),
        Figure("GET medium by rows / bare libzmq", "Gbit/s", rows["get_gbps"], best, 0.85),
        Figure("GET medium gathered / bare libzmq", "Gbit/s", gathered["get_gbps"], best, 0.6),
    ]


def _workload(nodes: Nodes, *args) -> dict:
    return run_json([WORKLOADS, "--info-dir", nodes.folder, *args])[0]


def _small() -> list[Figure]:
    with Nodes("python") as nodes:
        theirs = run_json([PYTHON, ROOT / "bench/python/control.py", *nodes.addresses(), "--keys", "1024"])[0]
    with Nodes("cpp") as nodes:
        ours = _workload(nodes, "latency", "--count", 3000)
        writers = _workload(nodes, "writers", "--threads", 8, "--seconds", 5)
    return [
        Figure("kv_put of one key, 1 KiB, p50", "us", ours["put_p50_us"], theirs["kv_put_1KiB_p50"] * 1e3, 250, False, True),
        Figure("look-up of one key, p50", "us", ours["look_up_p50_us"], theirs["look_up_one_p50"] * 1e3, 60, False, True),
        Figure("8 threads, one client, 1 KiB puts", "puts/s", writers["puts_per_s"], None, 10_000, True, True),
    ]


def _load() -> list[Figure]:
    measured = {}
    for kind in ("python", "cpp"):
        with Nodes(kind) as nodes:
            command = [PYTHON, ROOT / "bench/python/load.py", *nodes.addresses(), "--samples", 2000]
            measured[kind] = run_json(command)[0]
    with Nodes("cpp") as nodes:
        twin = _workload(nodes, "load", "--threads", 8, "--samples", 1000, "--seconds", 5)
    theirs = measured["python"]["puts_per_s"]
    return [
        Figure("trainer's load, Python writers", "puts/s", measured["cpp"]["puts_per_s"], theirs, 1.5),
        Figure("trainer's load, CPU of the Python writers themselves", "ms a put", measured["cpp"]["writers_cpu_ms_a_put"],
               measured["python"]["writers_cpu_ms_a_put"], None, False),
        Figure("trainer's load, cores that the Python writers keep busy", "cores", measured["cpp"]["writers_cpus"],
               measured["python"]["writers_cpus"], None, False),
        Figure("trainer's load, C++ writers", "puts/s", twin["puts_per_s"], theirs, 10),
    ]


def _many_units() -> list[Figure]:
    """In turn, several times a round: they differ by less than the machine's memory does from one second to the next."""
    kinds = {"2 units": (2, False), "8 units in one process": (8, False), "8 units in 8 processes": (8, True)}
    measured = {kind: [] for kind in kinds}
    for _ in range(TURNS_OF_UNITS):
        for kind, (units, processes) in kinds.items():
            with Nodes("cpp", units=units, processes=processes) as nodes:
                measured[kind].append(_bandwidth(nodes, "medium"))
    median = {(kind, verb): statistics.median(line[f"{verb}_gbps"] for line in lines)
              for kind, lines in measured.items() for verb in ("put", "get")}
    two, *eights = kinds
    return [Figure(f"{eight} / {two}, {verb.upper()}", "Gbit/s", median[eight, verb], median[two, verb], 0.9)
            for eight in eights for verb in ("put", "get")]


def _many_keys() -> list[Figure]:
    with Nodes("cpp") as nodes:
        few = _workload(nodes, "keys", "--count", 1024)
    with Nodes("cpp") as nodes:
        before = nodes.resident_bytes()
        many = _workload(nodes, "keys", "--count", 1_000_000)
        nodes.wait_idle()
        grown = nodes.resident_bytes() - before
    return [
        Figure("register 1 M keys, memory never touched before", "M keys/s", 1 / many["register_first_s"], None, None, True, True),
        Figure("register 1 M keys", "M keys/s", 1 / many["register_s"], None, 1, True, True),
        Figure("kv_list of 1 M keys", "s", many["list_s"], None, 1.5, False, True),
        Figure("fetch 256 of 1,024 samples, p50", "ms", few["fetch_256_p50_us"] / 1e3, None, 1, False, True),
        Figure("fetch 256 of 1 M samples, p50", "ms", many["fetch_256_p50_us"] / 1e3, None, 1, False, True),
        Figure("fetch 256, 1 M samples / 1,024", "ms", many["fetch_256_p50_us"] / 1e3, few["fetch_256_p50_us"] / 1e3, None, False),
        Figure("memory of the nodes, 1 M keys of 16 bytes and 4 fields", "bytes/sample", grown / 1e6, None, 300, False, True),
    ]


def _beside_large() -> list[Figure]:
    with Nodes("cpp") as nodes:
        line = _workload(nodes, "mixed", "--count", 1000, "--batch-bytes", 1_600_000_000)
        sweep = _workload(nodes, "rows")
    figures = [Figure("1 KiB put while 1.6 GB are put, p99", "ms", line["put_p99_us"] / 1e3, None, 20, False, True)]
    for row_bytes, rates in sweep.items():
        figures += [Figure(f"rows of {int(row_bytes) // 1024} KiB {verb.upper()}", "Gbit/s", rates[f"{verb}_gbps"]) for verb in ("put", "get")]
    return figures


def _waiting() -> list[Figure]:
    """Waiting at the controller against asking it again every so many milliseconds."""
    measured = {}
    for work in ("fetch-waiting", "watch-waiting"):
        for every_ms in (0, 1, 10, 100):
            count = 300 if every_ms < 100 else 100
            with Nodes("cpp", processes=True) as nodes:
                line = _workload(nodes, work, "--count", count, "--every-ms", every_ms)
                measured[work, every_ms] = {**line, "cpu_ms": cpu_seconds(nodes.running[0].pid) * 1e3 / count}
    figures = []
    for work, says in (("fetch-waiting", "get_meta of one sample"), ("watch-waiting", "changes among 10,000 keys")):
        ours = measured[work, 0]
        for every_ms in (1, 10, 100):
            theirs = measured[work, every_ms]
            for what, unit, key, factor in (("late by, p50", "ms", "late_p50_us", 1e-3), ("late by, p99", "ms", "late_p99_us", 1e-3),
                                            ("requests", "each", "requests_each", 1), ("CPU of the controller", "ms each", "cpu_ms", 1)):
                figures.append(Figure(f"{says}, {what}: waiting / every {every_ms} ms", unit, ours[key] * factor, theirs[key] * factor,
                                      None, False))
    return figures


ALL = [
    Work("cpp", "C++ client and nodes against all Python, both ending with contiguous columns",
         lambda: _all_cpp({"debug": (10, 10), "tiny": (10, 10), "medium": (2, 2)})),
    Work("cpp-dense", "the same, every column dense", lambda: _all_cpp({"medium": (3, 2.5)}, "--dense")),
    Work("zmq", "medium against bare libzmq at its best frame size", _bare_zmq),
    Work("python-client", "an unmodified Python client on C++ nodes against Python nodes", _python_client),
    Work("small", "single keys", _small),
    Work("load", "the load of a trainer", _load),
    Work("keys", "a partition of a million keys", _many_keys),
    Work("units", "eight units against two", _many_units),
    Work("beside", "small beside large, and rows of all sizes", _beside_large),
    Work("waiting", "waiting at the controller against polling it", _waiting),
]
