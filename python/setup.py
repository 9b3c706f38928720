# SPDX-License-Identifier: Apache-2.0
"""What pyproject.toml cannot say: the .pth file goes beside the package, and the program tq into it where it is built.

A wheel with the program is of this kind of machine, and any Python 3; one without it is of any machine.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
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


class WheelOfAMachine(bdist_wheel):
    def finalize_options(self):
        super().finalize_options()
        self.root_is_pure = not PROGRAM.is_file()

    def get_tag(self):
        return "py3", "none", super().get_tag()[2]


setup(cmdclass={"build_py": BuildWithHook, "bdist_wheel": WheelOfAMachine})
