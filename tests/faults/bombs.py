# SPDX-License-Identifier: Apache-2.0
"""Messages of at most a few MB whose meaning is hundreds of MB, or hours: (whether a controller is asked, the frames).

A node may answer or refuse them; what it must not do is take the memory or the time.
"""

import pickle
import struct

from hostile_pickles import apply, opcodes
from msgspec.msgpack import Ext
from raw_peer import NESTED, NUMPY, PICKLE, SENTINEL, TENSOR, Nodes, header, message, tensor
from world import create, dense

Bomb = tuple[bool, list[bytes]]
KIB, MIB = 1 << 10, 1 << 20


def _doubled(times: int) -> bytes:
    """A pair of the pair before, and so on: 2^times values in five bytes each doubling."""
    return b"Nq\x00" + b"".join(b"h%c\x86q%c" % (i, i + 1) for i in range(times))


def _repeated(value: bytes, times: int) -> bytes:
    """A list that holds one value many times, two bytes each."""
    return b"](" + value + b"q\x00" + b"h\x00" * (times - 1) + b"e"


def _applied(times: int) -> bytes:
    """A list of calls that all have one long tuple of arguments."""
    arguments = b"(" + b"K\x01" * (64 * KIB) + b"tq\x00"
    return arguments + b"0" + opcodes("torch") + opcodes("Size") + b"\x93q\x010](" + b"h\x01h\x00R" * times + b"e"


def _storage(size: int, kind: bytes = b"FloatStorage") -> bytes:
    """What torch.save wrote of a storage before its zip files, in a call of _load_from_bytes."""
    parts = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
    saved = b"".join(pickle.dumps(part, protocol=2) for part in parts)
    name = opcodes("torch") + opcodes(kind.decode()) + b"\x93"
    saved += b"\x80\x05(" + opcodes("storage") + name + opcodes("0") + opcodes("cpu") + b"J" + struct.pack("<i", size // 4) + b"NtQ."
    saved += pickle.dumps(["0"], protocol=2) + struct.pack("<q", size // 4) + bytes(size)
    return apply("torch.storage", "_load_from_bytes", opcodes(saved))


def _rebuilt(storage: bytes, elements: int, stride: int) -> bytes:
    order = apply("collections", "OrderedDict")
    return apply("torch._utils", "_rebuild_tensor_v2", storage, opcodes(0), opcodes((elements,)), opcodes((stride,)), opcodes(False), order)


def _whole(request_type: str, body: bytes) -> list[bytes]:
    """A message pickled whole, its body these opcodes."""
    parts = {name: value for name, value in header(request_type, None).items() if name != "body"}
    return [SENTINEL, b"\x80\x05" + opcodes(parts) + opcodes("body") + body + b"s."]


def _put_whole(column: bytes, rows: list[int]) -> list[bytes]:
    return _whole("PUT", b"}(" + opcodes("global_indexes") + opcodes(rows) + opcodes("data") + b"}" + opcodes("x") + column + b"su")


def of_pickles() -> dict[str, Bomb]:
    found: dict[str, Bomb] = {}
    deep = {"pairs of pairs, 2^60 values": _doubled(60), "one text of 256 KiB 4,000 times": _repeated(opcodes("t" * 256 * KIB), 4000),
            "one tuple as the arguments of 4,000 calls": _applied(4000)}  # fmt: skip
    for name, body in deep.items():
        payload = b"\x80\x05" + body + b"."
        found[f"{name}: message to a unit"] = False, _put_whole(body, [0])
        found[f"{name}: message to a controller"] = True, _whole("KV_LIST", b"}" + opcodes("partition_id") + body + b"s")
        found[f"{name}: column"] = False, message("PUT", {"global_indexes": [0], "data": {"x": Ext(PICKLE, payload)}})
        notify = {"partition_id": "p", "global_indexes": [], "field_schema": {"x": dense(dtype=Ext(PICKLE, payload))}}
        found[f"{name}: dtype"] = True, message("NOTIFY_DATA_UPDATE", notify)
        for code in (TENSOR, NESTED, NUMPY):
            found[f"{name}: meta of ext {code}"] = False, message("PUT", {"global_indexes": [0], "data": {"x": Ext(code, payload)}}, bytes(4))
    padded = b"](" + opcodes(bytes(MIB)) + deep["pairs of pairs, 2^60 values"] + b"e"
    found["pairs of pairs beside 1 MiB of bytes"] = False, _put_whole(padded, [0, 1])
    pairs = b"\x80\x05" + deep["pairs of pairs, 2^60 values"] + b"."
    schema = {f"x{i}": dense(dtype=Ext(PICKLE, pairs)) for i in range(20)}
    notify = {"partition_id": "p", "global_indexes": [], "field_schema": schema}
    found["pairs of pairs: dtypes of 20 fields"] = True, message("NOTIFY_DATA_UPDATE", notify)
    wide = _rebuilt(_storage(4), 2**28, 0)
    found["one element as a tensor of 2^28"] = False, _put_whole(b"](" + wide + b"e", [0])
    rows = 1000
    views = b"](" + _storage(MIB) + b"q\x000" + b"".join(_rebuilt(b"h\x00", MIB // 4, 1) for _ in range(rows)) + b"e"
    found["1,000 tensors of one storage of 1 MiB"] = False, _put_whole(views, list(range(rows)))
    metas = opcodes(("uint8", (1,), 1))
    meta = b"\x80\x05}(" + opcodes("layout") + opcodes("jagged") + opcodes("tensors") + _repeated(metas, 500_000) + b"u."
    found["500,000 tensors of one buffer of 1 byte"] = False, message("PUT", {"global_indexes": [0], "data": {"x": Ext(NESTED, meta)}}, b"1")
    return found


def of_bodies() -> dict[str, Bomb]:
    column: object = [list(range(400_000))]
    for _ in range(55):
        column = {"__tq_tensordict__": True, "batch_size": [1], "data": {"a": column}}
    fields = {f"f{i}": 1 for i in range(65_000)}
    insert = {"data_fields": [], "batch_size": 10_000, "partition_id": "n" * 60_000, "mode": "insert"}
    return {
        "400,000 values in 55 TensorDicts": (False, message("PUT", {"global_indexes": [0], "data": {"x": column}})),
        "10,000 rows of a partition whose name has 60,000 letters": (True, message("GET_META", insert)),
        "65,000 fields of backend meta for 4 rows": (True, message("NOTIFY_DATA_UPDATE", {"partition_id": "p", "global_indexes": [], "field_schema": {},
                                                                              "custom_backend_meta": {row: fields for row in range(4)}})),
        "4 million values": (True, message("KV_LIST", {"partition_id": [None] * 4_000_000})),
    }  # fmt: skip


def repeated_get(nodes: Nodes) -> Bomb:
    """200 fields of one row of 15 KiB each, and a GET of that row 200 times: 3 MB are stored, 600 MB asked for."""
    data = {f"f{i}": tensor("uint8", (1, 15 * KIB), i + 1) for i in range(200)}
    nodes.ask_unit(0, "PUT", {"global_indexes": [0], "data": data}, *[bytes(15 * KIB)] * 200)
    return False, message("GET", {"global_indexes": [0] * 200, "fields": list(data)})


def repeated_key(nodes: Nodes) -> Bomb:
    """One key 10,000 times, in a partition whose name has 60,000 letters."""
    create(nodes, "m" * 60_000, ["k"])
    return True, message("KV_RETRIEVE_META", {"keys": ["k"] * 10_000, "partition_id": "m" * 60_000, "create": False})
