# SPDX-License-Identifier: Apache-2.0
"""tq doctor: one thing after the other is broken; it names each and says what to do about it."""

import json
import os
import resource
import signal
import socket
import subprocess
import threading

import pytest
import torch
from nodes import NEWEST, tq_binary
from parts import Parts
from peer_client import connect
from shell import FAILED, OK
from tensordict import TensorDict

AT_ONCE = 30


def doctor(folder, *, env: dict | None = None, limit=None) -> tuple[int, list[dict]]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TQ_")}
    got = subprocess.run([tq_binary(), "doctor", "--info-dir", folder, "--json", "--deadline", "3"], capture_output=True,
                         text=True, timeout=AT_ONCE, env={**clean, **(env or {})}, preexec_fn=limit)
    assert got.stderr == "", got.stderr
    return got.returncode, json.loads(got.stdout)


def finds(folder, level: str, subject: str, *words: str, advice: str = "", **kwargs) -> None:
    """One finding of that level and subject says these words, and has advice with that one in it."""
    exit_status, findings = doctor(folder, **kwargs)
    matching = [f for f in findings if (f["level"], f["subject"]) == (level, subject)
                and all(str(word) in f["text"] for word in words)]
    assert len(matching) == 1, findings
    assert matching[0]["advice"] and advice in matching[0]["advice"], matching
    assert exit_status == (FAILED if any(f["level"] == "problem" for f in findings) else OK)


@pytest.fixture
def parts(tmp_path):
    nodes = Parts(tmp_path / "parts", unit_args=(("--capacity", "4"), ()))
    yield nodes
    nodes.stop()


def test_all_is_well(parts):
    exit_status, findings = doctor(parts.folder)
    assert exit_status == OK
    assert not [f for f in findings if f["level"] == "problem"], findings
    well = {f["subject"] for f in findings if f["level"] == "ok"}
    assert {"addresses", "controller", "storage-0", "storage-1", "settings"} <= well
    text = subprocess.run([tq_binary(), "doctor", "--info-dir", parts.folder], capture_output=True, text=True).stdout
    assert all(line.startswith(("ok ", "warning ", "        ")) for line in text.splitlines()), text


def test_python_nodes_are_well_too(start):
    cluster = start(NEWEST, (NEWEST,))
    exit_status, findings = doctor(cluster.controller.parent)
    assert exit_status == OK and sum("Python" in f["text"] for f in findings) == 2


# ---- address files


def test_no_folder(tmp_path):
    finds(tmp_path / "none", "problem", "addresses", tmp_path / "none", advice="TQ_INFO_DIR")


def test_no_controller(parts):
    (parts.folder / "controller.json").unlink()
    finds(parts.folder, "problem", "controller", "controller.json", advice="tq up")


def test_a_gap_between_units(parts):
    (parts.folder / "storage-0.json").unlink()
    finds(parts.folder, "problem", "storage-0", "no storage-0.json", advice="from 0")


def test_no_units(parts):
    for unit in (0, 1):
        (parts.folder / f"storage-{unit}.json").unlink()
    finds(parts.folder, "problem", "addresses", "no storage-0.json", advice="tq storage")


def test_half_a_file(parts):
    path = parts.folder / "storage-1.json"
    path.write_text(path.read_text()[:20])
    finds(parts.folder, "problem", "storage-1", "storage-1.json", advice="start the node again")


def test_addresses_mixed_up(parts):
    path = parts.folder / "controller.json"
    path.write_text((parts.folder / "storage-0.json").read_text())
    finds(parts.folder, "problem", "controller", "TransferQueueStorage", advice="--info-file")


def test_one_unit_twice(parts):
    (parts.folder / "storage-1.json").write_text((parts.folder / "storage-0.json").read_text())
    finds(parts.folder, "problem", "storage-1", "same unit", advice="another unit")


def test_loopback_among_addresses_of_the_network(parts):
    path = parts.folder / "storage-1.json"
    record = json.loads(path.read_text())
    record["ip"] = "127.0.0.1"
    for other in ("controller", "storage-0"):
        far = json.loads((parts.folder / f"{other}.json").read_text())
        far["ip"] = "::ffff:127.0.0.1"  # another spelling of this machine, as an address of a network is
        (parts.folder / f"{other}.json").write_text(json.dumps(far))
    finds(parts.folder, "warning", "storage-1", "address of their own machine", advice="--bind")


# ---- nodes


def test_a_dead_unit(parts):
    parts.nodes[1].process.kill()
    parts.nodes[1].process.wait()
    finds(parts.folder, "problem", "storage-1", parts.address(1)["id"], advice="start it again")


def test_a_dead_controller(parts):
    parts.nodes["controller"].process.kill()
    parts.nodes["controller"].process.wait()
    finds(parts.folder, "problem", "controller", "did not answer", advice="start it again")


def test_a_stopped_unit(parts):
    parts.signal(0, signal.SIGSTOP)
    finds(parts.folder, "problem", "storage-0", "did not answer")


def test_another_program_at_the_port(parts):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve():
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                peer.close()

        threading.Thread(target=serve, daemon=True).start()
        path = parts.folder / "storage-0.json"
        record = json.loads(path.read_text())
        record["ports"]["put_get_socket"] = listener.getsockname()[1]
        path.write_text(json.dumps(record))
        finds(parts.folder, "problem", "storage-0", "its protocol")


def test_an_address_of_an_earlier_run(parts):
    path = parts.folder / "storage-0.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "id": "TQ_STORAGE_UNIT_00000000"}))
    finds(parts.folder, "problem", "storage-0", "TQ_STORAGE_UNIT_00000000", advice="remove the file")


def test_a_unit_where_the_controller_should_be(parts):
    unit = parts.address(0)
    path = parts.folder / "controller.json"
    record = json.loads(path.read_text())
    record["ports"] = {name: unit["ports"]["put_get_socket"] for name in record["ports"]}
    path.write_text(json.dumps(record))
    finds(parts.folder, "problem", "controller", "no controller")


def test_a_full_unit(parts):
    client = connect(str(parts.folder / "controller.json"), [str(parts.folder / f"storage-{i}.json") for i in range(2)])
    meta = client.kv_retrieve_meta(keys=[f"k{i}" for i in range(8)], partition_id="p", create=True)
    client.put(TensorDict({"x": torch.ones(8)}, batch_size=[8]), meta)
    finds(parts.folder, "problem", "storage-0", "4 of 4 samples", advice="--capacity")
    with pytest.raises(RuntimeError):
        meta = client.kv_retrieve_meta(keys=["a", "b"], partition_id="p", create=True)
        client.put(TensorDict({"x": torch.ones(2)}, batch_size=[2]), meta)
    finds(parts.folder, "warning", "storage-0", "refused since it started")


# ---- this machine and its settings


def test_few_files(parts):
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))

    finds(parts.folder, "warning", "files", "256", advice="ulimit", limit=limit)


def test_a_misspelt_variable(parts):
    finds(parts.folder, "warning", "environment", "TQ_METRIC_PORT", advice="tq config", env={"TQ_METRIC_PORT": "1"})


def test_a_setting_in_vain(parts, tmp_path):
    file = tmp_path / "tq.yaml"
    file.write_text("backend:\n  SimpleStorage:\n    num_data_storage_unit: 4\n")
    finds(parts.folder, "warning", "settings", "num_data_storage_unit", advice="config up", env={"TQ_CONFIG": str(file)})


def test_a_variable_with_a_wrong_value(parts):
    """No command works with it, and each says so."""
    got = subprocess.run([tq_binary(), "doctor", "--info-dir", parts.folder], capture_output=True, text=True,
                         env={**os.environ, "TQ_METRICS_PORT": "70000"})
    assert got.returncode == 2 and got.stdout == "" and "70000" in got.stderr and "TQ_METRICS_PORT" in got.stderr


def test_variables_of_upstream_are_known(parts):
    exit_status, findings = doctor(parts.folder, env={"TQ_NUM_THREADS": "4", "TQ_PRE_ALLOC_SAMPLE_NUM": "8"})
    assert exit_status == OK and not [f for f in findings if f["subject"] == "environment"]
