# SPDX-License-Identifier: Apache-2.0
"""Upstream's configuration, read for C++ nodes: what it asks for becomes flags of the program tq."""

import math
import os
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from ._error import Error

_UNITS_MAX = 1024
_NOT_THEIRS = ("TQ_CPP_BIN", "TQ_INFO_DIR", "TQ_CONFIG", "TQ_METRICS_PORT")  # of the machine, or said by flags
# Flags of tq's samplers by upstream's class, with the attributes that hold the arguments of its constructor.
SAMPLERS = {
    "SequentialSampler": (),
    "GRPOGroupNSampler": ("n_samples_per_prompt",),
    "RankAwareSampler": (),
    "SeqlenBalancedSampler": ("n_samples_per_prompt", "dp_size"),
    "StreamingTokenBudgetSampler": ("n_samples_per_prompt", "balance_unit_multiplier"),  # of the Relax project's fork
}


@dataclass
class Plan:
    """What is to be started."""

    units: int
    required_resource: str | None
    controller_flags: list[str]
    storage_flags: list[str]
    environment: dict[str, str]
    metrics_port: int | None = None
    ssd_folder: str | None = None
    python_sampler: bytes | None = None  # an instance of a user's class, by cloudpickle
    optional_flags: list[list[str]] = field(default_factory=list)  # left out where the program does not know them
    ports: dict[str, int] = field(default_factory=dict)  # role -> first port; 0: any free one


def merged(conf: Any):
    """Upstream's defaults under `conf`: a dict, a DictConfig, the path of a YAML file, or None. Raises Error."""
    from omegaconf import DictConfig, OmegaConf

    try:
        if isinstance(conf, (str, Path)):
            conf = _load_yaml(Path(conf))
        base = OmegaConf.create({}, flags={"allow_objects": True})
        base = OmegaConf.merge(base, OmegaConf.load(resources.files("transfer_queue") / "config.yaml"))
        if not conf:
            return base
        if not isinstance(conf, (dict, DictConfig)):
            raise Error(f"the configuration is a {type(conf).__name__}; give a dict, an OmegaConf or the path of a YAML file")
        if isinstance(conf, dict):
            conf = OmegaConf.create(conf, flags={"allow_objects": True})
        return OmegaConf.merge(base, conf)
    except Error:
        raise
    except Exception as error:  # OmegaConf's and YAML's own, which have several bases
        raise Error(f"the configuration cannot be read: {_first_line(error)}; compare it with upstream's config.yaml") from None


def _load_yaml(path: Path):
    import yaml
    from omegaconf import OmegaConf

    try:
        return OmegaConf.load(path)
    except OSError as error:
        raise Error(f"the configuration {path} cannot be read: {error.strerror}") from None
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        place = f" at line {where.line + 1}, column {where.column + 1}" if where is not None else ""
        raise Error(f"the configuration {path} is no YAML{place}: {getattr(error, 'problem', None) or _first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def plan(conf, controller_port: int = 0, storage_port: int = 0) -> Plan:
    """Raises Error for what C++ nodes cannot be asked for. Starts nothing."""
    backend = conf.backend.get("storage_backend")
    if backend != "SimpleStorage":
        raise Error(f"backend.storage_backend is {backend!r}: C++ nodes are a SimpleStorage; unset it, or unset TQ_BACKEND")
    storage = conf.backend.SimpleStorage
    units = _whole(storage.get("num_data_storage_units", 1), "backend.SimpleStorage.num_data_storage_units", 1, _UNITS_MAX)
    made = Plan(
        units=units,
        required_resource=storage.get("required_node_resource"),
        controller_flags=["--polling"] if conf.controller.get("polling_mode") else [],
        storage_flags=[],
        environment=_environment(),
    )
    _add_capacity(made, storage)
    _add_ssd(made, storage.get("ssd_offload") or {})
    _add_metrics(made, conf.get("metrics") or {})
    sampler = conf.controller.get("sampler")
    flag = sampler_flag(sampler)
    if flag is not None:
        made.controller_flags += ["--sampler", flag]
    else:
        made.python_sampler = _pickled_sampler(sampler)
    for role, port in (("controller", controller_port), ("storage", storage_port)):
        made.ports[role] = _whole(port, f"{role}_port", 0, 65535)
    # As upstream has it: any path, unless somebody says otherwise.
    if "TQ_CHECKPOINT_ROOT" not in os.environ:
        made.optional_flags.append(["--checkpoint-root", "/"])
    return made


def _whole(value: Any, name: str, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise Error(f"{name} is {value!r}; it must be a whole number from {least} to {most}")
    return value


def _environment() -> dict[str, str]:
    """The nodes of other machines get what the caller set, too; theirs is the program, which they find themselves."""
    return {key: value for key, value in os.environ.items() if key.startswith("TQ_") and key not in _NOT_THEIRS}


def _add_capacity(made: Plan, storage) -> None:
    total = storage.get("total_storage_size")
    if total is not None:
        total = _whole(total, "backend.SimpleStorage.total_storage_size", 1, 2**60)
        made.storage_flags += ["--capacity", str(math.ceil(total / made.units))]


def _add_ssd(made: Plan, ssd) -> None:
    if not ssd.get("enabled"):
        return
    made.ssd_folder = ssd.get("path")
    if not made.ssd_folder:
        raise Error("backend.SimpleStorage.ssd_offload.enabled needs backend.SimpleStorage.ssd_offload.path, a folder")
    threshold = _whole(ssd.get("threshold_bytes", 1 << 20), "backend.SimpleStorage.ssd_offload.threshold_bytes", 1, 2**60)
    made.storage_flags += ["--ssd-path", str(made.ssd_folder), "--ssd-threshold-bytes", str(threshold)]


def _add_metrics(made: Plan, metrics) -> None:
    if metrics.get("enabled"):
        made.metrics_port = _whole(metrics.get("port", 0), "metrics.port", 0, 65535)


def _pickled_sampler(sampler) -> bytes:
    from ray import cloudpickle

    try:
        return cloudpickle.dumps(sampler() if isinstance(sampler, type) else sampler)
    except Exception as error:
        raise Error(f"controller.sampler cannot be sent to the controller's process: {_first_line(error)}") from None


def sampler_flag(sampler: Any) -> str | None:
    """The argument of --sampler; None for an instance or class of a user's own. Raises Error for what is no sampler."""
    known = built_in_sampler(sampler)
    if known is None:
        return None
    name, arguments = known
    return ",".join([name, *(f"{argument}={value}" for argument, value in arguments.items())])


def built_in_sampler(sampler: Any) -> tuple[str, dict[str, int]] | None:
    """The name and the arguments of a sampler that the controller has itself."""
    if isinstance(sampler, str):
        if sampler not in SAMPLERS:
            raise Error(f"controller.sampler is {sampler!r}; the samplers with a name are {', '.join(SAMPLERS)}")
        return sampler, {}
    if sampler is None:
        return "SequentialSampler", {}
    from transfer_queue.sampler import BaseSampler

    kind = sampler if isinstance(sampler, type) else type(sampler)
    if not issubclass(kind, BaseSampler):
        raise Error(f"controller.sampler is of {kind.__name__}, which is no BaseSampler; the samplers with a name are {', '.join(SAMPLERS)}")
    if kind.__name__ not in SAMPLERS or not kind.__module__.startswith("transfer_queue.sampler"):
        return None
    if sampler is kind:
        return kind.__name__, {}
    return kind.__name__, {name: getattr(sampler, name) for name in SAMPLERS[kind.__name__]}
