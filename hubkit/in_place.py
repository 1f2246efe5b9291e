"""InPlaceHub: LoopHub where there is no loop: the greenlet with nothing to do polls, where it is.

What must live here: sleeping, and what ends a sleep. What this file must not know: how the hub is woken,
which is its host's affair.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from greenlet import getcurrent, greenlet

from . import idleness
from .errors import Deadlock
from .loop_hub import LoopHub
from .timers import LONGEST


class InPlaceHub(LoopHub):
    """A guest whose host's `switch` is `poll_in_place`."""

    def poll_in_place(self) -> None:
        """Sleep until a descriptor, timer, signal or other thread has news.

        Only the poll itself runs in the calling greenlet. It belongs to an innocent task, so that is
        hub context meanwhile, and what a signal handler raises goes to the main task.
        """
        g: Any = getcurrent()
        task, g.hubkit_task = g.hubkit_task, None
        self._awake = False
        raised = None
        try:
            self.poller.wait(self._patience())
            self._awake = True  # what is fired from here on is seen without being woken
            self.poller.deliver()
        except BaseException as error:
            raised = error
        finally:
            self._awake = True
            g.hubkit_task = task
        if raised is not None and self._raise_in_main(raised, g):
            return  # switched back to: its turn has come, and whoever else is ready is behind it
        self._fire_due()
        self._new_slice()
        self.switch()  # who was woken before this greenlet runs before it

    def _patience(self) -> float | None:
        """How long to poll. Read after `_awake` was cleared, so nothing comes unnoticed."""
        if self._ready:
            return 0
        when = self._timers.next()
        if when is not None:
            return min(max(0.0, when - self.now()), LONGEST)
        if self.poller.has_waiters():
            return None
        if self.main is not None and self.main.ticket is not None and not self._may_be_woken():
            raise idleness.deadlock(self)
        return idleness.RECHECK

    def _may_be_woken(self) -> bool:
        return idleness.outsiders() or idleness.telling() or bool(self._ready)

    def _raise_in_main(self, error: BaseException, g: greenlet) -> bool:
        """Whether others have run meanwhile."""
        main = self.main
        if main is None or main.done() or main.carrier is g:
            raise error
        if isinstance(error, Deadlock):
            main.carrier.throw(error)  # not as a request: a shield would put it off for ever
            return True
        main.interrupt(error)
        return False

    def add_wake(self, fd: int, drain: Callable[[], object]) -> None:
        """End `poll_in_place` when `fd` is readable."""
        self.poller.add_wake(fd, drain)
