# SPDX-License-Identifier: Apache-2.0
"""What tq.init() does where TQ_BACKEND=cpp."""

import os

from . import _attach, _binary


def init(interface, conf=None):
    """Attaches to the nodes of TQ_INFO_DIR, or to those of the cluster; where there are none, launches them."""
    if os.environ.get(_attach.VARIABLE):
        _attach.attach()
        return conf
    if os.environ.get(_binary.VARIABLE) and not interface.ray.is_initialized():
        _binary.find_binary()  # what is wrong here need not wait for Ray, which takes seconds to start
    if interface._init_from_existing():
        return conf
    from . import _launch

    try:
        merged = _launch.launch(conf)
    except _launch.NameTaken:  # another process was quicker
        interface._init_from_existing()
        return conf
    # As upstream's init leaves it: close() ends what this process knows.
    if not interface._init_from_existing():
        raise _launch.Error("the nodes that were just started are gone; the log of the driver tells why")
    return merged
