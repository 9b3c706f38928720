# SPDX-License-Identifier: Apache-2.0
"""Checkpoints that are damaged, outside of the root, or asked of nodes that cannot: each is refused and changes nothing."""

import os
import shutil
import signal
from pathlib import Path

import pytest
import torch
from checkpoints import TRAIN, Python, column_of, join, kill, put, rows_of
from cpp_client import ClientError, dense


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
