# SPDX-License-Identifier: Apache-2.0
"""tq ckpt: what a shell saves, a Python client reads on other nodes; show tells what was put; each bad input has its sentence."""

import contextlib
import json
import os
import pty
import shutil
import subprocess

import pytest
import shell
import torch
from checkpoints import kill
from nodes import NEWEST, tq_binary
from peer_client import connect
from shell import AT_ONCE, FAILED, NOT_FOUND, OK, UNREACHABLE, USAGE
from tensordict import TensorDict

KEYS = [f"k{i}" for i in range(6)]


def run(*args) -> subprocess.CompletedProcess:
    return shell.tq("ckpt", *args)


def ok(*args) -> str:
    result = run(*args)
    assert result.returncode == OK and result.stderr == "", result.stderr
    return result.stdout


def refused(status: int, *args, **how) -> None:
    shell.refused(status, "ckpt", *args, **how)


@pytest.fixture
def rooted(start, root):
    return lambda units=2: start("cpp", ("cpp",) * units, env={"TQ_CHECKPOINT_ROOT": str(root)})


def folder_of(cluster):
    return cluster.controller.parent


def put_story(client) -> None:
    """Six keys with x of three floats, ragged ids and a text, two of them read by task t; one key without rows."""
    data = {
        "x": torch.arange(18.0).reshape(6, 3),
        "ids": torch.nested.as_nested_tensor([torch.arange(i + 1) for i in range(6)], layout=torch.jagged),
    }
    meta = client.kv_retrieve_meta(keys=KEYS, partition_id="train", create=True)
    meta = client.put(TensorDict(data, batch_size=[6]), meta)
    meta.update_custom_meta([{"score": i} for i in range(6)])
    client.set_custom_meta(meta)
    client.kv_retrieve_meta(keys=["late"], partition_id="train", create=True)
    client.get_meta(data_fields=["x"], batch_size=2, partition_id="train", task_name="t")


def read_story(client) -> list:
    meta = client.kv_retrieve_meta(keys=KEYS, partition_id="train", create=False)
    data = client.get_data(meta.select_fields(["x", "ids"]))
    consumed = client.get_consumption_status("t", "train")[1]
    return [meta.custom_meta, [row.tolist() for row in data["x"]], [row.tolist() for row in data["ids"].unbind()], consumed.tolist()]


def sizes(folder) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("units", [2, 3])
def test_saved_and_loaded_through_the_shell(rooted, root, units):
    nodes = rooted()
    client = connect(*nodes.addresses())
    put_story(client)
    before = read_story(client)
    folder = root / "step-1"
    saved = json.loads(ok("save", "--info-dir", folder_of(nodes), folder, "--metadata", '{"step": 1}', "--json"))
    assert saved.pop("seconds") > 0
    assert saved == {"folder": str(folder), "bytes": sizes(folder), "samples": 6, "metadata": {"step": 1}}
    line = ok("save", "--info-dir", folder_of(nodes), folder, "--metadata", '{"step": 1}')
    assert line.startswith(f"saved {folder}: ") and "6 samples" in line and line.endswith(" s\n")
    kill(nodes)
    fresh = rooted(units)
    line = ok("load", "--info-dir", folder_of(fresh), folder)
    assert line.startswith(f"loaded {folder}: ") and "6 samples" in line
    assert read_story(connect(*fresh.addresses())) == before
    loaded = json.loads(ok("load", "--info-dir", folder_of(fresh), folder, "--json"))
    assert loaded["samples"] == 6 and loaded["metadata"] == {"step": 1}
    assert read_story(connect(*fresh.addresses())) == before


def test_show_tells_what_was_put(rooted, root):
    nodes = rooted()
    put_story(connect(*nodes.addresses()))
    ids = {"controller": json.loads(nodes.controller.read_text())["id"]}
    ids.update({f"unit {i}": json.loads(path.read_text())["id"] for i, path in enumerate(nodes.units)})
    ok("save", "--info-dir", folder_of(nodes), root / "a", "--metadata", '{"step": 1}')
    kill(nodes)
    (root / "a").rename(root / "renamed")
    shown = json.loads(ok("show", root / "renamed", "--json"))
    assert shown["folder"] == str(root / "renamed") and shown["metadata"] == {"step": 1} and shown["has_manifest"]
    assert shown["saved_at"].endswith("Z")
    manifest = {file["path"]: file for file in json.loads((root / "renamed/manifest.json").read_text())["files"]}
    for file in shown["files"]:
        listed = manifest[file["path"]]
        assert (file["size_bytes"], file["checksum"]) == (listed["size_bytes"], listed["checksum"])
        assert file["version"] == 1 and file["checksums_fine"]
    controller, *units = shown["files"]
    assert controller["role"] == "controller" and controller["node"] == ids["controller"]
    assert controller["partitions"] == {
        "train": {"keys": 7, "samples": 7, "produced": {"x": 6, "ids": 6}, "consumed": {"t": 2}}}
    assert (controller["keys"], controller["samples"]) == (7, 7)
    assert [unit["node"] for unit in units] == [ids["unit 0"], ids["unit 1"]]
    assert [unit["samples"] for unit in units] == [3, 3]
    for unit in units:
        assert unit["role"] == "storage unit"
        assert unit["fields"]["x"] == {"dtype": "float32", "shape": "[3]", "rows": 3, "bytes": 3 * 3 * 4}
        assert (unit["fields"]["ids"]["dtype"], unit["fields"]["ids"]["shape"]) == ("int64", "[*]")
    assert sum(unit["fields"]["ids"]["bytes"] for unit in units) == 8 * (1 + 2 + 3 + 4 + 5 + 6)
    table = ok("show", root / "renamed")
    for word in (*ids.values(), "float32", "[3]", "[*]", "train", '{"step":1}', shown["saved_at"]):
        assert word in table, word
    begins = {line.index(" fine") for line in table.splitlines() if line.endswith(" fine")}
    assert len(begins) == 1  # aligned
    assert "DAMAGED" not in table


def test_progress_on_a_terminal(rooted, root):
    """Only a terminal gets the line of progress, and it is wiped at the end."""
    nodes = rooted()
    put_story(connect(*nodes.addresses()))
    ours, theirs = pty.openpty()
    command = [tq_binary(), "ckpt", "save", "--info-dir", folder_of(nodes), root / "a"]
    process = subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, timeout=AT_ONCE, text=True)
    os.close(theirs)
    assert process.returncode == OK and process.stdout.startswith("saved ")
    seen = b""
    with contextlib.suppress(OSError):  # at the end: nobody holds the other one
        while True:
            seen += os.read(ours, 1 << 16)
    os.close(ours)
    assert f"saving {root / 'a'}: " in seen.decode() and seen.endswith(b"\r\x1b[K")


# ---- bad input: one sentence, the exit status, nothing changed


def flip(path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 4
    path.write_bytes(data)


def test_damaged_files(rooted, root):
    nodes = rooted()
    client = connect(*nodes.addresses())
    put_story(client)
    ok("save", "--info-dir", folder_of(nodes), root / "good")
    before = read_story(client)
    unit = sorted((root / "good/simple_storage").glob("su_1_*"))[0].relative_to(root / "good")
    harm = {
        "flipped": (unit, lambda path: flip(path, -40), "its checksum is another one"),
        "cut": (unit, lambda path: path.write_bytes(path.read_bytes()[:-1]), "damaged"),
        "gone": (unit, lambda path: path.unlink(), unit.name),
        "controller": ("controller_state.pkl", lambda path: flip(path, -40), "its checksum is another one"),
        "empty": ("controller_state.pkl", lambda path: path.write_bytes(b""), "controller_state.pkl"),
    }
    for name, (file, damage, sentence) in harm.items():
        bad = root / name
        for manifest in (True, False):
            shutil.copytree(root / "good", bad)
            if not manifest:
                (bad / "manifest.json").unlink()
            damage(bad / file)
            refused(FAILED, "load", "--info-dir", folder_of(nodes), bad, words=[os.path.basename(file)])
            assert read_story(client) == before, name
            shown = run("show", bad, "--json")
            assert shown.returncode == FAILED and len(shown.stderr.splitlines()) == 1 and "1 of 3 files" in shown.stderr
            files = {one["path"]: one for one in json.loads(shown.stdout)["files"]}
            assert [path for path, one in files.items() if not one["checksums_fine"]] == [str(file)], name
            if manifest is False:
                assert sentence in files[str(file)]["problem"], files[str(file)]
            table = run("show", bad)
            assert table.returncode == FAILED and "DAMAGED" in table.stdout and f"! {files[str(file)]['problem']}" in table.stdout
            shutil.rmtree(bad)


def test_the_damaged_section_is_named(rooted, root):
    nodes = rooted()
    put_story(connect(*nodes.addresses()))
    ok("save", "--info-dir", folder_of(nodes), root / "a")
    controller = root / "a/controller_state.pkl"
    first = controller.read_bytes().index(b"\nv\n") + 3 + 8  # after the preamble (docs/checkpoints.md)
    flip(controller, first + 40)
    file = json.loads(run("show", root / "a", "--json").stdout)["files"][0]
    assert f"controller_state.pkl, byte {first}: " in file["problem"]


def test_files_of_another_checkpoint(rooted, root):
    nodes = rooted()
    client = connect(*nodes.addresses())
    put_story(client)
    ok("save", "--info-dir", folder_of(nodes), root / "a")
    text = (root / "a/manifest.json").read_text()
    listed = json.loads(text)["files"][0]["checksum"]
    (root / "a/manifest.json").write_text(text.replace(listed, "xxh3:0123456789abcdef"))
    file = json.loads(run("show", root / "a", "--json").stdout)["files"][0]
    assert "exchanged for another file" in file["problem"]
    refused(FAILED, "load", "--info-dir", folder_of(nodes), root / "a", words=["exchanged"])


def test_checkpoints_of_python_nodes(start, rooted, root):
    """Python's nodes save and load through tq, too; what they saved is refused by show and by C++ nodes."""
    python = start(NEWEST, (NEWEST, NEWEST))
    client = connect(*python.addresses())
    put_story(client)
    before = read_story(client)
    saved = json.loads(ok("save", "--info-dir", folder_of(python), root / "python", "--json"))
    assert saved["samples"] is None and saved["bytes"] == sizes(root / "python")
    client.clear_partition("train")
    ok("load", "--info-dir", folder_of(python), root / "python")
    assert read_story(client) == before
    refused(FAILED, "show", root / "python", words=["controller_state.pkl is a pickle", "load it into Python nodes"])
    nodes = rooted()
    refused(FAILED, "load", "--info-dir", folder_of(nodes), root / "python", words=["is a pickle", "Python"])
    # One of these units alone loads only what as many units saved.
    ok("save", "--info-dir", folder_of(nodes), root / "two")
    mixed = start(NEWEST, ("cpp", "cpp", NEWEST), env={"TQ_CHECKPOINT_ROOT": str(root)})
    refused(FAILED, "load", "--info-dir", folder_of(mixed), root / "two", words=["of 2 storage units, and here are 3", "start 2 units"])


def test_folders_and_roots(rooted, start, root, tmp_path):
    nodes = rooted()
    at = ("--info-dir", folder_of(nodes))
    (root / "empty").mkdir()
    refused(NOT_FOUND, "load", *at, root / "nowhere", words=[root / "nowhere", "is no checkpoint"])
    refused(NOT_FOUND, "load", *at, root / "empty", words=["is no checkpoint", "metadata.json"])
    refused(NOT_FOUND, "show", root / "nowhere", words=[root / "nowhere", "is no checkpoint"])
    refused(NOT_FOUND, "show", root / "empty", words=["is no checkpoint", "metadata.json"])
    refused(FAILED, "save", *at, tmp_path / "outside", words=["outside", "does not lie below", "--checkpoint-root"])
    assert not (tmp_path / "outside").exists() and not (tmp_path / "outside.tmp").exists()
    ok("save", *at, root / "a")
    shutil.copytree(root / "a", tmp_path / "outside")
    refused(FAILED, "load", *at, tmp_path / "outside", words=["outside", "does not lie below", "--checkpoint-root"])
    bare = start()
    refused(FAILED, "save", "--info-dir", folder_of(bare), root / "b", words=["without a checkpoint root", "--checkpoint-root"])
    said = run("save", "--info-dir", folder_of(bare), root / "b").stderr
    assert said.count("SAVE_CONTROLLER_CHECKPOINT") == 1, said  # by client and node alike, but once
    kill(nodes)
    refused(UNREACHABLE, "save", *at, root / "c", words=["127.0.0.1"])
    refused(UNREACHABLE, "load", *at, root / "a", words=["127.0.0.1"])
    refused(NOT_FOUND, "save", "--info-dir", tmp_path / "none", root / "c", words=[tmp_path / "none"])
    assert sorted(path.name for path in root.iterdir()) == ["a", "empty"]


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["save", "PATH", "--metadata", "{bad"], ["--metadata", "JSON"]),
        (["save", "PATH", "--metadata", "[1]"], ["--metadata", "object"]),
        (["save"], ["PATH"]),
        (["show"], ["PATH"]),
        ([], ["subcommand"]),
        (["load", "PATH", "--deadline", "0"], ["--deadline"]),
    ],
    ids=lambda value: " ".join(value) or "alone",
)
def test_wrong_usage(cpp_nodes, root, arguments, words):
    at = [] if arguments[:1] in ([], ["show"]) else ["--info-dir", folder_of(cpp_nodes)]
    typed = [root / "a" if argument == "PATH" else argument for argument in arguments]
    refused(USAGE, *typed, *at)
    result = run(*typed, *at)
    assert all(word.lower() in result.stderr.lower() for word in words), result.stderr


def test_it_is_completed_and_in_the_manual():
    def text(what):
        return subprocess.run([tq_binary(), "completion", what], capture_output=True, text=True, check=True).stdout

    for what in ("bash", "zsh", "man"):
        assert "ckpt" in text(what) and "metadata" in text(what)
    assert "tq ckpt save" in text("man").replace("\\-", "-")
