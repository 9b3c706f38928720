# SPDX-License-Identifier: Apache-2.0
"""Requests that no client sends: malformed ones, bytes that are no message, and notifications against the rules.

A malformed request is answered by the same error at both, and changes nothing. Where Python takes one in and ours does
not, or changes something before it fails, the difference is an allowance (diff_judge.py), and the step ends by clearing
the partition, or the task's consumption, at both.
"""

import torch
from transfer_queue.utils.serial_utils import encode

from diff_choices import NOBODY, TASKS, existing, samples_of
from diff_driver import Driver
from diff_fetch import shared_rows
from diff_schemas import FIELDS
from diff_world import SENDER, Logical, Mismatch, PreAllocated
from replay_forms import differences

GET_META = {"data_fields": ["scores"], "batch_size": 1, "mode": "fetch", "task_name": TASKS[0], "sampling_config": None}

NO_SCHEMA = {"partition_id": "nowhere", "global_indexes": [], "field_schema": [1]}
ANSWERED_OTHERWISE = [("HANDSHAKE", {}), *(("NOTIFY_DATA_UPDATE", body) for body in (None, [], "text", NO_SCHEMA))]


def _refused_by_ours(name: str):
    """Python answers with an empty batch, ours with an error."""

    def excuse(reference: dict, subject: dict) -> str | None:
        metadata = reference["body"].get("metadata")
        return name if subject["request_type"] == "REQUEST_ERROR" and metadata and not metadata["rows"] else None

    return excuse


def _without(body: dict, *keys: str) -> list[dict]:
    """The body without each of these keys in turn."""
    return [{k: v for k, v in body.items() if k != key} for key in keys]


def _bodies_with_holes(partition: str) -> list[tuple]:
    """(request type, body) pairs that lack a key, or are no body at all."""
    p = {"partition_id": partition}
    questions = "GET_PARTITION_META GET_CONSUMPTION RESET_CONSUMPTION GET_PRODUCTION KV_LIST KV_RETRIEVE_KEYS".split()
    changes = "SET_CUSTOM_META MARK_CLEARING CLEAR_META CLEAR_PARTITION GET_META KV_RETRIEVE_META".split()
    lookup = {"keys": ["key0"], **p, "create": False}
    fetch = _without({**GET_META, **p}, "data_fields", "batch_size", "partition_id", "task_name")
    return [
        *((kind, {}) for kind in (*questions, *changes)),
        *((kind, body) for kind in ("GET_META", "KV_LIST", "CLEAR_META") for body in (None, [], "text", 7)),
        *(("GET_META", body) for body in fetch),
        *(("KV_RETRIEVE_META", body) for body in _without(lookup, "keys", "create", "partition_id")),
        ("GET_CONSUMPTION", p),
        ("GET_PRODUCTION", p),
        ("NOTIFY_DATA_UPDATE", {"global_indexes": [], "field_schema": {}}),
    ]


def _bodies_with_wrong_values(partition: str) -> list[tuple]:
    """(request type, body) pairs with a value of a wrong kind, and types that no controller answers."""
    p, fetch = {"partition_id": partition}, {**GET_META, "partition_id": partition}
    modes = [{"mode": "nosuch"}, {"mode": None}, {"mode": 3}]
    fetches = [{"batch_size": None}, {"task_name": None}, {"batch_size": "two"}]
    inserts = [{"batch_size": None}, {"data_fields": None}, {"batch_size": "two"}]
    force_fetches = [{"data_fields": None}, {"partition_id": "nowhere"}]
    clears = [([NOBODY, NOBODY + 1], [partition]), (None, [partition]), ([NOBODY], None)]
    return [
        *(("GET_META", {**fetch, **change}) for change in (*modes, *fetches)),
        *(("GET_META", {**fetch, "mode": "insert", **change}) for change in inserts),
        *(("GET_META", {**fetch, "mode": "force_fetch", **change}) for change in force_fetches),
        *(("KV_RETRIEVE_META", {"keys": keys, **p, "create": False}) for keys in (None, 3)),
        *(("CLEAR_META", {"global_indexes": i, "partition_ids": ids}) for i, ids in clears),
        *(("MARK_CLEARING", {"global_indexes": i, "partition_ids": ids}) for i, ids in clears),
        ("KV_RETRIEVE_KEYS", {"global_indexes": None, **p}),
        ("SET_CUSTOM_META", {"partition_custom_meta": [1]}),
        ("NOTIFY_DATA_UPDATE", {"partition_id": None, "global_indexes": [], "field_schema": {}}),
        ("NOTIFY_DATA_UPDATE", {**p, "global_indexes": "text", "field_schema": {}}),
        *((kind, {}) for kind in ("PUT", "GET", "CLEAR_DATA", "GET_METRICS", "GET_META_RESPONSE", "REQUEST_ERROR")),
    ]


def malformed(driver: Driver) -> None:
    partition = existing(driver)
    if partition is None:
        return
    choice = driver.rng.random()
    if choice < 0.25:
        return _batches_of_none(driver, partition)
    wrong = [*_bodies_with_holes(partition), *_bodies_with_wrong_values(partition)]
    kind, body = driver.rng.choice(ANSWERED_OTHERWISE if choice < 0.35 else wrong)

    def refused(reference: dict, subject: dict) -> str | None:
        if reference["request_type"] != "REQUEST_ERROR":
            return None
        if kind == "HANDSHAKE" and subject["request_type"] == "HANDSHAKE_ACK":
            return "handshake at the request socket"
        ours = subject["request_type"] == "NOTIFY_DATA_UPDATE_ACK" and subject["body"].get("success") is False
        return "notification refused in the body" if kind == "NOTIFY_DATA_UPDATE" and ours else None

    driver.ask(kind, body, refused)


def _batches_of_none(driver: Driver, partition: str) -> None:
    task, rng = driver.rng.choice(TASKS), driver.rng
    fetch = {**GET_META, "partition_id": partition, "task_name": task, "batch_size": 0}
    choice = rng.randrange(4)
    if choice == 0:
        driver.ask("GET_META", fetch, _refused_by_ours("fetch of no samples"))
    elif choice == 1:
        driver.ask("GET_META", {**fetch, "mode": "insert"})
    elif choice == 2:
        driver.ask("GET_META", {**fetch, "partition_id": "nowhere"}, _refused_by_ours("fetch of no samples"))
    else:
        negative = {**fetch, "batch_size": -1}
        forms = driver.ask_uncompared("GET_META", negative)[1]
        if forms[0]["request_type"] == "GET_META_RESPONSE" and forms[1]["request_type"] == "REQUEST_ERROR":
            driver.judge.allow("fetch of a negative number")
        elif forms[0]["request_type"] == forms[1]["request_type"] == "GET_META_RESPONSE":
            driver.compare("GET_META", negative, shared_rows(forms))
        else:
            driver.compare("GET_META", negative, forms)
        driver.ask("RESET_CONSUMPTION", {"partition_id": partition, "task_name": task})


def undecodable(driver: Driver) -> None:
    """Bytes that are no message: an error, and the controller serves on."""
    whole = encode(
        {
            "request_type": "KV_LIST",
            "sender_id": SENDER,
            "receiver_id": "",
            "request_id": "0",
            "timestamp": 0.0,
            "body": {"partition_id": None},
        }
    )
    unknown = encode(
        {
            "request_type": "NOSUCH",
            "sender_id": SENDER,
            "receiver_id": "",
            "request_id": "0",
            "timestamp": 0.0,
            "body": {},
        }
    )
    frames = driver.rng.choice(
        [
            [b"\xc1"],
            [b""],
            [b"\xff" * 64],
            [whole[0][: driver.rng.randrange(1, len(whole[0]))]],
            [b"\x80"],
            [b"\xc0"],
            [b"", *whole],
            [b"\xc1\xfe\xed", b"no pickle"],
            [b"\xc1\xfe\xed"],
            unknown,
        ]
    )
    replies = [side.ask_raw(list(frames)) for side in driver.sides]
    forms = [driver.judge.form(side, "undecodable", {}, reply) for side, reply in zip(driver.sides, replies)]
    driver.answers[f"undecodable -> {replies[0]['request_type']}"] += 1
    driver.compare("undecodable", {"frames": frames}, forms)


# ---- notifications against the rules ----
def _dense(dtype: torch.dtype = torch.float32, **change) -> dict:
    return {"dtype": dtype, "shape": [2], "is_nested": False, "is_non_tensor": False, **change}


def _unchanged(before: dict, after: dict) -> bool:
    return not differences(before, after)


def _took_nested(before: dict, after: dict) -> bool:
    metadata = after["body"]["metadata"]
    return metadata["schema"]["odd"]["is_nested"] and [3] in [row["shape of odd"] for row in metadata["rows"]]


def _took_the_others(before: dict, after: dict) -> bool:
    schema = after["body"]["metadata"]["schema"]
    return schema["odd"]["dtype"] == {"$dtype": "torch.float32"} and schema["after"]["dtype"] is not None


def _cases(driver: Driver, partition: str, rows: list[Logical]) -> list[tuple]:
    """Name of the allowance; notifications in order; success of the last one at Python's and at ours; what holds for
    our metadata of the partition before and after that one."""
    nested = _dense(is_nested=True, per_sample_shapes={row: [3] for row in rows})
    text = {"dtype": None, "shape": None, "is_nested": False, "is_non_tensor": True}
    first = (rows, {"odd": _dense()})
    cases = [
        ("nested without shapes", [(rows, {"odd": _dense(is_nested=True)})], (True, False), _unchanged),
        ("dense without shape", [(rows, {"odd": _dense(shape=None)})], (True, False), _unchanged),
        (
            "nested rows in a non-tensor column",
            [(rows, {"odd": text}), (rows, {"odd": nested})],
            (False, True),
            _took_nested,
        ),
        (
            "fields after a dtype conflict",
            [first, (rows, {"odd": _dense(torch.int8), "after": _dense()})],
            (False, False),
            _took_the_others,
        ),
        (
            "refused before anything changed",
            [first, (rows, {"even": _dense(), "odd": _dense(shape=None)})],
            (False, False),
            _unchanged,
        ),
    ]
    strangers = [Logical(n) for n, home in driver.world.home.items() if home != partition]
    if strangers:
        cases.append(("sample of another partition", [(strangers[:1], {"odd": _dense()})], (True, False), _unchanged))
    return cases


def hostile_notify(driver: Driver) -> None:
    """Ends with the partition cleared, for Python's state after it is one that ours does not have."""
    partition = existing(driver)
    rows = samples_of(driver, partition, 1, 4) if partition else []
    if not rows:
        return
    name, notifications, expected, holds = driver.rng.choice(_cases(driver, partition, rows))
    body, look = {"partition_id": partition}, ("GET_PARTITION_META", {"partition_id": partition})
    for indexes, schema in notifications[:-1]:
        driver.ask("NOTIFY_DATA_UPDATE", {**body, "global_indexes": indexes, "field_schema": schema})
    before = driver.ask_uncompared(*look)[1]
    indexes, schema = notifications[-1]

    def excuse(reference: dict, subject: dict) -> str | None:
        acks = all(form["request_type"] == "NOTIFY_DATA_UPDATE_ACK" for form in (reference, subject))
        return name if acks and (reference["body"]["success"], subject["body"]["success"]) == expected else None

    driver.ask("NOTIFY_DATA_UPDATE", {**body, "global_indexes": indexes, "field_schema": schema}, excuse)
    after = driver.ask_uncompared(*look)[1]
    if differences(*after):
        driver.judge.allow(name)
        if not holds(before[1], after[1]):
            raise Mismatch(f"{name}: our partition was {before[1]}\nand is {after[1]}\nafter {body} {indexes} {schema}")
    driver.clear_partition(partition)
    driver.ask("KV_LIST", {"partition_id": None})


def produce_pre_allocated(driver: Driver) -> None:
    """A put to a pre-allocated sample. Both take it; Python would hand the sample out once more, as a new one and
    already produced, ours counts it as registered: so the partition is cleared at once."""
    partitions = [p for p in sorted(driver.world.partitions) if driver.world.pool_size(p) == 1]
    if not partitions:
        return
    partition = driver.rng.choice(partitions)
    body = {"partition_id": partition, "global_indexes": [PreAllocated(partition)], "field_schema": {"odd": _dense()}}
    driver.ask("NOTIFY_DATA_UPDATE", body)
    driver.ask("GET_PRODUCTION", {"partition_id": partition, "data_fields": ["odd"]})
    driver.clear_partition(partition)


assert not {"odd", "even", "after"} & set(FIELDS)
