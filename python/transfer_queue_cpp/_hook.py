# SPDX-License-Identifier: Apache-2.0
"""TQ_BACKEND=cpp: tq.init() of the Python package starts C++ nodes. The .pth file beside this package calls install().

Runs at the start of every Python process that has TQ_BACKEND set, so it imports nothing but what Python has loaded already;
the rest happens when transfer_queue.interface is imported.
"""

import functools
import sys

_TARGET = "transfer_queue.interface"
_KNOWN = ("cpp", "python")


def install(backend: str) -> None:
    if backend == "python":
        return
    if _TARGET in sys.modules:
        _wrap(sys.modules[_TARGET], backend)
    elif not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder(backend))


class _Finder:
    """Finds the interface module as everybody else would, and changes `init` when it is loaded."""

    def __init__(self, backend: str):
        self._backend = backend

    def find_spec(self, name, path=None, target=None):
        if name != _TARGET:
            return None
        sys.meta_path.remove(self)
        from importlib.util import find_spec

        spec = find_spec(name)
        if spec is None or spec.loader is None:
            return spec
        load = spec.loader.exec_module

        @functools.wraps(load)
        def exec_module(module):
            load(module)
            _wrap(module, self._backend)

        spec.loader.exec_module = exec_module
        return spec


def _wrap(interface, backend: str) -> None:
    original = interface.init

    @functools.wraps(original)
    def init(conf=None, *args, **kwargs):
        if backend not in _KNOWN:
            from ._error import Error

            raise Error(f"TQ_BACKEND is '{backend}'; set it to cpp for C++ nodes, to python or not at all for Python's")
        from ._init import init as cpp_init

        return cpp_init(interface, conf)

    interface.init = init
