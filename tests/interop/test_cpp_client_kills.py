# SPDX-License-Identifier: Apache-2.0
"""kill -9 before, during and after each request of a put and a get; requests that come twice, or late.

The moments are not left to chance: a proxy between client and node kills when it sees the request or its reply.
"""

import signal

import pytest
import torch
from bad_peers import Proxy
from canonical import canonical
from cpp_client import ClientError, CppClient, dense, rows_of
from parts import Parts

GRACE = 1  # seconds that an answer may be late
DEADLINE = 2
KEYS = ["a", "b", "c", "d"]
ROWS = torch.arange(4 * 1000).reshape(4, 1000)


class Clusters:
    """Nodes, a client, and proxies on its ways to the controller and to unit 1."""

    def __init__(self, folder):
        self.nodes = Parts(folder)
        self.way = Proxy(self.nodes.address("controller")["ports"]["request_handle_socket"])
        self.unit_way = Proxy(self.nodes.address(1)["ports"]["put_get_socket"])
        self.nodes.extra += [self.way, self.unit_way]
        self.client = self.nodes.client(DEADLINE, request_handle_socket=self.way.port, unit_1=self.unit_way.port)

    def kill(self, place) -> None:
        self.nodes.signal(place, signal.SIGKILL)
        self.nodes.nodes[place].process.wait()


@pytest.fixture
def cluster(tmp_path):
    one = Clusters(tmp_path / "parts")
    yield one
    one.nodes.stop()


def put(client: CppClient, rows: torch.Tensor, partition: str = "p") -> None:
    client("put", keys=KEYS, partition=partition, columns=[["x", dense(rows)]])


def get(client: CppClient, partition: str = "p") -> list:
    return rows_of(client("get", keys=KEYS, partition=partition, fields=["x"])["x"])


def rows(tensor: torch.Tensor) -> list:
    return [canonical(row) for row in tensor]


def fails(call) -> ClientError:
    with pytest.raises(ClientError) as caught:
        call()
    assert caught.value.seconds < DEADLINE + GRACE, caught.value
    return caught.value


@pytest.mark.parametrize("when", ["request", "half", "reply"])
def test_a_unit_is_killed_around_a_put(cluster, when):
    """The put fails and says so; what it put is not readable, for the controller heard of none of it."""
    put(cluster.client, ROWS, "before")
    cluster.unit_way.cut("PUT", when, lambda: cluster.kill(1))
    error = fails(lambda: put(cluster.client, ROWS + 1))
    assert cluster.nodes.address(1)["id"] in error.message and error.rows_not_stored, error
    cluster.nodes.restart(1)
    assert "not ready" in fails(lambda: get(cluster.client)).message
    assert "lost" in fails(lambda: get(cluster.client, "before")).message
    put(cluster.client, ROWS + 2)
    assert get(cluster.client) == rows(ROWS + 2)


@pytest.mark.parametrize("when", ["request", "reply", "half reply"])
def test_a_unit_is_killed_around_a_get(cluster, when):
    put(cluster.client, ROWS)
    cluster.unit_way.cut("GET", when, lambda: cluster.kill(1))
    assert cluster.nodes.address(1)["id"] in fails(lambda: get(cluster.client)).message
    cluster.nodes.restart(1)
    assert "lost" in fails(lambda: get(cluster.client)).message
    put(cluster.client, ROWS + 1)
    assert get(cluster.client) == rows(ROWS + 1)


@pytest.mark.parametrize("when", ["request", "reply"])
def test_a_unit_is_killed_around_a_notification(cluster, when):
    """The put is acknowledged, or the same report is sent again and then is; the loss is told by the get."""
    put(cluster.client, ROWS, "joins")  # no first look at the unit stands between
    cluster.way.cut("NOTIFY_DATA_UPDATE", when, lambda: cluster.kill(1))
    put(cluster.client, ROWS)
    assert cluster.nodes.address(1)["id"] in fails(lambda: get(cluster.client)).message
    cluster.nodes.restart(1)
    assert "lost" in fails(lambda: get(cluster.client)).message
    put(cluster.client, ROWS + 1)
    assert get(cluster.client) == rows(ROWS + 1)


@pytest.mark.parametrize("when", ["request", "half", "reply"])
@pytest.mark.parametrize("kind", ["KV_RETRIEVE_META", "NOTIFY_DATA_UPDATE"])
def test_the_controller_is_killed_around_a_put(cluster, kind, when):
    """Nobody acknowledged the put, so it fails."""
    cluster.way.cut(kind, when, lambda: cluster.kill("controller"))
    error = fails(lambda: put(cluster.client, ROWS))
    assert cluster.nodes.address("controller")["id"] in error.message and kind in error.message


@pytest.mark.parametrize("when", ["request", "reply", "half reply"])
def test_the_controller_is_killed_around_a_get(cluster, when):
    put(cluster.client, ROWS)
    cluster.way.cut("KV_RETRIEVE_META", when, lambda: cluster.kill("controller"))
    error = fails(lambda: get(cluster.client))
    assert cluster.nodes.address("controller")["id"] in error.message and "KV_RETRIEVE_META" in error.message


def test_a_client_is_killed_in_the_middle_of_a_put(cluster):
    """The unit stores nothing of half a message; other clients are served, and may put the keys."""
    other = cluster.nodes.client(DEADLINE)
    put(cluster.client, ROWS, "joins")
    cluster.unit_way.cut("PUT", "half", cluster.client.process.kill)
    cluster.client.start("put", keys=KEYS, partition="p", columns=[["x", dense(ROWS)]])
    assert cluster.client.process.wait(timeout=60) == -signal.SIGKILL
    assert get(other, "joins") == rows(ROWS)
    assert "not ready" in fails(lambda: get(other)).message
    put(other, ROWS + 1)
    assert get(other) == rows(ROWS + 1)


@pytest.mark.parametrize("what", ["request", "reply"])
@pytest.mark.parametrize("kind", ["PUT", "GET", "NOTIFY_DATA_UPDATE", "KV_RETRIEVE_META"])
def test_a_message_is_lost(cluster, kind, what):
    """A network that keeps the connection and swallows a message costs one deadline; the call after it is served."""
    put(cluster.client, ROWS)
    way = cluster.way if kind in ("NOTIFY_DATA_UPDATE", "KV_RETRIEVE_META") else cluster.unit_way
    way.lose(kind, what)
    call = (lambda: get(cluster.client)) if kind == "GET" else (lambda: put(cluster.client, ROWS + 1))
    error = fails(call)
    assert error.code == "TimeoutError" and kind in error.message, error
    put(cluster.client, ROWS + 2)
    assert get(cluster.client) == rows(ROWS + 2)


def test_each_request_comes_twice(cluster):
    """A put, a get and a clear repeated end in the same state, and no second reply is taken for another's."""
    cluster.way.repeats = cluster.unit_way.repeats = True
    for step in range(10):
        put(cluster.client, ROWS + step)
        assert get(cluster.client) == rows(ROWS + step)
        cluster.client("clear", keys=KEYS[:2], partition="p")
        assert [key for key, _ in cluster.client("list", partition="p")[0][1]] == KEYS[2:]
        cluster.client("clear", keys=KEYS[2:], partition="p")
    cluster.way.repeats = cluster.unit_way.repeats = False
    put(cluster.client, ROWS)
    assert get(cluster.client) == rows(ROWS)


def test_a_notification_comes_after_its_samples_were_cleared(cluster):
    """Their indexes rest, so it meets no other's."""
    cluster.way.hold("NOTIFY_DATA_UPDATE")
    error = fails(lambda: put(cluster.client, ROWS))
    assert "NOTIFY_DATA_UPDATE" in error.message
    cluster.client("clear", keys=KEYS, partition="p")
    others = ["e", "f", "g", "h"]
    cluster.client("put", keys=others, partition="p", columns=[["y", dense(ROWS + 1)]])
    cluster.way.release()
    meta = cluster.client("look_up", keys=others, partition="p")
    assert meta["fields"] == ["y"] and [key for key, _ in cluster.client("list", partition="p")[0][1]] == others
    got = cluster.client("get", keys=others, partition="p", fields=["y"])
    assert rows_of(got["y"]) == rows(ROWS + 1)


@pytest.mark.parametrize("kind", ["CLEAR_DATA", "CLEAR_META"])
def test_a_clear_comes_after_others_were_put(cluster, kind):
    put(cluster.client, ROWS)
    way = cluster.unit_way if kind == "CLEAR_DATA" else cluster.way
    way.hold(kind)
    assert kind in fails(lambda: cluster.client("clear", keys=KEYS, partition="p")).message
    cluster.client("clear", keys=KEYS, partition="p")
    put(cluster.client, ROWS + 1)
    way.release()
    assert get(cluster.client) == rows(ROWS + 1)
