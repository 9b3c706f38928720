# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: Python clients and the C++ client save and load on C++ nodes, through crashes, full disks and bad input."""

import json
import os
import resource
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from cpp_client import ClientError, CppClient, dense
from nodes import NEWEST, Client

TRAIN = list("abcdefgh")


class Python:
    """A Python client of any release in a process of its own."""

    def __init__(self, cluster, folder, kind=NEWEST):
        self._client = Client(kind, "checkpoint_client.py", [str(folder), *map(str, flat(cluster.addresses()))])
        self._client.expect("ready")

    def __call__(self, order: str):
        self._client.tell(order)
        line = self._client.process.stdout.readline()
        assert line, self._client.process.stderr.read()[-3000:]
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["ok"]

    def end(self) -> None:
        self._client.finish()


def flat(addresses):
    controller, units = addresses
    return [controller, *units]


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    return folder


@pytest.fixture
def rooted(start, root):
    """start() whose C++ nodes have a checkpoint root."""
    env = {"TQ_CHECKPOINT_ROOT": str(root)}
    return lambda *args, **kwargs: start(*args, **{"env": env, "controller_args": ("--polling",), **kwargs})


def kill(cluster) -> None:
    for node in cluster.nodes:
        node.process.kill()
        node.process.wait()


def join(cluster, **options) -> CppClient:
    return CppClient().join(cluster, **options)


def put(client, keys, column, partition="train", tags=None):
    extra = {"tags": tags} if tags else {}
    client("put", keys=keys, partition=partition, columns=[["x", dense(column)]], **extra)


def rows_of(client, keys, partition="train"):
    return client("get", keys=keys, partition=partition, fields=["x"])


def column_of(client, keys, partition="train"):
    return dict(rows_of(client, keys, partition))["x"]


# --- Python's clients


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


# --- crashes


def written(folder: Path) -> int:
    return sum(entry.stat().st_size for entry in folder.rglob("*") if entry.is_file()) if folder.exists() else 0


def wait_until_written(folder: Path, size: int, client: CppClient, number: int) -> None:
    """Returns as soon as that much is there, or the save has ended."""
    while not client.answered(number):
        try:
            if written(folder) >= size:
                return
        except FileNotFoundError:  # it was renamed meanwhile
            continue


@pytest.fixture
def large():
    return torch.from_numpy(np.random.default_rng(1).integers(0, 2**60, (64, 1 << 14)))  # 8 MiB


KEYS = [f"k{i}" for i in range(64)]


@pytest.mark.parametrize("part", [0.0, 0.3, 0.6, 0.9, 1.0, 2.0])
@pytest.mark.parametrize("who", ["nodes", "client"])
def test_a_crash_leaves_the_old_or_the_new_one(rooted, root, large, who, part):
    nodes, folder = rooted(), root / "ckpt"
    client = join(nodes)
    put(client, ["old"], torch.arange(4).reshape(1, 4))
    client("save_checkpoint", folder=str(folder), metadata={"which": "old"})
    put(client, KEYS, large, "large")
    put(client, ["new"], torch.arange(4).reshape(1, 4))
    number = client.start("save_checkpoint", via="thread", folder=str(folder), metadata={"which": "new"}, deadline_ms=2000)
    wait_until_written(root / "ckpt.tmp", int(part * large.nbytes), client, number)
    if who == "client":
        client.process.kill()
        client.process.wait()
        kill(nodes)
    else:
        kill(nodes)
        try:
            client.wait(number)
        except ClientError as error:
            assert "did not answer" in error.message or "cannot" in error.message, error.message
    fresh = join(rooted())
    which = fresh("load_checkpoint", folder=str(folder))["which"]
    assert which == "new" or part < 2.0  # when more was waited for than there is, it had ended
    listed = {partition: [key for key, _ in entries] for partition, entries in fresh("list")}
    assert listed == {"old": {"train": ["old"]}, "new": {"train": ["old", "new"], "large": KEYS}}[which]
    if which == "new":
        assert column_of(fresh, KEYS, "large") == dense(large)
    fresh("save_checkpoint", folder=str(folder), metadata={"which": "after"})  # over what was left
    assert fresh("load_checkpoint", folder=str(folder)) == {"which": "after"}


def test_python_s_rollback_after_a_crash_between_its_renames(rooted, root):
    client = join(rooted())
    put(client, TRAIN, torch.arange(16).reshape(8, 2))
    client("save_checkpoint", folder=str(root / "ckpt"))
    (root / "ckpt").rename(root / "ckpt.old")
    client("load_checkpoint", folder=str(root / "ckpt"))
    assert column_of(client, TRAIN) == dense(torch.arange(16).reshape(8, 2))


# --- disks


def test_a_full_disk(rooted, root, large):
    nodes = rooted()
    client = join(nodes)
    put(client, ["old"], torch.arange(4).reshape(1, 4))
    client("save_checkpoint", folder=str(root / "ckpt"), metadata={"which": "old"})
    put(client, KEYS, large, "large")
    before = rows_of(client, KEYS, "large")
    for node in nodes.nodes:  # what a full disk says, for a file system of one's own needs root
        resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
    with pytest.raises(ClientError, match="cannot write .*su_[01]_.*: File too large"):
        client("save_checkpoint", folder=str(root / "ckpt"))
    assert sorted(p.name for p in root.iterdir()) == ["ckpt"]
    assert rows_of(client, KEYS, "large") == before
    python = Python(nodes, root / "python")
    with pytest.raises(RuntimeError, match="File too large"):
        python("save")
    python.end()
    assert sorted(p.name for p in root.iterdir()) == ["ckpt"]
    assert client("load_checkpoint", folder=str(root / "ckpt")) == {"which": "old"}


def test_a_folder_that_cannot_be_written(start):
    client = join(start(env={"TQ_CHECKPOINT_ROOT": "/sys"}))
    with pytest.raises(ClientError, match="cannot write /sys/kernel/tq.pkl: "):
        client("save_controller_checkpoint", path="/sys/kernel/tq.pkl")
    with pytest.raises(ClientError, match="cannot create /sys/kernel/tq/simple_storage: "):
        client("save_storage_checkpoint", path="/sys/kernel/tq")


# --- bad input


def test_paths_outside_of_the_root(rooted, root, tmp_path):
    (tmp_path / "outside").mkdir()
    (root / "link").symlink_to(tmp_path / "outside")
    (root / "inside").mkdir()
    (root / "good").symlink_to(root / "inside")
    nodes = rooted()
    client = join(nodes)
    put(client, TRAIN, torch.arange(16).reshape(8, 2))
    for bad in (tmp_path / "outside", root / "../outside", root / "link"):
        with pytest.raises(ClientError, match="does not lie below .*--checkpoint-root"):
            client("save_controller_checkpoint", path=f"{bad}/c.pkl")
        with pytest.raises(ClientError, match="does not lie below .*--checkpoint-root"):
            client("save_storage_checkpoint", path=str(bad))
        with pytest.raises(ClientError, match="does not lie below .*--checkpoint-root"):
            client("load_controller_checkpoint", path=f"{bad}/c.pkl")
    python = Python(nodes, tmp_path / "outside/python")
    with pytest.raises(RuntimeError, match="does not lie below"):
        python("save")
    python.end()
    assert not [p for p in (tmp_path / "outside").rglob("*") if p.is_file()]
    client("save_checkpoint", folder=str(root / "good/ckpt"))  # a link that stays inside
    assert (root / "inside/ckpt/manifest.json").exists()
    client("load_checkpoint", folder=str(root / "inside/../good/ckpt/"))


def test_nodes_without_a_root_refuse(start, root):
    nodes = start()
    python, client = Python(nodes, root / "a"), join(nodes)
    for save in (lambda: python("save"), lambda: client("save_checkpoint", folder=str(root / "a"))):
        with pytest.raises((RuntimeError, ClientError), match=r"start it with --checkpoint-root DIR \(or TQ_CHECKPOINT_ROOT\)"):
            save()
    with pytest.raises(ClientError, match="storage unit .* start it with --checkpoint-root"):
        client("save_storage_checkpoint", path=str(root / "a"))
    assert [p for p in root.rglob("*") if p.is_file()] == []
    python.end()


def damage(folder: Path) -> dict:
    """name -> (what to do to a good checkpoint, what the error says)."""
    unit = sorted((folder / "simple_storage").glob("su_1_*"))[0]
    controller = folder / "controller_state.pkl"

    def flip(path, at=-40):
        data = bytearray(path.read_bytes())
        data[at] ^= 4
        path.write_bytes(data)

    def cut(path):
        path.write_bytes(path.read_bytes()[:-1])

    def exchange():
        other = folder.parent / "other" / "controller_state.pkl"
        shutil.copy(other, controller)

    return {
        "a flipped bit in a unit's file": (lambda: flip(unit), unit.name + ".* damaged"),
        "a flipped bit in the controller's": (lambda: flip(controller), "controller_state.pkl.* damaged"),
        "a unit's file cut off": (lambda: cut(unit), unit.name + ".* damaged"),
        "a unit's file is gone": (unit.unlink, unit.name),
        "the controller's is gone": (controller.unlink, "controller_state.pkl"),
        "the controller's of another checkpoint": (exchange, "controller_state.pkl"),
        "no metadata": ((folder / "metadata.json").unlink, "is no checkpoint: there is no metadata.json"),
        "no list of units": ((folder / "simple_storage/storage_unit_info.json").unlink, "storage_unit_info.json"),
        "a list of units that is none": (
            lambda: (folder / "simple_storage/storage_unit_info.json").write_text('[{"position": 7, "storage_unit_id": "x"}]'),
            "storage_unit_info.json has no unit, or two, at position 7"),
        "a manifest that is none": (lambda: (folder / "manifest.json").write_text("{"), "manifest.json is no JSON"),
        "a manifest of a later release": (
            lambda: (folder / "manifest.json").write_text('{"format": "transfer_queue checkpoint", "version": 2, "files": []}'),
            "manifest.json is of a later release"),
    }


def test_damaged_checkpoints_change_nothing(rooted, root):
    nodes = rooted()
    client = join(nodes)
    put(client, TRAIN, torch.arange(16).reshape(8, 2))
    client("save_checkpoint", folder=str(root / "good"))
    put(client, ["more"], torch.arange(2).reshape(1, 2), tags=[{"a": 1}])
    client("save_checkpoint", folder=str(root / "other"))
    before = [client("list"), rows_of(client, [*TRAIN, "more"])]
    for manifest in (True, False):  # as Python's client saves: without
        for name in damage(root / "good"):
            bad = root / "bad"
            shutil.copytree(root / "good", bad)
            if not manifest:
                (bad / "manifest.json").unlink()
            do, sentence = damage(bad)[name]
            if not manifest and "manifest" in name or not manifest and "of another" in name:
                shutil.rmtree(bad)
                continue
            do()
            with pytest.raises(ClientError, match=sentence):
                client("load_checkpoint", folder=str(bad))
            assert [client("list"), rows_of(client, [*TRAIN, "more"])] == before, name
            shutil.rmtree(bad)
    with pytest.raises(ClientError, match="is no checkpoint"):
        client("load_checkpoint", folder=str(root / "nowhere"))
    with pytest.raises(ClientError, match="metadata of a checkpoint is JSON"):
        client("save_checkpoint", folder=str(root / "x"), metadata={"t": {"$tensor": {"dtype": "int8", "shape": [1], "data": "AA=="}}})
    assert not (root / "x.tmp").exists()


def test_silent_nodes_are_named_and_change_nothing(rooted, root):
    nodes = rooted("cpp", ("cpp", "cpp"))
    client = join(nodes)
    put(client, TRAIN, torch.arange(16).reshape(8, 2))
    client("save_checkpoint", folder=str(root / "a"))
    for node in nodes.nodes:
        os.kill(node.process.pid, signal.SIGSTOP)
    with pytest.raises(ClientError, match="did not answer"):
        client("load_checkpoint", folder=str(root / "a"), deadline_ms=500)
    for node in nodes.nodes:
        os.kill(node.process.pid, signal.SIGCONT)
    client("load_checkpoint", folder=str(root / "a"))
    assert column_of(client, TRAIN) == dense(torch.arange(16).reshape(8, 2))


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
