# SPDX-License-Identifier: Apache-2.0
"""Frames that are no message: (name, frames, words that the refusal must hold)."""

import pickle
import random
import struct
from collections.abc import Iterator

from bad_values import KINDS
from msgspec.msgpack import Ext
from raw_peer import NESTED, NUMPY, SENTINEL, TENSOR, array, header, message, nested, pack, tensor

Case = tuple[str, list[bytes], tuple[str, ...]]
ARRAY32, MAP32, STR32, BIN32, EXT32 = b"\xdd", b"\xdf", b"\xdb", b"\xc6", b"\xc9"


def with_raw_body(request_type: str, body: bytes) -> bytes:
    """A header whose body is these bytes, msgpack or not."""
    parts = header(request_type, None)
    del parts["body"]
    return b"\x86" + pack(parts)[1:] + pack("body") + body


def broken_headers(good: list[bytes], rng: random.Random) -> Iterator[Case]:
    whole = good[0]
    for name, frames in {
        "an empty frame": [b""],
        "empty frames": [b""] * 5,
        "an empty frame in front, as REQ sends it": [b"", *good],
        "a trailing nil": [whole + b"\xc0", *good[1:]],
        "a trailing message": [whole + whole, *good[1:]],
        "the invalid byte": [b"\xc1"],
        "the invalid byte in front": [b"\xc1" + whole],
        "the invalid byte in the body": [with_raw_body("KV_LIST", b"\xc1")],
        "nil": [b"\xc0"],
        "text": [b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"],
        "a str that is not UTF-8": [with_raw_body("KV_LIST", b"\x81\xacpartition_id\xa2\xff\xfe")],
        "a list": [pack([1, 2, 3])],
        "an empty map": [pack({})],
        "a map of ints": [pack({1: 2})],
        "the sentinel alone": [SENTINEL],
        "20,000 empty frames": [b""] * 20_000,
    }.items():
        yield name, frames, ()
    for size in sorted(rng.sample(range(1, len(whole)), 20)):
        yield f"the first {size} of {len(whole)} bytes", [whole[:size], *good[1:]], ()
    for number in range(20):
        yield f"random bytes {number}", [rng.randbytes(rng.randrange(1, 200)) for _ in range(rng.randrange(1, 4))], ()


def broken_envelopes(request_type: str, body: dict) -> Iterator[Case]:
    """The six keys missing in turn, and mistyped."""
    whole = header(request_type, body)
    for key in whole:
        yield f"no {key}", [pack({name: value for name, value in whole.items() if name != key})], (key,)
    wrong = {"request_type": ("nil", "int", "bytes", "strs", "dict", "callable"), "sender_id": ("nil", "int", "bytes", "dict"),
             "receiver_id": ("int", "bytes", "strs"), "request_id": ("nil", "int", "bytes"), "timestamp": ("nil", "str", "strs", "dict")}  # fmt: skip
    for key, kinds in wrong.items():
        for kind in kinds:
            yield f"{key} is {kind}", [pack({**whole, key: KINDS[kind]})], (key,)
    for key in ("request_type", "sender_id", "request_id"):  # what a reply, an error or a log repeats
        yield f"{key} is 2 MB long", [pack({**whole, key: "X" * 2_000_000})], (key,)


def broken_pickles() -> dict[str, bytes]:
    """Pickles that nobody can load."""
    return {
        "empty": b"",
        "one byte": b"\x80",
        "no stop": pickle.dumps((1, 2))[:-1],
        "text": b"no pickle",
        "stop only": b".",
        "protocol 9": b"\x80\x09N.",
        "an unset memo": b"\x80\x05h\x07.",
        "a mark that is not there": b"\x80\x05t.",
        "a str past the end": b"\x80\x05\x8d" + struct.pack("<Q", 2**63) + b"abc.",
        "a long past the end": b"\x80\x05\x8b" + struct.pack("<i", -5) + b"abc.",
        "a name that is an int": b"\x80\x05K\x01K\x02\x93.",
        "a call of an int": b"\x80\x05K\x01)R.",
        "build on an int": b"\x80\x05K\x01K\x02b.",
        "append to a tuple": b"\x80\x05)K\x01a.",
        "a dict without its last value": b"\x80\x05}(K\x01u.",
        "a list that holds itself": b"\x80\x05]\x94h\x00a.",
        "200,000 lists in each other": b"\x80\x05" + b"]" * 200_000 + b"a" * 199_999 + b".",
        "an unknown opcode": b"\x80\x05\xff.",
        "a persistent id": b"\x80\x05Pid\n.",
        "an instance": b"(i__main__\nNothing\n.",
    }


def broken_fallbacks(request_type: str, body: dict) -> Iterator[Case]:
    """Two frames, the second a pickle of the whole message."""
    for name, payload in broken_pickles().items():
        yield f"fallback: {name}", [SENTINEL, payload], ()
    for name, value in {"a list": [1], "nil": None, "an empty dict": {}, "int keys": {1: 2}}.items():
        yield f"fallback: {name}", [SENTINEL, pickle.dumps(value, protocol=5)], ()
    for key in header(request_type, body):
        parts = {name: value for name, value in header(request_type, body).items() if name != key}
        yield f"fallback without {key}", [SENTINEL, pickle.dumps(parts, protocol=5)], (key,)


def announcements() -> Iterator[Case]:
    """Lengths that no message could have."""
    for name, code in {"items": ARRAY32, "entries": MAP32, "letters": STR32, "bytes": BIN32, "ext bytes": EXT32}.items():
        for count in (2**32 - 1, 2**31, 2**24):
            tail = struct.pack(">I", count) + b"\x03"
            yield f"{count} {name} announced", [code + tail], ()
            yield f"{count} {name} announced in the body", [with_raw_body("KV_LIST", b"\x81\xa4keys" + code + tail)], ()
    yield "3 MB of lists in each other", [b"\x91" * 3_000_000], ()
    yield "3 MB of lists in each other in the body", [with_raw_body("KV_LIST", b"\x91" * 3_000_000)], ()
    yield "3 MB of maps in each other", [b"\x81\x01" * 1_500_000], ()
    yield "3 MB of maps as keys of each other", [b"\x81" * 3_000_000], ()
    yield "300,000 lists in each other, all closed", [b"\x91" * 300_000 + b"\xc0"], ()


# ---- tensors -----------------------------------------------------------------------------------------------------
def broken_tensors() -> dict[str, tuple[object, bytes]]:
    """A value with an extension that does not fit its one buffer (frame 1), and that buffer."""
    twelve = bytes(12)
    shapes = {
        "a negative dimension": (-3,), "two negative dimensions": (-1, -3), "a dimension of -2^63": (-(2**63),), "an overflow": (2**62, 4),
        "an overflow to the right size": (2**33, 2**31, 3), "an overflow of 32 bits": (2**31, 2**31), "a huge dimension": (2**63 - 1,),
        "a dimension of 2^64": (2**64 + 3,), "a list for a shape": [3], "an int for a shape": 3, "nil for a shape": None,
        "a float in the shape": (3.0,), "a str in the shape": ("3",), "200 dimensions": (1,) * 200 + (3,), "too few elements": (2,),
        "too many elements": (4,), "no elements": (0,), "no dimensions": (), "another product": (3, 2),
    }  # fmt: skip
    indexes = {"buffer 0": 0, "buffer -1": -1, "buffer 2": 2, "buffer 2^31": 2**31, "buffer 2^63": 2**63, "buffer -2^63": -(2**63),
               "buffer nil": None, "buffer 1.0": 1.0, "buffer '1'": "1", "buffer [1]": [1]}  # fmt: skip
    dtypes = {"an unknown dtype": "float33", "no dtype": "", "a dtype with its module": "torch.float32", "a class for a dtype": "Tensor",
              "a function for a dtype": "load", "nil for a dtype": None, "an int for a dtype": 3, "bytes for a dtype": b"float32"}  # fmt: skip
    metas = {name: ("float32", shape, 1) for name, shape in shapes.items()}
    metas |= {name: ("float32", (3,), index) for name, index in indexes.items()}
    torch_only = {name: (dtype, (3,), 1) for name, dtype in dtypes.items()}
    broken: dict[str, tuple[object, bytes]] = {}
    for name, meta in (metas | torch_only).items():
        broken[f"tensor: {name}"] = tensor(*meta), twelve
        broken[f"nested tensor: {name}"] = nested([("float32", (3,), 1), meta]), twelve
    for name, (_, shape, index) in metas.items():
        if name not in ("too few elements", "no dimensions"):  # 12 bytes can be two, or one, of some dtype
            broken[f"numpy array: {name}"] = array("float32", shape, index), twelve
    for name, dtype, shape in (("too few elements", "float32", (2,)), ("no dimensions", "float32", ()), ("longer elements", "int64", (3,)),
                               ("shorter elements", "int8", (3,)), ("longer text", "<U2", (3,)), ("nil for a dtype", None, (3,)),
                               ("an unknown dtype", "float33", (3,)), ("a dtype of Python objects", "object", (3,))):  # fmt: skip
        broken[f"numpy array: {name}"] = array(dtype, shape, 1), twelve
    whole = ("float32", (3,), 1)
    for code, kind in ((TENSOR, "tensor"), (NESTED, "nested tensor"), (NUMPY, "numpy array")):
        for name, payload in broken_pickles().items():
            broken[f"{kind}: pickle: {name}"] = Ext(code, payload), twelve
        for name, value in {"nil": None, "a list": list(whole), "two items": whole[:2], "four items": (*whole, 1), "an empty dict": {},
                            "a str": "float32", "another's meta": {"layout": "jagged", "tensors": whole}}.items():  # fmt: skip
            broken[f"{kind}: {name} for a meta"] = Ext(code, pickle.dumps(value, protocol=5)), twelve
    broken["nested tensor: unknown layout"] = nested([whole], "sparse"), twelve
    broken["nested tensor: layout nil"] = nested([whole], None), twelve
    broken["nested tensor: a tuple for a list"] = Ext(NESTED, pickle.dumps({"layout": "jagged", "tensors": (whole, 3)})), twelve
    for code in (0, 6, 127, -2, -128):
        broken[f"ext {code}"] = Ext(code, bytes(8)), twelve
    broken["a timestamp of 5 bytes"] = Ext(-1, bytes(5)), twelve
    return broken


def in_a_column(value: object, buffer: bytes, rows: list[int]) -> list[bytes]:
    """A PUT of a good column and one that holds the value in its second row, deep inside."""
    deep = [{"plain": 1}, {"list": [1, {"inner": value}]}, *[None] * (len(rows) - 2)]
    data = {"good column": ["a"] * len(rows), "odd column": deep}
    return message("PUT", {"global_indexes": rows, "data": data}, buffer)


def as_a_tag(value: object, buffer: bytes, rows: list[int]) -> list[bytes]:
    """SET_CUSTOM_META with a good tag on the first row and the value in one on the second."""
    tags = {rows[0]: {"good tag": 1}, rows[1]: {"odd tag": [value]}}
    return message("SET_CUSTOM_META", {"partition_custom_meta": {"victim": tags}}, buffer)


def unreadable_keys() -> dict[str, bytes]:
    """Maps that msgpack can write and Python cannot read: their keys have no hash. Built of bytes, for Python cannot write them."""
    return {"a map as a key": b"\x81\x81\x01\x02\x03", "an empty map as a key": b"\x81\x80\x03", "a map in a list as a key": b"\x81\x91\x80\x03",
            "a map as a key, deep inside": b"\x92\x01\x81\xa1a\x91\x81\x80\x03"}  # fmt: skip


def with_raw_value(frames: list[bytes], value: bytes) -> list[bytes]:
    """The message with these bytes in the place of its one "HERE"."""
    here = pack("HERE")
    assert frames[0].count(here) == 1
    return [frames[0].replace(here, value), *frames[1:]]
