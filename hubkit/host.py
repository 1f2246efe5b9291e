"""Host: what an event loop must offer for `LoopHub` to be a guest on it.

What must live here: the hooks, in MUST/MAY words. What this file must not know: tasks, tickets.

An adapter subclasses `Host` in about a hundred lines and names it in a subclass of `LoopHub`. The guest
keeps its own ready ring, timers and poller; of the host it needs the CPU, an alarm clock and one watched
descriptor. One host object serves one guest.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, TypeVar

from greenlet import greenlet

if TYPE_CHECKING:
    from .loop_hub import LoopHub

T = TypeVar("T")


class Host(abc.ABC):
    """The event loop that a guest lives on."""

    #: What `switch` raises when the host has found that nothing can ever happen any more.
    exhausted: ClassVar[tuple[type[BaseException], ...]] = ()
    #: Whether the children of the loop's greenlet are tasks of the host, which may wait in hubkit's verbs.
    #: Where the host's tasks are callbacks or coroutines they are nobody's.
    greenlet_tasks: ClassVar[bool] = True

    def __init__(self, hub: LoopHub) -> None:
        self.hub = hub

    @classmethod
    def alive_here(cls) -> bool:
        """Whether a loop of this kind is at work in the calling thread, so that waiting by any other
        means would block it. MUST NOT make one."""
        return False

    @classmethod
    def loop_here(cls) -> object:
        """The loop of this kind that somebody else runs in the calling thread: a hub made here lives with
        it, and another loop is another hub. None: hubs live with the thread. MUST NOT make one.

        For a loop that this host itself runs the answer MUST be None; it MUST be quick, and hashable.
        """
        return None

    def ended(self) -> bool:
        """Whether the loop that the hub lives with will never run again."""
        return False

    @property
    @abc.abstractmethod
    def loop_greenlet(self) -> greenlet | None:
        """The greenlet that the loop runs in; None if it has none of its own."""

    @abc.abstractmethod
    def switch(self) -> None:
        """Give the CPU to the loop; called in a greenlet that has nothing to do.

        MAY return at any time, and MAY raise what the loop throws.
        """

    @abc.abstractmethod
    def wake(self) -> None:
        """Have the loop call `hub.turn()` in its own greenlet, soon, at least once.

        MUST be callable from any thread, a signal handler and a finalizer; MUST NOT block or switch.
        """

    @abc.abstractmethod
    def set_alarm(self, when: float | None) -> None:
        """Have the loop call `hub.turn()` at `when` on the hub's clock; None: no alarm any more.

        One alarm at a time: a new one replaces the old. Called in the hub's thread.
        """

    @abc.abstractmethod
    def watch(self, fd: int) -> None:
        """Have the loop call `hub.on_readable()` whenever `fd` is readable, until `close`.

        MUST NOT keep the loop alive by itself: that is what `hold` is for.
        """

    def hold(self, on: bool) -> None:
        """Keep the loop alive although it sees nothing to wait for, or no longer.

        A host whose loop never ends by itself ignores it.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Withdraw every watcher, timer and descriptor from the loop. The loop itself goes on."""

    def abandon(self) -> None:
        """The thread has ended: `close`, and free the loop as well if this host has made it."""
        self.close()

    def after_fork(self) -> None:
        """In a forked child: make the loop usable again, with nothing of the parent's in it."""

    def run(self, main: Callable[[], T]) -> T:
        """Call `main` with the loop running around it."""
        return main()
