# SPDX-License-Identifier: Apache-2.0
"""The program tq from outside: its words, its exit status, its address files, signals, addresses and environment."""

import json
import os
import re
import select
import signal
import socket
import subprocess
import time

import pytest
import torch
import zmq
from nodes import spawn, tq_binary
from peer_client import connect
from shell import FAILED, NOT_FOUND, OK, USAGE
from tensordict import TensorDict
from transfer_queue.utils.zmq_utils import ZMQMessage, ZMQRequestType

AT_ONCE = 10  # seconds; what fails at once must not come near it on the busiest machine


def run(*args, env: dict | None = None) -> subprocess.CompletedProcess:
    command = [tq_binary(), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=AT_ONCE, env={**os.environ, **(env or {})})


class Running:
    """tq in the background, its output read line by line."""

    def __init__(self, *args, env: dict | None = None):
        self.process = spawn([tq_binary(), *args], env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def ready_line(self) -> str:
        """Waits for the first line of output."""
        readable, _, _ = select.select([self.process.stdout], [], [], AT_ONCE)
        assert readable, "no ready line"
        line = self.process.stdout.readline().decode()
        assert line, f"ended at once: {self.process.stderr.read().decode()}"
        return line.strip()

    def end(self, signum: int = signal.SIGTERM) -> tuple[int, float, str]:
        """(exit status, seconds that it took, standard error)"""
        begin = time.monotonic()
        self.process.send_signal(signum)
        _, error = self.process.communicate(timeout=AT_ONCE)
        return self.process.returncode, time.monotonic() - begin, error.decode()


@pytest.fixture
def tq():
    """tq(args...) as Running, waited for until it is ready, ended with the test."""
    running = []

    def start(*args, env: dict | None = None) -> Running:
        running.append(Running(*args, env=env))
        running[-1].line = running[-1].ready_line()
        return running[-1]

    yield start
    for node in running:
        if node.process.poll() is None:
            node.process.kill()
        node.process.communicate()


def one_sentence(result: subprocess.CompletedProcess, *words: str) -> None:
    """The error is one line on standard error that holds these words; nothing goes to standard output."""
    assert result.stdout == ""
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, lines
    for word in words:
        assert str(word) in lines[0], (word, lines[0])


def addresses(folder) -> dict:
    return {path.name: json.loads(path.read_text()) for path in folder.iterdir()}


def story(controller, units) -> None:
    """A client's put and get."""
    client = connect(str(controller), [str(unit) for unit in units])
    meta = client.kv_retrieve_meta(keys=["a", "b"], partition_id="p", create=True)
    client.put(TensorDict({"x": torch.arange(4).reshape(2, 2)}, batch_size=[2]), meta)
    got = client.get_data(client.kv_retrieve_meta(keys=["b", "a"], partition_id="p"))
    assert [row.tolist() for row in got["x"]] == [[2, 3], [0, 1]]


# --- words


@pytest.mark.parametrize("command, words", [
    ([], ["up", "controller", "storage", "--version", "--log-level", "0 ok", "1 failed", "2 ", "3 ", "4 "]),
    (["up"], ["--info-dir", "--units", "--bind", "--advertise", "--polling", "TQ_PRE_ALLOC_SAMPLE_NUM", "--capacity-bytes"]),
    (["controller"], ["--info-file", "--polling", "TQ_CONTROLLER_GET_METADATA_TIMEOUT", "--index-rest-seconds"]),
    (["storage"], ["--info-file", "--capacity", "--capacity-bytes", "TQ_STORAGE_ZMQ_BACKLOG"]),
])
def test_help_teaches(command, words):
    result = run(*command, "--help")
    assert (result.returncode, result.stderr) == (OK, "")
    for word in words:
        assert word in result.stdout, word


def test_version():
    result = run("--version")
    assert result.returncode == OK
    assert re.search(r"\b\d+\.\d+\.\d+\b", result.stdout) and len(result.stdout.splitlines()) == 1


@pytest.mark.parametrize("args", [
    [], ["nosuch"], ["--nosuch"], ["up"], ["up", "--units", "2"], ["controller"], ["storage"],
    ["up", "--info-dir", "{}", "--units", "0"], ["up", "--info-dir", "{}", "--units", "two"],
    ["up", "--info-dir", "{}", "--bind", "not-an-address"], ["up", "--info-dir", "{}", "--bind", "127.0.0.1:99999"],
    ["up", "--info-dir", "{}", "extra"], ["controller", "--info-file", "{}/c.json", "--pre-alloc", "-1"],
    ["storage", "--info-file", "{}/s.json", "--capacity", "many"], ["storage", "--info-file", "{}/s.json", "--capacity-bytes", "1XB"],
    ["storage", "--info-file", "{}/s.json", "--polling"], ["--log-level", "loud", "up", "--info-dir", "{}"],
    ["up", "--info-dir", "{}", "--advertise", "not an address"],
    ["up", "--info-dir", "{}", "--sampler", ""], ["up", "--info-dir", "{}", "--sampler", "RandomSampler"],
    ["controller", "--info-file", "{}/c.json", "--sampler", "RankAwareSampler,n_samples_per_prompt=2"],
    ["controller", "--info-file", "{}/c.json", "--sampler", "GRPOGroupNSampler,n_samples_per_prompt=0"],
    ["controller", "--info-file", "{}/c.json", "--sampler", "GRPOGroupNSampler,n_samples_per_prompt=1e3"],
    ["controller", "--info-file", "{}/c.json", "--sampler", "GRPOGroupNSampler,n_samples_per_prompt=99999999999999999999"],
    ["controller", "--info-file", "{}/c.json", "--sampler", "GRPOGroupNSampler,n_samples_per_prompt=2,n_samples_per_prompt=3"],
    ["controller", "--info-file", "{}/c.json", "--sampler", "StreamingTokenBudgetSampler,balance_unit_multiplier=-1"],
])
def test_wrong_usage(tmp_path, args):
    result = run(*(arg.format(tmp_path) for arg in args))
    assert result.returncode == USAGE
    assert result.stdout == "" and 1 <= len(result.stderr.strip().splitlines()) <= 2, result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words, wrong", [(["stauts"], "stauts"), (["kv", "lst"], "lst")])
def test_a_word_that_is_no_command(words, wrong):
    result = run(*words)
    assert result.returncode == USAGE
    assert result.stderr.splitlines()[0] == f"tq: there is no command '{wrong}'"


JOINING = [("kv", "get", "-p", "p", "k"), ("kv", "list"), ("ckpt", "save", "/nowhere/c"), ("status",)]


@pytest.mark.parametrize("command", JOINING, ids=" ".join)
def test_without_nodes(tmp_path, command):
    """No nodes named, a folder that is not there, one without nodes: each says how to go on."""
    result = run(*command, env={"TQ_INFO_DIR": ""})
    assert result.returncode == USAGE and "--info-dir" in result.stderr and "set TQ_INFO_DIR" in result.stderr
    for folder in (tmp_path, tmp_path / "nowhere"):
        result = run(*command, "--info-dir", folder)
        assert result.returncode == NOT_FOUND
        one_sentence(result, f"'tq up --info-dir {folder}'")


@pytest.mark.parametrize("name", [
    "TQ_PRE_ALLOC_SAMPLE_NUM", "TQ_CONTROLLER_GET_METADATA_TIMEOUT", "TQ_CONTROLLER_GET_METADATA_CHECK_INTERVAL",
    "TQ_STORAGE_ZMQ_BACKLOG", "TQ_LOGGING_LEVEL", "TQ_STORAGE_SLOW_REQUEST_SECONDS", "TQ_STORAGE_LARGE_PAYLOAD_MB",
    "TQ_SAMPLER",
])
def test_wrong_environment_variable(tmp_path, name):
    result = run("up", "--info-dir", tmp_path, env={name: "nonsense"})
    assert result.returncode == USAGE
    assert name in result.stderr and 1 <= len(result.stderr.strip().splitlines()) <= 2, result.stderr


# --- what cannot be done


@pytest.mark.parametrize("command", ["up", "controller", "storage"])
def test_a_folder_that_cannot_be_written(tmp_path, command):
    (tmp_path / "file").write_text("not a folder")
    target = tmp_path / "file" / "nodes"
    args = ["--info-dir", target] if command == "up" else ["--info-file", target / "node.json"]
    result = run(command, *args)
    assert result.returncode == FAILED
    one_sentence(result, tmp_path / "file")


def test_a_folder_of_the_kernel(tmp_path):
    result = run("up", "--info-dir", "/proc/tq")
    assert result.returncode == FAILED
    one_sentence(result, "/proc/tq")


@pytest.mark.parametrize("command", ["up", "controller", "storage"])
def test_a_taken_port(tmp_path, command):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        args = ["--info-dir", tmp_path] if command == "up" else ["--info-file", tmp_path / "node.json"]
        result = run(command, *args, "--bind", f"127.0.0.1:{port}")
    assert result.returncode == FAILED
    one_sentence(result, port)
    assert list(tmp_path.iterdir()) == []


def test_an_address_of_another_machine(tmp_path):
    result = run("up", "--info-dir", tmp_path, "--bind", "192.0.2.1")  # reserved for documentation
    assert result.returncode == FAILED
    one_sentence(result, "192.0.2.1")


# --- address files


def test_address_files(tq, tmp_path):
    folder = tmp_path / "new" / "folder"
    node = tq("up", "--units", "2", "--info-dir", folder)
    files = addresses(folder)
    assert sorted(files) == ["controller.json", "storage-0.json", "storage-1.json"]
    assert all(sorted(record) == ["id", "ip", "ports", "role"] and record["ip"] == "127.0.0.1" for record in files.values())
    controller = files["controller.json"]
    assert controller["role"] == "TransferQueueController" and re.fullmatch("TQ_CONTROLLER_[0-9a-f]{8}", controller["id"])
    assert sorted(controller["ports"]) == ["data_status_update_socket", "handshake_socket", "request_handle_socket"]
    units = [files["storage-0.json"], files["storage-1.json"]]
    assert all(unit["role"] == "TransferQueueStorage" and list(unit["ports"]) == ["put_get_socket"] for unit in units)
    assert all(re.fullmatch("TQ_STORAGE_UNIT_[0-9a-f]{8}", unit["id"]) for unit in units)
    ports = [port for record in files.values() for port in record["ports"].values()]
    assert len(set(ports)) == 5 and units[0]["id"] != units[1]["id"]
    assert str(folder) in node.line
    story(folder / "controller.json", [folder / "storage-0.json", folder / "storage-1.json"])
    assert node.end()[0] == OK


def test_address_files_are_replaced_whole(tq, tmp_path):
    """A reader sees the old address or the new one, never a part: the file is another one after that."""
    path = tmp_path / "storage-0.json"
    path.write_text("old")
    with open(path) as before:
        tq("storage", "--info-file", path)
        assert before.read() == "old"
    assert json.loads(path.read_text())["role"] == "TransferQueueStorage"
    assert os.listdir(tmp_path) == ["storage-0.json"]


SECOND = {
    "up": lambda folder: ("up", "--units", "1", "--info-dir", folder),
    "units alone": lambda folder: ("up", "--no-controller", "--units", "1", "--info-dir", folder),
    "controller": lambda folder: ("controller", "--info-file", folder / "controller.json"),
    "unit": lambda folder: ("storage", "--info-file", folder / "storage-1.json"),
}


@pytest.mark.parametrize("second", SECOND)
def test_addresses_of_running_nodes_are_not_replaced(tq, tmp_path, second):
    first = tq("up", "--info-dir", tmp_path)
    before = addresses(tmp_path)
    result = run(*SECOND[second](tmp_path))
    assert result.returncode == FAILED
    one_sentence(result, tmp_path, "runs in another process", "end that one first")
    assert addresses(tmp_path) == before
    story(tmp_path / "controller.json", [tmp_path / "storage-0.json", tmp_path / "storage-1.json"])
    # Killed, it holds nothing back, though its files are there.
    assert first.end(signal.SIGKILL)[0] == -signal.SIGKILL
    assert addresses(tmp_path) == before
    again = tq(*SECOND[second](tmp_path))
    changed = {name for name, record in addresses(tmp_path).items() if record != before.get(name)}
    expected = {"up": {"controller.json", "storage-0.json"}, "units alone": {"storage-0.json"}, "controller": {"controller.json"}, "unit": {"storage-1.json"}}
    assert changed == expected[second]
    assert again.end()[0] == OK
    assert changed.isdisjoint(addresses(tmp_path))


def test_a_unit_of_another_process_beside_those_of_up(tq, tmp_path):
    """`tq up` removes the addresses that a killed run with more units left, but none of a node that runs; nor a controller's
    where it starts none."""
    tq("controller", "--info-file", tmp_path / "controller.json")
    tq("storage", "--info-file", tmp_path / "storage-2.json")
    kept = addresses(tmp_path)
    (tmp_path / "storage-3.json").write_text((tmp_path / "storage-2.json").read_text())
    tq("up", "--no-controller", "--units", "2", "--info-dir", tmp_path)
    files = addresses(tmp_path)
    assert sorted(files) == ["controller.json", "storage-0.json", "storage-1.json", "storage-2.json"]
    assert {name: files[name] for name in kept} == kept
    story(tmp_path / "controller.json", [tmp_path / f"storage-{n}.json" for n in range(3)])


def test_units_are_ordered_by_number(tq, tmp_path):
    """Ports go up from the one that --bind names, so storage-10 comes after storage-9."""
    for _ in range(10):  # nobody reserves a row of ports; take another where one is taken
        with socket.create_server(("127.0.0.1", 0)) as probe:
            first = probe.getsockname()[1]
        if first + 20 > 65535:
            continue
        node = Running("up", "--units", "12", "--info-dir", tmp_path, "--bind", f"127.0.0.1:{first}")
        if select.select([node.process.stdout], [], [], AT_ONCE)[0] and node.process.stdout.readline():
            break
        node.process.communicate()
    files = addresses(tmp_path)
    assert node.end()[0] == OK
    ports = [files[f"storage-{n}.json"]["ports"]["put_get_socket"] for n in range(12)]
    assert len(files) == 13 and ports == sorted(ports) and first <= min(ports)
    assert first in files["controller.json"]["ports"].values()


# --- one role a process, addresses


def test_roles_in_processes_of_their_own(tq, tmp_path):
    for name in ("controller", "storage-0", "storage-1"):
        tq(name.split("-")[0], "--info-file", tmp_path / f"{name}.json")
    story(tmp_path / "controller.json", [tmp_path / "storage-0.json", tmp_path / "storage-1.json"])


def test_ipv6(tq, tmp_path):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        pytest.skip(f"this machine has no IPv6 loopback: {error}")
    tq("up", "--info-dir", tmp_path, "--bind", "::1")
    assert {record["ip"] for record in addresses(tmp_path).values()} == {"::1"}
    story(tmp_path / "controller.json", [tmp_path / "storage-0.json", tmp_path / "storage-1.json"])


def test_ipv6_with_port(tq, tmp_path):
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
            port = taken.getsockname()[1]
            result = run("storage", "--info-file", tmp_path / "s.json", "--bind", f"[::1]:{port}")
            assert result.returncode == FAILED
            one_sentence(result, "::1", port)
    except OSError as error:
        pytest.skip(f"this machine has no IPv6 loopback: {error}")
    tq("storage", "--info-file", tmp_path / "s.json", "--bind", f"[::1]:{port}")
    assert addresses(tmp_path)["s.json"]["ports"] == {"put_get_socket": port}


def test_advertised_address(tq, tmp_path):
    tq("up", "--info-dir", tmp_path, "--bind", "0.0.0.0", "--advertise", "127.0.0.1")
    assert {record["ip"] for record in addresses(tmp_path).values()} == {"127.0.0.1"}
    story(tmp_path / "controller.json", [tmp_path / "storage-0.json", tmp_path / "storage-1.json"])


# --- signals


@pytest.mark.parametrize("command", ["up", "controller", "storage"])
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_cleanly(tq, tmp_path, command, signum):
    args = ["--info-dir", tmp_path] if command == "up" else ["--info-file", tmp_path / "node.json"]
    status, seconds, error = tq(command, *args).end(signum)
    assert (status, error) == (OK, "")
    assert seconds < 1


def test_a_signal_while_clients_are_connected(tq, tmp_path):
    node = tq("up", "--info-dir", tmp_path)
    client = connect(str(tmp_path / "controller.json"), [str(tmp_path / f"storage-{n}.json") for n in range(2)])
    client.kv_retrieve_meta(keys=["a"], partition_id="p", create=True)
    assert node.end()[0] == OK


# --- settings


def pre_allocated(folder) -> int:
    client = connect(str(folder / "controller.json"), [str(folder / "storage-0.json")])
    client.kv_retrieve_meta(keys=["a"], partition_id="p", create=True)
    return len(client.get_consumption_status(task_name="t", partition_id="p")[0])


@pytest.mark.parametrize("place", ["file", "abstract", "nobody"])
@pytest.mark.parametrize("command", ["up", "storage"])
def test_a_service_manager_is_told(tq, tmp_path, command, place):
    """NOTIFY_SOCKET, as systemd sets it for Type=notify: a word once the addresses are there, not before."""
    name = f"@tq-{tmp_path}" if place == "abstract" else str(tmp_path / "notify")
    folder = tmp_path / "nodes"
    last = folder / ("controller.json" if command == "up" else "storage.json")
    where = ["--info-dir", folder] if command == "up" else ["--info-file", last]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(AT_ONCE)
        if place != "nobody":
            manager.bind(name.replace("@", "\0"))
        node = tq(command, *where, env={"NOTIFY_SOCKET": name})
        if place != "nobody":
            assert manager.recv(4096) == b"READY=1"
        assert last.exists()
    status, _, error = node.end()
    assert status == OK
    assert ("service manager" in error) == (place == "nobody"), error


def test_pre_allocation(tq, tmp_path):
    env = {"TQ_PRE_ALLOC_SAMPLE_NUM": "5"}
    for name, args, want in (("variable", [], 5), ("option wins", ["--pre-alloc", "7"], 7)):
        folder = tmp_path / name
        tq("up", "--units", "1", "--info-dir", folder, *args, env=env)
        assert pre_allocated(folder) == want


@pytest.mark.parametrize("level, logged", [
    ("DEBUG", True), ("INFO", True), ("WARNING", True), ("ERROR", False), ("CRITICAL", False)])
def test_log_levels_by_their_python_names(tq, tmp_path, level, logged):
    """A message that cannot be decoded is answered and worth a warning."""
    node = tq("up", "--info-dir", tmp_path, env={"TQ_LOGGING_LEVEL": level})
    record = addresses(tmp_path)["controller.json"]
    with zmq.Context() as context, context.socket(zmq.DEALER) as peer:
        peer.connect(f"tcp://{record['ip']}:{record['ports']['request_handle_socket']}")
        peer.send_multipart([b"not msgpack"])
        assert peer.poll(AT_ONCE * 1000)
        assert ZMQMessage.deserialize(peer.recv_multipart(copy=False)).request_type == ZMQRequestType.REQUEST_ERROR
    status, _, error = node.end()
    assert (status, bool(error)) == (OK, logged), error


@pytest.mark.parametrize("variable, warned", [
    ({}, False), ({"TQ_STORAGE_LARGE_PAYLOAD_MB": "0.5"}, True), ({"TQ_STORAGE_SLOW_REQUEST_SECONDS": "0"}, True)])
def test_heavy_requests_are_logged(tq, tmp_path, variable, warned):
    node = tq("up", "--units", "1", "--info-dir", tmp_path, env=variable)
    client = connect(str(tmp_path / "controller.json"), [str(tmp_path / "storage-0.json")])
    meta = client.kv_retrieve_meta(keys=["a"], partition_id="p", create=True)
    client.put(TensorDict({"x": torch.ones(1, 1 << 18)}, batch_size=[1]), meta)  # 1 MiB
    _, _, error = node.end()
    assert ("heavy PUT" in error and "1.0 MiB" in error) == warned, error


def test_capacity(tq, tmp_path):
    tq("up", "--units", "1", "--info-dir", tmp_path, "--capacity", "2")
    client = connect(str(tmp_path / "controller.json"), [str(tmp_path / "storage-0.json")])

    def put(*keys):
        meta = client.kv_retrieve_meta(keys=list(keys), partition_id="p", create=True)
        client.put(TensorDict({"x": torch.ones(len(keys))}, batch_size=[len(keys)]), meta)

    put("a")
    with pytest.raises(RuntimeError, match="(?i)capacity"):
        put("b", "c")
    put("b")
    put("a")
    assert client.get_data(client.kv_retrieve_meta(keys=["a", "b"], partition_id="p")).batch_size == torch.Size([2])


def test_capacity_in_bytes(tq, tmp_path):
    tq("up", "--units", "1", "--info-dir", tmp_path, "--capacity-bytes", "1MiB")
    client = connect(str(tmp_path / "controller.json"), [str(tmp_path / "storage-0.json")])

    def put(key, size):
        meta = client.kv_retrieve_meta(keys=[key], partition_id="p", create=True)
        client.put(TensorDict({"x": torch.ones(1, size, dtype=torch.uint8)}, batch_size=[1]), meta)

    put("a", 600_000)
    with pytest.raises(RuntimeError, match="(?i)capacity"):
        put("b", 600_000)
    client.clear_samples(client.kv_retrieve_meta(keys=["a"], partition_id="p"))
    put("b", 600_000)
