# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: Python clients and the C++ client save and load on C++ nodes, on Python nodes and on both."""

import json
from pathlib import Path

import pytest
import torch
from checkpoints import KEYS, TRAIN, Python, join, kill, put, rows_of, written
from cpp_client import ClientError
from nodes import NEWEST
from raw import RawPeer


@pytest.mark.parametrize("kind", ["0.1.9", NEWEST])
def test_python_clients_save_and_load_on_new_nodes(rooted, root, kind):
    nodes = rooted()
    python = Python(nodes, root / "step-7", kind)
    assert python("fill") > 40
    python("save")
    python("save")  # over the one that is there
    before = python("state")
    expected = python("go on")
    kill(nodes)
    python.end()
    assert sorted(p.name for p in root.iterdir()) == ["step-7"]
    assert json.loads((root / "step-7/metadata.json").read_text())["user_metadata"] == {"step": 7}
    (root / "step-7").rename(root / "renamed")
    fresh = rooted()
    python = Python(fresh, root / "renamed", kind)
    python("load")
    assert python("state") == before
    assert python("go on") == expected
    python.end()


def test_python_and_cpp_clients_load_what_the_other_saved(rooted, root):
    nodes = rooted()
    python, cpp = Python(nodes, root / "a"), join(nodes)
    python("fill")
    before = python("state")
    python("save")
    cpp("save_checkpoint", folder=str(root / "b"), metadata={"step": 8})
    kill(nodes)
    python.end()
    fresh = rooted()
    python, cpp = Python(fresh, root / "b"), join(fresh)
    assert cpp("load_checkpoint", folder=str(root / "a")) == {"step": 7}
    assert python("state") == before
    put(cpp, ["stray"], torch.zeros(1, 2), "stray")
    python("load")
    assert python("state") == before
    assert cpp("load_checkpoint", folder=str(root / "b")) == {"step": 8}
    python.end()


@pytest.mark.parametrize("units", [1, 3])
def test_another_number_of_units(rooted, root, units):
    nodes = rooted()
    python, cpp = Python(nodes, root / "a"), join(nodes)
    python("fill")
    before = python("state")
    cpp("save_checkpoint", folder=str(root / "a"))
    kill(nodes)
    python.end()
    fresh = rooted("cpp", ("cpp",) * units)
    python, cpp = Python(fresh, root / "a"), join(fresh)
    with pytest.raises(RuntimeError, match="count mismatch"):  # Python's client wants the same number
        python("load")
    cpp("load_checkpoint", folder=str(root / "a"))
    assert python("state") == before
    cpp("save_checkpoint", folder=str(root / "b"))
    cpp("load_checkpoint", folder=str(root / "b"))
    python.end()


def test_nodes_of_python(start, rooted, root):
    """The C++ client on Python's nodes; and what each kind of node says to the other's files."""
    python_nodes = start(NEWEST, (NEWEST, NEWEST))
    client = join(python_nodes)
    put(client, TRAIN, torch.arange(16).reshape(8, 2))
    before = rows_of(client, TRAIN)
    client("save_checkpoint", folder=str(root / "python"), metadata={"a": 1})
    client("clear", keys=TRAIN, partition="train")
    assert client("load_checkpoint", folder=str(root / "python")) == {"a": 1}
    assert rows_of(client, TRAIN) == before

    ours = join(rooted())
    put(ours, TRAIN, torch.arange(16).reshape(8, 2) + 1)
    mine = rows_of(ours, TRAIN)
    with pytest.raises(ClientError, match="load it into Python nodes"):
        ours("load_checkpoint", folder=str(root / "python"))
    with pytest.raises(ClientError, match="load it into Python nodes"):
        ours("load_controller_checkpoint", path=str(root / "python/controller_state.pkl"))
    assert rows_of(ours, TRAIN) == mine
    ours("save_checkpoint", folder=str(root / "ours"))
    sentence = "This is a checkpoint of TransferQueue nodes in C.., load it into such nodes"
    with pytest.raises(ClientError, match=sentence):
        client("load_storage_checkpoint", path=str(root / "ours"))
    with pytest.raises(ClientError, match=sentence):
        client("load_controller_checkpoint", path=str(root / "ours/controller_state.pkl"))
    assert rows_of(client, TRAIN) == before


def test_mixed_nodes(rooted, root):
    nodes = rooted(NEWEST, ("cpp", NEWEST))
    client = join(nodes)
    put(client, TRAIN, torch.arange(16).reshape(8, 2))
    before = rows_of(client, TRAIN)
    client("save_checkpoint", folder=str(root / "a"))
    client("clear", keys=TRAIN, partition="train")
    client("load_checkpoint", folder=str(root / "a"))
    assert rows_of(client, TRAIN) == before


# --- others meanwhile


def replies(peer: RawPeer, count: int) -> list[tuple[str, dict]]:
    answers = [peer.receive(60) for _ in range(count)]
    assert all(answers), answers
    return answers


def endpoint(info: Path, port: str) -> str:
    record = json.loads(info.read_text())
    return f"tcp://{record['ip']}:{record['ports'][port]}"


def test_a_unit_serves_others_while_it_saves(rooted, root):
    """What is asked after the save is answered before it, and a put that comes meanwhile is not saved."""
    nodes = rooted("cpp", ("cpp",))
    client = join(nodes)
    for part in range(4):
        put(client, [f"{part}/{key}" for key in KEYS], torch.ones(64, 1 << 16, dtype=torch.int64) * part, "large")  # 32 MiB
    peer = RawPeer(endpoint(nodes.units[0], "put_get_socket"))
    index = client("look_up", keys=["0/k0"], partition="large")["global_indexes"][0]
    peer.send("SAVE_STORAGE_CHECKPOINT", {"path": str(root / "unit.pkl")})
    peer.send("PUT", {"global_indexes": [4000], "data": {"late": torch.ones(1, 2)}})
    peer.send("GET", {"fields": ["x"], "global_indexes": [index]})
    answers = replies(peer, 3)
    assert [kind for kind, _ in answers] == ["PUT_DATA_RESPONSE", "GET_DATA_RESPONSE", "SAVE_STORAGE_CHECKPOINT_RESPONSE"]
    assert answers[2][1]["success"]
    peer.send("LOAD_STORAGE_CHECKPOINT", {"path": str(root / "unit.pkl")})
    peer.send("GET", {"fields": ["late"], "global_indexes": [4000]})  # from what is there until it is replaced
    answers = replies(peer, 2)
    assert [kind for kind, _ in answers] == ["GET_DATA_RESPONSE", "LOAD_STORAGE_CHECKPOINT_RESPONSE"]
    peer.send("GET", {"fields": ["late"], "global_indexes": [4000]})
    assert replies(peer, 1)[0][0] == "GET_ERROR"
    peer.close()


def test_a_controller_serves_others_while_it_saves(rooted, root):
    nodes = rooted("cpp", ("cpp",))
    peer = RawPeer(endpoint(nodes.controller, "request_handle_socket"))
    peer.send("KV_RETRIEVE_META", {"keys": [f"key-{i}" for i in range(20_000)], "partition_id": "many", "create": True})
    replies(peer, 1)
    peer.send("SAVE_CONTROLLER_CHECKPOINT", {"path": str(root / "controller.pkl")})
    peer.send("KV_RETRIEVE_META", {"keys": ["late"], "partition_id": "other", "create": True})
    peer.send("GET_LIST_PARTITIONS", {})
    answers = replies(peer, 3)
    assert [kind for kind, _ in answers] == [
        "KV_RETRIEVE_META_RESPONSE", "LIST_PARTITIONS_RESPONSE", "SAVE_CONTROLLER_CHECKPOINT_RESPONSE"]
    peer.send("LOAD_CONTROLLER_CHECKPOINT", {"path": str(root / "controller.pkl")})
    assert replies(peer, 1)[0][1]["success"]
    peer.send("GET_LIST_PARTITIONS", {})
    assert replies(peer, 1)[0][1]["partition_ids"] == ["many"]
    peer.close()


# --- memory


def memory_kib(process, name: str) -> int:
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise AssertionError(name)


def test_saving_does_not_double_memory(rooted, root):
    nodes = rooted()
    client = join(nodes)
    for part in range(4):
        put(client, [f"{part}/{key}" for key in KEYS], torch.ones(64, 1 << 16, dtype=torch.int64) * part, "large")  # 32 MiB
    process = nodes.nodes[0].process
    before = memory_kib(process, "VmRSS")
    Path(f"/proc/{process.pid}/clear_refs").write_text("5")  # the peak counts from now
    client("save_checkpoint", folder=str(root / "a"))
    assert memory_kib(process, "VmHWM") < before + (48 << 10)
    assert written(root / "a") > 128 << 20
    fresh = rooted()
    process = fresh.nodes[0].process
    empty = memory_kib(process, "VmRSS")
    join(fresh)("load_checkpoint", folder=str(root / "a"))
    assert memory_kib(process, "VmHWM") < empty + (128 << 10) * 1.5
