# SPDX-License-Identifier: Apache-2.0
"""The names that random steps choose among."""

from diff_driver import Driver
from diff_schemas import FIELDS
from diff_world import Logical

PARTITIONS = [f"p{i}" for i in range(5)]
TASKS = [f"task{i}" for i in range(4)]
KEYS = [f"key{i}" for i in range(40)]
CROWDED = 60  # samples in all partitions, from which on clears come more often
NOBODY = 1 << 28  # indexes from here on are never handed out


def a_partition(driver: Driver, unknown: float = 0.06) -> str:
    if driver.rng.random() < unknown:
        return "nowhere"
    return driver.rng.choice(PARTITIONS)  # which may not be there either


def existing(driver: Driver) -> str | None:
    return driver.rng.choice(sorted(driver.world.partitions)) if driver.world.partitions else None


def samples_of(driver: Driver, partition: str, low: int = 1, high: int = 6) -> list[Logical]:
    members = sorted(driver.world.partitions.get(partition, ()))
    return [Logical(n) for n in driver.rng.sample(members, min(len(members), driver.rng.randint(low, high)))]


def some_fields(driver: Driver, low: int = 1, high: int = 3) -> list[str]:
    fields = driver.rng.sample(sorted(FIELDS), driver.rng.randint(low, high))
    return fields + (["never put"] if driver.rng.random() < 0.05 else [])
