"""The native hub: no host loop, the greenlet that has nothing to do polls.

What must live here: sleeping and being woken. Everything else is LoopHub's.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from posix import read  # os.read may be patched

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
from hubkit.wake_fd import WakeFd

#: More than the signals of one poll.
DRAIN = 4096


class NativeHost(Host):
    """Polls in place; woken through a descriptor, also by signals."""

    hub: InPlaceHub

    def __init__(self, hub: InPlaceHub) -> None:
        super().__init__(hub)
        self._open()

    def _open(self) -> None:
        self._waker: WakeFd | None = WakeFd()
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
        waker = self._waker
        if waker is not None:  # closed in this very instant
            waker.set()

    def set_alarm(self, when: float | None) -> None:
        """Nothing to do: the poll's own timeout is the alarm."""

    def watch(self, fd: int) -> None:
        """The guest's poller is polled by itself; it is told what else must end a poll."""
        assert self._waker is not None
        self.hub.add_wake(self._waker.fd, self._drain)
        if self._signal_pipe is not None:
            self.hub.add_wake(self._signal_pipe[0], self._drain)

    def _drain(self) -> None:
        if self._waker is not None:
            self._waker.clear()
        if self._signal_pipe is not None:
            with suppress(BlockingIOError):
                read(self._signal_pipe[0], DRAIN)

    def close(self) -> None:
        """Give back the descriptors."""
        self._waker = None
        if self._signal_pipe is not None:
            with suppress(ValueError):  # not in the main thread any more
                taken = signal.set_wakeup_fd(-1)
                if taken != self._signal_pipe[1]:  # somebody has taken it over from us
                    signal.set_wakeup_fd(taken)
            for fd in self._signal_pipe:
                os.close(fd)
            self._signal_pipe = None

    def after_fork(self) -> None:
        """The descriptors are shared with the parent: take new ones."""
        self.close()
        self._open()


class NativeHub(InPlaceHub):
    """The guest without a host."""

    name = "native"
    capabilities = frozenset((ORDERED_YIELD, FIFO_LOCKS, MANY_TASKS, DEADLOCK, FORK, PER_THREAD, RESTARTABLE))
    host_class = NativeHost
