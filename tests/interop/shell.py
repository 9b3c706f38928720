# SPDX-License-Identifier: Apache-2.0
"""`tq` as a person runs it at a shell: its exit statuses (src/cli/exit_code.h), and how it says no."""

import subprocess
import time

from nodes import tq_binary

OK, FAILED, USAGE, UNREACHABLE, NOT_FOUND = 0, 1, 2, 3, 4
AT_ONCE = 60  # more than any of these takes on a busy machine
WRONG_INPUT_SECONDS = 5  # what is wrong must be said by then


def tq(*args, cwd=None, timeout=AT_ONCE) -> subprocess.CompletedProcess:
    command = [tq_binary(), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, cwd=cwd)


def refused(status: int, *args, words=(), cwd=None) -> None:
    """One line on standard error with these words, the exit status, in time; nothing on standard output."""
    begin = time.monotonic()
    result = tq(*args, cwd=cwd, timeout=30)
    assert time.monotonic() - begin < WRONG_INPUT_SECONDS
    assert result.returncode == status, result
    assert result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if not line.startswith("Run 'tq --help'")]
    assert len(lines) == 1 and lines[0].startswith("tq: "), result.stderr
    for word in words:
        assert str(word) in lines[0], (word, lines[0])
