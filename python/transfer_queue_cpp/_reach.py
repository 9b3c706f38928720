# SPDX-License-Identifier: Apache-2.0
"""Whether somebody listens: asked before libraries that try for longer than anybody waits, and then print a stack."""

import socket

_SECONDS = 5


def reach(host: str, port: int) -> None:
    """Connects, and leaves. Raises OSError where nobody listens; blocks for 5 s at most."""
    socket.create_connection((host, port), timeout=_SECONDS).close()
