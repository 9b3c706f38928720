# SPDX-License-Identifier: Apache-2.0
"""Nodes that come back with nothing in them, where they were or at another port, and nodes without descriptors."""

import resource
import socket

import pytest
import torch
from canonical import canonical
from cpp_client import ClientError, CppClient, dense, rows_of
from parts import Parts, free_ports

GRACE = 1  # seconds that an answer may be late
DEADLINE = 2
KEYS = ["a", "b", "c", "d"]
X = torch.arange(8).reshape(4, 2)
CONTROLLER_SOCKETS = 3


@pytest.fixture
def controller_port():
    return free_ports(CONTROLLER_SOCKETS)


@pytest.fixture
def nodes(tmp_path, controller_port):
    one = Parts(tmp_path / "parts", controller_args=("--bind", f"127.0.0.1:{controller_port}"))
    yield one
    one.stop()


def put(client: CppClient, rows: torch.Tensor) -> None:
    client("put", keys=KEYS, partition="p", columns=[["x", dense(rows)]])


def holds(client: CppClient, rows: torch.Tensor) -> bool:
    got = client("get", keys=KEYS, partition="p", fields=["x"])["x"]
    return rows_of(got) == [canonical(row) for row in rows]


def fails(client: CppClient, do: str, **arguments) -> ClientError:
    with pytest.raises(ClientError) as caught:
        client(do, **arguments)
    assert caught.value.seconds < DEADLINE + GRACE, caught.value
    return caught.value


def test_a_unit_comes_back_at_another_port(nodes):
    """Who joined before cannot find it; who joins now is told that the rows are lost, and puts them again."""
    before = nodes.client(DEADLINE)
    put(before, X)
    old = nodes.address(1)
    nodes.replace(1, free_ports(1))
    error = fails(before, "get", keys=KEYS, partition="p", fields=["x"])
    assert error.code == "ConnectionError" and old["id"] in error.message, error
    now = nodes.client(DEADLINE)
    error = fails(now, "get", keys=KEYS, partition="p", fields=["x"])
    assert error.code == "KeyError" and nodes.address(1)["id"] in error.message, error
    assert "'x'" in error.message and "lost" in error.message, error
    put(now, X + 1)
    assert holds(now, X + 1)


def test_a_controller_comes_back_at_its_port(nodes, controller_port):
    """It knows of no key; nobody is given what is left in the units; the client goes on without joining anew."""
    client = nodes.client(DEADLINE)
    put(client, X)
    nodes.replace("controller", controller_port)
    assert client("list") == []
    assert fails(client, "get", keys=KEYS, partition="p", fields=["x"]).code == "KeyError"
    client("put", keys=KEYS, partition="p", columns=[["y", dense(X + 1)]])  # the same indexes, without x
    assert "not ready" in fails(client, "get", keys=KEYS, partition="p", fields=["x"]).message
    put(client, X + 2)
    assert holds(client, X + 2)


def test_a_controller_comes_back_at_another_port(nodes):
    before = nodes.client(DEADLINE)
    put(before, X)
    old = nodes.address("controller")
    nodes.replace("controller", free_ports(CONTROLLER_SOCKETS))
    error = fails(before, "list")
    assert error.code == "ConnectionError" and old["id"] in error.message, error
    now = nodes.client(DEADLINE)
    assert now("list") == []
    put(now, X + 1)
    assert holds(now, X + 1)


@pytest.mark.parametrize("place", ["controller", 1])
def test_a_node_runs_out_of_descriptors(nodes, place):
    """Those who are connected are served; who comes then waits in vain, and is served once others have left."""
    client = nodes.client(DEADLINE)
    put(client, X)
    pid, address = nodes.nodes[place].process.pid, nodes.address(place)
    port = address["ports"].get("put_get_socket") or address["ports"]["request_handle_socket"]
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (40, 40))
    crowd = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(60)]
    assert holds(client, X)
    late = nodes.client if place == 1 else None
    if late is not None:
        fails(late(DEADLINE), "get", keys=KEYS, partition="p", fields=["x"])
    else:
        with pytest.raises(ClientError) as caught:
            nodes.client(DEADLINE)
        assert address["id"] in caught.value.message
    put(client, X + 1)
    for connection in crowd:
        connection.close()
    assert holds(nodes.client(deadline=30), X + 1)
    put(client, X + 2)
    assert holds(client, X + 2)
