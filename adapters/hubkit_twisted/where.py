"""Where the reactor runs, if it does: in which thread and which greenlet of it.

What must live here: what a caller may expect of the reactor where it stands, and the errors that say why it
may not. What this file must not know: hubs, tasks, how hubkit runs a reactor (loop.py).
"""

from __future__ import annotations

import os
import sys
import threading
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from greenlet import getcurrent, greenlet
from twisted.python import threadable

from hubkit import forking
from hubkit.errors import NotSupported
from hubkit.originals import get_ident

from . import REACTOR


def _reactor() -> Any:
    """The reactor that is installed; else the one that the variable names, else Twisted's default."""
    name = os.environ.get(REACTOR)
    if name and "twisted.internet.reactor" not in sys.modules:
        module = f"twisted.internet.{name}reactor"
        if find_spec(module) is None:
            raise NotSupported(
                f"{REACTOR}={name}, and there is no {module}: it may be epoll, poll, select, kqueue, asyncio"
            )
        import_module(module).install()
    from twisted.internet import reactor

    return reactor


reactor = _reactor()

ELSEWHERE = (
    "Twisted's reactor is one per process, and it is not this thread's. Call hubkit code from here by "
    "twisted.internet.threads.blockingCallFromThread(reactor, hubkit_twisted.run_task, fn)"
)
OVER = "Twisted's reactor was stopped, or is that of the parent process: it cannot be started again"

own: greenlet | None = None  # the reactor's greenlet, if hubkit runs it
_forked = False  # in a child of a process whose reactor ran: what it polls is the parent's


def runs_here() -> bool:
    """Whether the reactor runs in this thread."""
    here: bool = reactor.running and threadable.isInIOThread()  # type: ignore[no-untyped-call]
    return here and not _forked


def is_over() -> bool:
    """Whether the reactor can never run again in this process."""
    return _forked or (not reactor.running and getattr(reactor, "_startedBefore", False))


def can_start() -> bool:
    """Whether hubkit may start the reactor here: signal handlers are the main thread's."""
    return not reactor.running and not is_over() and get_ident() == threading.main_thread().ident


def refusal() -> NotSupported:
    """The error for who asks for a reactor where it neither runs nor can be started."""
    return NotSupported(OVER if is_over() else ELSEWHERE)


def reactor_greenlet() -> greenlet | None:
    """The greenlet of this thread that the reactor runs in; None if there is none."""
    if not runs_here():
        return None
    return main_greenlet() if own is None else own


def main_greenlet() -> greenlet:
    """The thread's own. An application that runs the reactor does it there."""
    g = getcurrent()
    while g.parent is not None:
        g = g.parent
    return g


def _in_child() -> None:
    global own, _forked
    if reactor.running:
        _forked = True
        forking.keep([own])
        own = None


os.register_at_fork(after_in_child=_in_child)
