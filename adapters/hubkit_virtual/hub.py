"""The virtual hub: the native hub, on a clock that leaps to the next timer when every task waits.

What must live here: when the clock may leap. What this file must not know: what tasks wait for.

Only the clock is simulated. Scheduler, timers and descriptors are those that programs run on, so what a test
sees on this hub is what is shipped. What comes from outside cannot be foreseen:

- *Descriptors* are the kernel's, polled before each leap: what a task has written to a pipe or a Unix socket
  is read before any time passes. What goes through the network takes the kernel a moment, so while a network
  socket is waited for each leap comes after a short wait, at most as long as the leap itself.
- *Threads*: while one is at work, be it in `to_thread` or the program's own, nobody knows when it will
  speak. Until it has ended, or long been silent, the clock runs as a real one does (outsiders.py).
- *Steered*, for `hubkit.testing.explore`, a program is taken to be on its own: only jobs of `to_thread` are
  waited for, and what still waits when nothing in the program can wake it is a deadlock.
- *Tasks that never wait* would keep the clock from leaping for ever: after very many switches in a row each
  further slice takes a little time.
"""

from __future__ import annotations

from hubkit.contract import VIRTUAL_TIME
from hubkit.idleness import deadlock
from hubkit.originals import get_ident
from hubkit.ring import CREDIT

from .clock import Clock
from .descriptors import is_slow
from .outsiders import Outsiders
from .steered import SteeredHub

#: Seconds after which the hub looks again whether threads are still at work: nobody tells it of their end.
RECHECK = 0.01

#: Seconds without news after which nothing is taken to be on its way to a network socket any more.
QUIET = 0.05

#: Slices in a row (of `ring.CREDIT` switches each) that take no time: enough to wake 100,000 tasks.
#: Tasks that go on longer wait for a time in their own way, and each further slice takes a TICK.
FREE_SLICES = 10_000
TICK = 0.001


class VirtualHub(SteeredHub):
    """The native guest in simulated time."""

    name = "virtual"
    capabilities = SteeredHub.capabilities | {VIRTUAL_TIME}
    first_credit = CREDIT  # no task takes long here

    def __init__(self) -> None:
        self.clock = Clock()
        self._next: float | None = None  # where the clock leaps to if the poll brings nothing
        self._outsiders = Outsiders()
        self._beside_threads = False  # so the clock is a real one
        self._slices = 0  # in a row: since tasks waited, all of them
        self._polled = False  # with no timer left, and for nothing
        super().__init__()

    def now(self) -> float:
        """Seconds of the simulated clock.

        Switches: never. Call from: any thread, signal. Raises: nothing.
        """
        return self.clock.now()

    def advance(self, seconds: float) -> None:
        """Let time pass at once; see `Hub.advance`.

        Switches: never. Call from: the hub's thread. Raises: nothing.
        """
        self.clock.leap(self.now() + seconds)

    def _patience(self) -> float | None:
        self._next = None
        self._beside_threads = self._outsiders.at_work(not self._ready, self._steering is not None)
        if self._beside_threads:
            self.clock.start()
            patience = super()._patience()
            return RECHECK if patience is None else min(patience, RECHECK)
        self.clock.stop()
        if self._ready:
            self._count_slice()
            return 0
        self._slices = 0
        self._next = self._timers.next()
        if self._next is not None:
            return min(QUIET, self._next - self.now()) if any(map(is_slow, self.poller.watched())) else 0
        if self._steering is not None and self.poller.has_waiters():
            return self._last_poll()
        self.clock.start()
        return super()._patience()

    def _last_poll(self) -> float:
        """Steered, a program is on its own: if one more poll brings nothing, nothing will."""
        if self._polled:
            raise deadlock(self)
        self._polled = True
        return QUIET

    def _wake(self) -> None:
        if get_ident() != self.thread:
            self._outsiders.heard()
        super()._wake()

    def _may_be_woken(self) -> bool:
        if self._steering is not None:
            return self._beside_threads or bool(self._ready)
        return super()._may_be_woken()

    def _count_slice(self) -> None:
        self._slices += 1
        if self._slices > FREE_SLICES:
            self.clock.leap(self.now() + TICK)

    def _fire_due(self) -> None:
        if self._next is not None and not self._ready:
            self.clock.leap(self._next)
        super()._fire_due()
        if self._ready:
            self._polled = False
        if not self._beside_threads:
            self.clock.stop()

    def _hurry(self) -> None:
        when = self._timers.next()
        if when is not None:
            self.clock.leap(when)
            super()._fire_due()

    def _renew(self) -> bool:
        """A slice is counted in switches: one by the real clock would end now here, now there."""
        return False
