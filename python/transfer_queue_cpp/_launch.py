# SPDX-License-Identifier: Apache-2.0
"""Under Ray: start nodes for everybody on the cluster, look at them, end them."""

import contextlib
import sys
from typing import Any

import ray
import ray.cloudpickle as pickle
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from . import _actors, _binary, _settings, _wire
from ._error import Error

NAMESPACE = "transfer_queue"


class NameTaken(Error):
    """Another TransferQueue runs on the cluster."""


_ANSWER_SECONDS = 2 * _actors.WORKER_SECONDS  # the controller's actor and then the storage actors
_STOP_SECONDS = 30
_controller = None  # Ray ends the actor when its creator holds no handle any more


def launch(conf: Any = None, *, num_cpus: float = 0, controller_port: int = 0, storage_port: int = 0):
    """Starts a controller and storage units on the Ray cluster that this process is, or can be, connected to.

    conf: upstream's configuration (dict, DictConfig, path of a YAML file), merged over its defaults as tq.init does.
    num_cpus: what each actor takes of Ray's CPUs; there is one for the controller and one a node that stores.
    controller_port, storage_port: the first port of that role on each node; any free ones unless given.

    The nodes live until shutdown(), tq.close() in any process, or the end of this process. Blocks until they serve; returns
    the configuration with their addresses. Raises Error with one sentence; then nothing is left running.
    """
    global _controller
    merged = _settings.merged(conf)
    plan = _settings.plan(merged, controller_port, storage_port)
    binary = _binary.find_binary()
    if not ray.is_initialized():
        ray.init(ignore_reinit_error=True)
    placements = _placements(plan, num_cpus)
    controller = _create(num_cpus)
    try:
        addresses = _get(controller.start.remote(plan, binary, num_cpus, placements), "start the nodes")
        _fill_in(merged, addresses)
        _get(controller.publish.remote(pickle.dumps(merged), addresses["controller"]), "publish the configuration")
    except BaseException:
        ray.kill(controller)
        raise
    _controller = controller
    return merged


def shutdown() -> bool:
    """Ends what launch() started, on every node and from any process; False where nothing runs. Blocks until all node
    processes are gone. Raises Error where Python's own nodes run."""
    global _controller
    actor = _running()
    if actor is not None:
        with contextlib.suppress(ray.exceptions.RayError):  # what does not end so ends with the actor, below
            ray.get(_ours(actor).stop.remote(), timeout=_STOP_SECONDS)
    interface = sys.modules.get("transfer_queue.interface")
    if interface is not None:
        interface.close()
    if actor is not None:
        with contextlib.suppress(Exception):
            ray.kill(actor)
    _controller = None
    return actor is not None


def status() -> list[dict]:
    """One record a node process: name, Ray's node_id, node_ip, pid, and died: None or the sentence that tells how, with its
    last lines. Blocks; raises Error where nothing runs."""
    actor = _running()
    if actor is None:
        raise Error(f"no TransferQueue runs on this cluster: there is no actor {_actors.CONTROLLER}; launch() or `python -m transfer_queue_cpp up` starts one")
    return _get(_ours(actor).state.remote(), "tell their state")


def is_running() -> bool:
    """Whether there is a TransferQueue on the cluster, of whatever nodes."""
    return _running() is not None


def namespace() -> str | None:
    """Where clients look for the actor: up to 0.1.7 in the namespace of their own job."""
    import transfer_queue

    version = tuple(int(part) for part in transfer_queue.__version__.split(".")[:3] if part.isdigit())
    return NAMESPACE if version >= (0, 1, 8) else None


def _running():
    if not ray.is_initialized():
        ray.init(ignore_reinit_error=True)
    try:
        return ray.get_actor(_actors.CONTROLLER, namespace=namespace())
    except ValueError:
        return None


def _ours(actor):
    if not hasattr(actor, "is_cpp"):
        raise Error(f"the actor {_actors.CONTROLLER} runs Python's nodes, which transfer_queue_cpp did not start; tq.close() ends them")
    return actor


def _create(num_cpus: float):
    here = NodeAffinitySchedulingStrategy(node_id=ray.get_runtime_context().get_node_id(), soft=True)
    actor = ray.remote(_actors.Controller).options(
        name=_actors.CONTROLLER, namespace=namespace(), num_cpus=num_cpus, scheduling_strategy=here
    )
    try:
        return actor.remote()
    except ValueError:
        raise NameTaken(
            f"the name {_actors.CONTROLLER} is taken on this cluster: a TransferQueue runs already; tq.init() attaches to "
            "it, tq.close() ends it"
        ) from None


def _placements(plan: _settings.Plan, num_cpus: float) -> list[tuple[str, int]]:
    """(Ray node, units) round robin over the alive nodes that have the required resource; nodes without units left out."""
    alive = [node for node in ray.nodes() if node.get("Alive")]
    resource = plan.required_resource
    eligible = [node for node in alive if resource is None or node.get("Resources", {}).get(resource, 0) > 0]
    if not eligible:
        raise Error(
            f"none of the {len(alive)} nodes of the Ray cluster has the resource {resource!r}; start one with "
            f"`ray start --resources='{{\"{resource}\": 1}}'` or unset backend.SimpleStorage.required_node_resource"
        )
    ids = sorted(node["NodeID"] for node in eligible)[: plan.units]
    wanted, free = num_cpus * (1 + len(ids)), ray.available_resources().get("CPU", 0)
    if wanted > free:
        raise Error(
            f"num_cpus={num_cpus:g} asks for {wanted:g} CPUs, for the controller and {len(ids)} storage nodes, and the Ray "
            f"cluster has {free:g} free; give less, such as 0"
        )
    return [(node_id, len(range(number, plan.units, len(ids)))) for number, node_id in enumerate(ids)]


def _get(reference, what: str):
    try:
        return ray.get(reference, timeout=_ANSWER_SECONDS)
    except ray.exceptions.GetTimeoutError:
        raise Error(f"the cluster did not {what} within {_ANSWER_SECONDS} s; `ray status` tells what it lacks") from None
    except ray.exceptions.RayTaskError as error:
        raise Error(str(error.cause)) from None
    except ray.exceptions.RayActorError as error:
        raise Error(f"the actor {_actors.CONTROLLER} is gone: {str(error).strip().partition(chr(10))[0]}") from None


def _fill_in(conf, addresses: dict) -> None:
    conf.controller.zmq_info = _wire.server_info(addresses["controller"])
    units = [_wire.server_info(record) for record in addresses["units"]]
    conf.backend.SimpleStorage.zmq_info = {f"TransferQueueStorageUnit#{rank}": unit for rank, unit in enumerate(units)}
    if addresses["metrics"] is not None:
        conf.metrics.endpoint = addresses["metrics"]
