# SPDX-License-Identifier: Apache-2.0
"""The bijection between the global indexes of a recording and those that the judged controller hands out.

Learnt where positions or keys tell: the reply to a GET_META insert or a creating KV_RETRIEVE_META lists its samples in
the order of the request, in both runs. An index that a partition pre-allocated shows first in a status reply or in
partition metadata; what is unbound on both sides is then bound in ascending order, for nothing has told these apart
yet. A binding ends when the sample is cleared. An index that was never bound stands for itself.
"""

from typing import Any

from replay_forms import integers, is_form


class Renaming:
    def __init__(self):
        self.own: dict[int, int] = {}  # recorded -> own
        self.recorded: dict[int, int] = {}  # own -> recorded
        self.partition: dict[int, str] = {}  # of a recorded index
        self.renamed = 0  # bindings of two different indexes, ever

    def to_own(self, index: int) -> int:
        return self.own.get(index, index)

    def to_recorded(self, index: int) -> int:
        return self.recorded.get(index, index)

    def _bind(self, recorded: int, own: int, partition: str) -> list[str]:
        if self.own.get(recorded) == own:
            return []
        if recorded in self.own or own in self.recorded:
            return [
                f"no bijection: Python's index {recorded} is ours {own}, but bound are "
                f"{recorded} -> {self.own.get(recorded)} and {self.recorded.get(own)} -> {own}"
            ]
        self.own[recorded], self.recorded[own], self.partition[recorded] = own, recorded, partition
        self.renamed += recorded != own
        return []

    def _release(self, recorded: int) -> None:
        if recorded in self.own:
            del self.recorded[self.own.pop(recorded)], self.partition[recorded]

    def learn(self, request: dict, recorded_reply: dict, own_reply: dict) -> list[str]:
        """Takes in what one exchange tells; the problems found."""
        partition = (request["body"] or {}).get("partition_id") if isinstance(request["body"], dict) else None
        pairs = _indexes(recorded_reply), _indexes(own_reply)
        if pairs[0] is None or pairs[1] is None or len(pairs[0]) != len(pairs[1]):
            return []  # the comparison will tell
        if _creates(request):
            return [problem for pair in zip(*pairs) for problem in self._bind(*pair, partition)]
        unbound = sorted(set(pairs[0]) - set(self.own)), sorted(set(pairs[1]) - set(self.recorded))
        if len(unbound[0]) != len(unbound[1]):
            return [f"no bijection: Python shows {unbound[0]} for the first time, ours {unbound[1]}"]
        return [problem for pair in zip(*unbound) for problem in self._bind(*pair, partition)]

    def forget(self, request: dict) -> None:
        """Ends the bindings of the samples that an answered request cleared."""
        body = request["body"]
        if request["request_type"] == "CLEAR_META":
            for index in body["global_indexes"]:
                self._release(index)
        elif request["request_type"] == "CLEAR_PARTITION":
            for index in [i for i, partition in self.partition.items() if partition == body["partition_id"]]:
                self._release(index)

    def changes(self, kind: str, body: Any) -> bool:
        """Whether a request, as recorded, names an index that is another one here."""
        return rename_request(kind, body, self.to_own) != body if _names_indexes(kind, body) else False


def _creates(request: dict) -> bool:
    kind, body = request["request_type"], request["body"]
    return (kind == "GET_META" and body.get("mode") == "insert") or (
        kind == "KV_RETRIEVE_META" and body.get("create") is True
    )


def _indexes(reply: dict) -> list[int] | None:
    """The global indexes that a canonical reply lists, in its order."""
    body = reply["body"] if isinstance(reply["body"], dict) else {}
    if is_form(body.get("metadata"), "$batchmeta"):
        return body["metadata"]["$batchmeta"]["global_indexes"]
    if is_form(body.get("global_index"), "$tensor"):
        return integers(body["global_index"])
    return None


def _names_indexes(kind: str, body: Any) -> bool:
    return isinstance(body, dict) and ("global_indexes" in body or kind == "SET_CUSTOM_META")


def rename_request(kind: str, body: dict, rename) -> dict:
    """A decoded or canonical request body with each global index replaced. Maps with integer keys may be canonical."""

    def keys(mapping: Any) -> Any:
        if is_form(mapping, "$map"):
            return {"$map": [[rename(k), v] for k, v in mapping["$map"]]}
        if not isinstance(mapping, dict):
            return mapping
        return {rename(k) if isinstance(k, int) else k: v for k, v in mapping.items()}

    body = dict(body)
    if "global_indexes" in body:
        body["global_indexes"] = [rename(index) for index in body["global_indexes"]]
    if kind == "SET_CUSTOM_META":
        body["partition_custom_meta"] = {p: keys(tags) for p, tags in body["partition_custom_meta"].items()}
    if kind == "NOTIFY_DATA_UPDATE":
        body["custom_backend_meta"] = keys(body.get("custom_backend_meta"))
        body["field_schema"] = {
            field: {**column, "per_sample_shapes": keys(column["per_sample_shapes"])}
            if "per_sample_shapes" in column
            else column
            for field, column in body["field_schema"].items()
        }
    return body
