# SPDX-License-Identifier: Apache-2.0
"""TransferQueue at a shell: tq kv, tq selftest and tq bench bandwidth on C++ nodes, Python nodes and both at once."""

import json
import os
import re
import socket
import threading

import numpy as np
import pytest
import torch
from peer_client import connect
from shell import FAILED, NOT_FOUND, OK, UNREACHABLE, USAGE, refused, tq
from tensordict import TensorDict

MIXES = {"cpp": ("cpp", ("cpp", "cpp")), "python": ("0.1.11", ("0.1.11", "0.1.11")), "both": ("0.1.11", ("cpp", "0.1.11"))}


def ok(*args, **kwargs) -> str:
    result = tq(*args, **kwargs)
    assert result.returncode == OK, result.stderr
    return result.stdout


@pytest.fixture(scope="module", params=MIXES)
def cluster(request, tmp_path_factory):
    import nodes

    controller, units = MIXES[request.param]
    running = nodes.Cluster(tmp_path_factory.mktemp(request.param), controller, units)
    yield running
    running.stop()


@pytest.fixture
def folder(cluster):
    return cluster.controller.parent


@pytest.fixture
def partition(request):
    return re.sub(r"\W", "_", request.node.name)


def python_client(cluster):
    return connect(str(cluster.controller), [str(unit) for unit in cluster.units], client_id="test_shell")


def test_put_get_list_clear(cluster, folder, partition, tmp_path):
    np.save(tmp_path / "ids.npy", np.arange(5))
    at = ("--info-dir", folder, "-p", partition)
    ok("kv", "put", *at, "k1", "--field", "ids=@ids.npy", "--field", "note=a text", "--field", 'more:={"a": [1, null]}',
       "--tag", '{"score": 0.5}', cwd=tmp_path)
    ok("kv", "put", *at, "k2", "--field", "ids=@ids.npy", cwd=tmp_path)
    ok("kv", "put", *at, "k1", "--tag", '{"status": "done"}')

    listed = json.loads(ok("kv", "list", *at, "--json"))
    assert listed == {partition: {"k1": {"score": 0.5, "status": "done"}, "k2": {}}}
    assert json.loads(ok("kv", "list", "--info-dir", folder, "--json"))[partition] == listed[partition]

    ok("kv", "get", *at, "k1", "k2", "--field", "ids", "--out", tmp_path / "out")
    for key in ("k1", "k2"):
        assert np.array_equal(np.load(tmp_path / "out" / key / "ids.npy"), np.arange(5))
    ok("kv", "get", *at, "k1", "--out", tmp_path / "all")
    assert json.loads((tmp_path / "all/k1/note.json").read_text()) == "a text"
    assert json.loads((tmp_path / "all/k1/more.json").read_text()) == {"a": [1, None]}
    table = ok("kv", "get", *at, "k1").splitlines()
    assert [line.split()[1] for line in table] == ["field", "ids", "more", "note"]

    ok("kv", "clear", *at, "k1")
    assert json.loads(ok("kv", "list", *at, "--json")) == {partition: {"k2": {}}}
    ok("kv", "clear", *at, "--all")
    refused(NOT_FOUND, "kv", "get", *at, "k2", words=["k2", partition])


NUMPY_TYPES = ["u1", "i1", "i2", "i4", "i8", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16", "?"]


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3, 4)], ids=str)
def test_every_dtype_through_npy(folder, partition, tmp_path, shape):
    at = ("--info-dir", folder, "-p", partition)
    arrays = {f"t{i}": (np.arange(np.prod(shape)) % 2).reshape(shape).astype(t) for i, t in enumerate(NUMPY_TYPES)}
    fields = []
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
        fields += ["--field", f"{name}=@{name}.npy"]
    ok("kv", "put", *at, "k", *fields, cwd=tmp_path)
    ok("kv", "get", *at, "k", "--out", tmp_path / "out")
    for name, array in arrays.items():
        back = np.load(tmp_path / "out/k" / f"{name}.npy")
        assert back.dtype == array.dtype and back.shape == array.shape and np.array_equal(back, array)


def test_python_reads_what_the_shell_put(cluster, folder, partition, tmp_path):
    np.save(tmp_path / "ids.npy", np.arange(6, dtype="f4").reshape(2, 3))
    at = ("--info-dir", folder, "-p", partition)
    ok("kv", "put", *at, "k", "--field", "ids=@ids.npy", "--field", "note=text", "--tag", '{"n": 3}', cwd=tmp_path)
    client = python_client(cluster)
    meta = client.kv_retrieve_meta(keys=["k"], partition_id=partition, create=False)
    assert meta.custom_meta == [{"n": 3}]
    data = client.get_data(meta)
    assert torch.equal(data["ids"][0], torch.arange(6, dtype=torch.float32).reshape(2, 3))
    assert data["note"][0] == "text"


def test_the_shell_reads_what_python_put(cluster, folder, partition, tmp_path):
    client = python_client(cluster)
    meta = client.kv_retrieve_meta(keys=["a/b", ".."], partition_id=partition, create=True)
    half = torch.tensor([[1.5, -2.0], [float("nan"), float("inf")]], dtype=torch.bfloat16)
    client.put(TensorDict({"x": half, "id": torch.tensor([[7], [8]])}, batch_size=[2]), meta)
    at = ("--info-dir", folder, "-p", partition)
    shown = json.loads(ok("kv", "get", *at, "a/b", "..", "--json"))
    assert shown["a/b"]["x"] == {"dtype": "bfloat16", "shape": [2], "data": [1.5, -2.0]}
    assert shown[".."]["x"]["data"] == ["nan", "inf"]
    ok("kv", "get", *at, "a/b", "..", "--out", tmp_path / "out")
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["%2E.", "a%2Fb"]  # no key leads out of the folder
    raw = np.load(tmp_path / "out" / "a%2Fb" / "x.npy")
    assert raw.dtype == "V2" and raw.tobytes() == half[0].view(torch.int16).numpy().tobytes()


def test_selftest(folder):
    lines = ok("selftest", "--info-dir", folder).splitlines()
    assert len(lines) > 25 and all(line.startswith("ok ") for line in lines), lines
    assert json.loads(ok("kv", "list", "--info-dir", folder, "--json")).keys() & {"tq_selftest"} == set()


def test_bench_on_given_nodes(folder):
    line = json.loads(ok("bench", "bandwidth", "--info-dir", folder, "--size", "debug", "--runs", 2, "--json"))
    assert list(line) == ["size", "MB", "runs", "put_gbps", "get_gbps", "put_s", "get_s", "clear_s"]
    assert line["size"] == "debug" and line["runs"] == 2 and line["MB"] == pytest.approx(0.049, abs=0.001)
    assert line["put_gbps"] == pytest.approx(line["MB"] * 8e-3 / line["put_s"], rel=0.05)


def test_bench_on_nodes_of_its_own():
    table = ok("bench", "bandwidth", "--size", "tiny", "--runs", 1, "--dense").splitlines()
    assert [row.split()[0] for row in table] == ["size", "tiny"]
    assert "\r" not in "".join(table)


def test_bench_refuses_what_does_not_fit():
    available = int(re.search(r"MemAvailable: *(\d+)", open("/proc/meminfo").read()).group(1)) * 1024
    if available > 4 * 27.3e9:
        pytest.skip("this machine holds even the largest batch")
    refused(FAILED, "bench", "bandwidth", "--size", "huge", words=["huge", "memory", "GB are free"])


# ---- wrong input: one sentence that names it, the exit status, in time


@pytest.mark.parametrize(
    "arguments, status, words",
    [
        (["get", "nokey"], NOT_FOUND, ["nokey"]),
        (["get", "k", "--field", "nofield"], NOT_FOUND, ["nofield", "ids"]),
        (["clear", "nokey"], NOT_FOUND, ["nokey"]),
        (["clear"], USAGE, ["--all"]),
        (["put", "k"], USAGE, ["--field", "--tag"]),
        (["put", "k", "--tag", "{bad"], USAGE, ["--tag", "JSON"]),
        (["put", "k", "--tag", "[1]"], USAGE, ["--tag", "object"]),
        (["put", "k", "--field", "x:={"], USAGE, ["x", "JSON"]),
        (["put", "k", "--field", "novalue"], USAGE, ["novalue", "NAME=TEXT"]),
        (["put", "k", "--field", "x=@nofile.npy"], NOT_FOUND, ["nofile.npy"]),
        (["put", "k", "--field", "x=@text.txt"], USAGE, ["text.txt", ".npy"]),
        (["put", "k", "--field", "x=@fake.npy"], USAGE, ["fake.npy", "no .npy"]),
        (["put", "k", "--field", "x=@big_endian.npy"], USAGE, ["big_endian.npy", "big-endian"]),
        (["put", "k", "--field", "x=@objects.npy"], USAGE, ["objects.npy", "dtype"]),
        (["put", "k", "--field", "x=@fortran.npy"], USAGE, ["fortran.npy", "ascontiguousarray"]),
        (["put", "k", "--field", "x=@short.npy"], USAGE, ["short.npy", "bytes"]),
        (["put", "k", "--field", "x=@structured.npy"], USAGE, ["structured.npy", "plain"]),
        (["get", "k", "--out", "text.txt"], UNREACHABLE, ["text.txt"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_input(cpp_nodes, tmp_path, arguments, status, words):
    if arguments[-1].startswith("x=@") or "--out" in arguments:
        (tmp_path / "text.txt").write_text("text")
        (tmp_path / "fake.npy").write_text("no numpy file")
        np.save(tmp_path / "big_endian.npy", np.arange(3, dtype=">i4"))
        np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
        np.save(tmp_path / "fortran.npy", np.asfortranarray(np.ones((2, 3))))
        np.save(tmp_path / "structured.npy", np.zeros(2, dtype=[("a", "i4")]))
        np.save(tmp_path / "short.npy", np.arange(10))
        os.truncate(tmp_path / "short.npy", 150)
    folder = cpp_nodes.controller.parent
    ok("kv", "put", "--info-dir", folder, "-p", "wrong", "k", "--field", "ids:=1")
    refused(status, "kv", arguments[0], "--info-dir", folder, "-p", "wrong", *arguments[1:], words=words, cwd=tmp_path)
    assert json.loads(ok("kv", "get", "--info-dir", folder, "-p", "wrong", "k", "--json")) == {"k": {"ids": 1}}


def test_folders_without_nodes(tmp_path):
    refused(NOT_FOUND, "kv", "list", "--info-dir", tmp_path / "none", words=[tmp_path / "none"])
    refused(NOT_FOUND, "kv", "list", "--info-dir", tmp_path, words=["controller.json"])
    (tmp_path / "controller.json").write_text('{"role": "TransferQueueController"')
    (tmp_path / "storage-0.json").write_text("[]")
    refused(USAGE, "kv", "list", "--info-dir", tmp_path, words=["controller.json", "no node address"])


class Stranger:
    """A TCP server that is no TransferQueue node: it accepts and says `words`."""

    def __init__(self, words: bytes):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.words, self.open = words, []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            connection, _ = self.listener.accept()
            connection.sendall(self.words)
            self.open.append(connection)


def write_addresses(folder, cpp_nodes, *, controller_port=None, unit_port=None) -> None:
    for path, port in ((cpp_nodes.controller, controller_port), *((unit, unit_port) for unit in cpp_nodes.units)):
        info = json.loads(path.read_text())
        if port is not None:
            info["ports"] = {name: port for name in info["ports"]}
        (folder / path.name).write_text(json.dumps(info))


@pytest.mark.parametrize("who", ["nobody", "silent", "http"])
@pytest.mark.parametrize("role", ["controller", "unit"])
def test_something_else_at_the_address(cpp_nodes, tmp_path, role, who):
    if who == "nobody":
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
    else:
        port = Stranger(b"HTTP/1.1 400 Bad Request\r\n\r\n" if who == "http" else b"").port
    write_addresses(tmp_path, cpp_nodes, **{f"{role}_port": port})
    refused(UNREACHABLE, "kv", "put", "--info-dir", tmp_path, "-p", "nobody", "k", "--field", "x=1",
            words=[f"127.0.0.1:{port}", "controller" if role == "controller" else "storage unit"])


def test_a_flag_wins_over_the_environment(cpp_nodes, tmp_path, monkeypatch):
    monkeypatch.setenv("TQ_INFO_DIR", str(tmp_path / "none"))
    ok("kv", "list", "--info-dir", cpp_nodes.controller.parent)
    refused(NOT_FOUND, "kv", "list", words=[tmp_path / "none"])
