# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests of the Python package: it is installed by pip into an environment of its own, and Ray clusters."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PYTHON_ENV = Path(os.environ.get("TQ_PYTHON_ENV") or ROOT / "build/python")
SITE = Path("lib", f"python{sys.version_info.major}.{sys.version_info.minor}", "site-packages")
PROGRAM_SECONDS = 300  # Ray and torch on a busy machine

sys.path.insert(0, str(HERE))


def tq_binary() -> Path:
    return Path(os.environ.get("TQ_BIN") or ROOT / "build/release/bin/tq").resolve()


class Environment:
    """A Python environment with TransferQueue, Ray and our package, and the programs that run in it."""

    def __init__(self, folder: Path):
        self.folder, self.python = folder / "env", folder / "env/bin/python"
        self.site = self.folder / SITE
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", self.folder], check=True)
        # TransferQueue and what it needs come from the environment of all tests.
        (self.site / "shared.pth").write_text(f"{PYTHON_ENV.resolve() / 'venv' / SITE}\n")
        self.tree = tree = folder / "tree"  # pip writes beside the sources
        shutil.copytree(ROOT / "python", tree / "python", ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__", "bin"))
        (tree / "build/release/bin").mkdir(parents=True)
        (tree / "build/release/bin/tq").symlink_to(tq_binary())
        subprocess.run(
            [self.python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index",
             "--disable-pip-version-check", "--no-compile", tree / "python"],
            check=True, env=self.variables(),
        )  # fmt: skip

    def variables(self, version: str = "0.1.11", **more: str) -> dict[str, str]:
        env = {k: v for k, v in os.environ.items() if not k.startswith(("TQ_", "RAY_")) and k != "PYTHONPATH"}
        if version != "0.1.11":
            env["PYTHONPATH"] = str(PYTHON_ENV.resolve() / f"tq-{version}")
        quiet = {"RAY_DEDUP_LOGS": "0", "PYTHONWARNINGS": "ignore", "PYTHONDONTWRITEBYTECODE": "1", "RAY_USAGE_STATS_ENABLED": "0"}
        return {**env, **quiet, **more}

    def start(self, *arguments, version: str = "0.1.11", **variables: str) -> subprocess.Popen:
        command = [self.python, *map(str, arguments)]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=self.variables(version, **variables), stdin=pipe, stdout=pipe, stderr=pipe, text=True)

    def run(self, *arguments, seconds: float = PROGRAM_SECONDS, **kwargs) -> subprocess.CompletedProcess:
        """Runs a program to its end, whatever its exit status."""
        process = self.start(*arguments, **kwargs)
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"{arguments} did not end within {seconds} s:\n{out}\n{err}") from None
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def succeed(self, *arguments, **kwargs) -> str:
        """The output of a program that must end well."""
        done = self.run(*arguments, **kwargs)
        assert done.returncode == 0, f"{arguments}: status {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture(scope="session")
def package(tmp_path_factory) -> Environment:
    return Environment(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def cluster(package, tmp_path_factory):
    """The address of a Ray cluster of two nodes on this machine; the second one has the resource `storage`."""
    temporary = tmp_path_factory.mktemp("tmp")
    # Ray runs its workers at nice 15, which takes forever beside a build.
    process = package.start(HERE / "ray_cluster.py", TMPDIR=str(temporary), RAY_worker_niceness="0")
    line = process.stdout.readline()
    if not line.startswith("{"):
        raise AssertionError(f"no Ray cluster: {line}{process.stderr.read()}")
    yield json.loads(line)["address"]
    process.stdin.close()
    assert process.wait(60) == 0
    assert list(temporary.glob("tq-*")) == []
