# SPDX-License-Identifier: Apache-2.0
"""The state of a sampler that a user wrote, as bytes in a checkpoint: a pickle that only this process reads.

Whoever can write a checkpoint could have a plain pickle run anything here, so only plain data, and classes of the module
that has the sampler, are taken; what is not is refused when it is saved, where somebody can still do something about it.
"""

import io
import pickle
import sys
from typing import Any

from ._error import Error

_PLAIN = {
    "builtins": {"set", "frozenset", "complex", "slice", "list", "dict", "int", "float", "str", "bool", "tuple"},  # also as a defaultdict's
    "collections": {"defaultdict", "OrderedDict", "deque", "Counter"},
}


class _Reader(pickle.Unpickler):
    def __init__(self, state: bytes, module: str):
        super().__init__(io.BytesIO(state))
        self._module = module

    def find_class(self, module: str, name: str):
        if name in _PLAIN.get(module, ()):
            return super().find_class(module, name)
        found = getattr(sys.modules.get(module), name, None) if module == self._module and module != "builtins" else None
        if isinstance(found, type) and found.__module__ == module:
            return found
        raise Error(f"{module}.{name} is in the state of the sampler, and a checkpoint takes plain data and the sampler's own classes")


def _read(sampler: Any, state: bytes) -> Any:
    try:
        return _Reader(state, type(sampler).__module__).load()
    except Error:
        raise
    except Exception as error:
        raise Error(f"the state of the sampler cannot be read: {type(error).__name__}: {error}") from None


def save(sampler: Any) -> bytes | None:
    """None for a sampler of a release that has no checkpoints. Raises Error for what load() would not take."""
    if not hasattr(sampler, "save_checkpoint"):
        return None
    try:
        state = pickle.dumps(sampler.save_checkpoint(), protocol=5)
    except Exception as error:
        raise Error(f"the state of {type(sampler).__name__} cannot be saved: {type(error).__name__}: {error}") from None
    _read(sampler, state)
    return state


def load(sampler: Any, name: str, state: bytes) -> None:
    """Raises Error, before the sampler is asked, for the state of another class or one that is none."""
    if name != type(sampler).__name__:
        raise Error(f"the checkpoint has the state of the sampler {name}, and this one is {type(sampler).__name__}")
    if not hasattr(sampler, "load_checkpoint"):
        raise Error(f"{type(sampler).__name__} has no load_checkpoint(); use 0.1.9 of the package, or later")
    sampler.load_checkpoint(_read(sampler, state))
