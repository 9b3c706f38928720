# SPDX-License-Identifier: Apache-2.0
"""What runs on the Ray cluster: an actor for the controller, which owns one actor a storage node.

Each holds its nodes as a child process. Ray ends the storage actors when the actor that owns them ends, however it ends;
a child ends when its actor does. So killing the controller's actor, which is all that upstream's tq.close() does, ends
everything.
"""

import json
import re
import tempfile
from pathlib import Path
from typing import Any

import ray
import ray.cloudpickle as pickle
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from . import _binary, _wire
from ._error import Error
from ._process import START_SECONDS, NodeProcess
from ._samplers import NAME as PYTHON_SAMPLER
from ._samplers import SamplerServer
from ._settings import Plan, built_in_sampler

CONTROLLER = "TransferQueueController"
WORKER_SECONDS = 90  # a node starts in milliseconds, but Ray's worker before it takes long on a busy machine


def _address(port: int) -> str:
    """What --bind wants: this machine's address, as Ray's other nodes know it."""
    host = ray.util.get_node_ip_address().strip("[]")
    if port == 0:
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _start(name: str, role: str, plan: Plan, hint: str, flags: list[str], **kwargs) -> NodeProcess:
    binary = _binary.find_binary(hint)
    arguments = [role, "--bind", _address(plan.ports[role]), *flags]
    command = "controller" if role == "controller" else "up"
    for optional in plan.optional_flags:
        if _binary.knows(binary, command, optional[0]):
            arguments += optional
    for flag in flags:
        if flag.startswith("--") and not _binary.knows(binary, command, flag):
            raise Error(f"{binary} has no {flag}: it was built without that; leave it out of the configuration, or use another tq")
    return NodeProcess(name, binary, arguments, plan.environment, **kwargs)


class Storage:
    """The storage units of one node."""

    def __init__(self):
        self._process = None

    def start(self, name: str, units: int, plan: Plan, hint: str) -> list[dict]:
        """The units' addresses."""
        self._process = _start(name, "storage", plan, hint, ["--units", str(units), *plan.storage_flags])
        return self._process.infos["units"]

    def state(self) -> dict:
        return _state(self._process)

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()


def _state(process: NodeProcess) -> dict:
    return {
        "name": process.name,
        "node_id": ray.get_runtime_context().get_node_id(),
        "node_ip": ray.util.get_node_ip_address().strip("[]"),
        "pid": process.pid,
        "died": process.death,
    }


class Controller:
    """Answers what upstream's actor of the same name answers, beside what starts and ends the nodes."""

    def __init__(self):
        self._process, self._storage, self._wire = None, {}, None
        self._config, self._info, self._samplers = None, None, SamplerServer()
        self._metrics, self._folder = None, None

    # ---- for launch and shutdown ----

    def is_cpp(self) -> bool:
        return True

    def start(self, plan: Plan, hint: str, num_cpus: float, placements: list[tuple[str, int]]) -> dict:
        """Starts everything. The addresses, units in their order: the n-th unit is on node n % len(placements)."""
        with self._samplers.peer as peer:
            flags = [*plan.controller_flags, "--sampler-socket", str(peer.fileno())]
            if plan.metrics_port is not None:
                flags += ["--metrics-port", str(plan.metrics_port)]
                self._folder = _lasting_folder()
            self._process = _start(
                CONTROLLER, "controller", plan, hint, flags, inherited=(peer.fileno(),), folder=self._folder
            )
        controller = self._process.infos["controller"]
        self._wire = _wire.Controller(_endpoint(controller))
        if plan.python_sampler is not None:
            self.register_sampler(pickle.loads(plan.python_sampler))
        units = self._start_storage(plan, hint, num_cpus, placements)
        endpoint = re.search(r"metrics at http://(\S+)/metrics", self._process.ready_line)
        if endpoint:
            self._metrics = endpoint[1]
            for rank, unit in enumerate(units):  # where the controller looks for what it scrapes
                Path(self._folder, f"storage-{rank}.json").write_text(json.dumps(unit))
        return {"controller": controller, "units": units, "metrics": self._metrics}

    def _start_storage(self, plan: Plan, hint: str, num_cpus: float, placements: list[tuple[str, int]]) -> list[dict]:
        actor = ray.remote(Storage)
        started = {}
        for number, (node_id, units) in enumerate(placements):
            name = f"TransferQueueStorage#{number}"
            here = NodeAffinitySchedulingStrategy(node_id=node_id, soft=False)
            self._storage[name] = actor.options(num_cpus=num_cpus, scheduling_strategy=here).remote()
            started[name] = self._storage[name].start.remote(name, units, plan, hint)
        try:
            by_node = ray.get(list(started.values()), timeout=WORKER_SECONDS)
        except ray.exceptions.GetTimeoutError:
            raise Error(f"Ray did not start the storage actors within {WORKER_SECONDS} s; `ray status` tells what it lacks") from None
        except ray.exceptions.RayTaskError as error:
            raise Error(str(error.cause)) from None
        return [by_node[rank % len(by_node)][rank // len(by_node)] for rank in range(plan.units)]

    def publish(self, config: bytes, controller: dict) -> None:
        """`config` is pickled: this process need not import what it holds."""
        self._config, self._info = _wire.Rebuilt(pickle.loads, config), controller

    def state(self) -> list[dict]:
        """One record a node process; a storage actor that is gone has no pid."""
        found = [_state(self._process)] if self._process is not None else []
        for name, actor in self._storage.items():
            try:
                found.append(ray.get(actor.state.remote(), timeout=START_SECONDS))
            except ray.exceptions.RayError as error:
                gone = f"{name}'s actor is gone: {_line(error)}"
                found.append({"name": name, "node_id": None, "node_ip": None, "pid": None, "died": gone})
        return found

    def stop(self) -> None:
        """Ends all node processes and waits for them."""
        stopping = [actor.stop.remote() for actor in self._storage.values()]
        if self._process is not None:
            self._process.stop()
        for stopped in stopping:
            try:
                ray.get(stopped, timeout=START_SECONDS)
            except ray.exceptions.RayError:
                pass  # its node is gone, and the process with it

    # ---- upstream's ----

    def get_config(self) -> Any:
        return self._config

    def store_config(self, conf: Any) -> None:
        self._config = conf

    def get_zmq_server_info(self) -> Any:
        return _wire.Rebuilt(_wire.server_info, self._info or self._process.infos["controller"])

    def create_partition(self, partition_id: str) -> bool:
        known = partition_id in self.list_partitions()
        self._ask("KV_RETRIEVE_META", keys=[], partition_id=partition_id, create=True)
        return not known

    def list_partitions(self) -> list[str]:
        self._check_alive()
        return self._wire.plain("GET_LIST_PARTITIONS")["partition_ids"]

    def get_partition_snapshot(self, partition_id: str) -> Any:
        frames = self._ask("GET_PARTITION_SNAPSHOT", partition_id=partition_id)
        return _wire.Rebuilt(_wire.partition_status, partition_id, frames)

    def get_partition_index_range(self, partition_id: str) -> Any:
        return _wire.Rebuilt(_wire.index_range, self._ask("GET_PARTITION_META", partition_id=partition_id))

    def clear_partition(self, partition_id: str, clear_consumption: bool = True) -> None:
        self._ask("CLEAR_PARTITION", partition_id=partition_id)

    def reset_consumption(self, partition_id: str, task_name: str | None = None) -> None:
        self._ask("RESET_CONSUMPTION", partition_id=partition_id, task_name=task_name)

    def get_consumption_status(self, partition_id: str, task_name: str) -> Any:
        frames = self._ask("GET_CONSUMPTION", partition_id=partition_id, task_name=task_name)
        return _wire.Rebuilt(_wire.body_part, frames, "global_index", "consumption_status")

    def get_production_status(self, partition_id: str, data_fields: list[str]) -> Any:
        frames = self._ask("GET_PRODUCTION", partition_id=partition_id, data_fields=data_fields)
        return _wire.Rebuilt(_wire.body_part, frames, "global_index", "production_status")

    def get_metadata(self, data_fields, partition_id, mode="fetch", task_name=None, batch_size=None, sampling_config=None):
        frames = self._ask(
            "GET_META", data_fields=data_fields, batch_size=batch_size, partition_id=partition_id, mode=mode,
            task_name=task_name, sampling_config=sampling_config,
        )  # fmt: skip
        return _wire.Rebuilt(_wire.body_part, frames, "metadata")

    def update_production_status(self, partition_id, global_indexes, field_schema, custom_backend_meta=None) -> bool:
        try:
            self._ask(
                "NOTIFY_DATA_UPDATE", partition_id=partition_id, global_indexes=global_indexes, field_schema=field_schema,
                custom_backend_meta=custom_backend_meta,
            )  # fmt: skip
        except Error:
            return False
        return True

    def set_custom_meta(self, partition_custom_meta: dict) -> None:
        self._ask("SET_CUSTOM_META", partition_custom_meta=partition_custom_meta)

    def mark_clearing(self, global_indexes: list[int], partition_ids: list[str]) -> None:
        self._ask("MARK_CLEARING", global_indexes=global_indexes, partition_ids=partition_ids)

    def clear_meta(self, global_indexes: list[int], partition_ids: list[str], clear_consumption: bool = True) -> None:
        self._ask("CLEAR_META", global_indexes=global_indexes, partition_ids=partition_ids)

    def kv_retrieve_meta(self, keys: list[str], partition_id: str, create: bool = False) -> Any:
        frames = self._ask("KV_RETRIEVE_META", keys=keys, partition_id=partition_id, create=create)
        return _wire.Rebuilt(_wire.body_part, frames, "metadata")

    def kv_retrieve_keys(self, global_indexes: list[int], partition_id: str) -> list:
        self._check_alive()
        return self._wire.plain("KV_RETRIEVE_KEYS", global_indexes=global_indexes, partition_id=partition_id)["keys"]

    def save_checkpoint(self, path: str) -> None:
        self._ask("SAVE_CONTROLLER_CHECKPOINT", path=path)

    def load_checkpoint(self, path: str) -> None:
        self._ask("LOAD_CONTROLLER_CHECKPOINT", path=path)

    def register_sampler(self, sampler: Any = None) -> None:
        """An instance or class of upstream's samplers runs in the controller, one of a user's own in this process."""
        known = built_in_sampler(sampler)
        if known is None:
            sampler = sampler() if isinstance(sampler, type) else sampler
            known = PYTHON_SAMPLER, {"id": self._samplers.add(sampler)}
        self._ask("REGISTER_SAMPLER", sampler=known[0], arguments=known[1])

    def start_metrics(self, port: int = 0) -> str:
        """Upstream starts them when this is called; here they start with the controller."""
        if self._metrics is None:
            raise Error("the controller was launched without metrics: set metrics.enabled in the configuration")
        return self._metrics

    def register_storage_units_for_metrics(self, storage_unit_infos: dict) -> None:
        """The nodes know each other."""

    # ----

    def _ask(self, request_type: str, **body) -> list[bytes]:
        self._check_alive()
        return self._wire.ask(request_type, **body)

    def _check_alive(self) -> None:
        if self._process is None:
            raise Error("the controller is not started yet")
        if self._process.death is not None:
            raise Error(self._process.death)


def _lasting_folder() -> str:
    """For addresses that are read again and again; Ray's own folder of this session, for a killed actor cleans up nothing."""
    node = ray._private.worker.global_worker.node
    return tempfile.mkdtemp(prefix="tq-nodes-", dir=node.get_session_dir_path() if node is not None else None)


def _endpoint(info: dict) -> str:
    host = f"[{info['ip']}]" if ":" in info["ip"] else info["ip"]
    return f"tcp://{host}:{info['ports']['request_handle_socket']}"


def _line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
