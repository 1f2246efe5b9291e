"""Timers for hubs that have none: a heap with lazy deletion.

What must live here: the order of timers (by time, then by age) and forgetting cancelled ones. What this
file must not know: who waits for the earliest. Only the owner's thread may call anything but `cancel` and
`pending`; signal handlers in that thread may call `add`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context, copy_context
from heapq import heappop, heappush
from itertools import count
from typing import Any

from .waiting import TIMED_OUT, Ticket

#: The longest that a hub sleeps without a look, in seconds: more than this is too much for some system calls.
LONGEST = 86_400.0
#: Cancelled timers are swept out when they are more than this many and most of the heap.
SWEEP = 64


class Timer:
    """One call at one time."""

    __slots__ = ("context", "fn", "timers", "when")

    when: float
    fn: Callable[[], object] | None
    timers: Timers
    context: Context | None  # none is due to a ticket, which is fired and not called

    # No __init__: CPython needs twice as long to make an object that has one. See `LoopHub.call_at`.

    def set(self, when: float, fn: Callable[[], object], timers: Timers) -> None:
        """Fill in a new one."""
        self.when = when
        self.fn = fn
        self.timers = timers
        self.context = None if type(fn) is Ticket else copy_context()

    def cancel(self) -> None:
        """Forget the call. Idempotent; any thread."""
        if self.fn is not None:
            self.fn = None
            self.context = None
            self.timers.cancelled += 1  # a wrong count only moves a sweep

    def __call__(self) -> None:
        """Make the call, unless it was cancelled when it was due but had yet to be made."""
        fn, self.fn = self.fn, None
        if fn is not None:
            fn()

    def __repr__(self) -> str:
        return f"<Timer of {self.when:.3f}>"


class Timers:
    """A heap of (when, age, timer)."""

    __slots__ = ("_age", "_heap", "cancelled")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._age = count()
        self.cancelled = 0

    def __bool__(self) -> bool:
        return bool(self._heap)

    def pending(self) -> bool:
        """Whether a timer is left that was not cancelled; for any thread."""
        return any(timer.fn is not None for _, _, timer in list(self._heap))

    def add(self, timer: Timer) -> bool:
        """Keep `timer`; whether it is now the earliest."""
        if self.cancelled > SWEEP and self.cancelled * 2 > len(self._heap):
            self._sweep()
        heap = self._heap
        heappush(heap, (timer.when, next(self._age), timer))
        return heap[0][2] is timer

    def next(self) -> float | None:
        """When the earliest timer is due; None if there is none."""
        heap = self._heap
        while heap and heap[0][2].fn is None:
            heappop(heap)
            self.cancelled -= 1
        return heap[0][0] if heap else None

    def run_due(
        self, now: float, fire: Callable[[Ticket, Any], object], call: Callable[[Context, Timer], object]
    ) -> None:
        """Take out what is due at `now`, in order: `fire(ticket, TIMED_OUT)`, or `call(context, timer)`."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            timer = heappop(heap)[2]
            fn = timer.fn
            if type(fn) is Ticket:
                timer.fn = None
                fire(fn, TIMED_OUT)
            elif timer.context is not None:
                call(timer.context, timer)
            else:
                self.cancelled -= 1

    def keep(self, wanted: Callable[[Timer], bool]) -> None:
        """Drop every timer but the wanted ones."""
        self._heap, heap = [], self._heap
        for entry in heap:
            if entry[2].fn is not None and wanted(entry[2]):
                heappush(self._heap, entry)
        self.cancelled = 0

    def _sweep(self) -> None:
        # Moved to a new heap one by one: a signal handler may add to it meanwhile.
        self.keep(lambda timer: True)
