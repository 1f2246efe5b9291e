"""Workers: the greenlets that carry tasks, and where they are started from.

What must live here: how a greenlet is started at a small recursion depth, and when a used one may carry
another task. What this file must not know: the ready ring, the host.

A new greenlet inherits the recursion depth of whoever first switches into it. Started from a task deep in
a recursion it would have that much less room, and so would every task that it ever carries. So
workers are started by a `Starter`, a greenlet that was itself started near the bottom of the stack.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from sys import getrefcount
from typing import Any
from weakref import getweakrefcount

from greenlet import greenlet

from .originals import ThreadLocal

#: Idle workers kept. One costs about 17 KiB; making one costs as much time as ten switches or more.
MAX_IDLE = 1024


class Worker(greenlet):
    """A greenlet that carries one task after another, in its hub's `carry`."""

    __slots__ = ("_hub", "_references", "_starter", "_trace", "hubkit_task")

    def __init__(self, hub: Any, starter: Starter) -> None:
        super().__init__(None, starter)
        self.hubkit_task: Any = None  # the task it carries; None between tasks
        self._hub = hub
        self._starter = starter

    def run(self) -> None:
        self._trace = sys.gettrace()
        self._references = self._foreign()
        self._hub.carry(self)

    def _foreign(self) -> int:
        held = HELD if self._starter.holding is self else 0
        return getrefcount(self) - held

    def reusable(self) -> bool:
        """Whether the last task left nothing behind: no reference, weak reference, attribute, trace.

        Hosts hang what belongs to a task on its greenlet: locals, timeouts, thread records. A worker
        that somebody still refers to must not carry another task.
        """
        return (
            self._foreign() <= self._references
            and not getweakrefcount(self)
            and not self.__dict__
            and sys.gettrace() is self._trace
        )


class Starter(greenlet):
    """Switches into new greenlets from the depth at which it was itself started.

    Set `order` and switch here to have a greenlet started. Control also comes back when a worker ends,
    as this is its parent: then there is no order, and `on_end` decides who is next.
    """

    __slots__ = ("_on_end", "holding", "hubkit_task", "order")

    def __init__(self, on_end: Callable[[], object]) -> None:
        super().__init__()
        self.hubkit_task = None  # hub context
        self.order: greenlet | None = None
        self.holding: greenlet | None = None  # what it is suspended in, and so refers to
        self._on_end = on_end

    def run(self) -> None:
        while True:
            order, self.order = self.order, None
            self.holding = order
            if order is None:
                self._on_end()
            else:
                order.switch()


_starters = ThreadLocal()  # .shallow: a starter made while this thread's stack was small


def remember_depth() -> None:
    """Keep a starter at the caller's depth for hubs made later in this thread.

    Called at import, where the stack is small: the first verb may come from deep in a recursion, and
    a hub without a loop of its own has no better place to start from.
    """
    here = greenlet.getcurrent()
    starter = Starter(here.switch)
    starter.switch()
    _starters.shallow = starter


def start(starter: Starter) -> None:
    """First switch into `starter`, from this thread's remembered depth if there is one."""
    shallow = getattr(_starters, "shallow", None)
    if shallow is None or shallow.dead:
        starter.switch()
    else:
        shallow.order = starter
        shallow.switch()


def _references_of_a_starter() -> int:
    """How many references a starter holds to the greenlet that it has switched into."""
    counts: list[int] = []
    here = greenlet.getcurrent()

    def probe() -> None:
        counts.append(getrefcount(first))
        here.switch()

    first = greenlet(probe)
    starter = Starter(here.switch)
    for order in (first, greenlet(here.switch)):
        starter.order = order
        starter.switch()
    counts.append(getrefcount(first))
    return counts[0] - counts[1]


HELD = _references_of_a_starter()
