# SPDX-License-Identifier: Apache-2.0
"""Without Ray: nodes whose addresses stand in a folder, as `tq up --info-dir` writes them."""

import json
import os
from pathlib import Path

from ._error import Error
from ._reach import reach

VARIABLE = "TQ_INFO_DIR"


def attach(info_dir: str | Path | None = None):
    """Lets transfer_queue's functions in this process use the nodes whose addresses stand in `info_dir`.

    info_dir: the folder of `tq up --info-dir`; TQ_INFO_DIR when it is not given.

    Needs no Ray cluster. Returns the client, which transfer_queue.get_client() gives from now on, too. Raises Error.
    """
    folder = _folder(info_dir)
    controller = _read(folder / "controller.json")
    units = [_read(path) for path in sorted(folder.glob("storage-*.json"), key=_number)]
    if not units:
        raise Error(f"{folder} has no storage-0.json; start the nodes with `tq up --info-dir {folder}`")

    try:
        reach(controller["ip"], next(iter(controller["ports"].values())))
    except OSError as error:
        raise _no_answer(controller, folder, error) from None

    from transfer_queue import interface
    from transfer_queue.client import TransferQueueClient

    from ._wire import server_info

    try:
        infos = {f"TransferQueueStorageUnit#{rank}": server_info(unit) for rank, unit in enumerate(units)}
        client = TransferQueueClient(f"TransferQueueClient_{os.getpid()}", server_info(controller))
        client.initialize_storage_manager("SimpleStorage", {"zmq_info": infos})
    except (KeyError, ValueError) as error:
        raise Error(f"the addresses in {folder} are of no nodes: {error!r}") from None
    except TimeoutError as error:
        raise _no_answer(controller, folder, error) from None
    setattr(interface, client_variable(interface), client)
    return client


def client_variable(interface) -> str:
    """Where the package keeps the client of the process; 0.1.6 has another name for it."""
    return "_TQ_CLIENT" if hasattr(interface, "_TQ_CLIENT") else "_TRANSFER_QUEUE_CLIENT"


def _folder(info_dir) -> Path:
    named = info_dir or os.environ.get(VARIABLE)
    if not named:
        raise Error(f"where are the nodes? Give attach() the folder of `tq up --info-dir`, or set {VARIABLE}")
    if not Path(named).is_dir():
        raise Error(f"{named} is no folder; give attach() the one of `tq up --info-dir`")
    return Path(named)


def _read(path: Path) -> dict:
    try:
        record = json.loads(path.read_text())
    except FileNotFoundError:
        raise Error(f"there is no {path}; start the nodes with `tq up --info-dir {path.parent}`") from None
    except (OSError, ValueError) as error:
        raise Error(f"{path} is no address file of a node: {error}") from None
    if not _is_address(record):
        raise Error(f"{path} is no address file of a node: it must have role, id, ip and ports")
    return record


def _is_address(record) -> bool:
    if not isinstance(record, dict) or not {"role", "id", "ip", "ports"} <= record.keys():
        return False
    ip, ports = record["ip"], record["ports"]
    numbers = list(ports.values()) if isinstance(ports, dict) else []
    return isinstance(ip, str) and bool(numbers) and all(isinstance(port, int) and 0 < port < 65536 for port in numbers)


def _no_answer(controller: dict, folder: Path, error: Exception) -> Error:
    return Error(
        f"{controller['id']}, whose address stands in {folder}, does not answer: {error}; if it has ended, start the nodes again "
        f"with `tq up --info-dir {folder}`"
    )


def _number(path: Path) -> int:
    digits = path.stem.partition("-")[2]
    return int(digits) if digits.isdigit() else 1 << 30
