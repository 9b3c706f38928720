# SPDX-License-Identifier: Apache-2.0
"""Bad input to running C++ nodes: one reply that says what is wrong, nothing stored in part, and the nodes serve on.

Raw sockets and bytes against a controller and two units; the expectations are those of docs/protocol.md.
"""

import os
import pickle
import random
import struct
from collections import Counter

import bombs
import hostile_pickles
import msgspec
import mutations
import pytest
import running
import undecodable
import wrong_meaning
from bad_values import BUFFER, KINDS, good_bodies, must_refuse, refusals, refusals_without
from judge import MIB, Judge, Memory
from msgspec.msgpack import Ext
from protocol_page import CONTROLLER, REPLIES, STORAGE, Key
from raw_peer import CALLABLE, PICKLE, TENSOR, Peer, TcpPeer, message, nested, read_batch_meta, tensor
from world import TEXT, changes, create, dense, floats, usual_course

REQUESTS = {**CONTROLLER, **STORAGE}
UNREADABLE = {True: {"REQUEST_ERROR"}, False: {"PUT_GET_ERROR"}}  # by whether a controller is asked


def peers_for(cpp, request_type: str) -> list:
    return cpp.controller if request_type in CONTROLLER else cpp.units[:1]


@pytest.mark.parametrize("request_type", REQUESTS)
def test_keys(cpp, world, tmp_path, request_type):
    """Each key dropped in turn, and given a value of each kind; a body that is no dict."""
    judge = Judge(cpp, world)
    good = good_bodies(world, str(tmp_path))[request_type]
    keys: list[Key] = REQUESTS[request_type]
    assert set(good) == {key.name for key in keys}, "good_bodies and the page disagree"
    peers = peers_for(cpp, request_type)
    allowed = [("a good body", good)]
    for key in keys:
        without = {name: value for name, value in good.items() if name != key.name}
        if key.required:
            frames = message(request_type, without, BUFFER)
            judge.refuse(f"no {key.name}", peers[0], frames, refusals_without(request_type), key.name)
        else:
            allowed.append((f"no {key.name}", without))
        for number, (kind, value) in enumerate(KINDS.items()):
            body, name = {**good, key.name: value}, f"{key.name} is {kind}"
            if must_refuse(request_type, key, kind):
                frames = message(request_type, body, BUFFER)
                judge.refuse(name, peers[number % len(peers)], frames, refusals(request_type, key.name), key.name)
            elif key.name != "path":  # a path that could be meant may be written to
                allowed.append((name, body))
    for kind, value in KINDS.items():
        if isinstance(value, dict):
            continue
        if any(key.required for key in keys):
            frames = message(request_type, value, BUFFER)
            judge.refuse(f"the body is {kind}", peers[0], frames, refusals_without(request_type), "body")
        else:
            allowed.append((f"the body is {kind}", value))
    for number, (name, body) in enumerate(allowed):
        judge.answer(name, peers[number % len(peers)], message(request_type, body, BUFFER), REPLIES)
    judge.finish(at_least=1 + len(KINDS) * len(keys) // 2)


# ---- what cannot be decoded --------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["headers", "envelopes", "fallbacks", "announcements"])
def test_undecodable(cpp, world, kind):
    """On each socket."""
    judge = Judge(cpp, world)
    for name, peer in cpp.everyone():
        at_controller = peer in cpp.controller
        request = ("KV_LIST", {"partition_id": None}) if at_controller else ("GET", {"fields": ["scores"], "global_indexes": []})
        cases = {
            "headers": lambda: undecodable.broken_headers(message(*request, BUFFER), random.Random(3)),
            "envelopes": lambda: undecodable.broken_envelopes(*request),
            "fallbacks": lambda: undecodable.broken_fallbacks(*request),
            "announcements": undecodable.announcements,
        }[kind]
        for case, frames, words in cases():
            judge.refuse(f"{name}: {case}", peer, frames, UNREADABLE[at_controller], *words)
    judge.finish(at_least=5 * 20)


@pytest.mark.parametrize("where", ["column", "tag"])
def test_broken_tensors(cpp, world, where):
    """Nor is the good column, or the good tag, beside the broken one stored."""
    judge = Judge(cpp, world)
    for name, (value, buffer) in undecodable.broken_tensors().items():
        if where == "column":
            frames = undecodable.in_a_column(value, buffer, world.on_unit(world.victim, 0))
            judge.refuse(name, cpp.units[0], frames, {"PUT_GET_ERROR", "PUT_ERROR"})
        else:
            judge.refuse(name, cpp.controller[0], undecodable.as_a_tag(value, buffer, world.victim), {"REQUEST_ERROR"})
    judge.finish(at_least=100)


def test_broken_tensor_is_named(cpp, world):
    """The refusal says in which column or tag the tensor stands."""
    judge, broken = Judge(cpp, world), undecodable.broken_tensors()
    rows = world.on_unit(world.victim, 0)
    for kind in ("tensor", "nested tensor", "numpy array"):
        for what in ("buffer 2", "too many elements", "a negative dimension"):
            value, buffer = broken[f"{kind}: {what}"]
            frames = undecodable.in_a_column(value, buffer, rows)
            judge.refuse(f"{kind}: {what} in a column", cpp.units[0], frames, {"PUT_GET_ERROR", "PUT_ERROR"}, "odd column")
            frames = undecodable.as_a_tag(value, buffer, world.victim)
            judge.refuse(f"{kind}: {what} in a tag", cpp.controller[0], frames, {"REQUEST_ERROR"}, "odd tag")
    judge.finish(at_least=18)


@pytest.mark.parametrize("name", undecodable.unreadable_keys())
def test_what_no_client_could_read(cpp, world, name):
    """Taken in, it would make every answer that has it unreadable: KV_LIST, metadata, a row."""
    value = undecodable.unreadable_keys()[name]
    with pytest.raises(msgspec.DecodeError):
        msgspec.msgpack.decode(value)
    judge, rows = Judge(cpp, world), world.on_unit(world.victim, 0)
    tag = message("SET_CUSTOM_META", {"partition_custom_meta": {"nobody": {0: {"odd tag": "HERE"}}}})
    judge.refuse("a tag", cpp.controller[0], undecodable.with_raw_value(tag, value), {"REQUEST_ERROR"})
    column = message("PUT", {"global_indexes": rows, "data": {"good column": ["a"] * 3, "odd column": [1, "HERE", 3]}})
    judge.refuse("a row", cpp.units[0], undecodable.with_raw_value(column, value), {"PUT_GET_ERROR", "PUT_ERROR"})
    judge.finish(at_least=2)


# ---- pickles that would run a command ----------------------------------------------------------------------------
def loads_and_runs(payload: bytes, marker) -> bool:
    try:
        pickle.loads(payload)
    except Exception:  # noqa: BLE001  some fail after their command has run
        pass
    ran = marker.exists()
    marker.unlink(missing_ok=True)
    return ran


def test_pickles_are_never_run(cpp, world, tmp_path):
    """Not in any place; what a node need not understand it keeps, and gives back byte for byte."""
    judge, marker = Judge(cpp, world), tmp_path / "marker"
    rows = world.on_unit(world.victim, 0)
    for name, payload in hostile_pickles.commands(marker).items():
        assert name.startswith("through") or loads_and_runs(payload, marker), f"'{name}' is harmless in Python too"
        for place, (at_controller, frames) in hostile_pickles.places(payload, rows, world.victim).items():
            reply = judge.answer(f"{name}: {place}", (cpp.controller if at_controller else cpp.units)[0], frames, REPLIES)
            assert not marker.exists(), f"{name}: {place}: the command was run; answered by {reply}"
        for code, kind in ((PICKLE, "object"), (CALLABLE, "callable")):
            places = hostile_pickles.places(payload, rows, world.victim)
            cpp.controller[0].ask_exactly_once(places[f"{kind} as a tag"][1])
            tags = cpp.ask("KV_LIST", {"partition_id": "victim"}).body["partition_info"]["victim"]["v0"]
            assert tags == {"odd tag": (code, payload)}, f"{name}: a tag came back as {tags}"
            cpp.units[0].ask_exactly_once(places[f"{kind} in a column"][1])
            got = cpp.ask_unit(0, "GET", {"global_indexes": rows, "fields": ["odd column"]}).body["data"]
            assert got == {"odd column": [(code, payload)] * len(rows)}, f"{name}: a row came back as {got}"
    judge.finish(at_least=400)
    assert not marker.exists()


# ---- right types, wrong content ----------------------------------------------------------------------------------
@pytest.mark.parametrize("node", ["controller", "unit"])
def test_wrong_meaning(cpp, world, node):
    judge = Judge(cpp, world)
    if node == "controller":
        peers, cases = cpp.controller, wrong_meaning.of_controllers(world)
    else:
        peers, cases = cpp.units[:1], wrong_meaning.of_units(world)
    for number, (name, request_type, body, buffers, words) in enumerate(cases):
        frames = message(request_type, body, *buffers)
        judge.refuse(f"{request_type}: {name}", peers[number % len(peers)], frames, refusals(request_type, None), *words)
    judge.finish(at_least=40)


UNKNOWN = {"made up": "NO_SUCH_REQUEST", "empty": "", "in small letters": "get", "a reply": "GET_DATA_RESPONSE", "an error": "REQUEST_ERROR",
           "with a zero byte": "PUT\x00", "not ASCII": "ПУТ", "long": "X" * 60_000}  # fmt: skip


@pytest.mark.parametrize("request_type", UNKNOWN.values(), ids=UNKNOWN)
def test_unknown_types(cpp, world, request_type):
    judge = Judge(cpp, world)
    for name, peer in cpp.everyone():
        unknown = {"REQUEST_ERROR"} if peer in cpp.controller else {"PUT_GET_OPERATION_ERROR"}
        judge.refuse(name, peer, message(request_type, {"partition_id": "canary"}), unknown, request_type[:100])
    judge.finish(at_least=5)


def test_types_of_the_other_node(cpp, world):
    """Requests to units at a controller's sockets, and the reverse."""
    judge = Judge(cpp, world)
    for name, peer in cpp.everyone():
        others, unknown = (STORAGE, "REQUEST_ERROR") if peer in cpp.controller else (CONTROLLER, "PUT_GET_OPERATION_ERROR")
        for other in others:
            judge.refuse(f"{name}: {other}", peer, message(other, {"global_indexes": world.canary}), {unknown}, other)
    judge.finish(at_least=3 * len(STORAGE) + 2 * len(CONTROLLER))


# ---- messages that explode ---------------------------------------------------------------------------------------
def test_bombs(tmp_path):
    """A small message does not take a large memory, or the node's time. After one that does, the next gets new nodes."""
    makers = {name: lambda nodes, bomb=bomb: bomb for name, bomb in {**bombs.of_pickles(), **bombs.of_bodies()}.items()}
    makers |= {"a row asked for 200 times": bombs.repeated_get, "a key asked for 10,000 times": bombs.repeated_key}
    target, all_problems = None, []
    try:
        for number, (name, make) in enumerate(makers.items()):
            if target is None:
                target = running.start(tmp_path / str(number))
                create(target, "p", ["a", "b", "c", "d"])
            problems = _explode(target, name, make)
            if problems:
                all_problems += problems
                running.stop(target)
                target = None
    finally:
        if target is not None:
            running.stop(target)
    if all_problems:
        pytest.fail(f"{len(all_problems)} problems of {len(makers)} messages\n" + "\n".join(all_problems), pytrace=False)


def _explode(target, name: str, make) -> list[str]:
    at_controller, frames = make(target)
    assert sum(map(len, frames)) < 5 * MIB
    judge = Judge(target)
    judge.answer(name, (target.controller if at_controller else target.units)[0], frames, REPLIES)
    judge.check_batch()
    problems = judge.problems + [f"{name}: {problem}" for problem in judge.memory.peak_problems()]
    if not problems:
        usual_course(target)
    return problems


# ---- indexes named twice -----------------------------------------------------------------------------------------
def test_duplicated_indexes(cpp, world):
    """No error, as in Python: the last value of a row wins, and a row asked for twice comes twice."""
    row, other = create(cpp, "twice", ["a", "b", "c", "d"])[::2]
    unit = cpp.unit_of(row)
    assert cpp.unit_of(other) == unit
    data = {"x": tensor("float32", (3, 1), 1), "y": ["first", "second", "third"]}
    cpp.ask_unit(unit, "PUT", {"global_indexes": [row, other, row], "data": data}, floats(1, 2, 3))
    got = cpp.ask_unit(unit, "GET", {"global_indexes": [row, row, other], "fields": ["x", "y", "y"]}).body["data"]
    assert got == {"x": (3, "float32", (3, 1), floats(3, 3, 2)), "y": ["third", "third", "second"]}
    schema = {"x": dense(shape=[1]), "y": TEXT}
    cpp.ask("NOTIFY_DATA_UPDATE", {"partition_id": "twice", "global_indexes": [row, other, row], "field_schema": schema})
    again = cpp.ask("KV_RETRIEVE_META", {"keys": ["a", "a", "c"], "partition_id": "twice", "create": False})
    assert read_batch_meta(again.body["metadata"])["global_indexes"] == [row, row, other]
    assert cpp.ask("KV_RETRIEVE_KEYS", {"global_indexes": [row, row], "partition_id": "twice"}).body == {"keys": ["a", "a"]}
    for request_type in ("MARK_CLEARING", "CLEAR_META"):
        cpp.ask(request_type, {"global_indexes": [row, row], "partition_ids": ["twice", "twice"]})
    cpp.ask_unit(unit, "CLEAR_DATA", {"global_indexes": [row, row]})
    assert cpp.ask("KV_LIST", {"partition_id": "twice"}).body["partition_info"] == {"twice": {"b": {}, "c": {}, "d": {}}}
    cpp.ask_unit(unit, "CLEAR_DATA", {"global_indexes": [other]})
    cpp.ask("CLEAR_PARTITION", {"partition_id": "twice"})


# ---- peers that are no peers -------------------------------------------------------------------------------------
def test_bytes_that_are_no_zeromq(cpp, world):
    """Strangers on the ports: connections that say anything, announce frames that never come, or say nothing."""
    memory, held = Memory(cpp.process.pid), []
    strange = [b"", b"GET / HTTP/1.1\r\n\r\n", random.Random(5).randbytes(4096), TcpPeer.GREETING[:11], TcpPeer.GREETING]
    announced = [b"\x02" + struct.pack(">Q", size) for size in (2**35, 2**63, 2**64 - 1)]
    endless = b"\x01\x00" * 10_000  # empty frames, each with more to come
    for _, peer in cpp.everyone():
        for words in strange:
            held.append(TcpPeer(peer.address))
            held[-1].say(words)
        for words in (b"", *announced, endless):
            held.append(TcpPeer(peer.address))
            held[-1].join()
            held[-1].say(words)
        held.append(TcpPeer(peer.address))
        held[-1].join()
        held[-1].say(b"\x00\x01\xc1")  # a whole message, so those above did join
        held[-1].hear(b"_ERROR")
    usual_course(cpp)  # while they are all there
    for connection in held:
        connection.close()
    usual_course(cpp)
    assert not memory.problems()


def test_many_peers_at_once(cpp, world):
    """Bad and good requests in flight together, each on a socket of its own: each gets its own answer."""
    before, bad = world.look(), undecodable.broken_tensors()["tensor: buffer 2"]
    peers = []
    try:
        for number in range(120):
            name, peer = cpp.everyone()[number % 5]
            peers.append((Peer(cpp.context, peer.address, peer.probe), peer in cpp.controller, f"peer-{number}"))
        for number, (peer, at_controller, mark) in enumerate(peers):
            extension = {"x_tq": {"version": 1, "request_id": mark}}
            if number % 3 == 0:
                peer.send([b"\xc1"] if number % 2 else undecodable.in_a_column(*bad, world.victim))
            elif number % 3 == 1:
                peer.send(message("NO_SUCH_REQUEST", extension))
            else:
                peer.send(message("KV_LIST" if at_controller else "GET_METRICS", {"partition_id": "canary", **extension}))
        for number, (peer, at_controller, mark) in reversed([*enumerate(peers)]):
            reply = peer.receive()
            wanted = [UNREADABLE, {True: {"REQUEST_ERROR"}, False: {"PUT_GET_OPERATION_ERROR"}},
                      {True: {"KV_LIST_RESPONSE"}, False: {"METRICS_RESPONSE"}}][number % 3]  # fmt: skip
            assert reply.type in wanted[at_controller], f"{mark}: {reply}"
            assert number % 3 == 0 or reply.body["x_tq"]["request_id"] == mark
    finally:
        for peer, _, _ in peers:
            peer.close()
    assert not changes(before, world.look())


def test_peers_that_leave_at_once(cpp, world):
    """Their requests, bad and good, are read; nobody waits for the replies."""
    before = world.look()
    for number in range(60):
        name, peer = cpp.everyone()[number % 5]
        leaving = Peer(cpp.context, peer.address, peer.probe)
        leaving.send([[b"\xc1"], message("NO_SUCH_REQUEST", {}), message("GET_META", {"partition_id": "canary"})][number % 3])
        leaving.socket.close(linger=1000)
    usual_course(cpp)
    assert not changes(before, world.look())


@pytest.mark.parametrize("kind", KINDS)
def test_extension_of_any_kind(cpp, world, kind):
    """A body key that is not of the protocol, and `x_tq` that is not as it should be, do not matter."""
    for request_type, peer in (("HANDSHAKE", cpp.controller[0]), ("GET_METRICS", cpp.units[0]), ("KV_LIST", cpp.controller[1])):
        for body in ({"x_tq": KINDS[kind]}, {"x_tq": {"version": KINDS[kind], "request_id": KINDS[kind]}}, {"unknown": KINDS[kind]}):
            reply = peer.ask_exactly_once(message(request_type, {"partition_id": None, **body}, BUFFER))
            assert not reply.is_refusal, f"{request_type} {body}: {reply}"


def test_fields_add_up_to_a_limit(fresh):
    """65,536 fields of a partition, and of a unit, in several requests."""
    create(fresh, "p", ["a"])
    judge = Judge(fresh)
    for start in (0, 40_000):
        names = [f"f{i}" for i in range(start, start + 40_000)]
        put = message("PUT", {"global_indexes": [0], "data": {name: [1] for name in names}})
        notify = message("NOTIFY_DATA_UPDATE", {"partition_id": "p", "global_indexes": [0], "field_schema": {name: TEXT for name in names}})
        if start == 0:
            judge.answer("put", fresh.units[0], put, {"PUT_DATA_RESPONSE"})
            judge.answer("notify", fresh.controller[0], notify, {"NOTIFY_DATA_UPDATE_ACK"})
        else:
            judge.refuse("put", fresh.units[0], put, {"PUT_ERROR"}, "fields", "65536")
            judge.refuse("notify", fresh.controller[0], notify, {"NOTIFY_DATA_UPDATE_ACK"}, "fields", "65536")
    got = fresh.units[0].ask("GET", {"global_indexes": [0], "fields": ["f40000"]})
    assert got.type == "GET_ERROR" and "[TQKeyNotFound]" not in got.text  # never put, not even in part
    stored = read_batch_meta(fresh.ask("GET_PARTITION_META", {"partition_id": "p"}).body["metadata"])
    assert len(stored["_field_names"]) == 40_000
    assert not judge.problems, judge.problems
    usual_course(fresh)


def test_log_holds_no_foreign_lines(cpp, world):
    """What a peer sends stands in the log so that it cannot pass for the node's own words, or move the terminal's cursor."""
    forged = "\n2030-01-01 00:00:00.000 error forged line \x1b[2J"
    rows = world.on_unit(world.victim, 0)
    named = Ext(TENSOR, b"\x80\x05" + hostile_pickles.opcodes(forged) * 2 + b"\x93.")
    for value in (tensor(forged, (3,), 1), nested([("float32", (3,), 1)], forged), named):
        reply = cpp.units[0].ask_exactly_once(undecodable.in_a_column(value, bytes(12), rows))
        assert reply.is_refusal and "forged line" in reply.text
    cpp.controller[0].ask_exactly_once(message(forged, {}))
    log = cpp.log.read_text(errors="replace")
    assert "cannot decode" in log  # it is the log that these refusals are written to
    assert "\x1b" not in log and not [line for line in log.splitlines() if line.startswith("2030-01-01")]


# ---- mutations of recorded requests ------------------------------------------------------------------------------
def test_mutations(fresh):
    """2,000 of them; TQ_SEED=N repeats a run."""
    seed = int(os.environ.get("TQ_SEED", "20260131"))
    print(f"TQ_SEED={seed}")
    judge, read = Judge(fresh), Counter()
    for name, to_controller, frames in mutations.mutations(seed, 2000):
        peers = fresh.controller if to_controller else fresh.units
        request_type = mutations.request_type_of(frames)
        types = REPLIES
        if request_type in STORAGE and not to_controller:
            types = refusals(request_type, None) | {"PUT_GET_ERROR", mutations.SUCCESS[request_type]}
        elif request_type in CONTROLLER and to_controller:
            types = refusals(request_type, None) | {"REQUEST_ERROR", mutations.SUCCESS[request_type]}
        elif request_type is not None or len(frames) < 2:
            types = {name for name in REPLIES if name.endswith("ERROR")}
        reply = judge.answer(f"TQ_SEED={seed}: {name}", peers[judge.asked % len(peers)], frames, types)
        read["refused" if reply is None or reply.is_refusal else "taken"] += 1
    assert min(read["refused"], read["taken"]) > 200, f"mutations that are all alike test little: {read}"
    judge.finish(at_least=2000)


# ---- and afterwards ----------------------------------------------------------------------------------------------
def test_python_client_afterwards(cpp, world, client):
    """An unmodified client, which began before the bad input, joins the nodes that have seen it all."""
    client.expect("ready")
    client.tell("go")
    assert client.finish(timeout=60) == [4]
