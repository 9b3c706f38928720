# SPDX-License-Identifier: Apache-2.0
"""Streams of both languages behind one face: next() gives (numbers, global indexes) of a micro-batch, or None."""

from types import SimpleNamespace

from cpp_client import CppClient, rows_of
from canonical import canonical
from peer_client import server_info
from transfer_queue.dataloader import StreamingDataset


class PythonStream:
    """Upstream's StreamingDataset, unmodified."""

    def __init__(self, cluster, **options):
        infos = [server_info(str(path)) for path in cluster.units]
        backend = {"storage_backend": "SimpleStorage", "SimpleStorage": {"zmq_info": {info.id: info for info in infos}}}
        config = SimpleNamespace(
            controller=SimpleNamespace(zmq_info=server_info(str(cluster.controller))), backend=Backend(backend))
        self.dataset = StreamingDataset(
            config, options["batch_size"], options["micro_batch_size"], ["x"], options["partition"], options["task"],
            options["dp_rank"], should_check_consumption_status=options.get("check", False))
        self._iterator = iter(self.dataset)

    def next(self):
        found = next(self._iterator, None)
        if found is None:
            return None
        batch, meta = found
        return [canonical(row) for row in batch["x"]], list(meta.global_indexes)

    def reset(self):
        self.dataset.reset()
        self._iterator = iter(self.dataset)


class Backend(dict):
    """Upstream reads it by attribute and by key."""

    __getattr__ = dict.__getitem__


class CppStream:
    def __init__(self, cluster=None, **options):
        self.client = CppClient("tq_cpp_stream")
        where = {} if cluster is None else {"info_dir": str(cluster.controller.parent)}
        self.client("open", fields=["x"], **where, **options)

    def next(self):
        found = self.client("next")
        if found is None:
            return None
        return rows_of(found["columns"]["x"]), found["global_indexes"]

    def reset(self):
        self.client("reset")

    def end(self) -> int:
        return self.client.end()


def epoch(stream) -> list:
    """What it yields until the epoch ends."""
    yielded = []
    while (part := stream.next()) is not None:
        yielded.append(part)
    return yielded
