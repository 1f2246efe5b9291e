"""The gevent hub: what gevent's loop offers to the guest.

What must live here: gevent's watchers behind the host hooks, and its patcher. Everything else is
LoopHub's. gevent's own greenlets may call any hubkit verb, and hubkit's tasks any verb of gevent.
"""

from __future__ import annotations

from typing import Any

from gevent import get_hub, monkey
from gevent._hub_local import get_hub_if_exists
from gevent.exceptions import LoopExit
from greenlet import getcurrent, greenlet

from hubkit.contract import (
    DEADLOCK,
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

READABLE = 1
KEEP_ALIVE = 3600.0  # seconds between two calls of nothing at all


class GeventHost(Host):
    """gevent's hub of one thread."""

    exhausted = (LoopExit,)

    def __init__(self, hub: LoopHub) -> None:
        super().__init__(hub)
        self._made = not self.alive_here()
        self._gevent = get_hub()
        self._thread = get_ident()
        loop = self._loop = self._gevent.loop
        self._wake = loop.async_(ref=False)
        self._wake.start(hub.turn)
        self._keeper = loop.timer(KEEP_ALIVE, KEEP_ALIVE)  # a loop lives while one is started
        self._alarm: Any = None
        self._io: Any = None

    @classmethod
    def alive_here(cls) -> bool:
        """Whether gevent has a hub in this thread."""
        return get_hub_if_exists() is not None

    @property
    def loop_greenlet(self) -> greenlet | None:
        """gevent's hub is the greenlet."""
        return self._gevent

    def switch(self) -> None:
        """Let gevent's loop run."""
        self._gevent.switch()

    def wake(self) -> None:
        """By a callback, which is cheap; but a turn that asks for the next one must wait for the loop's
        next pass, as gevent runs many callbacks before it looks at timers and descriptors again."""
        if get_ident() == self._thread and getcurrent() is not self._gevent:
            self._loop.run_callback(self.hub.turn)
        else:
            if get_ident() == self._thread:
                self.hold(True)  # the loop would end without looking at a watcher that has no reference
            self._wake.send()

    def set_alarm(self, when: float | None) -> None:
        """One timer watcher at a time; its length is fixed when it is made."""
        if self._alarm is not None:
            self._alarm.close()
            self._alarm = None
        if when is not None:
            shortest = self._loop.approx_timer_resolution  # libuv warns of less
            self._alarm = self._loop.timer(max(shortest, when - monotonic()))
            # Measured from now: gevent's idea of the time is as old as the turn.
            self._alarm.start(self.hub.on_alarm, update=True)

    def watch(self, fd: int) -> None:
        """An io watcher that does not keep the loop alive."""
        self._io = self._loop.io(fd, READABLE, ref=False)
        shared = getattr(self._io, "_watcher_ref", None)
        if shared is not None:  # libuv has one handle for all watchers of a descriptor, and it has the say
            shared.ref = False
        self._io.start(self.hub.on_readable)

    def hold(self, on: bool) -> None:
        """A started watcher with a reference keeps the loop alive."""
        if on and not self._keeper.active:
            self._keeper.start(int)  # a call that does nothing
        elif not on and self._keeper.active:
            self._keeper.stop()

    def abandon(self) -> None:
        """gevent frees a thread's loop only on demand."""
        self.close()
        if self._made:
            self._gevent.destroy(destroy_loop=True)

    def close(self) -> None:
        """Stop and close every watcher; a loop that was destroyed has done so itself."""
        self.set_alarm(None)
        for watcher in (self._io, self._keeper, self._wake):
            if watcher is not None and self._loop.ptr:
                watcher.close()


class GeventHub(LoopHub):
    """The guest on gevent."""

    name = "gevent"
    capabilities = frozenset(
        (
            INTERRUPT_HOST,
            ORDERED_YIELD,
            FIFO_LOCKS,
            MANY_TASKS,
            DEADLOCK,
            PATCH,
            HOST_MIX,
            PER_THREAD,
            RESTARTABLE,
        )
    )
    host_class = GeventHost

    @classmethod
    def patch(cls) -> dict[str, str]:
        """gevent's own `patch_all`."""
        monkey.patch_all()
        return dict.fromkeys(sorted(monkey.saved), "patched by gevent.monkey")

    @classmethod
    def is_patched(cls, module: str) -> bool:
        """Whether gevent has patched `module`."""
        return bool(monkey.is_module_patched(module))

    @classmethod
    def original(cls, module: str, attribute: str) -> Any:
        """What gevent has replaced, or what is there."""
        return monkey.get_original(module, attribute)
