# SPDX-License-Identifier: Apache-2.0
"""Fetches that wait for data: answered when it is there, in the way of nobody, ended by a time-out, and not by the dead."""

import concurrent.futures
import time

import pytest
import torch
from nodes import Client
from peer_client import connect
from raw import RawPeer
from tensordict import TensorDict

FOR_EVER = {"TQ_CONTROLLER_GET_METADATA_TIMEOUT": "600"}  # longer than any test runs
SOON = 20  # seconds within which something must happen that needs milliseconds


@pytest.fixture
def pool():
    with concurrent.futures.ThreadPoolExecutor() as executor:
        yield executor


def put(client, partition: str, first: int, count: int, field: str = "x") -> None:
    """Rows of one value each: first, first + 1, ..., under keys of that name."""
    keys = [f"k{n}" for n in range(first, first + count)]
    meta = client.kv_retrieve_meta(keys=keys, partition_id=partition, create=True)
    client.put(TensorDict({field: torch.arange(first, first + count)}, batch_size=[count]), meta)


def fetch(client, partition: str, count: int, fields: tuple = ("x",), task: str = "task"):
    return client.get_meta(data_fields=list(fields), batch_size=count, partition_id=partition, mode="fetch", task_name=task)


def values(client, meta) -> list[int]:
    return [int(row) for row in client.get_data(meta)["x"]]


def consumed(client, partition: str, task: str = "task") -> int:
    return int(client.get_consumption_status(task_name=task, partition_id=partition)[1].sum())


def waiting(cluster, partition: str, count: int, task: str = "task") -> RawPeer:
    """A peer whose fetch has reached the controller: it answered a later request on the same connection already."""
    peer = RawPeer(cluster.address(cluster.controller, "request_handle_socket"))
    peer.send("GET_META", {
        "data_fields": ["x"], "batch_size": count, "partition_id": partition, "mode": "fetch", "task_name": task,
        "sampling_config": None})
    peer.send("GET_LIST_PARTITIONS", {})
    assert peer.receive(SOON)[0] == "LIST_PARTITIONS_RESPONSE"
    return peer


def test_answered_when_the_data_arrives(start, pool):
    cluster = start(env=FOR_EVER)
    consumer, producer = connect(*cluster.addresses()), connect(*cluster.addresses())
    put(producer, "p", 0, 1)
    answer = pool.submit(fetch, consumer, "p", 3)
    waiting(cluster, "elsewhere", 1)
    put(producer, "p", 1, 1)
    assert not answer.done()
    put(producer, "p", 2, 2)
    assert values(consumer, answer.result(SOON)) == [0, 1, 2]
    assert consumed(producer, "p") == 3


def test_delays_no_other_client(start):
    cluster = start(env=FOR_EVER)
    waiters = [waiting(cluster, "p", 1, task=f"task {n}") for n in range(20)]
    other = connect(*cluster.addresses())
    begin = time.monotonic()
    for n in range(50):
        put(other, "other", n, 1)
    assert values(other, fetch(other, "other", 50)) == list(range(50))
    # One interval of upstream's, in which its controller would have served nobody, times twenty waiters.
    assert time.monotonic() - begin < 20 * 5
    put(other, "p", 0, 1)
    for waiter in waiters:
        assert waiter.receive(SOON)[0] == "GET_META_RESPONSE"


def test_first_come_first_served(start):
    cluster = start(env=FOR_EVER)
    client = connect(*cluster.addresses())
    first, second = waiting(cluster, "p", 2), waiting(cluster, "p", 2)
    put(client, "p", 0, 2)
    assert values(client, first.receive(SOON)[1]["metadata"]) == [0, 1]
    assert second.receive(0) is None
    put(client, "p", 2, 2)
    assert values(client, second.receive(SOON)[1]["metadata"]) == [2, 3]


def test_waits_for_every_column(start, pool):
    cluster = start(env=FOR_EVER)
    consumer, producer = connect(*cluster.addresses()), connect(*cluster.addresses())
    answer = pool.submit(fetch, consumer, "p", 2, ("x", "y"))
    put(producer, "p", 0, 2, "x")
    put(producer, "p", 1, 1, "y")
    assert not answer.done()
    put(producer, "p", 0, 1, "y")
    assert consumer.get_data(answer.result(SOON)).keys() == {"x", "y"}


def test_answered_after_a_reset_of_consumption(start):
    cluster = start(env=FOR_EVER)
    client = connect(*cluster.addresses())
    put(client, "p", 0, 2)
    fetch(client, "p", 2)
    waiter = waiting(cluster, "p", 2)
    client.reset_consumption(partition_id="p", task_name="task")
    assert values(client, waiter.receive(SOON)[1]["metadata"]) == [0, 1]


@pytest.mark.parametrize("timeout, interval", [(3, 1), (1, 3)])
def test_ends_in_an_error_after_the_larger_time(start, timeout, interval):
    cluster = start(env={
        "TQ_CONTROLLER_GET_METADATA_TIMEOUT": str(timeout), "TQ_CONTROLLER_GET_METADATA_CHECK_INTERVAL": str(interval)})
    client = connect(*cluster.addresses())
    put(client, "p", 0, 1)
    begin = time.monotonic()
    with pytest.raises(RuntimeError, match="TimeoutError"):
        fetch(client, "p", 2)
    assert 2.9 <= time.monotonic() - begin < 3 + SOON
    assert consumed(client, "p") == 0
    assert values(client, fetch(client, "p", 1)) == [0]


@pytest.mark.parametrize("kind", ["cpp", "0.1.11"])
def test_polling_answers_at_once(start, kind):
    """The Python controller beside ours shows that it is the same answer."""
    cluster = start(kind, (kind,), controller_args=("--polling",), env=FOR_EVER)
    client = connect(*cluster.addresses())
    begin = time.monotonic()
    empty = fetch(client, "p", 2)
    assert time.monotonic() - begin < SOON
    assert (empty.size, empty.global_indexes, empty.field_names) == (0, [], [])
    put(client, "p", 0, 1)
    assert fetch(client, "p", 2).size == 0
    assert consumed(client, "p") == 0
    put(client, "p", 1, 1)
    assert values(client, fetch(client, "p", 2)) == [0, 1]


@pytest.mark.parametrize("end", ["closed", "killed"])
def test_a_waiter_that_is_gone_consumes_nothing(start, end):
    cluster = start(env=FOR_EVER)
    client = connect(*cluster.addresses())
    put(client, "p", 0, 1)
    if end == "closed":
        waiting(cluster, "p", 2).close()
    else:
        peer = Client("0.1.11", "waiter.py", [cluster.address(cluster.controller, "request_handle_socket"), "p", "2"])
        peer.expect("waiting")
        peer.kill()
    put(client, "p", 1, 1)
    assert consumed(client, "p") == 0
    assert values(client, fetch(client, "p", 2)) == [0, 1]


def test_a_stop_does_not_wait_for_waiters(start):
    cluster = start(env=FOR_EVER)
    waiting(cluster, "p", 2)
    begin = time.monotonic()
    assert cluster.nodes[0].stop() == 0
    assert time.monotonic() - begin < 5
