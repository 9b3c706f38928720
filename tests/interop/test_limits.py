# SPDX-License-Identifier: Apache-2.0
"""Bounds and who may come in, as users set them: `tq limits`, --limit, --allow, and loopback where nothing is said."""

import json
import os
import socket
import subprocess
from pathlib import Path

import pytest
import zmq
from nodes import ROOT, Cluster, tq_binary
from transfer_queue.utils.zmq_utils import ZMQMessage, ZMQRequestType

SECONDS = 30


def run(*args, **env) -> subprocess.CompletedProcess:
    command = [tq_binary(), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, env={**os.environ, **env})


def listed(*args, **env) -> dict[str, str]:
    result = run("limits", *args, **env)
    assert result.returncode == 0, result.stderr
    return {line.split()[0]: line.split()[1] for line in result.stdout.splitlines()}


@pytest.fixture
def cluster(tmp_path):
    started = []

    def start(*args, **env) -> Cluster:
        started.append(Cluster(tmp_path / f"nodes-{len(started)}", controller_args=args, env=env))
        return started[-1]

    yield start
    for one in started:
        one.stop()


def ports(one: Cluster) -> list[int]:
    return [port for path in (one.controller, *one.units) for port in json.loads(Path(path).read_text())["ports"].values()]


def test_docs_list_what_the_program_lists():
    output = run("limits").stdout
    assert len(output.splitlines()) > 15
    assert f"```\n{output}```\n" in (ROOT / "docs/limits.md").read_text()


def test_flag_and_environment():
    defaults = listed()
    changed = listed("--limit", "rows_max=1000", "--limit", "frame_bytes_max=2GiB", TQ_LIMITS="rows_max=7,peers_max=8")
    assert changed == {**defaults, "rows_max": "1000", "frame_bytes_max": str(2 << 30)}  # a flag wins over all of TQ_LIMITS
    assert listed(TQ_LIMITS="rows_max=7,peers_max=8") == {**defaults, "rows_max": "7", "peers_max": "8"}


@pytest.mark.parametrize("text", ["rows_max", "rows=5", "rows_max=", "rows_max=many", "rows_max=0", "rows_max=-1", "rows_max=1e30", "depth_max=1025"])
def test_a_limit_that_makes_no_sense(text, tmp_path):
    for result in (run("limits", "--limit", text), run("limits", TQ_LIMITS=text), run("up", "--info-dir", tmp_path, "--limit", text)):
        assert (result.returncode, result.stdout) == (2, "")
        assert text.split("=")[0] in result.stderr.splitlines()[0]


def ask(address: str, kind: ZMQRequestType, body: dict) -> dict:
    with zmq.Context() as context, context.socket(zmq.DEALER) as peer:
        peer.linger = 0
        peer.connect(address)
        peer.send_multipart(ZMQMessage.create(request_type=kind, sender_id="peer", receiver_id="", body=body).serialize())
        assert peer.poll(SECONDS * 1000), "no reply"
        return ZMQMessage.deserialize(peer.recv_multipart()).body


def test_a_request_past_a_limit(cluster):
    one = cluster("--limit", "rows_max=2", "--limit", "name_bytes_max=64")
    address = one.address(one.controller, "request_handle_socket")
    for keys, bound in ((["a", "b", "c"], "limit is 2"), (["a" * 65], "64")):
        body = ask(address, ZMQRequestType.KV_RETRIEVE_META, {"keys": keys, "partition_id": "p", "create": True})
        assert body["success"] is False and bound in body["message"], body
    assert ask(address, ZMQRequestType.GET_LIST_PARTITIONS, {})["partition_ids"] == []
    ask(address, ZMQRequestType.KV_RETRIEVE_META, {"keys": ["a", "b"], "partition_id": "p", "create": True})
    assert ask(address, ZMQRequestType.GET_LIST_PARTITIONS, {})["partition_ids"] == ["p"]


def greeted(port: int, source: str) -> bool:
    """Whether a node greets a connection from there, as ZeroMQ's protocol has it."""
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS, source_address=(source, 0)) as peer:
        try:
            return peer.recv(1) == b"\xff"
        except ConnectionResetError:
            return False


@pytest.mark.parametrize("how", ["flag", "environment"])
def test_only_allowed_networks_come_in(cluster, how):
    if how == "flag":
        one = cluster("--allow", "127.0.0.4/30", "--allow", "10.0.0.0/8")
    else:
        one = cluster(TQ_ALLOW="127.0.0.4/30,10.0.0.0/8")
    for port in ports(one):
        assert [greeted(port, f"127.0.0.{last}") for last in (1, 3, 4, 7, 8)] == [False, False, True, True, False]
    assert "127.0.0.3 was refused: --allow" in one.nodes[0].log.read_text()


@pytest.mark.parametrize("network", ["here", "10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/", ""])
def test_a_network_that_is_none(network, tmp_path):
    result = run("up", "--info-dir", tmp_path, "--allow", network)
    assert result.returncode == 2 and "--allow" in result.stderr and len(result.stderr.strip().splitlines()) <= 2
    assert not list(tmp_path.iterdir())


def test_loopback_unless_told_otherwise(cluster):
    expected = {f"{port:04X}" for port in ports(cluster())}
    listening = {}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        local, state = line.split()[1], line.split()[3]
        address, port = local.split(":")
        if state == "0A" and port in expected:
            listening[port] = address
    assert listening == dict.fromkeys(expected, "0100007F")
    six = {line.split()[1].split(":")[1] for line in Path("/proc/net/tcp6").read_text().splitlines()[1:] if line.split()[3] == "0A"}
    assert not expected & six
