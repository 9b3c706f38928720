# SPDX-License-Identifier: Apache-2.0
"""The client of the scenario, and the list of its steps."""

import asyncio
import os
from uuid import uuid4

import transfer_queue as tq
import zmq
from peer_client import connect, server_info
from tensordict import TensorDict
from transcript import Transcript, attempt
from transfer_queue.utils.zmq_utils import ZMQMessage, ZMQRequestType

VERSION = tuple(int(part) for part in tq.__version__.split(".")[:3])
KEYS = ["a", "b", "ключ", "d"]
FIRST = (0, 1, 6)
STEPS: list = []  # (chapter, name, first version, function)


def step(chapter: str, name: str, since: tuple = FIRST):
    """A step of a chapter; `since` is the first version whose own nodes survive it."""

    def register(function):
        STEPS.append((chapter, name, since, function))
        return function

    return register


class Client:
    """The client under test with the names of its samples.

    All its partitions begin with `prefix`. With `read_only` it puts nothing and reads what another client put.
    """

    def __init__(self, controller: str, storage_units: list[str], prefix: str = "", read_only: bool = False):
        self.prefix, self.read_only = prefix, read_only
        self.raw = connect(controller, storage_units, client_id=f"scenario_{os.getpid()}")
        self.transcript = Transcript()
        self.context = zmq.Context()
        infos = [server_info(path) for path in storage_units]
        self.units = [f"tcp://{info.ip}:{info.ports['put_get_socket']}" for info in infos]

    def register(self, partition: str, keys: list[str] = KEYS):
        create = not self.read_only
        return self.transcript.name_keys(self.raw.kv_retrieve_meta(keys=keys, partition_id=partition, create=create), keys)

    def look_up(self, partition: str, keys: list[str] = KEYS):
        return self.raw.kv_retrieve_meta(keys=keys, partition_id=partition, create=False)

    def put(self, partition: str, columns: dict, keys: list[str] = KEYS):
        meta = self.register(partition, keys)
        return meta if self.read_only else self.raw.put(TensorDict(columns, batch_size=[len(keys)]), meta)

    def get(self, partition: str, keys: list[str] = KEYS, fields: list[str] | None = None):
        meta = self.look_up(partition, keys)
        return self.raw.get_data(meta if fields is None else meta.select_fields(fields))

    def insert(self, partition: str, columns: dict):
        """Rows without keys; returns the metadata after the put."""
        rows = len(next(iter(columns.values())))
        meta = self.raw.get_meta(data_fields=list(columns), batch_size=rows, partition_id=partition, mode="insert")
        return self.raw.put(TensorDict(columns, batch_size=[rows]), self.transcript.name_inserted(meta))

    def stored(self, partition: str, fields: list[str]) -> list:
        """Each row as its unit answers it, before the client packs rows into columns."""
        rows = []
        for index in self.look_up(partition).global_indexes:
            body = self._ask(self.units[index % len(self.units)], {"global_indexes": [index], "fields": fields})
            rows.append({field: column[0] for field, column in body["data"].items()})
        return rows

    def _ask(self, unit: str, body: dict) -> dict:
        socket = self.context.socket(zmq.DEALER)
        socket.setsockopt(zmq.IDENTITY, f"TQ_STORAGE_scenario_{uuid4().hex}".encode())
        socket.connect(unit)
        message = ZMQMessage.create(request_type=ZMQRequestType.GET_DATA, sender_id="scenario", body=body)
        socket.send_multipart(message.serialize())
        assert socket.poll(10_000), f"{unit} does not answer"
        reply = ZMQMessage.deserialize(socket.recv_multipart(copy=False))
        socket.close(linger=0)
        return reply.body

    def fetch(self, partition: str, fields: list[str], batch_size: int, mode: str = "fetch", task: str = "task", **kwargs):
        return self.raw.get_meta(
            data_fields=fields, batch_size=batch_size, partition_id=partition, mode=mode, task_name=task, **kwargs)

    def meta(self, partition: str, keys: list[str] = KEYS):
        return self.transcript.meta(self.look_up(partition, keys))

    def partition_meta(self, partition: str):
        run = asyncio.run_coroutine_threadsafe(self.raw._get_partition_meta(partition), self.raw._loop)
        return self.transcript.meta(run.result(), ordered=False)

    def production(self, partition: str, fields: list[str]):
        return self.transcript.status(self.raw.get_production_status(data_fields=fields, partition_id=partition))

    def consumption(self, partition: str, task: str = "task"):
        return self.transcript.status(self.raw.get_consumption_status(task_name=task, partition_id=partition))

    def clear(self, meta) -> None:
        self.raw.clear_samples(meta)
        self.transcript.forget(meta)

    def state(self, partition: str):
        """All that can be asked about a partition without changing it."""
        return {
            "list": attempt(lambda: listing(self.raw.kv_list(partition))),
            "partition": attempt(lambda: self.partition_meta(partition)),
        }


def listing(partitions: dict) -> dict:
    """Keys in the order in which they came, for users walk through them."""
    return {partition: [[key, tags] for key, tags in keys.items()] for partition, keys in partitions.items()}
