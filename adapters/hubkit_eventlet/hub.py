"""The eventlet hub: what eventlet's hub offers to the guest.

What must live here: its listeners and timers behind the host hooks, and its patcher. All else is LoopHub's.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

from hubkit.errors import NotSupported

if "eventlet" not in sys.modules and threading.current_thread() is not threading.main_thread():
    # A thread that is the first to import eventlet can never be joined.
    raise NotSupported(
        "eventlet must first be imported in the main thread: type `import eventlet`, or "
        "hubkit.use('eventlet'), there before any other thread spawns a task"
    )

import eventlet
from eventlet import hubs, patcher
from greenlet import getcurrent, greenlet

from hubkit.contract import (
    FIFO_LOCKS,
    HOST_MIX,
    INTERRUPT_HOST,
    MANY_TASKS,
    ORDERED_YIELD,
    PATCH,
    PER_THREAD,
    RESTARTABLE,
)
from hubkit.host import Host
from hubkit.loop_hub import LoopHub
from hubkit.originals import get_ident, monotonic
from hubkit.wake_fd import WakeFd

from . import loops


class EventletHost(Host):
    """eventlet's hub of one thread."""

    def __init__(self, hub: LoopHub) -> None:
        super().__init__(hub)
        self._made = not self.alive_here()
        self._eventlet = hubs.get_hub()
        self._thread = get_ident()
        self._adopt_loop()
        self._waker: WakeFd | None = WakeFd()
        self._listeners = [self._listen(self._waker.fd, self._on_wake)]
        self._alarm: Any = None

    def _adopt_loop(self) -> None:
        """eventlet's loop is a child of whichever greenlet made it, and its errors and Ctrl-C go there:
        that must be the thread's main greenlet, not a task."""
        main = getcurrent()
        while main.parent is not None:
            main = main.parent
        loop = self._eventlet.greenlet
        if not loop.dead and loop is not main:
            loop.parent = main

    def _listen(self, fd: int, fn: Any) -> Any:
        return self._eventlet.add(hubs.hub.READ, fd, fn, fn, lambda: None)

    @classmethod
    def alive_here(cls) -> bool:
        """Whether eventlet has a hub in this thread."""
        return getattr(hubs._threadlocal, "hub", None) is not None

    @property
    def loop_greenlet(self) -> greenlet | None:
        """eventlet replaces it when it has died, at its next switch; here it is done before."""
        return loops.revive(self._eventlet)

    def switch(self) -> None:
        """Let eventlet's loop run."""
        loops.revive(self._eventlet)
        self._eventlet.switch()

    def wake(self) -> None:
        """A timer while a greenlet of this thread runs; a descriptor where the loop may be asleep."""
        if get_ident() == self._thread and getcurrent() is not self._eventlet.greenlet:
            self._eventlet.schedule_call_global(0, self.hub.turn)
        elif (waker := self._waker) is not None:  # else it is closed in this very instant
            waker.set()

    def _on_wake(self, fd: int) -> None:
        if self._waker is not None:
            self._waker.clear()
        self.hub.turn()

    def set_alarm(self, when: float | None) -> None:
        """One of eventlet's timers at a time."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if when is not None:
            delay = max(0.0, when - monotonic())
            self._alarm = self._eventlet.schedule_call_global(delay, self._on_alarm)

    def _on_alarm(self) -> None:
        self._alarm = None
        self.hub.on_alarm()

    def watch(self, fd: int) -> None:
        """A listener that stays; eventlet's loop does not end for want of one."""
        self._listeners.append(self._listen(fd, lambda _: self.hub.on_readable()))

    def abandon(self) -> None:
        """eventlet never closes the descriptor that it polls with."""
        self.close()
        if self._made:
            loops.free(self._eventlet)

    def close(self) -> None:
        """Remove the listeners and the timer."""
        self.set_alarm(None)
        for listener in self._listeners:
            self._eventlet.remove(listener)
        self._waker = None


class EventletHub(LoopHub):
    """The guest on eventlet."""

    name = "eventlet"
    capabilities = frozenset(
        (INTERRUPT_HOST, ORDERED_YIELD, FIFO_LOCKS, MANY_TASKS, PATCH, HOST_MIX, PER_THREAD, RESTARTABLE)
    )
    host_class = EventletHost

    @classmethod
    def patch(cls) -> dict[str, str]:
        """eventlet's own `monkey_patch`."""
        eventlet.monkey_patch()
        return dict.fromkeys(sorted(patcher.already_patched), "patched by eventlet.patcher")

    @classmethod
    def is_patched(cls, module: str) -> bool:
        """Whether eventlet has patched `module`."""
        return bool(patcher.is_monkey_patched(module))

    @classmethod
    def original(cls, module: str, attribute: str) -> Any:
        """The attribute of the module as it was."""
        return getattr(patcher.original(module), attribute)
