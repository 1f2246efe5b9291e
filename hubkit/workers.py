"""Workers: the greenlets that carry tasks, and where they are started from.

What must live here: the greenlets themselves, and how one is started at a small recursion depth. What this
file must not know: the ready ring, the host, when a used one may carry another task (crew.py).

A new greenlet inherits the recursion depth of whoever first switches into it. Started from a task deep in
a recursion it would have that much less room, and so would every task that it ever carries. So
workers are started by a `Starter`, a greenlet that was itself started near the bottom of the stack.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from greenlet import GreenletExit, greenlet

from .originals import ThreadLocal

#: Idle workers kept. One costs about 17 KiB; making one costs as much time as ten switches or more.
MAX_IDLE = 1024


class Worker(greenlet):  # type: ignore[misc] # greenlet has no type hints
    """A greenlet that carries one task after another, as its crew has it."""

    __slots__ = ("_crew", "hubkit_task", "hubkit_turn", "job", "resume")

    def __init__(self, crew: Any, starter: Starter) -> None:
        super().__init__(None, starter)
        self.job: Any = None  # what it is to carry, from when it is chosen for it
        self.hubkit_task: Any = None  # the task it carries; None until that can be switched back to
        # Whoever switches to it calls this, one and the same bound method: so no frame that is suspended in a
        # switch refers to the worker itself, and any reference is somebody's who must not have it.
        self.resume: Any = self.switch
        self._crew = crew

    def run(self) -> None:
        self._crew.live(self)
        self.resume = None  # it refers to the worker


class Starter(greenlet):  # type: ignore[misc]
    """Switches into new greenlets from the depth at which it was itself started.

    Add to `orders` and switch here to have a greenlet started. Control also comes back when a worker ends,
    as this is its parent: then there is no order, and `on_end` decides who is next.
    """

    __slots__ = ("_on_end", "_on_error", "hubkit_task", "orders")

    def __init__(self, on_end: Callable[[], object], on_error: Callable[[BaseException], object]) -> None:
        super().__init__()
        self.hubkit_task = None  # hub context
        #: A signal handler may add one, and is served before whom it interrupts.
        self.orders: list[greenlet] = []
        self._on_end = on_end
        self._on_error = on_error

    def run(self) -> None:
        while True:
            try:
                if not self.orders:
                    self._on_end()
                else:
                    carrier = self.orders.pop()
                    resume = carrier.resume if isinstance(carrier, Worker) else carrier.switch
                    del carrier  # what a suspended frame refers to is not used again
                    resume()
            except GreenletExit:
                raise
            except BaseException as error:
                # Thrown at a worker that had ended (by a timeout somebody forgot): it goes to the parent.
                self._on_error(error)


_starters = ThreadLocal()  # .shallow: a starter made while this thread's stack was small


def remember_depth() -> None:
    """Keep a starter at the caller's depth for hubs made later in this thread.

    Called at import, where the stack is small: the first verb may come from deep in a recursion, and
    a hub without a loop of its own has no better place to start from.
    """
    here = greenlet.getcurrent()
    starter = Starter(here.switch, here.throw)
    starter.switch()
    _starters.shallow = starter


def start(starter: Starter) -> object:
    """First switch into `starter`, from this thread's remembered depth if there is one."""
    shallow = getattr(_starters, "shallow", None)
    if shallow is None or shallow.dead:
        return starter.switch()
    shallow.orders.append(starter)
    return shallow.switch()
