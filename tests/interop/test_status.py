# SPDX-License-Identifier: Apache-2.0
"""tq status: what it shows of C++ and Python nodes equals what was put, read and asked; what is gone is told."""

import json
import os
import pty
import select
import signal
import subprocess

import pytest
import torch
from nodes import NEWEST, spawn, tq_binary
from parts import Parts
from peer_client import connect
from tensordict import TensorDict

AT_ONCE = 20
OK, USAGE, UNREACHABLE, NOT_FOUND = 0, 2, 3, 4


def status(folder, *args, want: int = OK) -> str:
    got = subprocess.run([tq_binary(), "status", "--info-dir", folder, *map(str, args)], capture_output=True, text=True,
                         timeout=AT_ONCE)
    assert got.returncode == want, got.stderr
    return got.stdout


def story(client, partition: str = "train") -> None:
    """Five samples, four of them with field x of three floats, two of these consumed by task t."""
    keys = [f"k{i}" for i in range(4)]
    meta = client.kv_retrieve_meta(keys=keys, partition_id=partition, create=True)
    client.put(TensorDict({"x": torch.ones(4, 3)}, batch_size=[4]), meta)
    client.kv_retrieve_meta(keys=["late"], partition_id=partition, create=True)
    client.get_meta(data_fields=["x"], batch_size=2, partition_id=partition, task_name="t")


def test_as_json(cpp_nodes):
    story(connect(*cpp_nodes.addresses()), "json")
    seen = json.loads(status(cpp_nodes.controller.parent, "--json"))
    assert seen["partitions"]["json"] == {
        "samples": 5, "fields": {"x": {"ready": 4, "bytes": 4 * 3 * 4}}, "tasks": {"t": {"consumed": 2}}}
    controller, *units = seen["nodes"]
    version = subprocess.run([tq_binary(), "--version"], capture_output=True, text=True).stdout.split()[-1]
    for node, path in zip(seen["nodes"], [cpp_nodes.controller, *cpp_nodes.units]):
        record = json.loads(path.read_text())
        assert node["id"] == record["id"] and node["answers"] and node["version"] == f"C++ {version}"
        assert node["memory_rss_bytes"] > 1 << 20 and node["uptime_s"] >= 0
    assert controller["waiting_requests"] == 0 and controller["requests"] > 4
    assert sum(unit["samples"] for unit in units) == 4
    assert sum(unit["stored_bytes"] for unit in units) == 4 * 3 * 4
    assert all(unit["received_bytes"] > 0 for unit in units)


def columns(line: str) -> list[str]:
    return line.split()


def test_as_a_table(cpp_nodes):
    story(connect(*cpp_nodes.addresses()), "a partition with a long name")
    nodes, partitions, tasks = status(cpp_nodes.controller.parent).split("\n\n")
    header, *rows = nodes.splitlines()
    assert columns(header)[:3] == ["node", "address", "version"] and len(rows) == 3
    # Every column begins or ends where its title does.
    assert {row.index("C++") for row in rows} == {header.index("version")}
    assert {len(row) for row in rows} == {len(header)}
    line = next(line for line in partitions.splitlines() if line.startswith("a partition"))
    assert columns(line)[-6:] == ["5", "x", "4", "80", "%", "48"] or columns(line)[-7:] == ["5", "x", "4", "80", "%", "48", "B"]
    line = next(line for line in tasks.splitlines() if line.startswith("a partition"))
    assert columns(line)[-4:] == ["t", "2", "40", "%"]


def test_python_nodes(start):
    """They cannot list their tasks, so those are asked for that are named."""
    cluster = start(NEWEST, (NEWEST, "cpp"))
    story(connect(*cluster.addresses()))
    seen = json.loads(status(cluster.controller.parent, "--json", "--task", "t"))
    assert seen["partitions"]["train"] == {"samples": 5, "fields": {"x": {"ready": 4}}, "tasks": {"t": {"consumed": 2}}}
    assert [node["version"].split()[0] for node in seen["nodes"]] == ["Python", "Python", "C++"]
    assert seen["nodes"][0]["version"] == f"Python {NEWEST}"
    assert sum(node["samples"] for node in seen["nodes"][1:]) == 4


def test_what_is_gone_is_told_beside_the_rest(tmp_path):
    parts = Parts(tmp_path / "parts")
    try:
        gone = parts.address(0)["id"]
        parts.nodes[0].process.kill()
        parts.nodes[0].process.wait()
        seen = json.loads(status(tmp_path / "parts", "--json", "--deadline", 2, want=UNREACHABLE))
        assert [node["answers"] for node in seen["nodes"]] == [True, False, True]
        assert gone in seen["nodes"][1]["problem"]
        text = status(tmp_path / "parts", "--deadline", 2, want=UNREACHABLE)
        assert "no answer" in text and f"! storage unit {gone}" in text
    finally:
        parts.stop()


def test_nothing_there(tmp_path):
    got = subprocess.run([tq_binary(), "status", "--info-dir", tmp_path / "none"], capture_output=True, text=True)
    assert got.returncode == NOT_FOUND and len(got.stderr.splitlines()) == 1 and str(tmp_path / "none") in got.stderr


def next_object(stream) -> dict:
    """The next JSON object of a stream of them."""
    text = ""
    while True:
        line = stream.readline()
        assert line, f"it ended: {text}"
        text += line
        if line == "}\n":
            return json.loads(text)


def test_watch_shows_rates(cpp_nodes):
    process = spawn([tq_binary(), "status", "--info-dir", cpp_nodes.controller.parent, "--watch", "--interval", "0.2", "--json"],
                    stdout=subprocess.PIPE, text=True)
    first = next_object(process.stdout)
    assert "rates" not in first["nodes"][0]
    client = connect(*cpp_nodes.addresses())
    for _ in range(50):
        client.kv_retrieve_meta(keys=["k"], partition_id="watch", create=True)
        seen = next_object(process.stdout)
        if seen["nodes"][0]["rates"]["requests_per_s"] > 0:
            break
    assert seen["nodes"][0]["rates"]["requests_per_s"] > 0
    process.send_signal(signal.SIGTERM)
    process.stdout.read()
    assert process.wait(timeout=AT_ONCE) == OK


def test_watch_refreshes_in_place_on_a_terminal(cpp_nodes):
    main, terminal = pty.openpty()
    process = spawn([tq_binary(), "status", "--info-dir", cpp_nodes.controller.parent, "--watch", "--interval", "0.1"],
                    stdout=terminal)
    os.close(terminal)
    seen = b""
    while seen.count(b"\033[H\033[2J") < 3:
        readable, _, _ = select.select([main], [], [], AT_ONCE)
        assert readable, seen
        seen += os.read(main, 65536)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=AT_ONCE) == OK
    os.close(main)
    assert b"/s" in seen


@pytest.mark.parametrize("args", [["--interval", "-1", "--watch"], ["--interval", "x", "--watch"], ["--interval", "1"], ["--deadline", "0"]])
def test_wrong_words(cpp_nodes, args):
    got = subprocess.run([tq_binary(), "status", "--info-dir", cpp_nodes.controller.parent, *args], capture_output=True,
                         text=True, timeout=AT_ONCE)
    assert got.returncode == USAGE and args[0] in got.stderr
