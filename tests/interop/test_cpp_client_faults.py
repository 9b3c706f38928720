# SPDX-License-Identifier: Apache-2.0
"""Faults around the C++ client: addresses that are wrong, nodes that die, stop, restart, fill up, connections that break.

Each error is one sentence that names the node, in time; nothing is half stored without saying so; a value is never wrong.
"""

import shutil
import signal

import pytest
import torch
import zmq
from bad_peers import HttpServer, Listener, Proxy, Refusal, ZmqPeer
from canonical import canonical
from cpp_client import ClientError, CppClient, dense, rows_of
from nodes import NEWEST
from parts import Parts
from transfer_queue.utils.zmq_utils import ZMQMessage, ZMQRequestType

WRONG_ADDRESS = 5  # seconds within which a wrong address is told
GRACE = 1  # seconds that an answer may be late
CAPACITY = ("--capacity", "2")  # samples
X = torch.arange(8).reshape(4, 2)
KEYS = ["a", "b", "c", "d"]


@pytest.fixture
def parts(tmp_path):
    started = []

    def start(*args, **kwargs) -> Parts:
        started.append(Parts(tmp_path / f"parts-{len(started)}", *args, **kwargs))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """For tests that leave the nodes as they are."""
    one = Parts(tmp_path_factory.mktemp("shared") / "parts")
    yield one
    one.stop()


def fails(client: CppClient, number: int, *words: str, within: float) -> ClientError:
    with pytest.raises(ClientError) as caught:
        client.wait(number)
    error = caught.value
    assert "\n" not in error.message
    for word in words:
        assert str(word) in error.message, (word, error.message)
    assert error.seconds < within, error
    return error


def put(client: CppClient, partition: str = "p", rows: torch.Tensor = X, **more):
    return client("put", keys=KEYS[: len(rows)], partition=partition, columns=[["x", dense(rows)]], **more)


def get(client: CppClient, keys: list[str] = KEYS, partition: str = "p") -> list:
    return rows_of(client("get", keys=keys, partition=partition, fields=["x"])["x"])


def on_unit(client: CppClient, unit: int, partition: str = "p", keys: list[str] = KEYS) -> list[str]:
    """The keys whose samples lie there."""
    indexes = client("look_up", keys=keys, partition=partition)["global_indexes"]
    return [key for key, index in zip(keys, indexes, strict=True) if index % 2 == unit]


BAD = {
    "nothing": Refusal,
    "a silent server": Listener,
    "an HTTP server": HttpServer,
    "a PUB socket": lambda: ZmqPeer(zmq.PUB),
    "a PULL socket": lambda: ZmqPeer(zmq.PULL),
    "a REP socket": lambda: ZmqPeer(zmq.REP),
    "a silent ROUTER": lambda: ZmqPeer(zmq.ROUTER),
}


@pytest.fixture(scope="module")
def bad_ports():
    """{name: port} with such peers behind."""
    peers = {name: make() for name, make in BAD.items()}
    yield {name: peer.port for name, peer in peers.items()}
    for peer in peers.values():
        peer.close()


@pytest.fixture(scope="module")
def asked(shared, bad_ports):
    """{name: (client, number)} of connects to such a controller and of puts to such a unit; all at once, for each takes
    its seconds."""
    joins, puts = {}, {}
    for name, port in bad_ports.items():
        client = CppClient()
        joins[name] = client, client.start("connect", **shared.addresses(handshake_socket=port))
        client = shared.client(deadline=20, unit_1=port)
        puts[name] = client, client.start("put", keys=KEYS, partition=name, columns=[["x", dense(X)]])
    return joins, puts


def test_no_controller_at_its_address(asked, bad_ports):
    for name, (client, number) in asked[0].items():
        words = ("controller TQ_", f"tcp://127.0.0.1:{bad_ports[name]}", "HANDSHAKE")
        error = fails(client, number, *words, within=WRONG_ADDRESS)
        assert error.code == ("TimeoutError" if name in ("a REP socket", "a silent ROUTER") else "ConnectionError"), error
        assert client.end() == 0


def test_no_unit_at_its_address(asked, bad_ports):
    for name, (client, number) in asked[1].items():
        words = ("storage unit TQ_", f"tcp://127.0.0.1:{bad_ports[name]}", "PUT", *(f"'{key}'" for key in KEYS))
        error = fails(client, number, *words, within=WRONG_ADDRESS)
        assert error.rows_not_stored == [0, 1, 2, 3]  # a wrong address is noticed before anything is stored
        number = client.start("get", keys=KEYS, partition=name, fields=["x"])
        fails(client, number, "'x'", "not ready", within=GRACE)


def test_addresses_that_are_mixed_up(shared, tmp_path):
    unit, controller = shared.address(0), shared.address("controller")
    client = CppClient()
    folder = tmp_path / "folder"
    shutil.copytree(shared.folder, folder)
    shutil.copy(folder / "storage-0.json", folder / "controller.json")
    fails(client, client.start("connect", info_dir=str(folder)), "controller.json", "TransferQueueStorage", within=GRACE)
    number = client.start("connect", controller=unit, units=[unit])
    fails(client, number, unit["id"], "handshake_socket", within=GRACE)
    # A unit that listens where the controller should, and the other way round.
    swapped = shared.addresses(handshake_socket=unit["ports"]["put_get_socket"])
    fails(client, client.start("connect", **swapped), "HANDSHAKE", str(unit["ports"]["put_get_socket"]), within=GRACE)
    port = controller["ports"]["request_handle_socket"]
    number = shared.client(unit_1=port).start("put", keys=KEYS, partition="mixed up", columns=[["x", dense(X)]])
    fails(shared.extra[-1], number, "PUT", f"tcp://127.0.0.1:{port}", within=GRACE)
    # Folders.
    fails(client, client.start("connect", info_dir=str(tmp_path / "nowhere")), "nowhere", within=GRACE)
    (folder / "controller.json").unlink()
    fails(client, client.start("connect", info_dir=str(folder)), "controller.json", within=GRACE)
    shutil.copy(shared.folder / "controller.json", folder)
    (folder / "storage-0.json").unlink()
    fails(client, client.start("connect", info_dir=str(folder)), "storage-0.json", "storage-1.json", within=GRACE)
    (folder / "storage-1.json").write_text("{}")
    (folder / "storage-1.json").rename(folder / "storage-0.json")
    fails(client, client.start("connect", info_dir=str(folder)), "storage-0.json", "role", within=GRACE)
    (folder / "storage-0.json").unlink()
    fails(client, client.start("connect", info_dir=str(folder)), "storage-0.json", within=GRACE)
    assert client.end() == 0


def test_a_unit_that_was_killed(parts):
    nodes = parts()
    client = nodes.client(deadline=1)
    put(client)
    there, gone = on_unit(client, 0), on_unit(client, 1)
    dead = nodes.address(1)
    nodes.signal(1, signal.SIGKILL)
    nodes.nodes[1].process.wait()
    number = client.start("get", keys=KEYS, partition="p", fields=["x"])
    endpoint = f"tcp://127.0.0.1:{dead['ports']['put_get_socket']}"
    error = fails(client, number, dead["id"], endpoint, "GET", "attempt", within=1 + GRACE)
    assert error.code == "ConnectionError"
    assert get(client, there) == [canonical(X[KEYS.index(key)]) for key in there]
    # What it held is lost; the others can be cleared and replaced.
    number = client.start("put", keys=KEYS, partition="p", columns=[["x", dense(X + 1)]])
    error = fails(client, number, dead["id"], *(f"'{key}'" for key in gone), within=1 + GRACE)
    assert error.rows_not_stored == [KEYS.index(key) for key in gone]
    fails(client, client.start("clear", keys=KEYS, partition="p"), dead["id"], "CLEAR_DATA", within=1 + GRACE)


def test_a_controller_that_was_killed(parts):
    nodes = parts()
    client = nodes.client(deadline=1)
    put(client)
    controller = nodes.address("controller")
    nodes.signal("controller", signal.SIGSTOP)
    number = client.start("get", keys=KEYS, partition="p")
    assert fails(client, number, controller["id"], "KV_RETRIEVE_META", within=1 + GRACE).code == "TimeoutError"
    nodes.signal("controller", signal.SIGCONT)
    assert get(client) == [canonical(row) for row in X]
    nodes.signal("controller", signal.SIGKILL)
    nodes.nodes["controller"].process.wait()
    number = client.start("list")
    assert fails(client, number, controller["id"], "KV_LIST", within=1 + GRACE).code == "ConnectionError"


def restarted_unit_says_so(client: CppClient, restart) -> None:
    put(client)
    there, gone = on_unit(client, 0), on_unit(client, 1)
    restart()
    for keys in (gone, KEYS):  # also when part of the batch is there
        number = client.start("get", keys=keys, partition="p", fields=["x"])
        assert fails(client, number, "storage unit", "restarted", "lost", within=3 + GRACE).code == "KeyError"
    assert get(client, there) == [canonical(X[KEYS.index(key)]) for key in there]
    # New data on it is served, and what is still lost is still told.
    client("put", keys=gone[:1], partition="p", columns=[["x", dense(X[:1] + 100)]])
    assert get(client, there + gone[:1])[-1] == canonical(X[0] + 100)
    number = client.start("get", keys=gone, partition="p", fields=["x"])
    fails(client, number, "restarted", "lost", within=3 + GRACE)
    client("put", keys=KEYS, partition="p", columns=[["x", dense(X + 7)]])
    assert get(client) == [canonical(row) for row in X + 7]


def test_a_unit_that_was_restarted(parts):
    nodes = parts()
    restarted_unit_says_so(nodes.client(), lambda: nodes.restart(1))


@pytest.fixture(scope="module")
def python_parts(tmp_path_factory):
    one = Parts(tmp_path_factory.mktemp("python") / "parts", NEWEST, NEWEST, ((), CAPACITY))
    yield one
    one.stop()


def test_a_stopped_unit_holds_up_no_other_call(parts):
    nodes = parts()
    client = nodes.client(deadline=2)
    put(client)
    there, silent = on_unit(client, 0), on_unit(client, 1)
    stopped = nodes.address(1)
    nodes.signal(1, signal.SIGSTOP)
    waiting = [client.start("get", keys=silent, partition="p", via=via) for via in ("thread", "thread")]
    for _ in range(50):
        assert get(client, there) == [canonical(X[KEYS.index(key)]) for key in there]
    assert not any(client.answered(number) for number in waiting)
    errors = [
        fails(client, number, stopped["id"], "GET", str(stopped["ports"]["put_get_socket"]), "stopped", within=2 + GRACE)
        for number in waiting]
    # One of them has the connection of the put; the other's new one is not taken.
    assert sorted(error.code for error in errors) == ["ConnectionError", "TimeoutError"]
    assert all(error.seconds > 1.9 for error in errors)
    nodes.signal(1, signal.SIGCONT)
    # Its late replies are nobody's.
    client("put", keys=silent, partition="p", columns=[["x", dense(X[:2] + 50)]])
    for _ in range(20):
        assert get(client, silent) == [canonical(row) for row in X[:2] + 50]


def test_signals_do_not_end_a_call(parts):
    nodes = parts()
    client = nodes.client(deadline=1.5)
    put(client)
    nodes.signal(1, signal.SIGSTOP)
    number, signals = client.start("get", keys=KEYS, partition="p"), 0
    while not client.answered(number, timeout=0.005):
        client.process.send_signal(signal.SIGUSR1)
        signals += 1
    assert signals > 20
    assert fails(client, number, "did not answer GET", within=1.5 + GRACE).code == "TimeoutError"
    nodes.signal(1, signal.SIGCONT)
    number = client.start("storm", threads=4, rounds=30, rows=20, width=2000)
    while not client.answered(number, timeout=0.001):
        client.process.send_signal(signal.SIGUSR1)
    assert client.wait(number) == []


@pytest.fixture
def proxied(parts):
    """A client whose ways to the controller's requests and to unit 1 lead through proxies."""
    nodes = parts()
    way = Proxy(nodes.address("controller")["ports"]["request_handle_socket"])
    unit_way = Proxy(nodes.address(1)["ports"]["put_get_socket"])
    nodes.extra += [way, unit_way]
    return nodes.client(request_handle_socket=way.port, unit_1=unit_way.port), way, unit_way


@pytest.mark.parametrize("when", ["request", "reply"])
def test_a_broken_connection_repeats_the_same_request(proxied, when):
    client, way, unit_way = proxied
    put(client, tags=[{"n": n} for n in range(4)])
    steps = [
        (unit_way, "PUT", lambda: put(client, rows=X + 1)),
        (unit_way, "GET", lambda: get(client)),
        (way, "NOTIFY_DATA_UPDATE", lambda: put(client, rows=X + 2)),
        (way, "KV_RETRIEVE_META", lambda: put(client, partition="new")),
        (way, "SET_CUSTOM_META", lambda: client("put_one", key="a", partition="p", tag={"m": 1})),
        (way, "KV_LIST", lambda: client("list")),
        (way, "MARK_CLEARING", lambda: client("clear", keys=KEYS, partition="new")),
        (unit_way, "CLEAR_DATA", lambda: client("clear", keys=["b"], partition="p")),
        (way, "CLEAR_META", lambda: client("clear", keys=["c"], partition="p")),
    ]
    for proxy, kind, step in steps:
        before = len(proxy.request_ids(kind))
        proxy.cut(kind, when)
        step()
        ids = proxy.request_ids(kind)[before:]
        assert len(ids) >= 2 and ids[0] == ids[1], (kind, ids)
    assert get(client, ["a", "d"]) == [canonical(row) for row in (X + 2)[[0, 3]]]
    assert client("list") == [["p", [["a", {"n": 0, "m": 1}], ["d", {"n": 3}]]], ["new", []]]


def test_connections_that_break_while_idle(proxied):
    client, way, unit_way = proxied
    put(client)
    for round in range(5):
        way.break_all()
        unit_way.break_all()
        put(client, rows=X + round)
        assert get(client) == [canonical(row) for row in X + round]


def test_a_full_unit(parts):
    nodes = parts(unit_args=((), CAPACITY))
    full_unit_says_so(nodes.client(), nodes.address(1)["id"])


def full_unit_says_so(client: CppClient, unit: str) -> None:
    """Unit 1 has room for two samples. Nothing that was put with a third becomes readable."""
    keys, rows, partition = ["a", "b", "c", "d", "e", "f"], torch.arange(12).reshape(6, 2), "full"
    number = client.start("put", keys=keys, partition=partition, columns=[["x", dense(rows)], ["y", dense(rows)]])
    error = fails(client, number, unit, "PUT", "not stored: 3 of 6 keys", within=GRACE)
    assert error.code == "MemoryError", error
    missing = on_unit(client, 1, partition, keys)
    assert error.rows_not_stored == [keys.index(key) for key in missing]
    assert [key for key in keys if f"'{key}'" in error.message] == missing
    stored = on_unit(client, 0, partition, keys)
    for some in (keys, stored):
        assert client("look_up", keys=some, partition=partition)["fields"] == []
        fails(client, client.start("get", keys=some, partition=partition, fields=["x"]), "'x'", "not ready", within=GRACE)
    # One sample less, and the repeated put is whole.
    client("clear", keys=missing[:1], partition=partition)
    rest = stored + missing[1:]
    client("put", keys=rest, partition=partition, columns=[["x", dense(rows[:5])]])
    assert get(client, rest, partition) == [canonical(row) for row in rows[:5]]
    client("clear", keys=rest, partition=partition)


def test_a_report_that_the_controller_does_not_take(shared):
    """A column of another dtype; and samples that were cleared meanwhile."""
    client = shared.client()
    put(client, "report")
    number = client.start("put", keys=KEYS[:2], partition="report", columns=[["x", dense(torch.ones(2, 2))]])
    fails(client, number, "'report'", "controller", "dtype", "float32", "int64", within=GRACE)
    stale = client("look_up", keys=KEYS, partition="report")["global_indexes"]
    client("clear", keys=KEYS, partition="report")
    number = client.start("put_rows", global_indexes=stale, partition="report", columns=[["x", dense(X)]])
    fails(client, number, "'report'", str(stale[0]), within=GRACE)
    assert client("list", partition="report") == [["report", []]]


def test_python_nodes(python_parts):
    """A full unit, a report that is not taken, and a restart: behind a proxy, for the unit's port changes."""
    way = Proxy(python_parts.address(1)["ports"]["put_get_socket"])
    python_parts.extra.append(way)
    client = python_parts.client(unit_1=way.port)
    full_unit_says_so(client, python_parts.address(1)["id"])
    put(client, "report")
    number = client.start("put", keys=KEYS[:2], partition="report", columns=[["x", dense(torch.ones(2, 2))]])
    fails(client, number, "'report'", "controller", "dtype", within=GRACE)
    client("clear", keys=KEYS, partition="report")

    def restart():
        python_parts.restart(1)
        way.target = python_parts.address(1)["ports"]["put_get_socket"]
        way.break_all()

    restarted_unit_says_so(client, restart)


def test_replies_that_are_no_answer(shared):
    """Garbage, an answer of another type, and one without what was asked for."""

    def reply(kind: ZMQRequestType, body: dict) -> list:
        return ZMQMessage.create(request_type=kind, sender_id="odd", receiver_id="", body=body).serialize()

    answers = {
        "garbage": lambda _: [b"\xc1garbage"],
        "an empty frame": lambda _: [b""],
        "another type": lambda _: reply(ZMQRequestType.CLEAR_DATA_RESPONSE, {"message": "cleared"}),
        "no data": lambda _: reply(ZMQRequestType.GET_DATA_RESPONSE, {}),
        "no field": lambda _: reply(ZMQRequestType.GET_DATA_RESPONSE, {"data": {"y": [1, 2]}}),
        "fewer rows": lambda _: reply(ZMQRequestType.GET_DATA_RESPONSE, {"data": {"x": [torch.ones(1)]}}),
        "no column": lambda _: reply(ZMQRequestType.GET_DATA_RESPONSE, {"data": {"x": "ab"}}),
        "no rows": lambda _: reply(ZMQRequestType.GET_DATA_RESPONSE, {"data": {"x": torch.tensor(1)}}),
        "nothing": lambda _: reply(ZMQRequestType.GET_DATA_RESPONSE, {"data": None}),
    }
    put(shared.client(), "odd")
    for name, answer in answers.items():
        odd = ZmqPeer(zmq.ROUTER, answer)
        client = shared.client(unit_1=odd.port)
        number = client.start("get", keys=KEYS, partition="odd", fields=["x"])
        fails(client, number, f"tcp://127.0.0.1:{odd.port}", "GET", within=GRACE)
        odd.close()


def test_python_controllers_that_know_it_are_told_what_is_being_cleared(python_parts):
    way = Proxy(python_parts.address("controller")["ports"]["request_handle_socket"])
    python_parts.extra.append(way)
    client = python_parts.client(request_handle_socket=way.port)
    put(client, "clearing")
    client("clear", keys=KEYS, partition="clearing")
    assert len(way.request_ids("MARK_CLEARING")) == 1
