# SPDX-License-Identifier: Apache-2.0
"""Checkpoints through crashes of nodes and clients, and on disks that are full or cannot be written."""

import resource
from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoints import KEYS, TRAIN, Python, column_of, join, kill, put, rows_of, written
from cpp_client import ClientError, CppClient, dense


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
