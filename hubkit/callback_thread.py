"""The one thread in which the callbacks and timers of all thread hubs run.

What must live here: their order, and waking the thread. What this file must not know: what a callback does,
how a hub enters hub context.

Whoever has something for the thread to do puts it into a queue and then looks whether the thread sleeps;
the thread says that it sleeps and then looks into the queues. So nothing is left lying, without a lock.
Only the thread itself touches the heap of timers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextvars import Context
from math import inf
from typing import Protocol

from .blocking import LONGEST
from .originals import allocate_lock, monotonic
from .timers import Timer, Timers
from .waiting import Ticket
from .worker_threads import count_as_idle, run_in_thread


class Caller(Protocol):
    """Whose callbacks they are."""

    def call_back(self, context: Context, fn: Callable[[], object]) -> None:
        """Call `fn()` in hub context; must not raise."""


class HubTimer(Timer):
    """A timer that knows whose it is."""

    __slots__ = ("caller",)

    caller: Caller


class CallbackThread:
    """Runs callbacks one after another, and timers in the order of their time."""

    def __init__(self) -> None:
        self._reset()
        count_as_idle(self._is_idle)

    def _reset(self) -> None:
        self._due: deque[tuple[Caller, Context, Callable[[], object]]] = deque()
        self._new: deque[HubTimer] = deque()  # not in the heap yet
        self._timers = Timers()
        self._asleep_until = inf  # -inf: it is awake, and will look before it sleeps
        self._unstarted = [True]  # whoever pops it starts the thread
        self._wake = allocate_lock()
        self._wake.acquire()

    def call_soon(self, caller: Caller, context: Context, fn: Callable[[], object]) -> None:
        """Have `caller.call_back(context, fn)` called, once, after all that was queued before.

        Switches: never. Call from: any thread, signal. Raises: RuntimeError if no thread can be started.
        """
        self._due.append((caller, context, fn))
        if self._asleep_until != -inf:
            self._rouse()

    def call_at(self, caller: Caller, when: float, fn: Callable[[], object]) -> HubTimer:
        """Have `fn` called at `when`, equal times in order; a ticket is fired in place.

        Switches: never. Call from: any thread, signal. Raises: RuntimeError if no thread can be started.
        """
        timer = HubTimer()
        timer.set(when, fn, self._timers)
        timer.caller = caller
        self._new.append(timer)
        if when < self._asleep_until:
            self._rouse()
        return timer

    def start(self) -> None:
        """Start the thread if it has not been: while the interpreter ends there may be no other time.

        Switches: never. Call from: any thread, signal. Raises: RuntimeError if no thread can be started.
        """
        try:
            self._unstarted.pop()
        except IndexError:
            return
        try:
            run_in_thread(self._serve)
        except BaseException:
            self._unstarted.append(True)
            raise

    def _rouse(self) -> None:
        if self._unstarted:
            self.start()
        try:
            self._wake.release()
        except RuntimeError:  # somebody else has just done so
            pass

    def _is_idle(self) -> bool:
        if self._unstarted or self._asleep_until == -inf or self._due:
            return False
        # It may sleep for a timer that was cancelled meanwhile: then it waits for nothing.
        return not self._timers.pending() and all(timer.fn is None for timer in list(self._new))

    # -- in the thread ----------------------------------------------------------------------------

    def _serve(self) -> None:
        while True:
            self._asleep_until = -inf
            self._run_due()
            when = self._timers.next()
            self._asleep_until = inf if when is None else when
            if self._due or self._new:
                continue
            if when is None:
                self._wake.acquire()
            elif (left := when - monotonic()) > 0:
                self._wake.acquire(True, min(left, LONGEST))

    def _run_due(self) -> None:
        while self._new:
            self._timers.add(self._new.popleft())
        self._timers.run_due(monotonic(), lambda ticket, _: ticket(), self._queue)
        # Only those that are due now: new timers must not wait for callbacks that queue callbacks.
        for _ in range(len(self._due)):
            caller, context, fn = self._due.popleft()
            caller.call_back(context, fn)

    def _queue(self, context: Context, timer: Timer) -> None:
        assert isinstance(timer, HubTimer)
        self._due.append((timer.caller, context, timer))

    # -- fork -------------------------------------------------------------------------------------

    def after_fork(self, survivor: object) -> None:
        """In the child, where the thread is not: keep the timers of the task `survivor`, no others."""
        timers, new = self._timers, self._new
        timers.keep(lambda timer: _belongs(timer.fn, survivor))
        self._reset()
        self._timers = timers
        self._new.extend(timer for timer in new if _belongs(timer.fn, survivor))
        if timers or self._new:
            self.start()


def _belongs(fn: object, task: object) -> bool:
    owner = fn if isinstance(fn, Ticket) else getattr(fn, "__self__", None)
    return task is not None and getattr(owner, "task", None) is task
