# SPDX-License-Identifier: Apache-2.0
"""Units that keep large rows on an SSD: an unmodified Python client cannot tell, files come and go, disks fill up.

What Python 0.1.11 does is asked of its own HybridStorageUnitData.
"""

import re
import resource
import signal
import uuid
from pathlib import Path

import numpy as np
import pytest
import torch
from columns import COLUMNS, ROWS
from compare import assert_same
from expectation import ALL, play, python_says
from nodes import NEWEST
from peer_client import connect
from raw import RawPeer
from tensordict import TensorDict
from test_config import settings, upstream_with
from transfer_queue.storage.simple_storage import HybridStorageUnitData

KIB, MIB = 1 << 10, 1 << 20
SECONDS = 30
NAMES = [name for name in COLUMNS if name != "numpy records"]  # which C++ nodes refuse


@pytest.fixture
def disk(tmp_path):
    return tmp_path / "ssd"


@pytest.fixture
def offloading(start, disk):
    """start() of C++ nodes that keep rows from a size on below the folder `disk`."""

    def run(threshold: int, units: int = 1):
        env = {"TQ_SSD_PATH": str(disk), "TQ_SSD_THRESHOLD_BYTES": str(threshold)}
        return start(units=("cpp",) * units, env=env)

    return run


def files(disk: Path) -> list[Path]:
    return sorted(path for path in disk.glob("transfer_queue_ssd_offload/*/*/*") if path.suffix == ".seg")


class Unit:
    """What one unit tells of itself."""

    def __init__(self, cluster, number: int = 0):
        self.peer = RawPeer(cluster.address(cluster.units[number], "put_get_socket"))

    def ask(self, kind: str, body: dict) -> dict:
        self.peer.send(kind, body)
        return self.answer()[1]

    def answer(self) -> tuple[str, dict]:
        reply = self.peer.receive(SECONDS)
        assert reply is not None
        return reply

    def ssd(self) -> tuple[int, int, int]:
        told = self.ask("GET_METRICS", {})
        assert told["ssd_offload_enabled"] == 1
        return told["ssd_active_values"], told["ssd_active_bytes"], told["ssd_fallback_values_total"]

    def done(self) -> None:
        """What is to be removed is: it is done before the next write."""
        self.ask("PUT", {"global_indexes": [10**6], "data": {"chores": torch.zeros(1, MIB, dtype=torch.uint8)}})
        self.ask("CLEAR_DATA", {"global_indexes": [10**6]})
        self.ask("PUT", {"global_indexes": [10**6], "data": {"chores": torch.zeros(1, MIB, dtype=torch.uint8)}})


def put(client, column, name: str, keys: list[str]) -> None:
    data = TensorDict({name: column}, batch_size=[len(keys)])
    client.put(data, client.kv_retrieve_meta(keys=keys, partition_id="p", create=True))


def get(client, keys: list[str], name: str):
    meta = client.kv_retrieve_meta(keys=keys, partition_id="p")
    return client.get_data(meta.select_fields([name]))[name]


@pytest.mark.parametrize("threshold", [1, 100, 4 * KIB])
def test_a_client_cannot_tell_where_rows_lie(disk, threshold):
    env = {"TQ_SSD_PATH": str(disk), "TQ_SSD_THRESHOLD_BYTES": str(threshold)}
    assert_same(python_says(NEWEST), play("cpp", ("cpp", "cpp"), NEWEST, ALL, env))
    assert list((disk / "transfer_queue_ssd_offload").iterdir()) == []


def test_files_come_and_go_with_their_rows(offloading, disk):
    cluster = offloading(1, units=2)
    client = connect(*cluster.addresses())
    keys = [f"k{i}" for i in range(ROWS)]
    for name in NAMES:
        column = COLUMNS[name]()
        client.put(TensorDict({name: column}, batch_size=[ROWS]),
                   client.kv_retrieve_meta(keys=keys, partition_id=name, create=True))
    assert len(files(disk)) > len(NAMES)
    units = [Unit(cluster, i) for i in range(2)]
    assert all(unit.ssd()[0] > len(NAMES) and unit.ssd()[2] == 0 for unit in units)
    for name in NAMES:
        client.clear_samples(client.kv_retrieve_meta(keys=keys, partition_id=name))
    for unit in units:
        assert unit.ssd() == (0, 0, 0)
        unit.done()
    assert len(files(disk)) == 2
    cluster.nodes[0].stop()
    assert list((disk / "transfer_queue_ssd_offload").iterdir()) == []


FIELDS = {
    "dense": lambda: torch.arange(4 * 1024.0).reshape(4, 1024),
    "bfloat16": lambda: torch.ones(4, 2048).to(torch.bfloat16),
    "just below": lambda: torch.zeros(4, 4095, dtype=torch.uint8),
    "ragged": lambda: [torch.arange(n) for n in (511, 512, 513, 5000)],
    "numpy": lambda: [np.ones(1024, np.float32), np.ones(3), np.ones((80, 80)), np.zeros(4096, np.int8)],
    "bytes": lambda: [b"x" * 5000, b"", b"y" * 100, b"z" * 9000],
}


def test_values_and_folders_are_counted_and_named_as_python_does(offloading, disk, tmp_path):
    cluster = offloading(4 * KIB)
    ours = Unit(cluster)
    python = HybridStorageUnitData(None, str(tmp_path / "python"), uuid.uuid4().hex, "TQ_STORAGE_UNIT_x", 4 * KIB)
    for name, column in FIELDS.items():
        python.put_data({name: column()}, [1, 2, 3, 4])
        assert ours.ask("PUT", {"global_indexes": [1, 2, 3, 4], "data": {name: column()}}) == {}
        assert ours.ssd()[0] == python.ssd_active_values, name
        if name in ("dense", "bfloat16", "just below", "ragged"):
            assert ours.ssd()[1] == python.ssd_active_bytes, name
        got = ours.ask("GET", {"fields": [name], "global_indexes": [4, 1, 4]})["data"][name]
        want = python.get_data([name], [4, 1, 4])[name]
        assert all(torch.equal(torch.as_tensor(a), torch.as_tensor(b)) if not isinstance(b, bytes) else a == b
                   for a, b in zip(got, want, strict=True)), name
    for overwritten in (torch.ones(2, 2), torch.ones(2, 4096)):
        python.put_data({"dense": overwritten}, [1, 2])
        ours.ask("PUT", {"global_indexes": [1, 2], "data": {"dense": overwritten}})
        assert ours.ssd()[0] == python.ssd_active_values
    python.clear([2, 3])
    ours.ask("CLEAR_DATA", {"global_indexes": [2, 3]})
    assert ours.ssd()[0] == python.ssd_active_values
    theirs = {path.relative_to(tmp_path / "python").parts for path in (tmp_path / "python").glob("*/*/*")}
    [(root, run, unit)] = {path.relative_to(disk).parts for path in disk.glob("*/*/*") if path.is_dir()}
    [(their_root, their_run, their_unit)] = theirs
    shape = re.compile(r"[0-9a-f]{32}")
    assert root == their_root and shape.fullmatch(run) and shape.fullmatch(their_run)
    assert re.fullmatch(r"TQ_STORAGE_UNIT_[0-9a-f]{8}", unit)
    python.close()


def test_a_small_put_overtakes_a_large_one(offloading):
    """The large one is 300 MB to be written, the small one a row that is in memory."""
    unit = Unit(offloading(MIB))
    large = torch.zeros(30, 10_000_000, dtype=torch.uint8)
    unit.peer.send("PUT", {"global_indexes": list(range(30)), "data": {"x": large}})
    unit.peer.send("PUT", {"global_indexes": [100], "data": {"y": torch.ones(1, 2)}})
    unit.peer.send("GET", {"fields": ["nothing"], "global_indexes": [100]})
    assert [unit.answer()[0] for _ in range(3)] == ["PUT_DATA_RESPONSE", "GET_ERROR", "PUT_DATA_RESPONSE"]
    unit.peer.send("GET", {"fields": ["x"], "global_indexes": list(range(30))})
    unit.peer.send("GET", {"fields": ["y"], "global_indexes": [100]})
    small, large_again = unit.answer()[1]["data"], unit.answer()[1]["data"]
    assert list(small) == ["y"] and all(torch.equal(row, large[0]) for row in large_again["x"])


def test_a_full_disk_keeps_rows_in_memory(offloading, disk):
    cluster = offloading(4 * KIB)
    client, unit = connect(*cluster.addresses()), Unit(cluster)
    rows = torch.arange(4 * MIB).reshape(4, MIB)
    put(client, rows, "before", ["a", "b", "c", "d"])
    # What a full disk says, for a file system of one's own needs root.
    resource.prlimit(cluster.nodes[0].process.pid, resource.RLIMIT_FSIZE, (MIB, resource.RLIM_INFINITY))
    for name in ("x", "y"):
        put(client, rows, name, ["a", "b", "c", "d"])
    assert unit.ssd() == (4, rows.nbytes, 8) and len(files(disk)) == 1
    resource.prlimit(cluster.nodes[0].process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    put(client, rows, "after", ["a", "b", "c", "d"])
    assert unit.ssd() == (8, 2 * rows.nbytes, 8)
    for name in ("before", "x", "y", "after"):
        got = get(client, ["d", "a", "b", "c"], name)  # of large rows, a nested tensor
        assert torch.equal(torch.stack(got.unbind()), rows[[3, 0, 1, 2]])
    lines = cluster.nodes[0].log.read_text()
    assert lines.count("stay in memory") == 1 and "File too large" in lines and str(disk) in lines


def test_memory_is_not_what_lies_on_the_disk(offloading):
    cluster = offloading(MIB)
    client, unit = connect(*cluster.addresses()), Unit(cluster)
    for i in range(8):
        put(client, torch.full((8, 4 * MIB), i, dtype=torch.uint8), "x", [f"{i}-{j}" for j in range(8)])
    assert unit.ssd() == (64, 256 * MIB, 0)
    client.close()
    told = unit.ask("GET_METRICS", {})
    assert told["process_rss_bytes"] < 256 * MIB


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_what_a_node_leaves_behind(offloading, disk, how):
    cluster = offloading(4 * KIB)
    client = connect(*cluster.addresses())
    put(client, torch.zeros(2, MIB), "x", ["a", "b"])
    assert len(files(disk)) == 1
    cluster.nodes[0].process.send_signal(how)
    cluster.nodes[0].process.wait(timeout=SECONDS)
    assert len(files(disk)) == (1 if how == signal.SIGKILL else 0)
    offloading(4 * KIB)
    assert files(disk) == []
    assert len(list(disk.glob("transfer_queue_ssd_offload/*/*"))) == 1


def test_a_link_in_its_place_ends_the_start_with_a_sentence(offloading, disk, tmp_path):
    disk.mkdir()
    (disk / "transfer_queue_ssd_offload").symlink_to(tmp_path)
    with pytest.raises(AssertionError, match="must be a folder, not a link"):
        offloading(4 * KIB)


def test_upstreams_file_says_the_same(tmp_path):
    prefix = "backend__SimpleStorage__ssd_offload__"
    off = settings("--config", upstream_with(tmp_path, **{prefix + "path": "/ssd"}))
    assert off["ssd-path"]["value"] == "-" and "default" in off["ssd-path"]["from"]
    on = upstream_with(tmp_path, **{prefix + "path": "/ssd", prefix + "enabled": True, prefix + "threshold_bytes": 4096})
    for command in ("up", "storage"):
        shown = settings("--config", on, command=command)
        assert shown["ssd-path"]["value"] == "/ssd" and shown["ssd-threshold-bytes"]["value"] == "4096"
        assert shown["ssd-path"]["variable"] == "TQ_SSD_PATH"
