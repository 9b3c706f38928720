# SPDX-License-Identifier: Apache-2.0
"""An unmodified Python TransferQueue client joined to nodes whose addresses are JSON files, without Ray.

    from peer_client import connect
    client = connect("controller.json", ["storage-0.json", "storage-1.json"])   # a TransferQueueClient

All clients must name the storage units in the same order: a sample's index modulo their number says where it lies.
"""

import json

from transfer_queue.client import TransferQueueClient

try:
    from transfer_queue.utils.enum_utils import Role
except ImportError:  # 0.1.6
    from transfer_queue.utils.enum_utils import TransferQueueRole as Role
from transfer_queue.utils.zmq_utils import ZMQServerInfo


def server_info(path: str) -> ZMQServerInfo:
    with open(path) as f:
        record = json.load(f)
    return ZMQServerInfo(role=Role(record["role"]), id=record["id"], ip=record["ip"], ports=record["ports"])


def connect(controller: str, storage_units: list[str], client_id: str = "peer_client") -> TransferQueueClient:
    client = TransferQueueClient(client_id=client_id, controller_info=server_info(controller))
    infos = [server_info(path) for path in storage_units]
    client.initialize_storage_manager("SimpleStorage", {"zmq_info": {info.id: info for info in infos}})
    return client
