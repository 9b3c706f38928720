# SPDX-License-Identifier: Apache-2.0
"""A fetch, compared as far as the two controllers' different indexes let it be.

A fetch takes the ready samples of lowest index, and Python hands freed indexes out in another order than ours: once
something was cleared, the lowest index can stand for different samples at the two. So a fetch first asks both what is
ready (GET_PRODUCTION, GET_CONSUMPTION: compared like all else, so that both agree on it by name), and then

- each controller must give the first batch_size of its own ready samples in ascending order: the rule itself;
- when these first ones are the same samples in the same order at both, the answers must be equal, row by row;
- when all that is ready is taken, they must be equal as sets of rows;
- else the choice differs rightly. What is compared is the number of rows, the schema, and the rows that both chose;
  then both are brought into one state again: either the rest is fetched too, after which both have consumed all that
  was ready, or the task's consumption is reset.
"""

from diff_choices import TASKS, a_partition, existing, some_fields
from diff_driver import Driver
from diff_world import Mismatch, listed_indexes
from replay_forms import integers


def _ready(driver: Driver, partition: str, task: str, fields: list[str]) -> list[list[int]]:
    """The indexes that each side has ready for the task, ascending."""
    produced = driver.ask("GET_PRODUCTION", {"partition_id": partition, "data_fields": fields})
    consumed = driver.ask("GET_CONSUMPTION", {"partition_id": partition, "task_name": task})
    ready = []
    for production, consumption in zip(produced, consumed):
        rows = listed_indexes(production)
        if rows is None:
            ready.append([])
            continue
        width = production["body"]["production_status"]["$tensor"]["shape"][1]
        status, used = (
            integers(production["body"]["production_status"]),
            integers(consumption["body"]["consumption_status"]),
        )
        whole = [all(status[i * width : (i + 1) * width]) for i in range(len(rows))]
        ready.append([index for i, index in enumerate(rows) if whole[i] and not used[i]])
    return ready


def _ask(driver: Driver, body: dict, ready: list[list[int]]) -> tuple[list[dict], list[dict]]:
    """Both answers to a fetch; each is right by itself."""
    replies, forms = driver.ask_uncompared("GET_META", body)
    count = body["batch_size"]
    for side, reply, own in zip(driver.sides, replies, ready):
        got, kind = listed_indexes(reply), reply["request_type"]
        if len(own) >= count and (got is None or got != own[:count]):
            raise Mismatch(
                f"{side.name} fetched {kind} {got}; the first {count} of its ready {own} were due\nrequest: {body}"
            )
        if len(own) < count and (got != [] if driver.polling else kind != "REQUEST_ERROR"):
            raise Mismatch(f"{side.name} fetched {kind} {got}, though only {len(own)} are ready\nrequest: {body}")
    return replies, forms


def _sorted_rows(form: dict) -> dict:
    metadata = form["body"]["metadata"]
    rows = sorted(metadata["rows"], key=lambda row: (row["index"], repr(row)))
    return {**form, "body": {"metadata": {**metadata, "rows": rows}}}


def shared_rows(forms: list[dict]) -> list[dict]:
    """The answers with only the rows that both have, and how many there were."""
    names = [{row["index"] for row in form["body"]["metadata"]["rows"]} for form in forms]
    cut = []
    for form in forms:
        metadata = _sorted_rows(form)["body"]["metadata"]
        rows = [row for row in metadata["rows"] if row["index"] in names[0] & names[1]]
        cut.append({**form, "body": {"metadata": {**metadata, "rows": rows, "count": len(metadata["rows"])}}})
    return cut


def _batch_size(driver: Driver, ready: int) -> int:
    choice = driver.rng.random()
    if ready and choice < 0.5:
        return driver.rng.randint(1, ready)
    return ready if ready and choice < 0.85 else ready + driver.rng.randint(1, 3)


def fetch(driver: Driver) -> None:
    rng, world = driver.rng, driver.world
    partition = existing(driver) if rng.random() < 0.9 else None
    partition, task, fields = partition or a_partition(driver), rng.choice(TASKS), some_fields(driver, 1, 2)
    if partition in world.partitions and rng.random() < 0.9:
        registered = sorted((driver.partition_meta(partition) or {"field_schema": {}})["field_schema"])
        fields = rng.sample(registered, min(len(registered), rng.choice([1, 1, 2]))) or fields
    ready = _ready(driver, partition, task, fields)
    count = _batch_size(driver, len(ready[0]))
    config = rng.choice(
        [None, None, {}, {"dp_rank": 0, "batch_index": 1, "task_name": task, "partition_id": partition}]
    )
    body = {"data_fields": fields, "batch_size": count, "partition_id": partition, "mode": "fetch", "task_name": task}
    if rng.random() < 0.1:
        del body["mode"]  # it is fetch by default
    body["sampling_config"] = config
    forms = _ask(driver, body, ready)[1]
    names = [[side.name_of(index) for index in own] for side, own in zip(driver.sides, ready)]
    if count > len(ready[0]) or names[0][:count] == names[1][:count]:
        driver.compare("GET_META", body, forms)
        driver.answers["fetch: equal row by row"] += count <= len(ready[0])
    elif count == len(ready[0]):
        driver.compare("GET_META", body, [_sorted_rows(form) for form in forms])
        driver.answers["fetch: equal as sets"] += 1
    else:
        driver.compare("GET_META", body, shared_rows(forms))
        driver.answers["fetch: another choice"] += 1
        _bring_together(driver, body, [own[count:] for own in ready])
    driver.ask("GET_CONSUMPTION", {"partition_id": partition, "task_name": task})


def _bring_together(driver: Driver, body: dict, left: list[list[int]]) -> None:
    if driver.rng.random() < 0.3:
        driver.ask("RESET_CONSUMPTION", {"partition_id": body["partition_id"], "task_name": body["task_name"]})
        return
    rest = {**body, "batch_size": len(left[0])}
    driver.compare("GET_META", rest, shared_rows(_ask(driver, rest, left)[1]))
