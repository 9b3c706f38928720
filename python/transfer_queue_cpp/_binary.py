# SPDX-License-Identifier: Apache-2.0
"""The program tq: where it is, whether it is ours, what it can do."""

import os
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path

from ._error import Error
from ._version import VERSION

VARIABLE = "TQ_CPP_BIN"
_HERE = Path(__file__).resolve().parent
_ANSWER_SECONDS = 8


def find_binary(hint: str | None = None) -> str:
    """The path of the program tq, checked: it runs and is of this package's version.

    In this order: TQ_CPP_BIN, `hint`, beside the package, build/release/bin of the source tree, PATH. Blocks for the
    milliseconds of one run of the program. Raises Error.
    """
    named = os.environ.get(VARIABLE)
    if named:
        if not os.access(named, os.X_OK) or os.path.isdir(named):
            raise Error(f"{VARIABLE} is '{named}', which is no program; let it name the program tq")
        return _checked(named, f"{VARIABLE} names it")
    places = [hint, str(_HERE / "bin/tq"), str(_HERE.parents[1] / "build/release/bin/tq"), shutil.which("tq")]
    for place in places:
        if place and os.access(place, os.X_OK) and not os.path.isdir(place):
            return _checked(place, "found by search")
    raise Error(
        f"the program tq was not found: build it (scripts/quickstart) and name it with {VARIABLE}, or put it on the PATH"
    )


@lru_cache
def _checked(path: str, why: str) -> str:
    advice = f"({why}); name tq {VERSION} with {VARIABLE}"
    try:
        done = run(path, "--version")
    except OSError as error:
        raise Error(f"{path} cannot be run: {error.strerror} {advice}") from None
    except subprocess.TimeoutExpired:
        raise Error(f"{path} --version did not answer within {_ANSWER_SECONDS} s {advice}") from None
    if "error while loading shared libraries" in done.stderr:  # ld.so's words; the path before them is said already
        raise Error(
            f"{path} cannot be run here:{done.stderr.strip().rpartition('libraries:')[2]}; install what docs/python.md lists, or "
            "build the program on this machine"
        )
    words = done.stdout.split()
    if len(words) != 2 or words[0] != "tq":
        raise Error(f"{path} is not the program tq of TransferQueue {advice}")
    if words[1] != VERSION:
        raise Error(f"{path} is tq {words[1]}, but this package is of {VERSION} {advice}")
    return path


def run(path: str, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [path, *arguments], capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL,
        timeout=_ANSWER_SECONDS,
    )  # fmt: skip


@lru_cache
def knows(path: str, command: str, flag: str) -> bool:
    """Whether `tq COMMAND` has this flag; a program built with less than all has some flags less."""
    return flag in run(path, command, "--help").stdout.replace(",", " ").replace("=", " ").split()
