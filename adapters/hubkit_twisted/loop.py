"""The reactor where hubkit runs it: in a greenlet of its own, for as long as the process lives.

What must live here: starting the reactor, its main loop and its signals, and stopping it at exit. What this
file must not know: hubs, tasks, what they ask of the reactor.

A reactor that was stopped cannot be started again. So it is not: between two hubs its greenlet stays
suspended, and it stops when the interpreter ends, with the shutdown triggers that somebody relies on.
"""

from __future__ import annotations

import atexit
import signal
import threading
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from types import FrameType
from typing import Any

from greenlet import getcurrent, greenlet
from twisted.internet.base import ReactorBase

from hubkit import workers

from . import where
from .where import reactor

PASS = 60.0  # seconds of one `iterate` of a reactor whose main loop is not its own


def start() -> None:
    """Run the reactor in a greenlet of its own; returns when somebody switches back."""
    where.own = Loop(where.main_greenlet())
    workers.start(where.own)


def reraise(error: BaseException) -> None:
    """What there is nobody to tell of ends the reactor."""
    raise error


class Loop(greenlet):  # type: ignore[misc] # greenlet has no type hints
    """The reactor's main loop. Made in the main thread, by whoever must wait there first."""

    hubkit_task = None  # hub context
    hubkit_gives_way = True  # its handler of SIGINT, to that of a program

    #: Takes what a signal handler raised while the reactor was at work.
    on_error: Callable[[BaseException], None] = staticmethod(reraise)

    def __init__(self, main: greenlet) -> None:
        super().__init__(None, main)
        self.gr_context = copy_context()

    def run(self) -> None:
        """What `reactor.run` does, except that it swallows no error of a signal handler."""
        # The interpreter waits for threads before it calls exit handlers. Those of the reactor's pool wait
        # for the reactor to stop, which it does in one; it joins them itself.
        reactor.getThreadPool().threadFactory = partial(threading.Thread, daemon=True)
        before = self._start()
        step = self._poll if type(reactor).run is ReactorBase.run else partial(reactor.iterate, PASS)
        while reactor.running:
            try:
                step()
            except BaseException as error:
                Loop.on_error(error)
        if signal.getsignal(signal.SIGINT) == self._on_ctrl_c:
            signal.signal(signal.SIGINT, before)

    def _start(self) -> Any:
        """Of the reactor's signal handlers only that of SIGCHLD stays: it serves those who start processes,
        the others would stop the reactor. Returns what SIGINT was handled by."""
        interrupt, terminate = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
        reactor.startRunning(installSignalHandlers=True)
        signal.signal(signal.SIGTERM, terminate)
        taken = interrupt is signal.default_int_handler
        signal.signal(signal.SIGINT, self._on_ctrl_c if taken else interrupt)
        return interrupt

    def _poll(self) -> None:
        reactor.runUntilCurrent()
        reactor.doIteration(reactor.timeout() if reactor.running else 0)

    def _on_ctrl_c(self, number: int, frame: FrameType | None) -> None:
        """Raises nothing inside the reactor: what it calls would swallow it."""
        if getcurrent() is self:
            Loop.on_error(KeyboardInterrupt())
        else:
            signal.default_int_handler(number, frame)


def _stop_at_exit() -> None:
    loop = where.own
    if loop is not None and not loop.dead:
        reactor.stop()
        while not loop.dead:
            loop.switch()


atexit.register(_stop_at_exit)
