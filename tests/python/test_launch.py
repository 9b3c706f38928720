# SPDX-License-Identifier: Apache-2.0
"""launch() on a Ray cluster of two nodes: what is started where, what the actor answers, how it ends."""

import json
import os
import signal
import subprocess
import threading

import pytest
from conftest import PROGRAM_SECONDS, tq_binary
from processes import wait_gone

# Each story is a driver of its own: a process that connects, works and leaves.
BEGIN = """
import json, os, sys
import ray, torch
import transfer_queue_cpp as cpp
ray.init(address=os.environ["RAY_ADDRESS"], namespace="a-job", logging_level="warning")
def actor(): return ray.get_actor("TransferQueueController", namespace="transfer_queue")
"""
PUT = """
import transfer_queue as tq
from tensordict import TensorDict
def put(keys, partition="train", **more):
    fields = TensorDict({"ids": torch.arange(len(keys) * 2).reshape(-1, 2)}, batch_size=len(keys))
    return tq.kv_batch_put(keys=keys, partition_id=partition, fields=fields, **more)
"""


def last_json(output: str):
    return json.loads(output.strip().splitlines()[-1])


def test_units_are_spread_round_robin_and_take_no_cpu(package, cluster):
    script = BEGIN + PUT + """
free = ray.available_resources()["CPU"]
conf = cpp.launch({"backend": {"SimpleStorage": {"num_data_storage_units": 5, "total_storage_size": 9}}})
state = cpp.status()
tq.init()
put([str(i) for i in range(9)])
try:
    put(["too", "many", "rows"])
    full = None
except Exception as error:
    full = str(error)
units = {name: info.id for name, info in conf.backend.SimpleStorage.zmq_info.items()}
at = [info.ports["put_get_socket"] for info in conf.backend.SimpleStorage.zmq_info.values()]
print(json.dumps({"state": state, "units": units, "at": at, "cpu": free - ray.available_resources()["CPU"], "full": full}))
assert cpp.shutdown() and not cpp.shutdown()
"""
    done = last_json(package.succeed("-c", script, RAY_ADDRESS=cluster))
    assert [record["name"] for record in done["state"]] == ["TransferQueueController", "TransferQueueStorage#0", "TransferQueueStorage#1"]
    assert all(record["died"] is None for record in done["state"])
    assert list(done["units"]) == [f"TransferQueueStorageUnit#{rank}" for rank in range(5)]
    assert len(set(done["units"].values())) == len(set(done["at"])) == 5
    assert done["cpu"] == 0
    assert "capacity" in done["full"] or "limit" in done["full"]
    assert wait_gone([record["pid"] for record in done["state"]], 0) == []  # shutdown waited for them


def test_only_nodes_with_the_required_resource_store(package, cluster):
    script = BEGIN + """
wanted = {"num_data_storage_units": 4, "required_node_resource": "storage"}
cpp.launch({"backend": {"SimpleStorage": wanted}}, num_cpus=0.5)
nodes = {n["NodeID"]: n["Resources"] for n in ray.nodes() if n["Alive"]}
state = cpp.status()
print(json.dumps({"storage": [nodes[record["node_id"]].get("storage", 0) for record in state[1:]], "state": state}))
"""
    # The driver ends without a word: its actors end, and with them the processes.
    done = last_json(package.succeed("-c", script, RAY_ADDRESS=cluster))
    assert done["storage"] == [1.0]
    assert len(done["state"]) == 2
    assert wait_gone([record["pid"] for record in done["state"]]) == []


ACTOR = BEGIN + PUT + """
import transfer_queue as tq
cpp.launch({"controller": {"sampler": "GRPOGroupNSampler", "polling_mode": True}})
tq.init()
put(["a", "b", "c", "d"], tags=[{"score": i} for i in range(4)])
text = torch.nested.as_nested_tensor([torch.tensor([1.5, 2.5]), torch.tensor([3.5])], layout=torch.jagged)
tq.kv_batch_put(keys=["b", "c"], partition_id="train", fields=TensorDict({"text": text}, batch_size=2))
client = tq.get_client()
client.get_meta(data_fields=["ids"], batch_size=2, partition_id="train", task_name="trainer")
put(["x"], partition="other")
tq.kv_clear(keys="d", partition_id="train")

def show(status):
    return {
        "type": f"{type(status).__module__}.{type(status).__name__}",
        "keys": status.keys_mapping, "revert": status.revert_keys_mapping, "custom_meta": status.custom_meta,
        "indexes": sorted(status.global_indexes), "fields": status.field_name_mapping,
        "produced": status.production_status.tolist(), "dtype": str(status.production_status.dtype),
        "consumed": {task: tensor.tolist() for task, tensor in status.consumption_status.items()},
        "samples": status.total_samples_num, "progress": status.get_statistics()["consumption_statistics"],
        "ids": str(status.field_metadata["ids"].dtype), "shape": list(status.field_metadata["ids"].shape),
        "nested": status.field_metadata["text"].is_nested, "of": sorted(status.field_metadata["text"].global_indexes),
        "scanned": status.scan_data_status(["ids"], "trainer"),
    }

@ray.remote(num_cpus=0)
def elsewhere():  # a process that knows nothing of us
    import transfer_queue as tq
    tq.init()
    return sorted(tq.kv_list(partition_id="train")["train"])

train = ray.get(actor().get_partition_snapshot.remote("train"))
answers = {
    "snapshot": show(train), "none": ray.get(actor().get_partition_snapshot.remote("no such")),
    "partitions": ray.get(actor().list_partitions.remote()), "elsewhere": ray.get(elsewhere.remote()),
    "range": ray.get(actor().get_partition_index_range.remote("train")),
    "info": ray.get(actor().get_zmq_server_info.remote()).id == ray.get(actor().get_config.remote()).controller.zmq_info.id,
    "sampler": ray.get(actor().get_config.remote()).controller.sampler,
    "keys": ray.get(actor().kv_retrieve_keys.remote(global_indexes=[0, 1, 77], partition_id="train")),
    "consumption": [t.tolist() for t in ray.get(actor().get_consumption_status.remote("train", "trainer"))],
    "production": [t.tolist() for t in ray.get(actor().get_production_status.remote("train", ["ids"]))],
    "meta": ray.get(actor().kv_retrieve_meta.remote(keys=["b"], partition_id="train", create=False)).field_names,
    "endpoint": tq.get_metrics_endpoint(),
}
ray.get(actor().reset_consumption.remote("train"))
answers["reset"] = ray.get(actor().get_consumption_status.remote("train", "trainer"))[1].tolist()
ray.get(actor().register_sampler.remote(tq.GRPOGroupNSampler(n_samples_per_prompt=3)))
get = lambda size, **more: client.get_meta(data_fields=["ids"], batch_size=size, partition_id="train", task_name="new", **more)
try:
    get(2)
except Exception as error:
    answers["three at a time"] = str(error)
answers["group"] = get(3).global_indexes
ray.get(actor().clear_partition.remote("other"))
answers["left"] = ray.get(actor().list_partitions.remote())
pids = [record["pid"] for record in cpp.status()]

@ray.remote(num_cpus=0)
def close_elsewhere():
    import transfer_queue as tq
    tq.init()
    tq.close()

ray.get(close_elsewhere.remote())
print(json.dumps({"answers": answers, "pids": pids}, default=list))
"""


def test_the_actor_answers_what_upstream_asks_and_close_elsewhere_ends_all(package, cluster):
    done = last_json(package.succeed("-c", ACTOR, RAY_ADDRESS=cluster))
    answers = done["answers"]
    assert answers["snapshot"] == {
        "type": "transfer_queue.controller.DataPartitionStatus",
        "keys": {"a": 0, "b": 1, "c": 2}, "revert": {"0": "a", "1": "b", "2": "c"},
        "custom_meta": {str(i): {"score": i} for i in range(3)},
        "indexes": [0, 1, 2], "fields": {"ids": 0, "text": 1},
        "produced": [[1, 0], [1, 1], [1, 1]], "dtype": "torch.int8",
        "consumed": {"trainer": [1, 1, 0]}, "samples": 3,
        "progress": {"trainer": {"consumed_samples": 2, "consumption_progress": 2 / 3}},
        "ids": "torch.int64", "shape": [2], "nested": True, "of": [1, 2], "scanned": [2],
    }  # fmt: skip
    assert answers["none"] is None and answers["endpoint"] is None
    assert answers["partitions"] == ["train", "other"] and answers["left"] == ["train"]
    assert answers["elsewhere"] == ["a", "b", "c"] and answers["range"] == [0, 1, 2]
    assert answers["info"] is True and answers["sampler"] == "GRPOGroupNSampler"
    assert answers["keys"] == ["a", "b", None] and answers["meta"] == ["ids", "text"]
    assert answers["consumption"] == [[0, 1, 2], [1, 1, 0]] and answers["reset"] == [0, 0, 0]
    assert answers["production"] == [[0, 1, 2], [[1], [1], [1]]]
    assert "multiple" in answers["three at a time"] and answers["group"] == [0, 1, 2]
    assert wait_gone(done["pids"]) == []


def test_a_storage_process_that_dies_is_reported_by_name_with_its_last_lines(package, cluster):
    script = BEGIN + """
cpp.launch({"backend": {"SimpleStorage": {"num_data_storage_units": 4}}})
print(json.dumps(cpp.status()), flush=True)
for line in sys.stdin:
    print(json.dumps(cpp.status()), flush=True)
"""
    driver = package.start("-c", script, RAY_ADDRESS=cluster, TQ_LOGGING_LEVEL="INFO", TQ_STORAGE_SLOW_REQUEST_SECONDS="0")
    patience = threading.Timer(PROGRAM_SECONDS, driver.kill)  # its output ends then
    patience.start()
    try:
        first = driver.stdout.readline()
        assert first, driver.stderr.read()
        state = json.loads(first)
        victim = state[2]
        os.kill(victim["pid"], signal.SIGKILL)
        reported = next(line for line in driver.stderr if "was killed by signal 9" in line)  # Ray shows the driver
        assert victim["name"] in reported and "its last lines: " in reported
        driver.stdin.write("\n")
        driver.stdin.flush()
        after = json.loads(driver.stdout.readline())
        assert [record["died"] is None for record in after] == [True, True, False]
        assert after[2]["died"].startswith(f"{victim['name']} was killed by signal 9; its last lines: ")
    finally:
        patience.cancel()
        driver.kill()  # and so does the driver: nothing may stay behind
        driver.wait()
    assert wait_gone([record["pid"] for record in state]) == []


METRICS = BEGIN + PUT + """
import urllib.request
try:
    conf = cpp.launch({"metrics": {"enabled": True}})
except cpp.Error as error:
    print(json.dumps({"error": str(error)}))
    sys.exit()
import transfer_queue as tq
tq.init()
put(["a", "b"])
with urllib.request.urlopen(f"http://{tq.get_metrics_endpoint()}/metrics") as answer:
    page = answer.read().decode()
print(json.dumps({"page": page, "again": ray.get(actor().start_metrics.remote(port=0)), "endpoint": conf.metrics.endpoint}))
cpp.shutdown()
"""


def test_metrics_where_the_program_has_them(package, cluster):
    done = last_json(package.succeed("-c", METRICS, RAY_ADDRESS=cluster))
    known = subprocess.run([tq_binary(), "controller", "--help"], capture_output=True, text=True, check=True).stdout
    if "--metrics-port" not in known:
        assert "has no --metrics-port" in done["error"]
        return
    assert done["again"] == done["endpoint"]
    assert "tq_partitions_total 1" in done["page"]
    assert done["page"].count("tq_storage_active_keys_total{") == 2


@pytest.mark.parametrize("ending", ["SIGTERM", "down"])
def test_up_from_a_shell(package, cluster, ending):
    up = package.start("-m", "transfer_queue_cpp", "up", RAY_ADDRESS=cluster)
    try:
        ready = up.stdout.readline()
        assert ready.startswith("ready: TQ_CONTROLLER_") and "2 storage units" in ready, up.stderr.read()
        if ending == "SIGTERM":
            up.send_signal(signal.SIGTERM)
        else:
            state = json.loads(package.succeed("-m", "transfer_queue_cpp", "status", "--json", RAY_ADDRESS=cluster))
            assert len(state) == 3
            os.kill(state[-1]["pid"], signal.SIGKILL)
            while (told := package.run("-m", "transfer_queue_cpp", "status", RAY_ADDRESS=cluster)).returncode == 0:
                pass  # Ray's actor may not have seen it yet
            assert told.returncode == 1 and "signal 9" in told.stdout, told.stderr
            assert package.succeed("-m", "transfer_queue_cpp", "down", RAY_ADDRESS=cluster) == "the nodes are ended\n"
            assert wait_gone([record["pid"] for record in state], 0) == []
        assert up.wait(60) == 0
    finally:
        up.kill()
        up.wait()
