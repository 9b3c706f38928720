# SPDX-License-Identifier: Apache-2.0
"""python -m transfer_queue_cpp COMMAND: nodes on a Ray cluster, from a shell."""

import argparse
import importlib.util
import json
import os
import signal
import sys
import threading

from . import Error, __version__
from ._reach import reach


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m transfer_queue_cpp", description="TransferQueue on C++ nodes, on a Ray cluster.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start nodes and keep them until Ctrl-C, SIGTERM, or until somebody ends them")
    up.add_argument("--config", help="YAML as upstream's config.yaml; its defaults unless given")
    up.add_argument("--num-cpus", type=float, default=0, help="what each actor takes of Ray's CPUs (default: 0)")
    up.add_argument("--controller-port", type=int, default=0, help="the controller's first port (default: any free one)")
    up.add_argument("--storage-port", type=int, default=0, help="the first port of the storage units of a node (default: any)")
    down = commands.add_parser("down", help="end the nodes of the cluster, on every machine")
    status = commands.add_parser("status", help="what runs where, and what died; exit status 1 if something did")
    status.add_argument("--json", action="store_true", help="for programs")
    for command in (up, down, status):
        command.add_argument("--address", help="the Ray cluster; RAY_ADDRESS or a running local one unless given, else a new one")
    commands.add_parser("which", help="print the path of the program tq")
    arguments = parser.parse_args()
    try:
        if arguments.command != "which":
            _require_ray()
        return _COMMANDS[arguments.command](arguments)
    except Error as error:
        print(f"transfer_queue_cpp: {error}", file=sys.stderr)
        return 1


def _require_ray() -> None:
    if importlib.util.find_spec("ray") is None:
        raise Error(f"Ray is not installed beside {sys.executable}; without it use `tq up` and attach(), see docs/python.md")


def _connect(arguments, must_run: bool) -> None:
    import ray

    address = arguments.address or os.environ.get("RAY_ADDRESS") or ("auto" if must_run else None)
    _check_reachable(address)
    try:
        ray.init(address=address, ignore_reinit_error=True, logging_level="warning")
    except (ConnectionError, ValueError) as error:
        if address == "auto":
            raise Error("no Ray cluster runs on this machine; name one with --address or RAY_ADDRESS") from None
        raise Error(f"no Ray cluster at {address}: {str(error).strip().partition(chr(10))[0]}") from None


def _check_reachable(address: str | None) -> None:
    """Ray itself tries for minutes."""
    host, colon, port = (address or "").rpartition(":")
    if not colon or not port.isdigit() or "/" in host:
        return
    try:
        reach(host.strip("[]"), int(port))
    except OSError as error:
        raise Error(f"no Ray cluster at {address}: {error.strerror or error}; `ray status` on its head tells the address") from None


def _cluster_address() -> str:
    import ray

    return ray.get_runtime_context().gcs_address


def _up(arguments) -> int:
    from . import _binary, _launch, _settings

    _binary.find_binary()  # what is wrong here need not wait for Ray
    _settings.plan(_settings.merged(arguments.config), arguments.controller_port, arguments.storage_port)
    _connect(arguments, must_run=False)
    if _launch.namespace() is None:
        raise Error("clients of this TransferQueue look for nodes in their own job only; call launch() there")
    conf = _launch.launch(
        arguments.config, num_cpus=arguments.num_cpus, controller_port=arguments.controller_port,
        storage_port=arguments.storage_port,
    )  # fmt: skip
    units = len(conf.backend.SimpleStorage.zmq_info)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):  # in place of Ray's, which end the process at once
        signal.signal(number, lambda *_: stop.set())
    cluster = _cluster_address()
    # Without that variable a program's ray.init() may start a cluster of its own, where there are no nodes.
    print(f"ready: {conf.controller.zmq_info.id}, {units} storage units; with RAY_ADDRESS={cluster} tq.init() attaches to them", flush=True)
    while not stop.wait(1):
        if not _launch.is_running():
            print("the nodes were ended", flush=True)
            return 0
    _launch.shutdown()
    return 0


def _down(arguments) -> int:
    from . import _launch

    _connect(arguments, must_run=True)
    print("the nodes are ended" if _launch.shutdown() else "no nodes run on this cluster")
    return 0


def _status(arguments) -> int:
    from . import _launch

    _connect(arguments, must_run=True)
    records = _launch.status()
    if arguments.json:
        print(json.dumps(records))
    else:
        for record in records:
            print(f"{record['name']:<26} {record['node_ip'] or '?':<15} pid {record['pid'] or '?':<8} {record['died'] or 'runs'}")
    return 1 if any(record["died"] for record in records) else 0


def _which(arguments) -> int:
    from ._binary import find_binary

    print(find_binary())
    return 0


_COMMANDS = {"up": _up, "down": _down, "status": _status, "which": _which}

if __name__ == "__main__":
    sys.exit(main())
