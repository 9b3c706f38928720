#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run one node of the Python TransferQueue without a Ray cluster, on loopback.

    peer_node.py controller --info controller.json [--polling] [--sampler GRPOGroupNSampler:4]
    peer_node.py storage    --info storage-0.json [--capacity N] [--metrics metrics.txt]

Once it is ready the node writes its address to --info as one JSON object
    {"role": "...", "id": "...", "ip": "127.0.0.1", "ports": {"<socket name>": port, ...}}
(the four fields of upstream's ZMQServerInfo), prints one line and runs until SIGTERM.
"""

import argparse
import inspect
import json
import os
import signal
import sys
import tempfile
import threading

os.environ.setdefault("RAY_DEDUP_LOGS", "0")

import transfer_queue.utils.zmq_utils as zmq_utils  # noqa: E402
from peer_client import server_info  # noqa: E402


def _loopback() -> str:
    return "127.0.0.1"


zmq_utils.get_node_ip_address = _loopback
import transfer_queue.controller as controller_module  # noqa: E402
import transfer_queue.sampler as samplers  # noqa: E402

try:
    import transfer_queue.storage.simple_storage as storage_module  # noqa: E402
except ImportError:  # 0.1.6
    import transfer_queue.storage.simple_backend as storage_module  # noqa: E402

controller_module.get_node_ip_address = _loopback
storage_module.get_node_ip_address = _loopback


def _plain_class(actor_class):
    """The class that upstream wrapped with @ray.remote."""
    return actor_class.__ray_metadata__.modified_class


def _sampler(spec: str):
    name, *arguments = spec.split(":")
    return getattr(samplers, name)(*map(int, arguments))


def _node(args):
    if args.role == "controller":
        cls = _plain_class(controller_module.TransferQueueController)
        return cls(sampler=_sampler(args.sampler), polling_mode=args.polling)
    cls = _plain_class(storage_module.SimpleStorageUnit)
    if "config" in inspect.signature(cls.__init__).parameters:  # since 0.1.11; a size before
        return cls({"total_storage_size": args.capacity, "num_data_storage_units": 1})
    return cls(args.capacity or 1_000_000)


def _write_address(info, path: str) -> None:
    record = {"role": info.role.value, "id": str(info.id), "ip": info.ip, "ports": dict(info.ports)}
    with tempfile.NamedTemporaryFile("w", dir=os.path.dirname(os.path.abspath(path)), delete=False) as f:
        json.dump(record, f)
    os.replace(f.name, path)


def _start_metrics(node, args) -> None:
    """What tq.init() asks of the actors where metrics are on."""
    endpoint = node.start_metrics(port=0)
    if args.metrics_units:
        records = [json.load(open(path)) for path in args.metrics_units]
        infos = map(server_info, args.metrics_units)
        node.register_storage_units_for_metrics({info.id: info for info in infos})
    with open(args.metrics, "w") as file:
        file.write(endpoint)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("role", choices=["controller", "storage"])
    parser.add_argument("--info", required=True, help="file that receives the node's address as JSON")
    parser.add_argument("--polling", action="store_true", help="controller: polling mode")
    parser.add_argument("--sampler", default="SequentialSampler")
    parser.add_argument("--metrics", help="file that receives the address of the node's metrics, which are off otherwise")
    parser.add_argument("--metrics-units", nargs="*", default=[], help="controller: the units' address files")
    parser.add_argument("--capacity", type=int, default=None, help="storage: maximum number of samples")
    args = parser.parse_args()

    node = _node(args)
    if args.metrics:
        _start_metrics(node, args)
    _write_address(node.get_zmq_server_info(), args.info)
    print("ready", flush=True)

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    stop.wait()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
