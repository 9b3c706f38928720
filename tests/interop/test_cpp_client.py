# SPDX-License-Identifier: Apache-2.0
"""The C++ client and Python clients on the same nodes, C++ or Python: what one puts the other reads, of every kind.

{controller} x {storage units} x {client that puts, client that reads}, each in C++ and in Python, and nodes of older
releases under the C++ client. Expectations are the data itself and what Python's client gets from Python's nodes.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest
from chapters import TAGS
from columns import COLUMNS
from cpp_client_columns import PYTHON_ALONE, put_by_cpp, put_by_python, wrong_in_get, wrong_in_read, wrong_in_step
from cpp_client_kv import CHECKS, PYTHON_PUTS
from cpp_client_tags import ALL_TAGS, EXPRESSIBLE, wrong_after_changes, wrong_when_set_by_cpp
from cpp_client_world import World
from nodes import NEWEST
from story import KEYS

MIXES = {
    "C++ nodes": ("cpp", ("cpp", "cpp")),
    "Python nodes": (NEWEST, (NEWEST, NEWEST)),
    "C++ controller": ("cpp", (NEWEST, NEWEST)),
    "C++ units": (NEWEST, ("cpp", "cpp")),
    "0.1.9": ("0.1.9", ("0.1.9", "cpp")),
    "0.1.8": ("0.1.8", ("0.1.8", "cpp")),
    "0.1.6": ("0.1.6", ("0.1.6", "cpp")),
}


def python_reads_what_cpp_put(world: World):
    names = [name for name in COLUMNS if name not in PYTHON_ALONE]
    put_by_cpp(world, names)
    look = wrong_in_step if world.version == NEWEST else wrong_in_read  # old clients are slow
    wrong = look(world, "cpp-", names)
    assert not wrong, "\n".join(wrong[:40])


def cpp_reads_what_python_put_and_passes_it_on(world: World):
    """A copy that the C++ client made is to Python's client the same, also where C++ cannot look inside."""
    put = put_by_python(world)
    wrong = [line for name, outcome in put.items() for line in wrong_in_get(world, name, outcome)]
    assert not wrong, "\n".join(wrong[:40])
    for number, name in enumerate(put):
        form = ("contiguous", "rows")[number % 2]
        world.cpp("copy", keys=KEYS, partition=f"py-columns: {name}", to=f"copy-columns: {name}", form=form)
    wrong = wrong_in_read(world, "copy-", list(put))
    assert not wrong, "\n".join(wrong[:40])


def tags_set_by_one_and_extended_by_the_other(world: World):
    wrong = [line for name, tags in ALL_TAGS.items() for line in wrong_after_changes(world, name, tags)]
    wrong += [line for name in EXPRESSIBLE for line in wrong_when_set_by_cpp(world, name, TAGS[name])]
    assert not wrong, "\n".join(wrong[:40])


def version(mix: str) -> tuple:
    """Of the oldest node."""
    controller, units = MIXES[mix]
    return min(tuple(map(int, kind.split("."))) for kind in (controller, *units, NEWEST) if kind != "cpp")


python_reads_what_cpp_put.since = cpp_reads_what_python_put_and_passes_it_on.since = (0, 1, 6)
tags_set_by_one_and_extended_by_the_other.since = PYTHON_PUTS
# Columns first: once indexes are freed and used again, the Python client fails to select rows of some dtypes.
ALL_CHECKS = [
    python_reads_what_cpp_put, cpp_reads_what_python_put_and_passes_it_on, tags_set_by_one_and_extended_by_the_other, *CHECKS]
# In the order of the mixes, so that the nodes of each are started once.
CASES = [
    pytest.param(mix, function, id=f"{mix.replace(' ', '_')}-{function.__name__}")
    for mix in MIXES for function in ALL_CHECKS if version(mix) >= function.since
]


class Worlds:
    """The nodes and clients of one mix after the other; the next start while the tests of one run."""

    def __init__(self, mixes: list[str], make_folder):
        self._left, self._make_folder = mixes, make_folder
        self._thread = ThreadPoolExecutor(1)  # lives as long as the processes that it starts: they end with it
        self._current, self._next = None, None
        self._start_next()

    def _start_next(self) -> None:
        if self._left:
            mix = self._left.pop(0)
            self._next = mix, self._thread.submit(World, self._make_folder("world"), *MIXES[mix])

    def of(self, mix: str) -> World:
        if self._current is None or self._current[0] != mix:
            self._stop_current()
            self._current, self._next = self._next, None
            assert self._current and self._current[0] == mix, f"{mix} is not next"
            self._current[1].exception()  # waits
            self._start_next()
        return self._current[1].result()

    def _stop_current(self) -> None:
        current, self._current = self._current, None
        if current is not None and current[1].exception() is None:
            current[1].result().stop()

    def stop(self) -> None:
        try:
            self._stop_current()
            self._current, self._next = self._next, None
            self._stop_current()
        finally:
            self._thread.shutdown()


@pytest.fixture(scope="module")
def worlds(request, tmp_path_factory):
    mixes = list(dict.fromkeys(item.callspec.params["mix"] for item in request.session.items))
    worlds = Worlds(mixes, tmp_path_factory.mktemp)
    yield worlds
    worlds.stop()


@pytest.mark.parametrize("mix, function", CASES)
def test(worlds, mix, function):
    function(worlds.of(mix))
