"""The native hub: no host loop, the greenlet that has nothing to do polls.

What must live here: sleeping and being woken. Everything else is LoopHub's.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from posix import read, write  # os.read and os.write may be patched

from greenlet import greenlet

from hubkit.contract import (
    DEADLOCK,
    FIFO_LOCKS,
    FORK,
    MANY_TASKS,
    ORDERED_YIELD,
    PER_THREAD,
    RESTARTABLE,
)
from hubkit.host import Host
from hubkit.in_place import InPlaceHub

#: More than an eventfd or pipe ever holds between two polls that matters.
DRAIN = 4096
ONE = (1).to_bytes(8, "little")


class NativeHost(Host):
    """Polls in place; woken through a descriptor, also by signals."""

    hub: InPlaceHub

    def __init__(self, hub: InPlaceHub) -> None:
        super().__init__(hub)
        self._open()

    def _open(self) -> None:
        if hasattr(os, "eventfd"):
            self._read_fd = self._write_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        else:
            self._read_fd, self._write_fd = os.pipe()
            os.set_blocking(self._read_fd, False)
            os.set_blocking(self._write_fd, False)
        self._take_signals()

    def _take_signals(self) -> None:
        """A signal that comes just before the poll would not end it: have it written to a descriptor.

        Only where nobody else has done so, and only the main thread may.
        """
        self._signal_pipe: tuple[int, int] | None = None
        try:
            taken = signal.set_wakeup_fd(-1)
        except ValueError:  # not the main thread
            return
        if taken != -1:
            signal.set_wakeup_fd(taken)
            return
        self._signal_pipe = os.pipe()
        for fd in self._signal_pipe:
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(self._signal_pipe[1], warn_on_full_buffer=False)

    @property
    def loop_greenlet(self) -> greenlet | None:
        """There is none."""
        return None

    def switch(self) -> None:
        """Poll here and now."""
        self.hub.poll_in_place()

    def wake(self) -> None:
        """End the poll, if there is one."""
        with suppress(BlockingIOError):  # full: it is readable, which is all that matters
            write(self._write_fd, ONE)

    def set_alarm(self, when: float | None) -> None:
        """Nothing to do: the poll's own timeout is the alarm."""

    def watch(self, fd: int) -> None:
        """The guest's poller is polled by itself; it is told what else must end a poll."""
        self.hub.add_wake(self._read_fd, self._drain)
        if self._signal_pipe is not None:
            self.hub.add_wake(self._signal_pipe[0], self._drain)

    def _drain(self) -> None:
        for fd in (self._read_fd, *(self._signal_pipe or ())[:1]):
            with suppress(BlockingIOError):
                read(fd, DRAIN)

    def close(self) -> None:
        """Give back the descriptors."""
        fds = {self._read_fd, self._write_fd}
        if self._signal_pipe is not None:
            fds.update(self._signal_pipe)
            with suppress(ValueError):  # not in the main thread any more
                taken = signal.set_wakeup_fd(-1)
                if taken != self._signal_pipe[1]:  # somebody has taken it over from us
                    signal.set_wakeup_fd(taken)
        for fd in fds:
            os.close(fd)

    def after_fork(self) -> None:
        """The descriptors are shared with the parent: take new ones."""
        self.close()
        self._open()


class NativeHub(InPlaceHub):
    """The guest without a host."""

    name = "native"
    capabilities = frozenset((ORDERED_YIELD, FIFO_LOCKS, MANY_TASKS, DEADLOCK, FORK, PER_THREAD, RESTARTABLE))
    host_class = NativeHost
