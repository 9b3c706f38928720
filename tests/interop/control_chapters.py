# SPDX-License-Identifier: Apache-2.0
"""The steps of the scenario that ask the controller, that clear, and those whose only judge is the newest version.

Whatever fetches comes before whatever clears: upstream reuses freed indexes in the order of CPython sets, and a fetch
goes by index, so which samples it gets after that is no property that a client could rely on.
"""

import torch
import transfer_queue as tq
from columns import LENGTHS, ROWS, jagged
from story import KEYS, VERSION, Client, listing, step
from tensordict import NonTensorStack, TensorDict
from transcript import attempt

# --- the controller: insert, fetch, status


@step("fetch", "insert, fetch, force_fetch")
def fetch_modes(client: Client, partition: str):
    show = client.transcript.meta
    first = client.insert(partition, {"x": torch.arange(8).reshape(4, 2), "mask": torch.ones(4, dtype=torch.bool)})
    seen = {"after put": show(first)}
    fetched = client.fetch(partition, ["x"], 3)
    seen["fetch three"] = show(fetched)
    seen["their data"] = attempt(lambda: client.raw.get_data(fetched))
    seen["consumption"] = attempt(lambda: client.consumption(partition))
    seen["another task"] = attempt(lambda: show(client.fetch(partition, ["mask"], 2, task="other", sampling_config={})))
    seen["force_fetch"] = attempt(lambda: show(client.fetch(partition, ["x", "mask"], 2, mode="force_fetch"), ordered=False))
    seen["force_fetch of no such column"] = attempt(lambda: show(client.fetch(partition, ["zz"], 1, mode="force_fetch"), ordered=False))
    client.insert(partition, {"x": torch.zeros(2, 2)})
    seen["the rest"] = attempt(lambda: show(client.fetch(partition, ["x"], 2)))
    seen["consumed by now"] = attempt(lambda: client.consumption(partition))
    seen["production"] = attempt(lambda: client.production(partition, ["mask", "x"]))
    seen["state"] = client.state(partition)
    return seen


@step("fetch", "registered keys, fetched by column")
def fetch_keys(client: Client, partition: str):
    client.put(partition, {"x": torch.arange(ROWS)})
    client.put(partition, {"y": torch.arange(2)}, ["d", "b"])
    both = client.fetch(partition, ["x", "y"], 2)
    return {
        "both columns": client.transcript.meta(both),
        "data": attempt(lambda: client.raw.get_data(both)),
        "keys": attempt(lambda: client.raw.kv_retrieve_keys(global_indexes=both.global_indexes, partition_id=partition)),
        "the others": attempt(lambda: client.transcript.meta(client.fetch(partition, ["x"], 2))),
    }


@step("fetch", "reset consumption")
def reset(client: Client, partition: str):
    client.insert(partition, {"x": torch.arange(3)})
    first = client.transcript.meta(client.fetch(partition, ["x"], 3))
    return [
        first,
        attempt(lambda: client.raw.check_consumption_status(task_name="task", partition_id=partition)),
        attempt(lambda: client.raw.reset_consumption(partition_id=partition, task_name="task")),
        attempt(lambda: client.consumption(partition)),
        attempt(lambda: client.transcript.meta(client.fetch(partition, ["x"], 3)) == first),
        attempt(lambda: client.raw.reset_consumption(partition_id=partition)),
        attempt(lambda: client.raw.check_consumption_status(task_name="task", partition_id=partition)),
        attempt(lambda: client.raw.reset_consumption(partition_id="not there")),
        attempt(lambda: client.raw.reset_consumption(partition_id=partition, task_name="no such task")),
    ]


@step("fetch", "status of what is not there")
def nothing_there(client: Client, partition: str):
    client.register(partition, ["only"])
    return {
        "production": attempt(lambda: client.production(partition, ["x"])),
        "production of a partition": attempt(lambda: client.production("not there", ["x"])),
        "consumption": attempt(lambda: client.consumption(partition)),
        "consumption of a partition": attempt(lambda: client.consumption("not there")),
        "checked": attempt(lambda: client.raw.check_production_status(data_fields=["x"], partition_id="not there")),
        "checked too": attempt(lambda: client.raw.check_consumption_status(task_name="t", partition_id="not there")),
        "partition": client.state("not there"),
        "clear it": attempt(lambda: client.raw.clear_partition("not there")),
        "keys of indexes": attempt(lambda: client.raw.kv_retrieve_keys(global_indexes=[10**6], partition_id="not there")),
        "listed": [name for name in client.raw.get_partition_list() if name.startswith(client.prefix)],
    }


@step("fetch", "put by partition, without metadata")
def put_by_partition(client: Client, partition: str):
    meta = client.raw.put(TensorDict({"y": torch.ones(2, 3)}, batch_size=[2]), partition_id=partition)
    client.transcript.name_inserted(meta)
    return [client.transcript.meta(meta), attempt(lambda: client.raw.get_data(meta)), client.state(partition),
            attempt(lambda: client.raw.check_production_status(data_fields=["y"], partition_id=partition))]


# --- "newest": where older nodes behaved otherwise or did not survive, clients of every version get what they would get
# from nodes of the newest. Only what all versions of the client show alike goes into the transcript.


def refusal(call):
    """The wording and type of an error differ between versions of the client; that there is one does not."""
    outcome = attempt(call)
    return "refused" if isinstance(outcome, dict) and "$error" in outcome else outcome


def rows(column) -> list:
    return [row.tolist() for row in column]


@step("newest", "what a controller refuses")
def refused(client: Client, partition: str):
    client.insert(partition, {"x": torch.arange(3)})
    return {
        "more than is ready": refusal(lambda: client.fetch(partition, ["x"], 50)),
        "an unknown mode": refusal(lambda: client.fetch(partition, ["x"], 1, mode="nosuch")),
        "a batch of none": refusal(lambda: client.fetch(partition, ["x"], 0)),
        "no task": refusal(lambda: client.fetch(partition, ["x"], 1, task=None)),
        "an unknown column": refusal(lambda: client.fetch(partition, ["zz"], 1)),
        "no such partition": refusal(lambda: client.fetch("not there", ["x"], 1)),
        "insert of none": refusal(lambda: client.transcript.meta(client.fetch(partition, ["x"], 0, mode="insert"))),
        "insert without columns": refusal(lambda: client.fetch(partition, None, 2, mode="insert")),
        "force_fetch of no such partition": refusal(lambda: client.fetch("not there", ["x"], 1, mode="force_fetch")),
        "still serves": client.transcript.meta(client.fetch(partition, ["x"], 3)),
        "state": client.state(partition),
    }


# --- the functions of the package: tq.kv_put and the others


def attach(client: Client) -> None:
    name = "_TQ_CLIENT" if VERSION > (0, 1, 6) else "_TRANSFER_QUEUE_CLIENT"
    assert hasattr(tq.interface, name)
    setattr(tq.interface, name, client.raw)


@step("kv", "put, get, list, clear")
def kv_functions(client: Client, partition: str):
    attach(client)
    put = tq.kv_batch_put(
        keys=KEYS, partition_id=partition, tags=[{"n": i} for i in range(ROWS)],
        fields=TensorDict({"x": torch.arange(8).reshape(ROWS, 2), "text": NonTensorStack(*"abcd")}, batch_size=[ROWS]))
    one = tq.kv_put(key="single", partition_id=partition, fields={"x": torch.tensor([7, 7]), "text": "z"}, tag={"n": 9})
    seen = {
        "puts": [[sorted(m.fields), list(m.keys), m.tags, m.partition_id] for m in (put, one)],
        "by metadata": attempt(lambda: tq.kv_batch_get_by_meta(put)),
        "by keys": attempt(lambda: tq.kv_batch_get(keys=["single", "d"], partition_id=partition)),
        "one column": attempt(lambda: tq.kv_batch_get(keys="a", partition_id=partition, select_fields="text")),
        "an unknown column": attempt(lambda: tq.kv_batch_get(keys="a", partition_id=partition, select_fields="zz")),
        "list": attempt(lambda: listing(tq.kv_list(partition_id=partition))),
        "list of no partition": attempt(lambda: tq.kv_list(partition_id="not there")),
    }
    tq.kv_put(key="a", partition_id=partition, tag={"only": "a tag"})
    seen["tags"] = attempt(lambda: listing(tq.kv_list(partition_id=partition)))
    seen["clear"] = attempt(lambda: tq.kv_clear(keys=["a", "single"], partition_id=partition))
    seen["left"] = attempt(lambda: listing(tq.kv_list(partition_id=partition)))
    return seen


@step("kv", "lists of all partitions, in order")
def list_all(client: Client, partition: str):
    names = [f"{partition} {i}" for i in range(3)]
    for name in names:
        client.put(name, {"x": torch.arange(2)}, ["k2", "k1"])
    every = client.raw.kv_list(None)
    return [[name for name in every if name in names], [every[name] for name in names],
            [name for name in client.raw.get_partition_list() if name in names]]


# --- clearing


@step("clear", "samples")
def clear_samples(client: Client, partition: str):
    client.put(partition, {"x": torch.arange(ROWS), "r": jagged([torch.ones(n) for n in LENGTHS])})
    stale = client.look_up(partition)
    client.clear(client.look_up(partition, ["a", "d"]))
    return {
        "state": client.state(partition),
        "what is left": attempt(lambda: client.get(partition, ["b", "ключ"])),
        "by old metadata": attempt(lambda: client.raw.get_data(stale)),
        "production": attempt(lambda: client.production(partition, ["x"])),
        "a key anew": attempt(lambda: client.put(partition, {"x": torch.tensor([9])}, ["a"]) and client.get(partition, ["a"])),
    }


@step("clear", "a partition")
def clear_partition(client: Client, partition: str):
    client.put(partition, {"x": torch.arange(ROWS)})
    stale = client.look_up(partition)
    client.raw.clear_partition(partition)
    client.transcript.forget(stale)
    return {
        "state": client.state(partition),
        "by old metadata": attempt(lambda: client.raw.get_data(stale)),
        "production": attempt(lambda: client.production(partition, ["x"])),
        "consumption": attempt(lambda: client.consumption(partition)),
        "is listed": partition in client.raw.get_partition_list(),
        "again": attempt(lambda: client.raw.clear_partition(partition)),
        "anew": attempt(lambda: client.put(partition, {"x": torch.ones(ROWS, 2)}) and client.get(partition)),
        "metadata anew": attempt(lambda: client.meta(partition)),
    }


@step("clear", "the longer rows of a ragged column")
def clear_ragged(client: Client, partition: str):
    client.put(partition, {"r": jagged([torch.ones(n) for n in (2, 2, 2, 5)])})
    client.clear(client.look_up(partition, ["d"]))
    return [attempt(lambda: client.meta(partition, KEYS[:3])), attempt(lambda: client.get(partition, KEYS[:3]))]


# --- the newest version judges, continued


@step("newest", "unknown keys")
def unknown_keys(client: Client, partition: str):
    attach(client)
    client.put(partition, {"x": torch.arange(2 * ROWS).reshape(ROWS, 2)})
    seen = {
        "one among known": client.meta(partition, ["a", "zz", "d"]),
        "only unknown": client.meta(partition, ["zz"]),
        "read": refusal(lambda: rows(tq.kv_batch_get(keys=["a", "zz"], partition_id=partition)["x"])),
        "read only unknown": refusal(lambda: rows(tq.kv_batch_get(keys=["zz"], partition_id=partition)["x"])),
    }
    client.clear(client.look_up(partition, ["a", "d"]))
    seen["cleared among others"] = client.meta(partition)
    seen["their data"] = refusal(lambda: rows(tq.kv_batch_get(keys=KEYS, partition_id=partition)["x"]))
    seen["keys of indexes"] = refusal(lambda: client.raw.kv_retrieve_keys(global_indexes=[10**6], partition_id=partition))
    return seen


@step("newest", "samples that are partly gone are cleared")
def clear_twice(client: Client, partition: str):
    client.put(partition, {"x": torch.arange(ROWS), "r": jagged([torch.ones(n) for n in LENGTHS])})
    stale = client.look_up(partition)
    client.raw.clear_samples(client.look_up(partition, ["a", "d"]))
    seen = [client.state(partition), refusal(lambda: client.raw.clear_samples(stale)), client.state(partition)]
    client.transcript.forget(stale)
    return seen


@step("newest", "a column of another dtype")
def change_dtype(client: Client, partition: str):
    client.put(partition, {"x": torch.zeros(ROWS, 2, dtype=torch.int64)})
    error = refusal(lambda: client.put(partition, {"x": torch.ones(2, 2)}, ["a", "b"]) and None)
    return [error, client.meta(partition), client.stored(partition, ["x"]), client.production(partition, ["x"])]
