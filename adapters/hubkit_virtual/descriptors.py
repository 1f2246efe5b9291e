"""Descriptors: whether what one task has written can be read by the next at once.

What must live here: asking the kernel what a descriptor is. What this file must not know: hubs, clocks.
"""

from __future__ import annotations

import os
import socket
import stat


def is_slow(fd: int) -> bool:
    """Whether what is written at one end takes a moment to arrive at the other.

    Not so of pipes and Unix sockets. The network delivers, even on loopback, when the kernel gets to it.
    """
    try:
        mode = os.fstat(fd).st_mode
    except OSError:  # closed meanwhile
        return False
    if not stat.S_ISSOCK(mode):
        return stat.S_ISCHR(mode)  # a terminal
    seen = socket.socket(fileno=fd)
    try:
        return seen.family != socket.AF_UNIX
    finally:
        seen.detach()
