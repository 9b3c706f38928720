# SPDX-License-Identifier: Apache-2.0
"""Makes a fuzzer's first inputs from the recorded messages: make_seeds.py FUZZER GOLDEN_DIR SEEDS_DIR."""
import pickletools
import struct
import sys
from pathlib import Path

MESSAGE_TYPE_AS_SENT = 0xFF  # in place of a handler's number
INPUT_BYTES_MAX = 16384  # libFuzzer's -max_len in run_fuzzer.sh


def frames_of(file: Path) -> list[bytes]:
    data, frames = file.read_bytes(), []
    while data:
        (length,) = struct.unpack_from("<Q", data)
        frames.append(data[8 : 8 + length])
        data = data[8 + length :]
    return frames


def messages(golden: Path) -> list[Path]:
    return sorted(golden.rglob("*.msg"))


def pickles_in(data: bytes):
    """The pickles that stand somewhere in these bytes."""
    at = data.find(b"\x80")
    while at >= 0:
        try:
            if data[at + 1] in range(2, 6):
                end = max(position for _, _, position in pickletools.genops(data[at:])) + 1
                yield data[at : at + end]
        except Exception:  # noqa: BLE001: no pickle begins here
            pass
        at = data.find(b"\x80", at + 1)


def decode(golden: Path):
    for file in messages(golden):
        yield file.read_bytes()


def msgpack(golden: Path):
    for file in messages(golden):
        yield frames_of(file)[0]


def pickle(golden: Path):
    for file in messages(golden):
        for frame in frames_of(file):
            yield from pickles_in(frame)


def node_message(file: Path) -> bytes:
    frames = frames_of(file)
    parts = [bytes([MESSAGE_TYPE_AS_SENT, len(frames)])]
    for frame in frames:
        parts += [struct.pack("<Q", len(frame)), frame]
    return b"".join(parts)


def node(golden: Path, is_storage: bool):
    """Each request alone, and the requests of each folder one after the other, as far as an input goes."""
    storage_types = ("_PUT", "_GET", "_CLEAR_DATA", "_GET_METRICS", "_STORAGE_CHECKPOINT")
    sessions: dict[Path, list[bytes]] = {}
    for file in messages(golden):
        if "_request_" in file.name and file.stem.endswith(storage_types) == is_storage:
            sessions.setdefault(file.parent, []).append(node_message(file))
    for session in sessions.values():
        yield from session
        while session:
            seed = b""
            while session and len(seed) + len(session[0]) <= INPUT_BYTES_MAX or not seed:
                seed += session.pop(0)
            yield seed


def controller(golden: Path):
    return node(golden, is_storage=False)


def storage(golden: Path):
    return node(golden, is_storage=True)


def curve(_golden: Path):
    """Commands without the keys of their boxes, and properties as they stand in one."""
    yield b"\x05HELLO\x01\x00" + bytes(192)
    yield b"\x07WELCOME" + bytes(160)
    yield b"\x08INITIATE" + bytes(248)
    yield b"\x05READY" + bytes(24)
    yield b"\x05ERROR\x03400"
    yield b"\x07MESSAGE" + bytes(64)
    yield b"\x0bSocket-Type\x00\x00\x00\x06DEALER\x08Identity\x00\x00\x00\x02me"


def npy(_golden: Path):
    for descr, item in (("<f4", 4), ("|b1", 1), ("<c16", 16), (">i8", 8), ("|V2", 2)):
        for version in (1, 2, 3):
            for shape in ((), (3,), (2, 3), (0, 5)):
                header = repr({"descr": descr, "fortran_order": False, "shape": shape}).encode() + b"\n"
                length = struct.pack("<H" if version == 1 else "<I", len(header))
                count = item
                for size in shape:
                    count *= size
                yield b"\x93NUMPY" + bytes([version, 0]) + length + header + bytes(count)


def json(golden: Path):
    yield from (b'{"score": 0.5, "tags": [1, -2, true, null, "\\u00e4\\ud83d\\ude00", 1e400]}', b"18446744073709551615", b'"nan"')
    for file in sorted((golden / "0.1.11").glob("*.json")):
        yield file.read_bytes()


def checkpoint(_golden: Path):
    """What interop/save_checkpoint_seeds.py had nodes save, with the byte that picks the kind of node, and checksums as they are or repaired."""
    for file in sorted((Path(__file__).parent / "checkpoints").iterdir()):
        for repairs in (0, 1):
            yield bytes([repairs | (2 if file.name.startswith("controller") else 0)]) + file.read_bytes()


def main() -> None:
    name, golden, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    seeds = {seed for seed in globals()[name](golden) if len(seed) <= INPUT_BYTES_MAX}
    assert seeds, f"no seeds for {name}: a fuzzer that starts from nothing finds nothing"
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(sorted(seeds)):
        (folder / f"{number:04}").write_bytes(seed)


main()
