# SPDX-License-Identifier: Apache-2.0
"""What pyproject.toml cannot say: the .pth file goes beside the package, and the program tq into it where it is built."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent
PROGRAM = HERE.parent / "build/release/bin/tq"
PTH = "transfer_queue_cpp.pth"


class BuildWithHook(build_py):
    def run(self):
        super().run()
        if self.editable_mode:
            return
        shutil.copy(HERE / PTH, Path(self.build_lib, PTH))
        if PROGRAM.is_file():
            carried = Path(self.build_lib, "transfer_queue_cpp/bin/tq")
            carried.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROGRAM, carried)


setup(cmdclass={"build_py": BuildWithHook})
