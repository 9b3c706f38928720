# SPDX-License-Identifier: Apache-2.0
"""Unmodified clients of each version get from C++ nodes exactly what they get from Python's nodes of the same version.

The scenario runs on Python nodes and on C++ nodes; the two transcripts must be equal. Where the newest version differs
from older ones it is the judge for all (chapter "newest").
"""

import pytest
import torch
from compare import assert_same
from expectation import ALL, OWN, chapters_of, play, python_says
from nodes import NEWEST
from peer_client import connect
from tensordict import NonTensorStack, TensorDict

CPP = ("cpp", "cpp")


@pytest.mark.parametrize("version", ["0.1.6", "0.1.7", "0.1.8", "0.1.9", "0.1.10", "0.1.11"])
def test_client_cannot_tell(version):
    judged = chapters_of(python_says(NEWEST), ("newest",))
    assert judged
    assert_same(chapters_of(python_says(version), OWN) + judged, play("cpp", CPP, version, ALL))


@pytest.mark.parametrize("kind", ["0.1.8+numpy1", "0.1.11+numpy1"])
def test_client_with_numpy_1_cannot_tell(kind):
    assert_same(python_says(kind), play("cpp", CPP, kind, OWN))


def test_pre_allocated_indexes():
    env = {"TQ_PRE_ALLOC_SAMPLE_NUM": "6"}
    chapters = ("partial", "fetch", "kv", "clear", "newest")
    want = play(NEWEST, (NEWEST, NEWEST), NEWEST, chapters, env)
    assert_same(want, play("cpp", CPP, NEWEST, chapters, env))


def double(columns):
    columns["x"] = columns["x"] * 2
    return columns


def test_data_parser_is_refused_and_stores_nothing(cpp_nodes):
    """Running code that a client sends is what these nodes never do; upstream does."""
    client = connect(*cpp_nodes.addresses())
    meta = client.kv_retrieve_meta(keys=["a", "b"], partition_id="parser", create=True)
    data = TensorDict({"x": torch.ones(2, 2)}, batch_size=[2])
    with pytest.raises(RuntimeError, match="data_parser"):
        client.put(data, meta, data_parser=double)
    assert client.kv_retrieve_meta(keys=["a", "b"], partition_id="parser", create=False).field_names == []
    client.put(data, meta)
    assert client.get_data(client.kv_retrieve_meta(keys=["a", "b"], partition_id="parser")).keys() == {"x"}


def test_text_that_msgpack_cannot_hold(cpp_nodes):
    """Such a message comes pickled whole, tensors in it by torch's own reducers: stored as it is, or refused whole."""
    client = connect(*cpp_nodes.addresses())
    data = TensorDict({"s": NonTensorStack("\ud800", "x"), "n": NonTensorStack(1 << 80, 2)}, batch_size=[2])
    meta = client.kv_retrieve_meta(keys=["a", "b"], partition_id="whole", create=True)
    try:
        client.put(data, meta)
    except RuntimeError as error:
        assert "Failed to put" in str(error)
        assert client.kv_retrieve_meta(keys=["a", "b"], partition_id="whole").field_names == []
    else:
        got = client.get_data(client.kv_retrieve_meta(keys=["a", "b"], partition_id="whole"))
        assert [got["s"].tolist(), got["n"].tolist()] == [["\ud800", "x"], [1 << 80, 2]]
