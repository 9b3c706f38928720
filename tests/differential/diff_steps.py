# SPDX-License-Identifier: Apache-2.0
"""The kinds of random steps. Each is one request, or a few that belong together, over logical samples.

A step may need more than one request for two reasons. Some of Python's answers depend on things that are no behaviour
to copy (an insert does not grow its tables until someone asks for consumption); a step then asks what keeps both
controllers comparable. And a step that meets an allowed difference of state ends in a state that both share.
"""

from typing import Any

from diff_choices import CROWDED, KEYS, NOBODY, PARTITIONS, TASKS, a_partition, existing, samples_of, some_fields
from diff_driver import Driver
from diff_fetch import fetch
from diff_hostile import hostile_notify, malformed, produce_pre_allocated, undecodable
from diff_schemas import FIELDS, backend_meta, column, tag
from diff_world import Logical, PreAllocated


def _after_birth(driver: Driver, partition: str, was_there: bool) -> None:
    """Shows what a new partition has pre-allocated."""
    if not was_there and partition in driver.world.partitions:
        driver.partition_meta(partition)


# ---- keys ----
def register(driver: Driver) -> None:
    partition, keys = driver.rng.choice(PARTITIONS), driver.rng.choices(KEYS, k=driver.rng.choice([0, 1, 2, 3, 8]))
    was_there = partition in driver.world.partitions
    driver.ask("KV_RETRIEVE_META", {"keys": keys, "partition_id": partition, "create": True})
    _after_birth(driver, partition, was_there)


def look_up(driver: Driver) -> None:
    partition = a_partition(driver)
    held = [key for p, key in driver.world.holder if p == partition]
    keys = driver.rng.choices(held, k=driver.rng.randint(1, 5)) if held and driver.rng.random() < 0.8 else []
    keys += driver.rng.choices(KEYS, k=driver.rng.choice([0, 0, 1, 3]))
    driver.ask("KV_RETRIEVE_META", {"keys": keys, "partition_id": partition, "create": False})


def keys_of(driver: Driver) -> None:
    partition = a_partition(driver)
    indexes: list[Any] = samples_of(driver, partition, 0) + samples_of(driver, a_partition(driver), 0, 2)
    indexes += [NOBODY + 1] if driver.rng.random() < 0.3 else []
    driver.ask("KV_RETRIEVE_KEYS", {"global_indexes": indexes, "partition_id": partition})


def list_keys(driver: Driver) -> None:
    driver.ask("KV_LIST", {"partition_id": None if driver.rng.random() < 0.4 else a_partition(driver)})


# ---- production ----
def insert(driver: Driver) -> None:
    partition, fields = driver.rng.choice(PARTITIONS), some_fields(driver)
    was_there = partition in driver.world.partitions
    body = {"data_fields": fields, "batch_size": driver.rng.randint(1, 6), "partition_id": partition, "mode": "insert"}
    driver.ask("GET_META", {**body, "task_name": None, "sampling_config": None})
    if driver.rng.random() < 0.3:
        _production_before_growth(driver, partition, fields)
    # Grows Python's table of produced rows, on which all that follows builds.
    driver.ask("GET_CONSUMPTION", {"partition_id": partition, "task_name": driver.rng.choice(TASKS)})
    _after_birth(driver, partition, was_there)


def _production_before_growth(driver: Driver, partition: str, fields: list[str]) -> None:
    """Where Python fails for want of growth, ours must say at once what Python says once it has grown."""
    body = {"partition_id": partition, "data_fields": fields}
    forms = driver.ask_uncompared("GET_PRODUCTION", body)[1]
    failed = [form["request_type"] == "REQUEST_ERROR" for form in forms]
    if any(failed) and not (failed[1] and driver.sides[1].name == "cpp"):
        driver.ask("GET_CONSUMPTION", {"partition_id": partition, "task_name": driver.rng.choice(TASKS)})
        grown = driver.ask_uncompared("GET_PRODUCTION", body)[1]
        forms = [later if fails else form for form, later, fails in zip(forms, grown, failed)]
        driver.judge.allow("production not grown")
    driver.compare("GET_PRODUCTION", body, forms)


def notify(driver: Driver) -> None:
    partition = existing(driver) if driver.rng.random() < 0.95 else "nowhere"
    if partition is None:
        return
    known = (driver.partition_meta(partition) or {"field_schema": {}})["field_schema"]
    rows = samples_of(driver, partition, 0 if driver.rng.random() < 0.1 else 1, 10)
    schema, conflicting = {}, {}
    for field in driver.rng.sample(sorted(FIELDS), driver.rng.randint(1, 3)):
        new, old = column(driver.rng, field, rows), known.get(field)
        if old and old["is_non_tensor"] and new["is_nested"]:
            continue  # a step of its own: diff_hostile.py
        dtypes = [str(new["dtype"]), old["dtype"] and old["dtype"]["$dtype"] if old else None]
        clash = new["dtype"] is not None and dtypes[1] is not None and dtypes[0] != dtypes[1]
        (conflicting if clash else schema)[field] = new
    notes = None if conflicting else backend_meta(driver.rng, rows, sorted(schema))
    # Python stops at the first conflict, ours takes in all but the conflicting fields: the same if these come last.
    schema.update(conflicting)
    body = {"partition_id": partition, "global_indexes": rows, "field_schema": schema}
    driver.ask("NOTIFY_DATA_UPDATE", {**body, "custom_backend_meta": notes})


# ---- tags ----
def set_tags(driver: Driver) -> None:
    tags: dict[str, dict] = {}
    for _ in range(driver.rng.randint(1, 3)):
        partition = a_partition(driver)
        tags[partition] = {sample: tag(driver.rng) for sample in samples_of(driver, partition)}
        if driver.rng.random() < 0.05:
            tags[partition][NOBODY + 2] = tag(driver.rng)
        if driver.world.pool_size(partition) == 1 and driver.rng.random() < 0.3:
            tags[partition][PreAllocated(partition)] = tag(driver.rng)
    driver.ask("SET_CUSTOM_META", {"partition_custom_meta": tags})


# ---- clears ----
def _targets(driver: Driver) -> list[tuple[Any, str]]:
    """Samples with the partitions that they are said to be in, which is not always true."""
    pairs: list[tuple[Any, str]] = []
    for _ in range(driver.rng.randint(1, 2)):
        partition = a_partition(driver)
        pairs += [(sample, partition) for sample in samples_of(driver, partition, 1, 8)]
    pairs += [(sample, a_partition(driver)) for sample in samples_of(driver, a_partition(driver), 0, 2)]
    pairs += [(NOBODY + 3, a_partition(driver))] if driver.rng.random() < 0.2 else []
    pairs += pairs[:1] if driver.rng.random() < 0.1 else []
    driver.rng.shuffle(pairs)
    return pairs


def mark_clearing(driver: Driver) -> None:
    pairs = _targets(driver)
    driver.ask("MARK_CLEARING", {"global_indexes": [i for i, _ in pairs], "partition_ids": [p for _, p in pairs]})


def clear_samples(driver: Driver) -> None:
    pairs = _targets(driver)
    named = {i.number for i, p in pairs if isinstance(i, Logical) and driver.world.home[i.number] == p}
    # An older sample of a key goes together with the newer ones: alone, it is a step of its own.
    for sample in sorted(named):
        if (holder := driver.world.shadowed(sample)) is not None and holder not in named:
            pairs.append((Logical(holder), driver.world.home[holder]))
    driver.clear_samples(pairs)


def clear_older_twin(driver: Driver) -> None:
    """Of two samples registered under one key, the older one alone: Python then forgets the key of the younger."""
    world = driver.world
    twins = [(sample, world.shadowed(sample)) for sample in sorted(world.home) if world.shadowed(sample) is not None]
    if not twins:
        return
    older, younger = driver.rng.choice(twins)
    partition, key = world.home[older], world.key[older]
    driver.ask("CLEAR_META", {"global_indexes": [Logical(older)], "partition_ids": [partition]})
    world.forget_samples([older])

    def unlisted(reference: dict, subject: dict) -> str | None:
        lists = [form["body"]["partition_info"][partition] for form in (reference, subject)]
        same = {k: v for k, v in lists[1].items() if k != key} == lists[0]
        return "key of a cleared twin" if same and key in lists[1] and key not in lists[0] else None

    driver.ask("KV_LIST", {"partition_id": partition}, unlisted)
    others = [s for s in sorted(world.partitions[partition]) if world.key.get(s) == key]
    driver.clear_samples([(Logical(sample), partition) for sample in {younger, *others}])


def clear_partition(driver: Driver) -> None:
    driver.clear_partition(a_partition(driver))


# ---- questions ----
def consumption(driver: Driver) -> None:
    driver.ask("GET_CONSUMPTION", {"partition_id": a_partition(driver), "task_name": driver.rng.choice(TASKS)})


def reset_consumption(driver: Driver) -> None:
    body = {"partition_id": existing(driver) or "nowhere" if driver.rng.random() < 0.9 else "nowhere"}
    if driver.rng.random() < 0.8:
        body["task_name"] = driver.rng.choice([*TASKS, "no task", None])
    driver.ask("RESET_CONSUMPTION", body)
    driver.ask("GET_CONSUMPTION", {"partition_id": body["partition_id"], "task_name": driver.rng.choice(TASKS)})


def production(driver: Driver) -> None:
    fields = some_fields(driver) if driver.rng.random() < 0.9 else driver.rng.choice([[], None])
    driver.ask("GET_PRODUCTION", {"partition_id": a_partition(driver), "data_fields": fields})


def partition_meta(driver: Driver) -> None:
    driver.partition_meta(a_partition(driver))


def force_fetch(driver: Driver) -> None:
    fields = some_fields(driver, 0)
    body = {"data_fields": fields, "batch_size": driver.rng.choice([1, 100, None]), "partition_id": a_partition(driver)}
    driver.ask("GET_META", {**body, "mode": "force_fetch", "task_name": None, "sampling_config": None})


def list_partitions(driver: Driver) -> None:
    driver.ask("GET_LIST_PARTITIONS", {})


STEPS = {
    register: 10,
    look_up: 10,
    keys_of: 3,
    list_keys: 4,
    insert: 8,
    notify: 22,
    fetch: 14,
    force_fetch: 4,
    set_tags: 8,
    mark_clearing: 3,
    clear_samples: 5,
    clear_older_twin: 1,
    clear_partition: 1,
    consumption: 4,
    reset_consumption: 3,
    production: 5,
    partition_meta: 4,
    list_partitions: 1,
    malformed: 3,
    undecodable: 1,
    hostile_notify: 1,
    produce_pre_allocated: 0.3,
}
CLEARS = {clear_samples: 25, clear_partition: 4}


def take(driver: Driver) -> None:
    """One random step."""
    weights = {**STEPS, **CLEARS} if len(driver.world.home) > CROWDED else STEPS
    step = driver.rng.choices(list(weights), weights.values())[0]
    step(driver)
