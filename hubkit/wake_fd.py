"""WakeFd: a descriptor by which a thread that polls can be woken.

What must live here: making one readable from anywhere, and closing it in time. What this file must not
know: who polls, and how.

A hub may be closed in the very instant in which another thread wakes it. The number must not be given back
to the system before that has written to it: it might be somebody else's by then. So it is closed with the
object, and who wakes holds a reference to that.
"""

from __future__ import annotations

import os
from posix import close, read, write  # those of `os` may be patched

_ONE = (1).to_bytes(8, "little")  # the one size that an eventfd takes; a pipe takes any
_MORE = 4096  # than an eventfd ever holds, or a pipe between two looks that matters


class WakeFd:
    """An eventfd, or a pipe where there are none."""

    __slots__ = ("_write_fd", "fd")

    def __init__(self) -> None:
        if hasattr(os, "eventfd"):
            self.fd = self._write_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        else:
            self.fd, self._write_fd = os.pipe()
            os.set_blocking(self.fd, False)
            os.set_blocking(self._write_fd, False)

    def set(self) -> None:
        """Make `fd` readable.

        Switches: never. Call from: any thread, signal. Raises: nothing.
        """
        try:
            write(self._write_fd, _ONE)
        except BlockingIOError:  # full: it is readable, which is all that matters
            pass

    def clear(self) -> bool:
        """Make it unreadable again; whether it was readable.

        Switches: never. Call from: any thread, signal. Raises: nothing.
        """
        try:
            return bool(read(self.fd, _MORE))
        except BlockingIOError:
            return False

    def __del__(self) -> None:
        if hasattr(self, "_write_fd"):  # else there were no descriptors left for it
            for fd in {self.fd, self._write_fd}:
                close(fd)
