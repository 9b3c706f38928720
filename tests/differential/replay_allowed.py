# SPDX-License-Identifier: Apache-2.0
"""Where a reply may differ from the recorded one: each case by name, with its reason and with what is expected instead.

An entry says for which recordings and for which judged nodes it holds ("ours"; "newest", Python 0.1.11 nodes under an
older recording), which requests it is for, and turns the recorded reply into the expected one. An entry that a whole
replay did not need is itself a failure: then the difference is gone, or the entry names nothing.

Entries that hold for "newest" as well are no choice of ours: 0.1.11 is the judge of behaviour for clients of every
version, and a replay of the older recordings on Python 0.1.11 nodes shows that it answers so.
"""

from dataclasses import dataclass
from typing import Any, Callable

from replay_forms import NOBODY_OR_SENDER, differences
from replay_session import Exchange, Session

OLD = ((0, 1, 6), (0, 1, 8), (0, 1, 9))  # their controllers end with the first exception
ERROR = {"$error": {"markers": [], "timeout": False}}


@dataclass(frozen=True)
class Allowance:
    name: str
    reason: str
    versions: tuple
    judged: tuple[str, ...]
    matches: Callable[[Exchange], bool]
    expects: Callable[[Exchange, Any, Session], dict]  # exchange, recorded reply (None: there was none) -> the reply


def _with(reply: dict, **body: Any) -> dict:
    return {**reply, "body": {**reply["body"], **body}}


def _request_error(exchange: Exchange, recorded: Any, session: Session) -> dict:
    raises = " (this version's client raises ValueError)" if session.version < (0, 1, 10) else ""
    return {
        "request_type": "REQUEST_ERROR" + raises,
        "receiver_id": NOBODY_OR_SENDER,
        "body": {"success": False, "message": ERROR},
    }


def _error(kind: str) -> Callable:
    return lambda exchange, recorded, session: {
        "request_type": kind,
        "receiver_id": NOBODY_OR_SENDER,
        "body": {"message": ERROR},
    }


def _all_schemas(exchange: Exchange, recorded: dict, session: Session) -> dict:
    """The recorded reply with the schema of every field, which the lookup of known keys just before it showed."""
    before = session.exchanges[: session.exchanges.index(exchange)]
    known = next(
        e for e in reversed(before) if e.kind == exchange.kind and e.request["body"]["partition_id"] == "train"
    )
    schema = {}
    for field, column in known.reply["body"]["metadata"]["$batchmeta"]["field_schema"].items():
        schema[field] = {**column, "per_sample_shapes": "<in the rows>"} if "per_sample_shapes" in column else column
    return _with(recorded, metadata={**recorded["body"]["metadata"], "schema": schema, "_field_names": sorted(schema)})


def _more_metrics(exchange: Exchange, recorded: dict, session: Session) -> dict:
    added = dict.fromkeys(
        ("ssd_offload_enabled", "ssd_active_values", "ssd_active_bytes", "ssd_fallback_values_total"), "<number>"
    )
    return _with(recorded, **added, requests_arrived="<number>", arrivals_by_op="<numbers>")


def _metrics_of_ours(exchange: Exchange, recorded: dict, session: Session) -> dict:
    return _with(_more_metrics(exchange, recorded, session), op_stats="<numbers>")


def _rows_of_pickled_put(exchange: Exchange, recorded: Any, session: Session) -> dict:
    ones = {"$tensor": {"dtype": "float32", "shape": [2], "data": "AACAPwAAgD8="}}
    return {"request_type": "GET_DATA_RESPONSE", "receiver_id": NOBODY_OR_SENDER, "body": {"data": {"t": [ones, ones]}}}


def _step(name: str, *kinds: str) -> Callable[[Exchange], bool]:
    return lambda exchange: exchange.step == name and exchange.kind in kinds


def _empty_ok(kind: str) -> Callable:
    return lambda exchange, recorded, session: {"request_type": kind, "receiver_id": NOBODY_OR_SENDER, "body": {}}


BOTH, OURS = ("ours", "newest"), ("ours",)
PICKLED = "a put that msgpack cannot hold: the whole message pickled, a tensor in it"

ALLOWED = [
    Allowance(
        "schema of no sample",
        "0.1.11: a lookup that finds none of its keys gives every field's schema, 0.1.8 gave none",
        OLD[:2],
        BOTH,
        _step("look up a key that is not there", "KV_RETRIEVE_META"),
        _all_schemas,
    ),
    Allowance(
        "marker of a missing row",
        "since 0.1.11 the error of a missing row is marked [TQKeyNotFound]",
        OLD,
        BOTH,
        _step("read a row that is not there", "GET"),
        lambda e, recorded, s: _with(recorded, message={"$error": {"markers": ["[TQKeyNotFound]"], "timeout": False}}),
    ),
    Allowance(
        "more metrics",
        "0.1.11 reports more numbers; the old ones are still there",
        OLD[1:],
        ("newest",),
        lambda e: e.kind == "GET_METRICS",
        _more_metrics,
    ),
    Allowance(
        "metrics of operations",
        "Python's units add op_stats where their exporter for Prometheus is on; ours always",
        (*OLD[1:], (0, 1, 11)),
        ("ours",),
        lambda e: e.kind == "GET_METRICS",
        _metrics_of_ours,
    ),
    Allowance(
        "pickled message read",
        "0.1.9 and earlier could not read a pickled message: the unit's thread ended",
        OLD,
        BOTH,
        _step(PICKLED, "PUT"),
        _empty_ok("PUT_DATA_RESPONSE"),
    ),
    Allowance(
        "rows of the pickled message",
        "what the unit read is there; at recording time nobody answered any more",
        OLD,
        BOTH,
        _step("read what it stored", "GET"),
        _rows_of_pickled_put,
    ),
    Allowance(
        "unknown type refused",
        "0.1.9 and earlier answered an unknown type with the reply before it; an old client raises at once",
        OLD,
        BOTH,
        _step("a request no controller knows", "PUT"),
        _request_error,
    ),
    Allowance(
        "missing body keys refused",
        "at recording time they ended the controller's request thread",
        OLD,
        BOTH,
        _step("a controller request with no body keys", "KV_RETRIEVE_META"),
        _request_error,
    ),
    Allowance(
        "the controller serves on",
        "at recording time nobody answered any more",
        OLD,
        BOTH,
        _step("list the large tag", "KV_LIST"),
        lambda e, recorded, s: {
            "request_type": "KV_LIST_RESPONSE",
            "receiver_id": NOBODY_OR_SENDER,
            "body": {"partition_info": {"train": {"a": {}}}, "message": "success"},
        },
    ),
    Allowance(
        "no code from a client",
        "data_parser is a pickled function: a unit of ours refuses the put and runs nothing",
        ((0, 1, 8), (0, 1, 9), (0, 1, 11)),
        OURS,
        _step("put with a data parser", "PUT"),
        _error("PUT_ERROR"),
    ),
    Allowance(
        "rows of the refused put",
        "nothing of a refused put is stored, so its field was never seen",
        ((0, 1, 8), (0, 1, 9), (0, 1, 11)),
        OURS,
        _step("read what the parser made", "GET"),
        _error("GET_ERROR"),
    ),
    Allowance(
        "controller checkpoints",
        "refused, as Python refuses one that fails: these nodes have no checkpoint root: SAVE/LOAD_CONTROLLER_CHECKPOINT",
        ((0, 1, 9), (0, 1, 11)),
        OURS,
        lambda e: e.kind in ("SAVE_CONTROLLER_CHECKPOINT", "LOAD_CONTROLLER_CHECKPOINT"),
        _request_error,
    ),
    Allowance(
        "storage checkpoints",
        "refused, as Python refuses one that fails: these nodes have no checkpoint root: SAVE_STORAGE_CHECKPOINT",
        ((0, 1, 9), (0, 1, 11)),
        OURS,
        lambda e: e.kind == "SAVE_STORAGE_CHECKPOINT",
        lambda e, recorded, s: _with(recorded, success=False, message=ERROR),
    ),
    Allowance(
        "why a notification failed",
        "ours says why in `message`; Python says success: false alone",
        (*OLD, (0, 1, 11)),
        OURS,
        _step("a column that changes dtype", "NOTIFY_DATA_UPDATE"),
        lambda e, recorded, s: _with(recorded, message=ERROR),
    ),
]


class Allowances:
    """The entries for one replay, and how often each was needed. judged: "ours", "newest" or "same" (none holds)."""

    def __init__(self, session: Session, name: str, judged: str):
        self.session = session
        main = name != "polling"  # the polling session meets none of them
        self.uses = {a.name: 0 for a in ALLOWED if main and session.version in a.versions and judged in a.judged}

    @property
    def used(self) -> int:
        return sum(self.uses.values())

    def judge(self, exchange: Exchange, recorded: dict | None, got: dict) -> list[str]:
        """What is left of the differences between the recorded reply and ours after what is allowed."""
        found = differences(recorded, got) if recorded else [f"Python never answered; the reply is {got}"]
        for allowance in ALLOWED:
            if found and allowance.name in self.uses and allowance.matches(exchange):
                left = differences(allowance.expects(exchange, recorded, self.session), got)
                if not left:
                    self.uses[allowance.name] += 1
                    return []
                found = [f"{line} [allowed would be: {allowance.name}]" for line in left]
        return found

    def unused(self) -> list[str]:
        return [f"allowed difference without need: {name}" for name, uses in self.uses.items() if not uses]
