# SPDX-License-Identifier: Apache-2.0
"""Compares what the two controllers answered to one request.

Both replies are brought into the form of replay_forms.py with logical names in place of indexes. What may differ beyond
that is listed here, each case with its reason; an allowance says which pair of answers it is for, and the request that
meets it is generated so that both controllers are in the same state again afterwards (diff_steps.py).
"""

import copy
from collections import Counter
from typing import Any

from diff_world import SENDER, Mismatch, Side, World
from replay_forms import comparable, differences, is_form

# name -> reason: Python's answer; ours.
ALLOWED = {
    "collapsed column": (
        "a nested column whose rows have one shape left is dense again after a clear, with a tuple for its shape; "
        "Python then takes an equal list for another shape and nests it again. Compared as dtype and shape of each row"
    ),
    "reason of a failed notification": "success: false alone; ours says why in `message`",
    "notification refused in the body": "REQUEST_ERROR for a body or schema that is no dict; ours is a failing ACK",
    "handshake at the request socket": "an error; each socket of our controller answers every request",
    "fetch of no samples": "an empty batch in polling mode; ours is an error in both modes",
    "fetch of a negative number": "all that is ready but the last few, as Python slices a list; ours is an error",
    "production not grown": "IndexError, for an insert grows no table of produced rows; ours shows the samples",
    "key of a cleared twin": "clearing the older of two samples of one key unlists the younger; ours lists it still",
    "sample of another partition": "taken in by NOTIFY, in two partitions from then on; ours refuses",
    "nested without shapes": "taken in when the field is new; ours refuses",
    "dense without shape": "taken in when the field is new; ours refuses",
    "nested rows in a non-tensor column": "an assertion fails, though the rows are ready; ours takes the rows in",
    "fields after a dtype conflict": "marked as ready, without metadata; ours takes in all but the conflicting fields",
    "refused before anything changed": "rows are ready before a NOTIFY fails; ours checks all but dtypes first",
}


def plain(value: Any) -> Any:
    """Tuples as lists: a shape is the same in both."""
    if isinstance(value, dict):
        return plain(value["$tuple"]) if set(value) == {"$tuple"} else {k: plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, list) else value


class Judge:
    def __init__(self, world: World):
        self.world = world
        self.used: Counter[str] = Counter()
        self.compared = 0

    def form(self, side: Side, kind: str, body: Any, reply: dict) -> dict:
        try:
            request = {"request_type": kind, "sender_id": SENDER, "body": body if isinstance(body, dict) else {}}
            form = comparable(reply, request, [side.id], side.name_of)
        except Exception as error:
            raise Mismatch(
                f"{side.name}'s answer is no reply of the protocol: {type(error).__name__}: {error}: {reply}"
            )
        metadata = form["body"].get("metadata") if isinstance(form["body"], dict) else None
        if metadata:
            metadata["schema"] = {
                field: {**column, "shape": plain(column["shape"])} for field, column in metadata["schema"].items()
            }
            metadata["rows"] = [
                {k: plain(v) if k.startswith("shape of ") else v for k, v in row.items()} for row in metadata["rows"]
            ]
        return form

    def note_collapsed(self, reply: dict, kind: str, partition: Any) -> None:
        """Learns from Python's reply which columns it has made dense again."""
        meta = reply["body"].get("metadata") if isinstance(reply["body"], dict) else None
        if not is_form(meta, "$batchmeta"):
            return
        schema = meta["$batchmeta"]["field_schema"]
        self.world.collapsed |= {
            (partition, field) for field, column in schema.items() if is_form(column["shape"], "$tuple")
        }
        if kind == "GET_PARTITION_META":  # it shows every field that has metadata
            self.world.collapsed = {(p, f) for p, f in self.world.collapsed if p != partition or f in schema}

    def allow(self, name: str) -> None:
        assert name in ALLOWED, name
        self.used[name] += 1

    def left(self, forms: list[dict], partition: Any) -> list[str]:
        """The differences that no general allowance covers."""
        self.compared += 1
        found = differences(*forms)
        if found and (columns := [field for p, field in self.world.collapsed if p == partition]):
            if not (found := differences(*_without_form(forms, columns))):
                self.allow("collapsed column")
        if found and forms[0]["request_type"] == forms[1]["request_type"] == "NOTIFY_DATA_UPDATE_ACK":
            bodies = [form["body"] for form in forms]
            added = is_form(bodies[1].get("message"), "$error") and "message" not in bodies[0]
            if (
                added
                and not differences(bodies[0], {k: v for k, v in bodies[1].items() if k != "message"})
                and not bodies[0]["success"]
            ):
                self.allow("reason of a failed notification")
                return []
        return found


def _without_form(forms: list[dict], columns: list[str]) -> list[dict]:
    """The replies with each of these columns as dtype and row shapes, be it dense or nested.

    A nested column has no shape for a row that lacks the field, a dense one has its one shape for all: not compared.
    """
    forms = copy.deepcopy(forms)
    metadata = [form["body"].get("metadata") if isinstance(form["body"], dict) else None for form in forms]
    if not all(metadata):
        return forms
    for field in columns:
        if not all(field in meta["schema"] for meta in metadata):
            continue
        for meta in metadata:
            column = meta["schema"][field]
            meta["schema"][field] = {"dtype": column["dtype"], "is_non_tensor": column["is_non_tensor"]}
            for row in meta["rows"]:
                row.setdefault(f"shape of {field}", column["shape"])
        for rows in zip(*(meta["rows"] for meta in metadata)):
            if None in [row[f"shape of {field}"] for row in rows]:
                for row in rows:
                    row[f"shape of {field}"] = None
    return forms
