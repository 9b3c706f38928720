# SPDX-License-Identifier: Apache-2.0
"""Pickles that run a command where they are loaded, and the places of a message where a pickle may stand."""

import os
import pickle
import pickletools
import subprocess
from pathlib import Path

from msgspec.msgpack import Ext
from raw_peer import CALLABLE, NESTED, NUMPY, PICKLE, SENTINEL, TENSOR, header, message
from world import dense


class _Call:
    """Pickles as a call."""

    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


class _Plain:
    pass


def opcodes(value: object) -> bytes:
    """The opcodes that build a value, to stand inside another pickle (protocol 3 has no frames)."""
    return pickletools.optimize(pickle.dumps(value, protocol=3))[2:-1]


def apply(module: str, name: str, *arguments: bytes) -> bytes:
    return opcodes(module) + opcodes(name) + b"\x93(" + b"".join(arguments) + b"tR"


def commands(marker: Path) -> dict[str, bytes]:
    """Each creates the marker file when Python loads it."""
    touch, write = f"touch {marker}", f"open({str(marker)!r}, 'w')"
    call = _Call(os.system, touch)
    found = {f"protocol {version}": pickle.dumps(call, protocol=version) for version in (0, 2, 5)}
    for name, other in {"exec": _Call(exec, write), "eval": _Call(eval, write), "open": _Call(open, str(marker), "w"),
                        "subprocess": _Call(subprocess.check_call, ["touch", str(marker)])}.items():  # fmt: skip
        found[name] = pickle.dumps(other, protocol=5)
    found["INST"] = b"(S'" + touch.encode() + b"'\nios\nsystem\n."
    found["OBJ"] = b"(cos\nsystem\nS'" + touch.encode() + b"'\no."
    found["among other data"] = pickle.dumps([1, {"a": (call, None)}], protocol=5)
    found["as state"] = b"\x80\x05" + opcodes(_Plain()) + b"}" + opcodes("a") + opcodes(call) + b"sb."
    # Names on the list of those that are read, whose functions load what they are given.
    saved = opcodes(found["protocol 5"])
    found["through torch"] = b"\x80\x05" + apply("torch.storage", "_load_from_bytes", saved) + b"."
    found["through decode"] = b"\x80\x05" + apply("transfer_queue.utils.serial_utils", "decode", b"](" + opcodes(SENTINEL) + saved + b"e") + b"."
    return found


def places(payload: bytes, rows: list[int], victims: list[int]) -> dict[str, tuple[bool, list[bytes]]]:
    """Where the pickle stands -> (whether a controller is asked, the frames)."""
    twelve, tags = bytes(12), lambda tag: {"partition_custom_meta": {"victim": {victims[0]: {"odd tag": tag}}}}
    found: dict[str, tuple[bool, list[bytes]]] = {}
    for at_controller in (True, False):
        found[f"whole message to a {'controller' if at_controller else 'unit'}"] = at_controller, [SENTINEL, payload]
    put = header("PUT", {"global_indexes": rows, "data": {"odd column": "HERE"}})
    found["column in a message pickled whole"] = False, [SENTINEL, _whole(put, payload)]
    found["tag in a message pickled whole"] = True, [SENTINEL, _whole(header("SET_CUSTOM_META", tags("HERE")), payload)]
    for code, kind in ((PICKLE, "object"), (CALLABLE, "callable"), (TENSOR, "tensor"), (NESTED, "nested tensor"), (NUMPY, "numpy array")):
        value = Ext(code, payload)
        found[f"{kind} as a tag"] = True, message("SET_CUSTOM_META", tags(value), twelve)
        found[f"{kind} as a column"] = False, message("PUT", {"global_indexes": rows, "data": {"odd column": value}}, twelve)
        found[f"{kind} in a column"] = False, message("PUT", {"global_indexes": rows, "data": {"odd column": [value] * len(rows)}}, twelve)
        found[f"{kind} as data_parser"] = False, message("PUT", {"global_indexes": rows, "data": {}, "data_parser": value}, twelve)
        schema = {"hostile field": dense(dtype=value)}
        notify = {"partition_id": "victim", "global_indexes": victims, "field_schema": schema}
        found[f"{kind} as dtype"] = True, message("NOTIFY_DATA_UPDATE", notify, twelve)
        found[f"{kind} as sampling_config"] = True, message("GET_META", {
            "data_fields": ["scores"], "batch_size": 1, "partition_id": "victim", "task_name": "t", "sampling_config": {"a": value}}, twelve)
        found[f"{kind} as body"] = True, message("GET_LIST_PARTITIONS", value, twelve)
    return found  # fmt: skip


def _whole(value: dict, payload: bytes) -> bytes:
    """A pickled message with these opcodes in the place of its "HERE"."""
    whole, here = pickletools.optimize(pickle.dumps(value, protocol=3)), opcodes("HERE")
    assert whole.count(here) == 1
    body = payload[2:-1] if payload[:1] == b"\x80" else payload[:-1]
    return whole.replace(here, body[9:] if body[:1] == b"\x95" else body)
