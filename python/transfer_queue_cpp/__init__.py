# SPDX-License-Identifier: Apache-2.0
"""TransferQueue on C++ nodes.

    launch(conf)     starts C++ nodes on the Ray cluster; tq.init() of the Python package then attaches in any process
    shutdown()       ends them, from any process of the cluster
    status()         what runs where, and what died
    attach(folder)   without Ray: lets this process use nodes whose addresses stand in a folder
    find_binary()    the program tq that all of this runs

With TQ_BACKEND=cpp in the environment, tq.init(conf) itself launches or attaches. docs/python.md tells the rest.
"""

from ._error import Error
from ._version import VERSION as __version__

__all__ = ["Error", "attach", "find_binary", "launch", "shutdown", "status"]

_HOMES = {
    "attach": "_attach",
    "find_binary": "_binary",
    "launch": "_launch",
    "shutdown": "_launch",
    "status": "_launch",
}


# Ray and torch take seconds to import; nobody pays for them who does not use them.
def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
