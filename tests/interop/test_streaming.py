# SPDX-License-Identifier: Apache-2.0
"""C++ streams beside upstream's StreamingDataset on the same nodes, of both languages; and nodes that fail in mid-epoch."""

import random
import signal

import pytest
import torch
from cpp_client import ClientError
from nodes import NEWEST, Cluster
from parts import Parts
from peer_client import connect
from streams import CppStream, PythonStream, epoch
from tensordict import TensorDict

SAMPLES, BATCH = 24, 4
KINDS = ["cpp", NEWEST]
OF_4 = {"batch_size": BATCH, "micro_batch_size": 2}
RANK_AWARE = ("--sampler", "RankAwareSampler")
PRE_ALLOCATED = {"TQ_PRE_ALLOC_SAMPLE_NUM": str(SAMPLES)}


@pytest.fixture(scope="module", params=KINDS)
def cluster(request, tmp_path_factory):
    """Nodes as upstream's documentation wants them for streams, one set of each language for all tests."""
    kind = request.param
    nodes = Cluster(tmp_path_factory.mktemp(f"nodes-{kind}"), kind, (kind, kind),
                    controller_args=(*RANK_AWARE, "--polling"), env=PRE_ALLOCATED)
    yield nodes
    nodes.stop()


@pytest.fixture
def partition(request) -> str:
    return request.node.name


def put(cluster, partition: str, first: int = 0, count: int = SAMPLES) -> list[int]:
    """Rows of new samples; their global indexes."""
    rows = torch.arange(first * 3, (first + count) * 3).reshape(count, 3)
    client = connect(*cluster.addresses())
    return list(client.put(TensorDict({"x": rows}, batch_size=[count]), partition_id=partition).global_indexes)


def indexes(parts: list) -> list[int]:
    return [index for _, part in parts for index in part]


@pytest.fixture
def cpp_stream(partition):
    opened = []

    def run(*args, **options) -> CppStream:
        opened.append(CppStream(*args, **{"partition": partition, **options}))
        return opened[-1]

    yield run
    for stream in opened:
        stream.end()


def test_ranks_of_both_languages_see_the_same_batches(cluster, partition, cpp_stream):
    """Streams of two ranks in each language read in random order: whoever of a rank comes second sees what the first saw."""
    produced = put(cluster, partition)
    rng = random.Random(7)
    options = {**OF_4, "task": "t", "partition": partition}
    readers = [(rank, make(cluster, dp_rank=rank, **options)) for rank in (0, 1) for make in (PythonStream, cpp_stream)]
    given, at = {0: [], 1: []}, [0] * len(readers)  # what each rank was given, and how far each reader is
    left = SAMPLES // BATCH
    while left > 0 or any(at[i] < len(given[rank]) for i, (rank, _) in enumerate(readers)):
        i = rng.randrange(len(readers))
        rank, reader = readers[i]
        if at[i] == len(given[rank]) and left == 0:
            continue  # there is no more for it: it would wait
        batch = [reader.next() for _ in range(BATCH // 2)]
        if at[i] == len(given[rank]):
            given[rank].append(batch)
            left -= 1
        assert given[rank][at[i]] == batch, (rank, at[i])
        at[i] += 1
    assert min(map(len, given.values())) > 0
    seen = [index for rank in (0, 1) for batch in given[rank] for index in indexes(batch)]
    assert sorted(seen) == sorted(produced)


def test_an_epoch_and_its_replay_are_as_upstreams(cluster, partition, cpp_stream):
    produced = put(cluster, partition)
    judge = PythonStream(cluster, task="python", dp_rank=0, check=True, partition=partition, **OF_4)
    expected = epoch(judge)
    assert sorted(indexes(expected)) == sorted(produced)
    judge.reset()
    assert epoch(judge) == expected
    for workers in (0, 3):
        ours = cpp_stream(cluster, task=f"cpp-{workers}", dp_rank=0, check=True, workers=workers, ahead=2, **OF_4)
        assert epoch(ours) == expected
        assert epoch(ours) == []
        ours.reset()
        assert epoch(ours) == expected


def test_two_ranks_share_an_epoch_that_is_produced_meanwhile(cluster, partition, cpp_stream):
    options = {**OF_4, "task": "t", "check": True, "workers": 2}
    streams = [cpp_stream(cluster, dp_rank=rank, **options) for rank in (0, 0, 1)]
    first = [stream.client.start("next") for stream in streams]
    produced = [index for begin in range(0, SAMPLES, 6) for index in put(cluster, partition, begin, 6)]
    seen = []
    for number, stream in zip(first, streams):
        found = stream.client.wait(number)
        seen.append((found["global_indexes"] if found else []) + indexes(epoch(stream)))
    assert seen[0] == seen[1]
    assert sorted(seen[0] + seen[2]) == sorted(produced)


def test_a_rank_that_comes_late_misses_nothing(cluster, partition, cpp_stream):
    """Upstream's ends where everything is consumed, though the sampler keeps batches of its rank."""
    produced = put(cluster, partition)
    options = {**OF_4, "task": "t", "dp_rank": 0, "check": True}
    first = epoch(cpp_stream(cluster, **options))
    assert sorted(indexes(first)) == sorted(produced)
    assert epoch(PythonStream(cluster, partition=partition, **options)) == []
    assert epoch(cpp_stream(cluster, **options)) == first


def test_metadata_is_that_of_the_rows(cluster, partition, cpp_stream):
    """Upstream cuts rows by micro_batch_size and metadata evenly, which is not the same."""
    put(cluster, partition, 0, 6)
    options = {"batch_size": 6, "micro_batch_size": 4, "dp_rank": 0, "task": "t", "partition": partition}
    ours, upstreams = cpp_stream(cluster, **options), PythonStream(cluster, **options)
    cut = [ours.next(), ours.next()]
    assert [(len(rows), len(meta)) for rows, meta in cut] == [(4, 4), (2, 2)]
    evenly = [upstreams.next(), upstreams.next()]
    assert [(len(rows), len(meta)) for rows, meta in evenly] == [(4, 3), (2, 3)]
    assert [rows for rows, _ in cut] == [rows for rows, _ in evenly]
    assert indexes(cut) == indexes(evenly)


def test_a_python_controller_that_does_not_poll_serves_an_epoch(start, partition, cpp_stream):
    """Its waiting holds up all its service and ends in an error; the stream goes on."""
    waits = {"TQ_CONTROLLER_GET_METADATA_CHECK_INTERVAL": "1", "TQ_CONTROLLER_GET_METADATA_TIMEOUT": "0"}
    cluster = start(NEWEST, ("cpp", "cpp"), controller_args=RANK_AWARE, env={**PRE_ALLOCATED, **waits})
    stream = cpp_stream(cluster, task="t", dp_rank=0, check=True, workers=1, **OF_4)
    first = stream.client.start("next")
    produced = put(cluster, partition)
    seen = stream.client.wait(first)["global_indexes"] + indexes(epoch(stream))
    assert sorted(seen) == sorted(produced)


@pytest.fixture
def parts(tmp_path):
    one = Parts(tmp_path / "parts")
    yield one
    one.stop()


def fill(parts, partition: str) -> None:
    nodes = [str(parts.folder / f"{name}.json") for name in ("controller", "storage-0", "storage-1")]
    rows = torch.arange(SAMPLES * 3).reshape(SAMPLES, 3)
    connect(nodes[0], nodes[1:]).put(TensorDict({"x": rows}, batch_size=[SAMPLES]), partition_id=partition)


def refused(stream, *words: str) -> ClientError:
    with pytest.raises(ClientError) as caught:
        while stream.next() is not None:
            pass
    assert "\n" not in caught.value.message
    for word in words:
        assert word in caught.value.message, (word, caught.value.message)
    return caught.value


@pytest.mark.parametrize("workers", [0, 2])
def test_a_unit_that_dies_in_mid_epoch_is_named(parts, partition, cpp_stream, workers):
    fill(parts, partition)
    stream = cpp_stream(task="t", dp_rank=0, check=True, workers=workers, deadline_ms=1000, **parts.addresses(), **OF_4)
    assert stream.next()[1] == [0, 1]
    unit = parts.address(1)
    parts.nodes[1].process.kill()
    parts.nodes[1].process.wait()
    error = refused(stream, "storage unit", unit["id"], str(unit["ports"]["put_get_socket"]), "GET")
    assert error.code == "ConnectionError"
    refused(stream, unit["id"])  # not the end of the epoch
    assert stream.end() == 0


@pytest.mark.parametrize("workers", [0, 2])
def test_a_unit_that_comes_back_loses_no_batch(parts, partition, cpp_stream, workers):
    fill(parts, partition)
    stream = cpp_stream(task="t", dp_rank=0, check=True, workers=workers, deadline_ms=1000, **parts.addresses(), **OF_4)
    seen = list(stream.next()[1])
    parts.signal(0, signal.SIGSTOP)
    with pytest.raises(ClientError) as caught:
        while True:
            seen += stream.next()[1]
    assert caught.value.code in ("TimeoutError", "ConnectionError") and parts.address(0)["id"] in caught.value.message
    parts.signal(0, signal.SIGCONT)
    while True:
        try:
            part = stream.next()
        except ClientError as error:  # batches that failed in the background, too
            assert parts.address(0)["id"] in error.message
            continue
        if part is None:
            break
        seen += part[1]
    assert seen == list(range(SAMPLES))


def test_a_controller_that_dies_is_named(parts, partition, cpp_stream):
    fill(parts, partition)
    stream = cpp_stream(task="t", dp_rank=0, workers=1, ahead=1, deadline_ms=1000, **parts.addresses(), **OF_4)
    assert stream.next()[1] == [0, 1]
    parts.nodes["controller"].process.kill()
    parts.nodes["controller"].process.wait()
    error = refused(stream, "controller", parts.address("controller")["id"], "GET_META")
    assert error.code == "ConnectionError"


def test_patience_names_what_is_missing(parts, partition, cpp_stream):
    stream = cpp_stream(task="t", dp_rank=3, workers=2, patience_ms=1, **parts.addresses(), **OF_4)
    error = refused(stream, f"batch 0 of partition '{partition}'", "dp_rank 3", "[x]", "there is no such partition")
    assert error.code == "TimeoutError"
    fill(parts, partition)
    assert stream.next()[1] == [0, 1]
    assert stream.end() == 0


def test_bad_options_are_named(parts, partition, cpp_stream):
    stream = cpp_stream(task="t", dp_rank=0, **parts.addresses(), **OF_4)
    for wrong, sentence in (
        ({"micro_batch_size": 0}, "micro_batch_size must be at least 1"),
        ({"micro_batch_size": 5}, "micro_batch_size 5 exceeds batch_size 4"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"dp_rank": -1}, "dp_rank must not be negative"),
    ):
        with pytest.raises(ClientError, match=sentence) as caught:
            stream.client("open", **{**OF_4, "fields": ["x"], "task": "t", "dp_rank": 0, "partition": partition, **parts.addresses(), **wrong})
        assert caught.value.code == "ValueError"
