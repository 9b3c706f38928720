# SPDX-License-Identifier: Apache-2.0
"""Bad input to launch(): one sentence that says what to do, within 10 seconds, and nothing left running."""

import json
import os
import socket

import pytest
from conftest import tq_binary
from processes import nodes_with, wait_gone

# Each line of standard input is a call of launch(); the answer is the error's text and the seconds that it took.
SERVER = """
import json, os, sys, time
import ray
import transfer_queue_cpp as cpp
import transfer_queue as tq
ray.init(address=os.environ["RAY_ADDRESS"], logging_level="warning")
class NotASampler: pass
for line in sys.stdin:
    begin = time.monotonic()
    os.environ.pop("TQ_CPP_BIN", None)
    request = json.loads(line)
    os.environ.update(request.get("env", {}))
    try:
        exec(request["call"])
        answer = None
    except cpp.Error as error:
        answer = str(error)
    except Exception as error:
        answer = f"no sentence: {error!r}"
    print(json.dumps([answer, time.monotonic() - begin]), flush=True)
"""
MARK = f"tq-refusals-{os.getpid()}"


@pytest.fixture(scope="module")
def ask(package, cluster):
    driver = package.start("-c", SERVER, RAY_ADDRESS=cluster, TQ_TEST_MARK=MARK)

    def call(code: str, **env) -> str | None:
        driver.stdin.write(json.dumps({"call": code, "env": env}) + "\n")
        driver.stdin.flush()
        line = driver.stdout.readline()
        assert line, driver.stderr.read()
        answer, seconds = json.loads(line)
        assert seconds < 10 or answer is None
        return answer

    yield call
    driver.stdin.close()
    assert driver.wait(60) == 0


def launch(**storage) -> str:
    return f"cpp.launch({{'backend': {{'SimpleStorage': {storage!r}}}}})"


def executable(path, text: str):
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def refused(ask, code: str, *parts: str, **env) -> None:
    answer = ask(code, **env)
    assert answer is not None and not answer.startswith("no sentence"), answer
    assert "\n" not in answer
    for part in parts:
        assert part in answer
    # What was begun is gone: the actor's name is free, and no program runs.
    assert wait_gone(nodes_with(MARK)) == []


def test_a_cluster_without_the_resource(ask):
    refused(ask, launch(required_node_resource="fast-disk"), "none of the 2 nodes", "'fast-disk'", "ray start --resources")


def test_a_cluster_without_cpus(ask):
    refused(ask, "cpp.launch(num_cpus=7)", "asks for 21 CPUs", "16 free", "give less, such as 0")


def test_a_name_that_is_taken(ask):
    assert ask("cpp.launch()") is None
    answer = ask("cpp.launch()")
    assert "the name TransferQueueController is taken" in answer and "tq.init() attaches" in answer
    assert ask("cpp.shutdown()") is None
    assert wait_gone(nodes_with(MARK), 0) == []


def test_pythons_nodes_are_not_ours_to_end(ask):
    assert ask("os.environ['TQ_BACKEND'] = 'python'; tq.init()") is None
    assert "runs Python's nodes" in ask("cpp.shutdown()")
    assert "runs Python's nodes" in ask("cpp.status()")
    assert ask("tq.close()") is None
    assert "no TransferQueue runs on this cluster" in ask("cpp.status()")


def test_a_program_that_is_missing_or_another(ask, tmp_path):
    refused(ask, "cpp.launch()", "is no program", TQ_CPP_BIN=str(tmp_path / "tq"))
    refused(ask, "cpp.launch()", "is not the program tq of TransferQueue", TQ_CPP_BIN="/bin/echo")
    old = executable(tmp_path / "old", "#!/bin/sh\necho tq 0.0.1\n")
    refused(ask, "cpp.launch()", "is tq 0.0.1, but this package is of", "TQ_CPP_BIN", TQ_CPP_BIN=old)
    mute = executable(tmp_path / "mute", "#!/bin/sh\nexec cat /dev/zero >/dev/null\n")
    refused(ask, "cpp.launch()", "did not answer within", TQ_CPP_BIN=mute)


def test_a_program_that_cannot_start_its_nodes(ask, tmp_path):
    """It is of the right version but ends at once: its last words are in the sentence."""
    broken = executable(
        tmp_path / "broken",
        f'#!/bin/sh\ncase "$1 $2" in --version*|*--help) exec {tq_binary()} "$@";; esac\necho "tq: no memory left" >&2\nexit 1\n',
    )
    # The actor is another process: it takes the program that the driver names.
    refused(ask, "cpp.launch()", "TransferQueueController did not start: no memory left", TQ_CPP_BIN=broken)


def test_a_port_in_use(ask):
    import ray

    host = ray.util.get_node_ip_address()
    with socket.socket() as taken:
        taken.bind((host, 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused(ask, f"cpp.launch(controller_port={port})", "TransferQueueController did not start", str(port), "in use")
        # The controller runs by then, and must end again.
        refused(ask, f"cpp.launch(storage_port={port})", "TransferQueueStorage#", "did not start", str(port), "in use")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("controller: [", ("is no YAML at line 1, column 14",)),
        ("- a\n- b\n", ("the configuration is a ListConfig", "give a dict")),
        ("backend:\n  storage_backend: MooncakeStore\n", ("'MooncakeStore'", "C++ nodes are a SimpleStorage")),
        ("backend:\n  SimpleStorage:\n    num_data_storage_units: 0\n", ("num_data_storage_units is 0", "from 1 to 1024")),
        ("backend:\n  SimpleStorage:\n    total_storage_size: many\n", ("total_storage_size is 'many'",)),
        ("controller:\n  sampler: FastestSampler\n", ("'FastestSampler'", "SequentialSampler, GRPOGroupNSampler")),
    ],
)
def test_a_configuration_that_cannot_be(ask, tmp_path, text, parts):
    path = tmp_path / "tq.yaml"
    path.write_text(text)
    refused(ask, f"cpp.launch({str(path)!r})", *parts)


def test_arguments_that_cannot_be(ask, tmp_path):
    refused(ask, f"cpp.launch({str(tmp_path / 'none.yaml')!r})", "none.yaml cannot be read: No such file")
    refused(ask, "cpp.launch(17)", "the configuration is a int")
    refused(ask, "cpp.launch(controller_port=70000)", "controller_port is 70000")
    refused(ask, "cpp.launch({'controller': {'sampler': NotASampler()}})", "NotASampler")


def test_a_shell_gets_a_sentence_too(package, tmp_path):
    path = tmp_path / "tq.yaml"
    path.write_text("a: [\n")
    done = package.run("-m", "transfer_queue_cpp", "up", "--config", path)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("transfer_queue_cpp: the configuration") and done.stderr.count("\n") == 1
    done = package.run("-m", "transfer_queue_cpp", "down", "--address", "127.0.0.1:1")
    assert done.returncode == 1 and "no Ray cluster at 127.0.0.1:1" in done.stderr and "Traceback" not in done.stderr


def test_a_wrong_backend_is_told_when_it_matters(package):
    done = package.run("-c", "import transfer_queue as tq\ntq.init()", TQ_BACKEND="c++")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("TQ_BACKEND is 'c++'; set it to cpp for C++ nodes, to python or not at all for Python's")
