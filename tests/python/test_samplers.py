# SPDX-License-Identifier: Apache-2.0
"""A sampler in another process, as the controller sees it: that process answers, errs, dawdles, talks nonsense, dies."""

import json
import os
import pickle
import socket
import struct
import subprocess
import sys
import threading
import time

import msgspec
import pytest
from conftest import ROOT, tq_binary

sys.path.insert(0, str(ROOT / "python"))

from transfer_queue.utils.serial_utils import decode  # noqa: E402
from transfer_queue_cpp import Error  # noqa: E402
from transfer_queue_cpp._actors import _endpoint  # noqa: E402
from transfer_queue_cpp._samplers import SamplerServer, _frames  # noqa: E402
from transfer_queue_cpp._wire import Controller  # noqa: E402

PATIENCE_MS = 300


class Nodes:
    """A controller whose sampler is at the other end of `self.socket`; six samples are ready."""

    def __init__(self, folder, peer: socket.socket):
        info = folder / "controller.json"
        with peer:
            self.process = subprocess.Popen(
                [tq_binary(), "controller", "--info-file", info, "--until-eof", "0", "--polling",
                 "--sampler-socket", str(peer.fileno()), "--sampler-timeout-ms", str(PATIENCE_MS)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, pass_fds=[peer.fileno()],
                env={**os.environ, "TQ_CHECKPOINT_ROOT": str(folder)},
            )  # fmt: skip
        assert self.process.stdout.readline().startswith("ready: ")
        self.controller = Controller(_endpoint(json.loads(info.read_text())))
        self.ask = self.controller.ask
        self.ask("KV_RETRIEVE_META", keys=list("abcdef"), partition_id="p", create=True)
        schema = {"x": {"dtype": None, "shape": [1], "is_nested": False, "is_non_tensor": False}}
        self.ask("NOTIFY_DATA_UPDATE", partition_id="p", global_indexes=list(range(6)), field_schema=schema)
        self.ask("REGISTER_SAMPLER", sampler="PythonSampler", arguments={"id": 0})

    def fetch(self, size: int, **config) -> list[int]:
        frames = self.ask(
            "GET_META", data_fields=["x"], batch_size=size, partition_id="p", mode="fetch", task_name="t", sampling_config=config
        )
        return list(decode(frames)["body"]["metadata"].global_indexes)

    def consumed(self) -> list[int]:
        return decode(self.ask("GET_CONSUMPTION", partition_id="p", task_name="t"))["body"]["consumption_status"].tolist()

    def stop(self) -> None:
        self.controller.close()
        self.process.stdin.close()
        assert self.process.wait(10) == 0


@pytest.fixture
def raw(tmp_path):
    """Nodes, and the stream at which this test plays the sampler itself."""
    ours, theirs = socket.socketpair()
    nodes = Nodes(tmp_path, theirs)
    yield nodes, ours
    ours.close()
    nodes.stop()


def packed(reply: dict) -> bytes:
    data = msgspec.msgpack.encode(reply)
    return struct.pack("=IQ", 1, len(data)) + data


def answering(ours: socket.socket, *makes) -> threading.Thread:
    """Answers as many requests as there are functions that make a reply's bytes out of the request."""

    def work():
        stream = ours.makefile("rb", buffering=0)
        for make in makes:
            ours.sendall(make(decode(_frames(_Buffered(stream)))))

    thread = threading.Thread(target=work)
    thread.start()
    return thread


class _Buffered:
    """read(n) of exactly n bytes from a stream without a buffer."""

    def __init__(self, stream):
        self._stream = stream

    def read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self._stream.read(size - len(data))
            if not more:
                return data
            data += more
        return data


def cached(request: dict) -> bytes:  # asked where too little is ready, as upstream asks
    assert request["operation"] == "has_cached_result"
    return packed({"number": request["number"], "result": False})


def choosing(sampled: list, consumed: list):
    return lambda request: packed({"number": request["number"], "sampled": sampled, "consumed": consumed})


def test_it_gets_what_is_ready_and_its_choice_counts(raw):
    nodes, ours = raw
    nodes.ask("SET_CUSTOM_META", partition_custom_meta={"p": {3: {"score": 0.5}}})
    seen = {}

    def choose(request):
        seen.update(request, ready_indexes=request["ready_indexes"].tolist())
        return choosing([5, 3, 5], [3])(request)

    thread = answering(ours, choose)
    assert nodes.fetch(3, temperature=2) == [5, 3, 5]
    thread.join()
    del seen["number"]
    assert seen == {
        "operation": "sample", "id": 0, "partition_id": "p", "task_name": "t", "batch_size": 3,
        "sampling_config": {"temperature": 2}, "ready_indexes": [0, 1, 2, 3, 4, 5], "custom_meta": {3: {"score": 0.5}},
    }  # fmt: skip
    assert nodes.consumed() == [0, 0, 0, 1, 0, 0]


def test_a_kept_batch_is_asked_for_where_too_little_is_ready(raw):
    nodes, ours = raw
    kept = lambda request: packed({"number": request["number"], "result": True})
    thread = answering(ours, cached, kept, choosing([2], []))
    assert nodes.fetch(7) == []  # six are ready
    assert nodes.fetch(7) == [2]
    thread.join()


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (lambda r: packed({"number": r["number"], "error": "KeyError: 'score'"}), "KeyError: 'score'"),
        (choosing([0, 77], []), "77, which partition 'p' does not have"),
        (choosing(["a"], []), "sampled must be a list of global indexes"),
        (choosing([-1], []), "sampled must be a list of global indexes"),
    ],
)
def test_a_choice_that_cannot_be_consumes_nothing(raw, reply, message):
    nodes, ours = raw
    thread = answering(ours, reply, choosing([0], [0]))
    with pytest.raises(Error, match=message):
        nodes.fetch(2)
    assert nodes.consumed() == [0] * 6
    assert nodes.fetch(1) == [0]  # and it is asked again
    thread.join()


def test_one_that_dawdles_is_not_waited_for_twice(raw):
    nodes, ours = raw
    stream = _Buffered(ours.makefile("rb", buffering=0))
    with pytest.raises(Error, match=f"has not answered within {PATIENCE_MS} ms"):
        nodes.fetch(1)
    begin = time.monotonic()
    for _ in range(20):
        with pytest.raises(Error, match="is not asked again before it has"):
            nodes.fetch(1)
    assert time.monotonic() - begin < 10 * PATIENCE_MS / 1000  # 20 would take twice that
    assert nodes.consumed() == [0] * 6  # others are served meanwhile
    ours.sendall(choosing([1], [1])(decode(_frames(stream))))  # at last
    thread = answering(ours, choosing([4], [4]))
    assert nodes.fetch(1) == [4]
    thread.join()


@pytest.mark.parametrize(
    "nonsense",
    [
        lambda r: struct.pack("=IQ", 1, 1 << 40),
        lambda r: struct.pack("=IQ", 1, 3) + b"\xc1\xc1\xc1",
        lambda r: packed({"number": r["number"] + 1, "result": False}),
        lambda r: packed([1, 2]),
    ],
)
def test_one_that_talks_nonsense_is_not_asked_again(raw, nonsense):
    nodes, ours = raw
    thread = answering(ours, nonsense)
    with pytest.raises(Error, match="the Python process that runs the sampler"):
        nodes.fetch(1)
    thread.join()
    with pytest.raises(Error, match="is gone"):
        nodes.fetch(1)
    nodes.ask("REGISTER_SAMPLER", sampler="SequentialSampler", arguments={})
    assert nodes.fetch(2) == [0, 1]


def test_one_that_is_gone(raw):
    nodes, ours = raw
    ours.close()
    with pytest.raises(Error, match="the Python process that runs the sampler is gone"):
        nodes.fetch(1)
    nodes.ask("CLEAR_PARTITION", partition_id="p")  # it cannot be told, and that stops nobody
    nodes.ask("REGISTER_SAMPLER", sampler="RankAwareSampler", arguments={})


def test_upstreams_classes_run_behind_it(tmp_path):
    """Any BaseSampler, here with state of its own; upstream's decide whether batches are kept."""
    from transfer_queue.sampler import BaseSampler, RankAwareSampler

    class Backwards(BaseSampler):
        def sample(self, ready_indexes, batch_size, *args, partition=None, **kwargs):
            if kwargs.get("wrong"):
                return partition.global_indexes
            chosen = ready_indexes[::-1][:batch_size]
            return chosen, chosen

    class MyRankAware(RankAwareSampler):
        pass

    server = SamplerServer()
    assert [server.add(Backwards()), server.add(MyRankAware())] == [0, 1]
    nodes = Nodes(tmp_path, server.peer)
    try:
        assert nodes.fetch(2) == [5, 4]
        with pytest.raises(Error, match="sees partition_id, custom_meta and get_custom_meta of a partition, not global_indexes"):
            nodes.fetch(2, wrong=True)
        nodes.ask("REGISTER_SAMPLER", sampler="PythonSampler", arguments={"id": 1})
        ranks = {"dp_rank": 0, "batch_index": 0, "partition_id": "p", "task_name": "t"}
        assert nodes.fetch(4, **ranks) == [0, 1, 2, 3]
        assert nodes.fetch(4, **ranks) == [0, 1, 2, 3]  # kept, though nothing is left
        with pytest.raises(Error, match="IndexError"):
            nodes.ask("REGISTER_SAMPLER", sampler="PythonSampler", arguments={"id": 2})
            nodes.fetch(1)
        with pytest.raises(Error, match="has one argument, id"):
            nodes.ask("REGISTER_SAMPLER", sampler="PythonSampler", arguments={})
    finally:
        nodes.stop()


class Note:
    """In the state of a sampler below."""

    def __init__(self, text):
        self.text = text


def counting(**more):
    from transfer_queue.sampler import RankAwareSampler

    class Counting(RankAwareSampler):
        """Keeps batches for ranks, as its base does, and counts what it was asked."""

        def __init__(self):
            super().__init__()
            self.extra = {"asked": 0, "note": Note("kept"), **more}

        def sample(self, *args, **kwargs):
            self.extra["asked"] += 1
            return super().sample(*args, **kwargs)

        def save_checkpoint(self):
            return {**super().save_checkpoint(), "extra": self.extra}

        def load_checkpoint(self, state):
            super().load_checkpoint(state)
            self.extra = state["extra"]

    return Counting()


RANKS = {"dp_rank": 0, "batch_index": 0, "partition_id": "p", "task_name": "t"}


def test_its_state_is_in_checkpoints(tmp_path):
    first, second = counting(), counting()
    saved = tmp_path / "controller.tq"
    server = SamplerServer()
    server.add(first)
    nodes = Nodes(tmp_path, server.peer)
    try:
        assert nodes.fetch(4, **RANKS) == [0, 1, 2, 3]
        nodes.ask("SAVE_CONTROLLER_CHECKPOINT", path=str(saved))
    finally:
        nodes.stop()
    server = SamplerServer()
    server.add(second)
    nodes = Nodes(tmp_path, server.peer)
    try:
        nodes.ask("LOAD_CONTROLLER_CHECKPOINT", path=str(saved))
        assert second.extra["asked"] == 1 and second.extra["note"].text == "kept"
        assert nodes.fetch(4, **RANKS) == [0, 1, 2, 3]  # kept, though nothing is left
        nodes.ask("REGISTER_SAMPLER", sampler="SequentialSampler", arguments={})
        with pytest.raises(Error, match="another sampler kept"):
            nodes.ask("LOAD_CONTROLLER_CHECKPOINT", path=str(saved))
        assert nodes.consumed() == [1, 1, 1, 1, 0, 0]
    finally:
        nodes.stop()


def test_a_state_that_no_checkpoint_takes_is_refused_when_it_is_saved(tmp_path):
    server = SamplerServer()
    server.add(counting(process=subprocess.run))
    server.add(counting(lock=threading.Lock()))
    nodes = Nodes(tmp_path, server.peer)
    try:
        for number, message in enumerate(["subprocess.run is in the state of the sampler", "the state of Counting cannot be saved: TypeError"]):
            nodes.ask("REGISTER_SAMPLER", sampler="PythonSampler", arguments={"id": number})
            with pytest.raises(Error, match=message):
                nodes.ask("SAVE_CONTROLLER_CHECKPOINT", path=str(tmp_path / "c.tq"))
            assert not (tmp_path / "c.tq").exists()
    finally:
        nodes.stop()


class Command:
    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return os.mkdir, (self.file,)


@pytest.mark.parametrize(
    ("name", "state", "message"),
    [
        ("Counting", lambda folder: pickle.dumps(Command(str(folder / "ran"))), "mkdir is in the state of the sampler"),
        ("Counting", lambda folder: b"\x80\x04nonsense", "the state of the sampler cannot be read"),
        ("Other", lambda folder: pickle.dumps({"_states": {}}), "has the state of the sampler Other, and this one is Counting"),
    ],
)
def test_a_forged_state_runs_nothing(raw, tmp_path, name, state, message):
    """Whoever can write a checkpoint may write anything for a sampler; here as one that saves it."""
    nodes, ours = raw
    saved, sampler = tmp_path / "forged.tq", counting()
    thread = answering(ours, lambda r: packed({"number": r["number"], "class": name, "state": state(tmp_path)}))
    nodes.ask("SAVE_CONTROLLER_CHECKPOINT", path=str(saved))
    thread.join()
    server = SamplerServer()
    server.add(sampler)
    (tmp_path / "victim").mkdir()
    victim = Nodes(tmp_path / "victim", server.peer)
    saved = saved.rename(tmp_path / "victim/forged.tq")
    try:
        before = victim.fetch(2, **RANKS)
        with pytest.raises(Error, match=message):
            victim.ask("LOAD_CONTROLLER_CHECKPOINT", path=str(saved))
        assert victim.fetch(2, **RANKS) == before
        assert not (tmp_path / "ran").exists()
    finally:
        victim.stop()


def test_without_such_a_process_the_refusal_names_the_samplers_that_are_there(tmp_path):
    done = subprocess.run(
        [tq_binary(), "controller", "--info-file", tmp_path / "c", "--sampler", "MySampler"], capture_output=True, text=True
    )
    names = "SequentialSampler, GRPOGroupNSampler, RankAwareSampler, SeqlenBalancedSampler, StreamingTokenBudgetSampler"
    assert done.returncode == 2 and f"there is no sampler 'MySampler'; there are [{names}]" in done.stderr
    done = subprocess.run(
        [tq_binary(), "controller", "--info-file", tmp_path / "c", "--sampler-socket", "1"], capture_output=True, text=True
    )
    assert done.returncode == 2 and "--sampler-socket 1: that is no connected stream socket" in done.stderr
