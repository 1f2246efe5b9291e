"""The asyncio hub: what an asyncio loop offers to the guest.

What must live here: the loop's calls behind the host hooks. Everything else is LoopHub's. This file must
not know: coroutines (awaiting.py, serving.py), how a loop of our own runs (loops.py).

Where an application runs a loop in the thread the hub is a guest on that one and ends with it. Where none
runs the hub makes one, and runs it in a greenlet of its own until the hub is closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextvars import Context
from math import ceil
from typing import Any, ClassVar, cast

from greenlet import getcurrent, greenlet

from hubkit.contract import FIFO_LOCKS, HOST_MIX, MANY_TASKS, ORDERED_YIELD, PER_THREAD, RESTARTABLE
from hubkit.host import Host
from hubkit.loop_hub import LoopHub
from hubkit.originals import get_ident, monotonic
from hubkit.watched import Watched

from . import loops
from .carriers import Adapted, Adapting
from .serving import outcome

TICK = 0.001  # seconds: loops that count milliseconds would be early by a part of one


class AsyncioHost(Host):
    """One asyncio loop: somebody else's, or one of our own."""

    greenlet_tasks = False
    #: What runs a loop where none runs yet.
    own_loop: ClassVar[type[loops.OwnLoop]] = loops.OwnLoop

    def __init__(self, hub: LoopHub) -> None:
        super().__init__(hub)
        self._thread = get_ident()
        self._context = Context()  # the loop would keep a copy of the caller's, with all that is in it
        self._alarm: asyncio.TimerHandle | None = None
        self._fd = -1
        self._called = False  # while the loop is in a call of ours
        self._own: loops.OwnLoop | None = None
        self.loop: asyncio.AbstractEventLoop
        if hub.loop is not None:
            self.loop = cast("asyncio.AbstractEventLoop", hub.loop)
            self._greenlet = loops.root()  # to begin with: see _call
            self._farewell = loops.Farewell(hub)
        else:
            self._own = self._greenlet = self.own_loop(hub.to_main)
            self.loop = self._own.loop
            self._own.begin()

    @classmethod
    def loop_here(cls) -> object:
        """The running loop, unless it is one of ours."""
        return loops.running_here()

    def ended(self) -> bool:
        """A loop that is closed never runs again."""
        return self.loop.is_closed()

    @property
    def loop_greenlet(self) -> greenlet | None:
        """The greenlet that the loop runs in, as of its last call."""
        return self._greenlet

    def switch(self) -> None:
        """Let the loop go on."""
        self._greenlet.switch()

    def _call(self, turn: Callable[[], None]) -> None:
        """Where the loop calls the guest."""
        if self._own is None:
            self._greenlet = getcurrent()  # a loop that was stopped may go on in another
        self._called = True
        try:
            turn()
        finally:
            self._called = False

    def wake(self) -> None:
        """Where the loop may be asleep it must be woken: also in its own greenlet, where this may be a
        signal handler's doing, unless it is known that the loop is in a call."""
        try:
            if get_ident() == self._thread and (self._called or getcurrent() is not self._greenlet):
                self.loop.call_soon(self._call, self.hub.turn, context=self._context)
            else:
                self.loop.call_soon_threadsafe(self._call, self.hub.turn, context=self._context)
        except RuntimeError:
            if not self.loop.is_closed():
                raise

    def set_alarm(self, when: float | None) -> None:
        """One of the loop's timers at a time."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if when is not None:
            delay = ceil(max(0.0, when - monotonic()) / TICK) * TICK
            self._alarm = self.loop.call_later(delay, self._call, self.hub.on_alarm, context=self._context)

    def watch(self, fd: int) -> None:
        """A reader that stays; a loop does not end for want of one."""
        self._fd = fd
        self._context.run(self.loop.add_reader, fd, self._call, self.hub.on_readable)

    def close(self) -> None:
        """Leave the loop; end it if it is our own."""
        self.set_alarm(None)
        self.loop.remove_reader(self._fd)
        if self._own is None:
            self._farewell.over()
        else:
            self._own.end()

    def abandon(self) -> None:
        """As `close`, in a thread that is about to end: nothing may wait there."""
        if self._own is not None:
            self._own.patience = 0.0
        self.close()


class AsyncioHub(LoopHub):
    """The guest on asyncio."""

    name = "asyncio"
    capabilities = frozenset((ORDERED_YIELD, FIFO_LOCKS, MANY_TASKS, HOST_MIX, PER_THREAD, RESTARTABLE))
    remedy = (
        "In a coroutine type `await hubkit_asyncio.run_task(fn, …)`; in a callback spawn a task: "
        "hubkit.spawn(fn)"
    )
    host_class = AsyncioHost
    worker_class = Adapted
    starter_class = Adapting

    host: AsyncioHost

    def awaited(self, what: Watched) -> Generator[Any, Any, Any]:
        """Wait for a task or a future in a coroutine; see `Hub.awaited`.

        Switches: never. Call from: a coroutine. Raises: what `result` raises.
        """
        return outcome(what).__await__()
