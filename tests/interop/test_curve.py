# SPDX-License-Identifier: Apache-2.0
"""Nodes with keys at a shell: every command reaches them with keys, none without; what goes over the wire; Python."""

import json
import os
import socket
import stat
import subprocess
import threading

import pytest
from metrics_page import fetch
from nodes import Cluster, tq_binary

AT_ONCE = 60
OK, USAGE, UNREACHABLE, NOT_FOUND = 0, 2, 3, 4


def tq(*args, want: int = OK, env: dict | None = None) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TQ_CURVE")}
    got = subprocess.run([tq_binary(), *map(str, args)], capture_output=True, text=True, timeout=AT_ONCE,
                         env={**clean, **(env or {})})
    assert got.returncode == want, got.stdout + got.stderr
    return got.stdout + got.stderr


class Keyed:
    def __init__(self, folder, *more):
        self.keys = folder / "keys"
        self.keys.mkdir()
        for name in ("nodes", "trainer", "stranger"):
            tq("keygen", self.keys / name)
        (self.keys / "clients").mkdir()
        (self.keys / "clients" / "trainer.pub").write_text((self.keys / "trainer.pub").read_text())
        self.folder = folder / "nodes"
        self.cluster = Cluster(self.folder, unit_args=(
            "--curve-key", self.keys / "nodes", "--curve-clients", self.keys / "clients", *more))

    def flags(self, name: str = "trainer") -> list:
        return ["--info-dir", self.folder, "--curve-key", self.keys / name, "--curve-server-key", self.keys / "nodes.pub"]


@pytest.fixture(scope="module")
def keyed(tmp_path_factory):
    nodes = Keyed(tmp_path_factory.mktemp("curve"), "--metrics-port", "0")
    yield nodes
    nodes.cluster.stop()


def test_keygen(tmp_path):
    said = tq("keygen", tmp_path / "k")
    assert str(tmp_path / "k.pub") in said
    assert stat.S_IMODE((tmp_path / "k").stat().st_mode) == 0o600
    secret = [line.split()[1] for line in (tmp_path / "k").read_text().splitlines() if line.startswith("secret ")]
    assert len(secret) == 1 and secret[0] not in said
    before = (tmp_path / "k").read_text()
    assert "--force" in tq("keygen", tmp_path / "k", want=USAGE)
    assert (tmp_path / "k").read_text() == before
    tq("keygen", tmp_path / "k", "--force")
    assert (tmp_path / "k").read_text() != before


def test_kv(keyed):
    tq("kv", "put", *keyed.flags(), "-p", "kv", "a", "--field", "note=hidden words")
    assert "hidden words" in tq("kv", "get", *keyed.flags(), "-p", "kv", "a", "--field", "note")
    env = {"TQ_CURVE_KEY": str(keyed.keys / "trainer"), "TQ_CURVE_SERVER_KEY": str(keyed.keys / "nodes.pub")}
    assert "a" in tq("kv", "list", "--info-dir", keyed.folder, "-p", "kv", env=env)


def test_status_doctor_bench(keyed):
    seen = json.loads(tq("status", *keyed.flags(), "--json"))
    assert all(node["answers"] for node in seen["nodes"]), seen
    # The nodes' own key will do, for whoever looks after them.
    assert tq("status", *keyed.flags("nodes"))
    findings = json.loads(tq("doctor", *keyed.flags(), "--json"))
    assert {"controller", "storage-0", "storage-1"} <= {f["subject"] for f in findings if f["level"] == "ok"}
    assert "tiny" in tq("bench", "bandwidth", *keyed.flags(), "--size", "tiny", "--runs", "1")


def test_selftest_on_keyed_nodes_and_on_its_own(keyed):
    assert "FAILED" not in tq("selftest", *keyed.flags())
    env = {"TQ_CURVE_KEY": str(keyed.keys / "trainer"), "TQ_CURVE_SERVER_KEY": str(keyed.keys / "nodes.pub")}
    assert "FAILED" not in tq("selftest", env=env)


def test_metrics_come_from_keyed_nodes(keyed):
    url = keyed.cluster.nodes[0].log.read_text().split("metrics at ")[1].split()[0]
    status, body = fetch(url)
    assert status == 200 and "tq_storage_units_silent 0" in body or body.count('storage_unit_id="') >= 2, body
    health, said = fetch(url.replace("/metrics", "/healthz"))
    assert health == 200, said


def test_without_keys_the_flags_are_named_at_once(keyed):
    said = tq("kv", "list", "--info-dir", keyed.folder, "-p", "kv", want=UNREACHABLE)
    assert "CURVE" in said and "--curve-key" in said and "--curve-server-key" in said and said.count("\n") == 1
    said = tq("kv", "list", *keyed.flags("stranger"), "-p", "kv", want=UNREACHABLE)
    assert "may connect" in said and (keyed.keys / "stranger.pub").read_text().split()[-1] in said
    log = keyed.cluster.nodes[0].log.read_text()
    assert "was refused" in log and "--curve-key" in log, log


def test_half_of_the_flags(keyed, tmp_path):
    said = tq("up", "--info-dir", tmp_path, "--curve-key", keyed.keys / "nodes", want=USAGE)
    assert "--curve-clients" in said
    said = tq("kv", "list", "--info-dir", keyed.folder, "--curve-key", keyed.keys / "trainer", "-p", "kv", want=USAGE)
    assert "--curve-server-key" in said


def test_bad_key_files(keyed, tmp_path):
    key = tmp_path / "k"
    flags = ["--info-dir", tmp_path, "--curve-clients", keyed.keys / "clients", "--curve-key", key]
    assert "keygen" in tq("up", *flags, want=NOT_FOUND)
    tq("keygen", key)
    key.chmod(0o644)
    assert "chmod 600" in tq("up", *flags, want=USAGE)
    key.chmod(0o600)
    key.write_text("nonsense")
    assert "no file of a secret key" in tq("up", *flags, want=USAGE)


def test_nothing_readable_goes_over_the_wire(keyed):
    """A proxy in the midst of client and nodes sees none of the words that a put carries."""
    words = b"words that nobody else shall read"
    seen = []
    folder = keyed.folder.parent / "proxied"
    folder.mkdir()
    for path in [keyed.cluster.controller, *keyed.cluster.units]:
        record = json.loads(path.read_text())
        record["ports"] = {name: proxy(record["ip"], port, seen) for name, port in record["ports"].items()}
        (folder / path.name).write_text(json.dumps(record))
    flags = ["--info-dir", folder, *keyed.flags()[2:]]
    tq("kv", "put", *flags, "-p", "wire", "key", "--field", f"note={words.decode()}")
    assert words.decode() in tq("kv", "get", *flags, "-p", "wire", "key", "--field", "note")
    traffic = b"".join(seen)
    assert len(traffic) > 1000 and words not in traffic and b"KV_RETRIEVE_META" not in traffic
    assert b"HELLO" in traffic and b"INITIATE" in traffic  # it did see it


def proxy(host: str, port: int, seen: list) -> int:
    listener = socket.create_server((host, 0))

    def pump(one, other):
        while data := one.recv(65536):
            seen.append(data)
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)

    def serve():
        while True:
            one, _ = listener.accept()
            other = socket.create_connection((host, port))
            for ends in ((one, other), (other, one)):
                threading.Thread(target=pump, args=ends, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]
