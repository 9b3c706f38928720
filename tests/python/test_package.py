# SPDX-License-Identifier: Apache-2.0
"""What pip installs: the program, the hook and what it costs, and nodes without Ray."""

import json
import platform
import shutil
import socket
import subprocess
import sys

import pytest
from conftest import tq_binary
from processes import wait_gone

NOTHING_LOADED = """
import sys
heavy = sorted({"torch", "ray", "transfer_queue", "omegaconf", "json"} & set(sys.modules))
print(heavy, sorted(name for name in sys.modules if name.startswith("transfer_queue_cpp")))
"""


def test_it_carries_the_program_of_its_version(package):
    found = package.succeed("-m", "transfer_queue_cpp", "which").strip()
    assert found == str(package.site / "transfer_queue_cpp/bin/tq")
    version = package.succeed("-m", "transfer_queue_cpp", "--version").strip()
    said = subprocess.run([tq_binary(), "--version"], capture_output=True, text=True, check=True).stdout
    assert said == f"tq {version}\n"


def test_a_wheel_says_of_what_machines_it_is(package, tmp_path):
    """With the program it is of this one, for any Python 3; without, of any."""
    package.succeed("-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", tmp_path, package.tree / "python")
    shutil.copytree(package.tree / "python", tmp_path / "python", ignore=shutil.ignore_patterns("build", "*.egg-info"))
    package.succeed("-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", tmp_path, tmp_path / "python")
    tags = sorted(wheel.stem.partition("-py3-")[2] for wheel in tmp_path.glob("*.whl"))
    assert tags == ["none-any", f"none-linux_{platform.machine()}"]


def test_a_program_without_its_libraries(package, tmp_path):
    program = tmp_path / "tq"
    said = "tq: error while loading shared libraries: libfmt.so.9: cannot open shared object file: No such file or directory"
    program.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 127\n")  # as ld.so has it
    program.chmod(0o755)
    done = package.run("-m", "transfer_queue_cpp", "which", TQ_CPP_BIN=str(program))
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "cannot be run here: libfmt.so.9: cannot open" in done.stderr and "docs/python.md" in done.stderr


def test_a_program_that_is_named_and_missing_is_told_before_ray_starts(package):
    script = "import ray, transfer_queue as tq\ntry: tq.init()\nexcept Exception as error: print(error, ray.is_initialized())"
    said = package.succeed("-c", script, TQ_BACKEND="cpp", TQ_CPP_BIN="/nowhere/tq")
    assert said == "TQ_CPP_BIN is '/nowhere/tq', which is no program; let it name the program tq False\n"


def test_the_hook_costs_nothing_until_it_is_wanted(package):
    assert package.succeed("-c", NOTHING_LOADED) == "[] []\n"
    # Wanted, it imports two small modules of ours, and changes nothing but tq.init.
    ours = "['transfer_queue_cpp', 'transfer_queue_cpp._error', 'transfer_queue_cpp._hook', 'transfer_queue_cpp._version']"
    assert package.succeed("-c", NOTHING_LOADED, TQ_BACKEND="cpp") == f"[] {ours}\n"
    assert package.succeed("-c", NOTHING_LOADED, TQ_BACKEND="python") == f"[] {ours}\n"


NODES_ALIVE = """
import sys, torch, transfer_queue as tq
from tensordict import TensorDict
{attach}
fields = TensorDict({{"ids": torch.arange(6).reshape(3, 2)}}, batch_size=3)
tq.kv_batch_put(keys=["a", "b", "c"], partition_id="train", fields=fields, tags=[{{"n": i}} for i in range(3)])
assert torch.equal(tq.kv_batch_get(keys=["c"], partition_id="train")["ids"][0], torch.tensor([4, 5]))
tq.kv_clear(keys=["a", "b", "c"], partition_id="train")
import ray
print("ray" if ray.is_initialized() else "no ray", type(tq.get_client()).__name__)
tq.close()
"""


@pytest.fixture(scope="module")
def folder(package, tmp_path_factory):
    """The addresses of nodes that were started by hand and end with the test."""
    folder = tmp_path_factory.mktemp("nodes")
    nodes = subprocess.Popen(
        [tq_binary(), "up", "--units", "3", "--info-dir", folder, "--until-eof", "0"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert nodes.stdout.readline().startswith("ready: ")
    yield folder
    nodes.stdin.close()  # the only thing that ends them
    assert nodes.wait(10) == 0
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("version", ["0.1.6", "0.1.8", "0.1.11"])
def test_nodes_without_ray_by_attach(package, folder, version):
    script = NODES_ALIVE.format(attach=f"import transfer_queue_cpp; transfer_queue_cpp.attach({str(folder)!r})")
    assert package.succeed("-c", script, version=version) == "no ray TransferQueueClient\n"


def test_nodes_without_ray_by_the_environment_alone(package, folder):
    script = NODES_ALIVE.format(attach="tq.init()")
    assert package.succeed("-c", script, TQ_BACKEND="cpp", TQ_INFO_DIR=str(folder)) == "no ray TransferQueueClient\n"


def gone_nodes(folder):
    """Addresses that killed nodes left: nobody listens there."""
    folder.mkdir()
    for name, role in (("controller", "TransferQueueController"), ("storage-0", "TransferQueueStorage")):
        with socket.create_server(("127.0.0.1", 0)) as free:
            ports = {"request_handle_socket": free.getsockname()[1]}
        record = {"role": role, "id": name, "ip": "127.0.0.1", "ports": ports}
        (folder / f"{name}.json").write_text(json.dumps(record))


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (gone_nodes, "does not answer: [Errno 111] Connection refused; if it has ended, start the nodes again with `tq up"),
        (lambda folder: None, "is no folder; give attach() the one of `tq up --info-dir`"),
        (lambda folder: folder.mkdir(), "there is no"),
        (lambda folder: (folder.mkdir(), (folder / "controller.json").write_text("{")), "is no address file of a node"),
        (lambda folder: (folder.mkdir(), (folder / "controller.json").write_text("[]")), "it must have role, id, ip and ports"),
    ],
)
def test_attach_says_what_is_wrong_with_a_folder(package, tmp_path, make, expected):
    folder = tmp_path / "nodes"
    make(folder)
    done = package.run("-c", f"import transfer_queue_cpp as c\ntry: c.attach({str(folder)!r})\nexcept c.Error as e: print(e)")
    assert expected in done.stdout and done.stderr == ""


def test_a_node_program_ends_with_the_process_that_started_it(tmp_path):
    """kill -9 of the starter: its end of the pipe closes, whatever else it did not do."""
    starter = subprocess.Popen(
        [sys.executable, "-c",
         "import subprocess, sys\n"
         f"p = subprocess.Popen([{str(tq_binary())!r}, 'up', '--info-dir', {str(tmp_path / 'n')!r}, '--until-eof', '0'],\n"
         "                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)\n"
         "p.stdout.readline(); print(p.pid, flush=True); sys.stdin.read()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    pid = int(starter.stdout.readline())
    starter.kill()
    starter.wait()
    assert wait_gone([pid]) == []


def test_until_eof_of_a_descriptor_that_is_not_there(tmp_path):
    done = subprocess.run([tq_binary(), "up", "--info-dir", tmp_path, "--until-eof", "93"], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "tq: --until-eof 93: there is no such descriptor; 0 is standard input\n"
