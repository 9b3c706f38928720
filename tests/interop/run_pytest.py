#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs one pytest file for ctest: run_pytest.py ENVIRONMENT FILE [PYTEST ARGUMENT...]

ENVIRONMENT is what scripts/python-env makes. Where it is missing or unfinished the exit status is 77, which ctest shows
as skipped. Where it is there, everything that goes wrong is a failure.
"""

import os
import subprocess
import sys
from pathlib import Path

SKIPPED = 77


def main() -> int:
    home, test_file, *args = sys.argv[1:]
    python, last_made = Path(home, "venv/bin/python"), Path(home, "numpy1/.made-for")
    if not (os.access(python, os.X_OK) and last_made.exists()):
        print(f"skipped {Path(test_file).name}: there is no Python environment; scripts/python-env makes it")
        return SKIPPED
    command = [str(python), "-m", "pytest", "-p", "no:cacheprovider", "--strict-markers", "-ra", "-q", test_file, *args]
    return subprocess.run(command, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}).returncode


if __name__ == "__main__":
    sys.exit(main())
