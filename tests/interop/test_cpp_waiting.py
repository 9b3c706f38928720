# SPDX-License-Identifier: Apache-2.0
"""The C++ client waits: for ready samples, for changes of a partition, and in its asynchronous functions; on nodes of both languages."""

import os
import signal
import time

import pytest
import torch
from bad_peers import Proxy
from cpp_client import ClientError, CppClient, dense
from nodes import NEWEST
from parts import Parts
from peer_client import connect
from raw import RawPeer
from tensordict import TensorDict

SOON = 20  # seconds within which something must happen that needs milliseconds
LONG = 60_000  # ms that a wait may take, far more than SOON
CONTROLLERS = {"cpp": (), "cpp polling": ("--polling",), f"{NEWEST} polling": ("--polling",)}


@pytest.fixture(params=CONTROLLERS)
def cluster(start, request):
    """Controllers at which a wait is the same to users, and C++ units."""
    kind = request.param.split()[0]
    return start(kind, ("cpp", "cpp"), controller_args=CONTROLLERS[request.param])


@pytest.fixture
def parts(tmp_path):
    one = Parts(tmp_path / "parts")
    yield one
    one.stop()


def put(client: CppClient, keys: list[str], partition: str = "p", **more):
    return client("put", keys=keys, partition=partition, columns=[["x", dense(torch.zeros(len(keys), 1))]], **more)


def fetch_of(count: int, wait_ms: int = LONG, **more) -> dict:
    return {"fields": ["x"], "batch_size": count, "partition": "p", "task": "t", "wait_ms": wait_ms, **more}


def consumed(client: CppClient) -> list[int]:
    return client("consumption", task="t", partition="p")["consumed"]


def heard(way: Proxy, kind: str, count: int, client: CppClient, number: int) -> None:
    """Returns once that many requests of the kind went to the node; the client's call `number` must not end before."""
    deadline = time.monotonic() + SOON
    while len(way.request_ids(kind)) < count:
        assert not client.answered(number, 0.02) and time.monotonic() < deadline


# --- get_meta


def test_a_fetch_waits_for_its_samples(cluster):
    consumer, producer = CppClient().join(cluster), CppClient().join(cluster)
    waiting = consumer.start("get_meta", **fetch_of(3))
    put(producer, ["a"])  # the partition is there from now on
    put(producer, ["b"])
    assert not consumer.answered(waiting)
    put(producer, ["c", "d"])
    assert consumer.wait(waiting, SOON)["global_indexes"] == [0, 1, 2]
    assert sum(consumed(producer)) == 3


def test_a_wait_ends_with_nothing_and_consumes_nothing(cluster):
    client = CppClient().join(cluster)
    put(client, ["a"])
    assert client("get_meta", **fetch_of(2, 0))["global_indexes"] == []
    got = client("get_meta", **fetch_of(2, 400))
    assert got == {"global_indexes": [], "production_status": [], "ready": False}
    assert 0.4 <= client.seconds < SOON
    assert consumed(client) == [0]
    assert client("get_meta", **fetch_of(1, 0))["global_indexes"] == [0]


def test_a_python_controller_that_does_not_poll_waits_by_itself_and_then_is_asked_again(start):
    patience = {"TQ_CONTROLLER_GET_METADATA_CHECK_INTERVAL": "1", "TQ_CONTROLLER_GET_METADATA_TIMEOUT": "1"}
    cluster = start(NEWEST, ("cpp",), env=patience)
    consumer, producer = CppClient().join(cluster), CppClient().join(cluster)
    assert consumer("get_meta", **fetch_of(1, 500))["global_indexes"] == []
    assert consumer.seconds >= 0.5
    waiting = consumer.start("get_meta", **fetch_of(1))
    put(producer, ["a"])
    assert consumer.wait(waiting, SOON)["global_indexes"] == [0]


def test_first_come_first_served_and_others_are_not_delayed(start):
    cluster = start()
    client = CppClient().join(cluster)
    address = cluster.address(cluster.controller, "request_handle_socket")
    peers = [RawPeer(address) for _ in range(20)]
    for peer in peers:  # one after the other: the answer to a later request tells that the fetch is there
        peer.send("GET_META", {"data_fields": ["x"], "batch_size": 1, "partition_id": "p", "mode": "fetch", "task_name": "t",
                               "x_tq": {"version": 1, "request_id": "0badcafe", "wait_ms": LONG}})
        peer.send("GET_LIST_PARTITIONS", {})
        assert peer.receive(SOON)[0] == "LIST_PARTITIONS_RESPONSE"
    for turn, peer in enumerate(peers):
        put(client, [f"k{turn}"])
        kind, body = peer.receive(SOON)
        assert (kind, list(body["metadata"].global_indexes)) == ("GET_META_RESPONSE", [turn])
        assert body["x_tq"]["request_id"] == "0badcafe"
        assert all(other.receive(0) is None for other in peers[turn + 1:])


def test_a_waiter_that_is_killed_consumes_nothing(parts):
    way = Proxy(parts.address("controller")["ports"]["request_handle_socket"])
    parts.extra.append(way)
    victim, client = parts.client(request_handle_socket=way.port), parts.client()
    put(client, ["a"])
    number = victim.start("get_meta", **fetch_of(2))
    heard(way, "GET_META", 1, victim, number)
    os.kill(victim.process.pid, signal.SIGKILL)
    assert way.ended.acquire(timeout=SOON)
    put(client, ["b"])
    assert consumed(client) == [0, 0]
    assert client("get_meta", **fetch_of(2, 0))["global_indexes"] == [0, 1]


def test_a_fetch_whose_connection_breaks_is_not_repeated(parts):
    way = Proxy(parts.address("controller")["ports"]["request_handle_socket"])
    parts.extra.append(way)
    client, other = parts.client(request_handle_socket=way.port), parts.client()
    put(client, ["a"])
    number = client.start("get_meta", **fetch_of(2))
    heard(way, "GET_META", 1, client, number)
    way.break_all()
    with pytest.raises(ClientError, match="broke before it answered GET_META, which is not sent again") as caught:
        client.wait(number, SOON)
    assert caught.value.code == "ConnectionError"
    assert len(way.request_ids("GET_META")) == 1
    assert way.ended.acquire(timeout=SOON)
    put(client, ["b"])
    assert consumed(other) == [0, 0]
    assert client("get_meta", **fetch_of(2))["global_indexes"] == [0, 1]  # on a new connection


def test_a_controller_that_ends_ends_the_wait(parts):
    client = parts.client(deadline=2)
    number = client.start("get_meta", **fetch_of(1), via="thread")
    watch = client.start("changes", partition="p", wait_ms=LONG, via="thread")
    assert client("partitions") == []
    parts.nodes["controller"].process.kill()
    for ended in (number, watch):  # the one is not sent again, the other until the deadline
        with pytest.raises(ClientError) as caught:
            client.wait(ended, SOON)
        assert caught.value.code == "ConnectionError"


def test_a_controller_that_stops_says_so_to_those_who_wait(parts):
    client = parts.client()
    number = client.start("get_meta", **fetch_of(1), via="thread")
    watch = client.start("changes", partition="p", wait_ms=LONG, via="thread")
    assert client("partitions") == []
    parts.nodes["controller"].stop()
    for ended in (number, watch):
        with pytest.raises(ClientError) as caught:
            client.wait(ended, SOON)
        assert caught.value.code == "ConnectionError"


@pytest.mark.parametrize("wait_ms", [-1, 3_600_001, 2**62])
def test_bad_waits_are_told(start, wait_ms):
    client = CppClient().join(start())
    for call in ({"do": "get_meta", **fetch_of(1, wait_ms)}, {"do": "changes", "partition": "p", "wait_ms": wait_ms}):
        with pytest.raises(ClientError, match=f"wait is {wait_ms} ms; it must lie between 0 and 3600000"):
            client(**call)
    with pytest.raises(ClientError, match="get_meta in mode insert never waits; leave out wait"):
        client("get_meta", fields=["x"], batch_size=1, partition="p", mode="insert", wait_ms=1)


# --- kv_list_changes


class Watcher:
    def __init__(self, client: CppClient):
        self.client, self.known, self.revision = client, {}, ""

    def ask(self, wait_ms: int = LONG) -> dict:
        told = self.client("changes", partition="p", since=self.revision, wait_ms=wait_ms)
        if told["complete"]:
            self.known = {}
        for key in told["removed"]:
            self.known.pop(key, None)
        self.known.update(told["changed"])
        self.revision = told["revision"]
        return told


def test_a_watcher_sees_what_changes(cluster):
    watcher, producer = Watcher(CppClient().join(cluster)), CppClient().join(cluster)
    nothing = watcher.ask(0)
    assert (nothing["changed"], nothing["removed"], nothing["complete"]) == ([], [], True)
    for change in (
        lambda: put(producer, ["a", "b"], tags=[{"n": 1}, {"n": 2}]),
        lambda: producer("put_one", key="b", partition="p", tag={"n": 3}),
        lambda: put(producer, ["c"], tags=[{"n": 4}]),
        lambda: producer("clear", keys=["a"], partition="p"),
        lambda: producer("clear_partition", partition="p"),
    ):
        change()
        listed = dict(dict(map(tuple, producer("list"))).get("p", []))
        told = watcher.ask()
        while watcher.known != listed:  # a put is a registration, a report and tags: it may be seen in between
            told = watcher.ask()
        assert told["complete"] or len(told["changed"]) + len(told["removed"]) < 3
    assert watcher.known == {}
    waiting = watcher.client.start("changes", partition="p", since=watcher.revision, wait_ms=LONG)
    put(producer, ["z"])
    told = watcher.client.wait(waiting, SOON)
    assert [key for key, _ in told["changed"]] in (["z"], [])  # the partition is there before its key at a Python controller


def test_a_watch_ends_without_a_change(cluster):
    client = CppClient().join(cluster)
    put(client, ["a"])
    watcher = Watcher(client)
    watcher.ask(0)
    told = watcher.ask(400)
    assert 0.4 <= client.seconds < SOON
    assert (told["changed"], told["removed"], told["complete"]) == ([], [], False)


def test_python_clients_see_nothing_of_it_and_are_watched(start):
    cluster = start()
    python, watcher = connect(*cluster.addresses()), Watcher(CppClient().join(cluster))
    keys = [f"k{i}" for i in range(5)]
    python.kv_retrieve_meta(keys=keys, partition_id="p", create=True)
    watcher.ask()
    waiting = watcher.client.start("changes", partition="p", since=watcher.revision, wait_ms=LONG)
    meta = python.kv_retrieve_meta(keys=keys[:1], partition_id="p", create=False)
    python.put(TensorDict({"x": torch.zeros(1, 2)}, batch_size=[1]), meta)
    told = watcher.client.wait(waiting, SOON)
    assert [key for key, _ in told["changed"]] == ["k0"] and not told["complete"]
    python.clear_samples(meta)
    address = cluster.address(cluster.controller, "request_handle_socket")
    peer = RawPeer(address)
    peer.send("KV_LIST", {"partition_id": "p"})
    assert peer.receive(SOON)[1] == {"partition_info": {"p": {key: {} for key in keys[1:]}}, "message": "success"}
    peer.close()


def test_a_restarted_controller_gives_the_whole_listing(parts):
    client = parts.client()
    put(client, ["a", "b"])
    told = client("changes", partition="p")
    parts.nodes["controller"].stop()
    parts.nodes["controller"] = parts._node("controller", "controller", "cpp", ())
    parts.wait()
    fresh = parts.client()
    put(fresh, ["c"])
    again = fresh("changes", partition="p", since=told["revision"], wait_ms=LONG)
    assert again["complete"] and [key for key, _ in again["changed"]] == ["c"]


# --- functions that do not block


@pytest.mark.parametrize("kind", ["cpp", NEWEST])
def test_every_function_is_the_same_with_a_future_and_with_a_callback(start, kind):
    said = []
    for via in ("call", "future", "callback"):
        cluster = start(kind, ("cpp", "cpp"), controller_args=("--polling",))
        said.append(CppClient().join(cluster)("every_function", via=via, partition="p"))
    assert said[1] == said[0] and said[2] == said[0]
    assert said[0][0] == {"global_indexes": [0, 1], "ready": False} and said[0][-1] == []


def test_short_forms_and_errors(start):
    client = CppClient().join(start())
    got = client("short_forms", partition="p")
    assert (got["rows"], got["complete"], got["units"]) == (2, True, 2)
    assert got["error"] == {"code": "KeyError", "message": "there is no partition 'nowhere'"}


def test_waiting_calls_hold_up_no_others_and_end_with_the_client(cluster):
    client, other = CppClient().join(cluster), CppClient().join(cluster)
    got = client("end_while_waiting", partition="p", calls=40)
    assert got["put_rows"] == 2  # what did not wait ran to its end
    assert sum(got["ends"].values()) == 81
    assert all(end.startswith("ConnectionError: the client ends, so ") for end in got["ends"]), got["ends"]
    assert got["destructor_seconds"] < SOON
    assert consumed(other) == [0, 0]
    assert other("get_meta", **fetch_of(2, 0))["global_indexes"] == [0, 1]
