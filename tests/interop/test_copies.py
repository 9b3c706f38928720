# SPDX-License-Identifier: Apache-2.0
"""How many bytes of the rows nodes copy by themselves: none of rows over 4 KiB, but for the front of a message.

The kernel's own copy into and out of a socket is not counted. A node does not know what comes before it has read the
front of a message, at most 4 KiB of it; only of a first row that lies there is that part copied.
"""

import os
import random
from pathlib import Path

import pytest
import torch
from peer_client import connect
from tensordict import TensorDict

KIB = 1 << 10
BATCH_BYTES = 32 << 20
# What nodes copy besides: the fronts of four messages (to two units and the controller), and headers and metadata,
# which grow with the number of rows, not with their bytes.
FRONTS = 4 * 4 * KIB
PER_ROW = 40


class Copied:
    """Nodes whose copies are counted, and a Python client."""

    def __init__(self, start, folder: Path):
        self._file = folder / "copied_bytes"
        self._file.write_bytes(bytes(8))
        library = Path(os.environ["TQ_COUNT_COPIES"])
        assert library.exists(), library
        env = {"LD_PRELOAD": str(library), "TQ_COPIED_BYTES_FILE": str(self._file)}
        self.client = connect(*start(env=env).addresses())

    def during(self, work) -> int:
        before = int.from_bytes(self._file.read_bytes(), "little")
        work()
        return int.from_bytes(self._file.read_bytes(), "little") - before


@pytest.fixture
def copied(start, tmp_path):
    return Copied(start, tmp_path)


def dense(row_bytes: int, rows: int):
    return torch.arange(rows * row_bytes // 4, dtype=torch.int32).reshape(rows, -1)


def ragged(row_bytes: int, rows: int):
    """Rows of one to two times row_bytes, as a jagged column and a list are sent: a frame each."""
    sizes = random.Random(row_bytes).choices(range(row_bytes // 4, row_bytes // 2), k=rows)
    return torch.nested.as_nested_tensor([torch.arange(n, dtype=torch.int32) for n in sizes], layout=torch.jagged)


@pytest.mark.parametrize("row_bytes", [4 * KIB, 5000, 8 * KIB, 16 * KIB, 100_000, 1 << 20])
@pytest.mark.parametrize("make", [dense, ragged])
def test_rows_over_4_kib_are_not_copied(copied, make, row_bytes):
    rows = BATCH_BYTES // row_bytes
    column = make(row_bytes, rows)
    keys = [f"k{i}" for i in range(rows)]
    client = copied.client
    meta = client.kv_retrieve_meta(keys=keys, partition_id="p", create=True)
    put = copied.during(lambda: client.put(TensorDict({"x": column}, batch_size=[rows]), meta))
    assert put <= FRONTS + rows * PER_ROW
    order = random.Random(1).sample(range(rows), rows)
    meta = client.kv_retrieve_meta(keys=[keys[i] for i in order], partition_id="p", create=False)
    got = []
    taken = copied.during(lambda: got.append(client.get_data(meta)["x"]))
    assert taken <= FRONTS + rows * PER_ROW
    expected = column.unbind()
    for row, i in zip(got[0].unbind(), order, strict=True):
        assert torch.equal(row, expected[i])


def test_what_is_copied_is_counted(copied):
    """Small rows are gathered, so the count must see them."""
    rows, row_bytes = 4000, 512
    keys = [f"k{i}" for i in range(rows)]
    client = copied.client
    meta = client.kv_retrieve_meta(keys=keys, partition_id="p", create=True)
    client.put(TensorDict({"x": dense(row_bytes, rows)}, batch_size=[rows]), meta)
    order = random.Random(1).sample(keys, rows)
    meta = client.kv_retrieve_meta(keys=order, partition_id="p", create=False)
    assert copied.during(lambda: client.get_data(meta)) >= rows * row_bytes
