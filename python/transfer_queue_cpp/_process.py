# SPDX-License-Identifier: Apache-2.0
"""A node process of this one: started, watched, ended."""

import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import deque
from pathlib import Path

from ._error import Error

START_SECONDS = 8
_STOP_SECONDS = 5
_NEWS_SECONDS = 1
_LINES_KEPT = 20


class NodeProcess:
    """Nodes as a child. It ends with this process, however that ends: it holds the other end of our pipe."""

    def __init__(self, name: str, binary: str, arguments: list[str], environment: dict[str, str], inherited=(), folder=None):
        """`arguments` begin with "controller" or with "storage", which stands for storage units only. `inherited` are
        descriptors that the process gets. `folder` is where its addresses are written; one for the moment unless given.

        Blocks until the nodes serve. Raises Error with their last words; then no process is left.
        """
        self.name, self.death = name, None
        self._stopping, self._inherited = False, inherited
        self._lines, self._first_line = deque(maxlen=_LINES_KEPT), queue.Queue()
        keep, folder = folder is not None, folder or tempfile.mkdtemp(prefix="tq-nodes-")
        try:
            self._start([binary, *_command(folder, *arguments), "--until-eof", "0"], environment)
            self.infos = _read_infos(Path(folder))  # who wants an address asks us
        finally:
            if not keep:
                shutil.rmtree(folder, ignore_errors=True)
        threading.Thread(target=self._watch, daemon=True).start()

    def _start(self, command: list[str], environment: dict[str, str]) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=pipe, env={**os.environ, **environment}, text=True, errors="replace",
            start_new_session=True, pass_fds=self._inherited,
        )  # fmt: skip
        self._log = threading.Thread(target=self._read_log, daemon=True)
        self._log.start()
        threading.Thread(target=self._read_output, daemon=True).start()
        try:
            ready = self._first_line.get(timeout=START_SECONDS)
        except queue.Empty:
            ready = None
        if not ready:
            self._process.kill()
            self._process.wait()
            self._log.join(1)
            took = f"did not start within {START_SECONDS} s" if ready is None else "did not start"
            raise Error(f"{self.name} {took}: {self.last_words()}")
        self.ready_line = ready

    def _read_output(self) -> None:
        self._first_line.put(self._process.stdout.readline())
        for _ in self._process.stdout:
            pass

    def _read_log(self) -> None:
        for line in self._process.stderr:
            self._lines.append(line.rstrip())
            print(f"{self.name}: {line}", end="", file=sys.stderr, flush=True)

    def last_words(self) -> str:
        lines = [line.removeprefix("tq: ") for line in self._lines if line]
        return "; ".join(lines) if lines else "it said nothing"

    def _watch(self) -> None:
        status = self._process.wait()
        self._log.join(1)
        if self._stopping:
            return
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        self.death = f"{self.name} {how}; its last lines: {self.last_words()}"
        # Where Ray ends this actor it kills the children first: that is no news, and this thread is gone in a moment.
        threading.Event().wait(_NEWS_SECONDS)
        print(self.death, file=sys.stderr, flush=True)

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self) -> None:
        """Ends the nodes and waits for them."""
        self._stopping = True
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _command(folder: str, role: str, *arguments: str) -> list[str]:
    if role == "controller":
        return ["controller", "--info-file", f"{folder}/controller.json", *arguments]
    return ["up", "--no-controller", "--info-dir", folder, *arguments]


def _read_infos(folder: Path) -> dict:
    """{"controller": address or None, "units": [address, ...]}, as the address files have them."""
    controller = folder / "controller.json"
    units = sorted(folder.glob("storage-*.json"), key=lambda path: int(path.stem.partition("-")[2]))
    return {
        "controller": json.loads(controller.read_text()) if controller.exists() else None,
        "units": [json.loads(path.read_text()) for path in units],
    }
