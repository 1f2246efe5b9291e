"""The Twisted hub: what Twisted's reactor offers to the guest.

What must live here: calls, readers and triggers of the reactor behind the host hooks. What this file must
not know: how hubkit runs the reactor (loop.py), Deferreds in the hands of users (bridge.py).
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from typing import Any

from greenlet import getcurrent, greenlet
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from hubkit.contract import FIFO_LOCKS, HOST_MIX, MANY_TASKS, ORDERED_YIELD, RESTARTABLE
from hubkit.errors import Closed
from hubkit.host import Host
from hubkit.loop_hub import LoopHub
from hubkit.originals import get_ident, monotonic
from hubkit.running import GRACE, end_tasks
from hubkit.spawning import spawn
from hubkit.watched import Watched

from . import loop, where
from .deferreds import end_of
from .reader import Reader
from .where import reactor

_log = Logger(namespace="hubkit")


class TwistedHost(Host):
    """The reactor, which the application runs, or hubkit where nobody does."""

    greenlet_tasks = False

    def __init__(self, hub: LoopHub) -> None:
        super().__init__(hub)
        if not where.runs_here() and not where.can_start():
            raise where.refusal()
        loop.Loop.on_error = hub.to_main
        self._turn = partial(self._call, hub.turn)
        self._alarm: Any = None
        self._reader: Reader | None = None
        self._triggers = [
            reactor.addSystemEventTrigger("before", "shutdown", self._end_tasks),
            reactor.addSystemEventTrigger("during", "shutdown", self._end),
        ]
        if not reactor.running:
            self._triggers.append(reactor.callWhenRunning(self._started))

    def _started(self) -> None:
        """By the application, maybe: then what was the main task until now is the reactor."""
        self._triggers.pop()
        if get_ident() == self.hub.thread:
            self.hub.disown(getcurrent())
        else:
            self.close()  # who waits in the hub's thread is told

    def _end_tasks(self) -> Deferred[Any] | None:
        """The reactor is to stop, and waits until the tasks have ended as they would at the end of `run`."""
        return end_of(spawn(end_tasks, [self.hub], GRACE)) if self.hub.tasks else None

    def _end(self) -> None:
        self._triggers.clear()
        if self.hub.main is None:  # else that is told where it waits, and closes the hub
            self.hub.close()

    @classmethod
    def alive_here(cls) -> bool:
        """Whether the reactor runs in this thread."""
        return where.runs_here()

    def ended(self) -> bool:
        """A reactor that was stopped never runs again."""
        return where.is_over()

    @property
    def loop_greenlet(self) -> greenlet | None:
        """None until the reactor runs."""
        return where.reactor_greenlet()

    def switch(self) -> None:
        """Let the reactor run, and start it if nobody has."""
        running = where.reactor_greenlet()
        if running is not None:
            running.switch()
        elif where.can_start():
            loop.start()
        elif not where.is_over():
            raise where.refusal()
        if where.is_over():
            raise Closed(where.OVER)

    def _call(self, fn: Callable[[], None]) -> None:
        """What a signal handler raises meanwhile is not for the reactor, which drops such readers."""
        try:
            if get_ident() == self.hub.thread:  # else it was started elsewhere after this was asked for
                fn()
        except BaseException as error:
            if self.hub.main is not None:
                self.hub.to_main(error)
            else:
                _log.failure("a signal handler failed, and there is no main task to hear of it")

    def wake(self) -> None:
        """By the one call of the reactor that any thread and any signal handler may make."""
        reactor.callFromThread(self._turn)

    def set_alarm(self, when: float | None) -> None:
        """One delayed call at a time. They follow the wall clock, so one may be early: the guest looks."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if when is not None:
            self._alarm = reactor.callLater(max(0.0, when - monotonic()), self._call, self._on_alarm)

    def _on_alarm(self) -> None:
        self._alarm = None
        self.hub.on_alarm()

    def watch(self, fd: int) -> None:
        """A reader that stays; the reactor does not end for want of one."""
        self._reader = Reader(fd, partial(self._call, self.hub.on_readable))
        reactor.addReader(self._reader)

    def close(self) -> None:
        """Withdraw the reader, the delayed call and the triggers; the reactor stays."""
        self.set_alarm(None)
        reactor.removeReader(self._reader)
        for trigger in self._triggers:
            reactor.removeSystemEventTrigger(trigger)
        self._triggers.clear()
        if loop.Loop.on_error == self.hub.to_main:
            loop.Loop.on_error = loop.reraise


class TwistedHub(LoopHub):
    """The guest on Twisted."""

    name = "twisted"
    capabilities = frozenset((ORDERED_YIELD, FIFO_LOCKS, MANY_TASKS, HOST_MIX, RESTARTABLE))
    remedy = "Have a task wait: hubkit_twisted.run_task(fn, …) gives a Deferred, hubkit.spawn(fn) a task"
    host_class = TwistedHost

    def awaited(self, what: Watched) -> Generator[Any, Any, Any]:
        """Wait for a task or a future where Deferreds are awaited; see `Hub.awaited`."""
        return end_of(what).__await__()
