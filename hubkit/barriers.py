"""Barrier: tasks that wait for each other.

What must live here: rounds, and how one ends. What this file must not know: hubs.

A round admits as many as there are parties and ends once, passed or broken: whoever pops `_ending` decides.
Each round has one next, made by whoever needs it first, so there is nothing to reset.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import BrokenBarrierError
from typing import Any

from .counts import count_of
from .waiting import (
    CLOSED,
    TIMED_OUT,
    WOKEN,
    Outcome,
    WaitQueue,
    check_timeout,
    deliver_latched,
    latched,
    own_ticket,
    wait,
)


class Barrier:
    """Each of `parties` tasks waits in it until the last has come. Shaped as `threading.Barrier`.

    The last one calls `action()` before any goes on. `timeout` is the time limit of those who give none.
    """

    __slots__ = ("__weakref__", "_action", "_parties", "_round", "_timeout")

    def __init__(
        self, parties: int, action: Callable[[], object] | None = None, timeout: float | None = None
    ) -> None:
        parties = count_of(parties, "a barrier's parties must be a number of tasks, 1 or more", 1)
        if action is not None and not callable(action):
            raise TypeError(f"the action of a barrier is a function without arguments, not {action!r}")
        self._parties = parties
        self._action = action
        self._timeout = check_timeout(timeout)
        self._round = _Round(parties)

    def wait(self, timeout: float | None = None) -> int:
        """Wait until all parties have come, at most `timeout` seconds; a number from 0 to parties - 1,
        another one for each.

        If it ends in any other way (its time is over, a cancel, a throw, an error of the action) the barrier
        is broken, for all.

        Switches: if it must wait. Call from: hub | any thread. Raises: BrokenBarrierError; Cancelled; what
        the action raises; ValueError and TypeError for a timeout that is no number.
        """
        timeout = self._timeout if timeout is None else check_timeout(timeout)
        if latched:
            deliver_latched()
        while True:
            round_ = self._round
            if round_.outcome is CLOSED:
                raise BrokenBarrierError
            number = next(round_.numbers, None)
            if number is not None:
                break
            round_.wait_for_end()  # full, and its action runs
        if number == self._parties - 1:
            self._pass(round_)
        else:
            round_.wait(timeout)
        return number

    def _pass(self, round_: _Round) -> None:
        if not round_.claim():
            raise BrokenBarrierError
        try:
            if self._action is not None:
                self._action()
        except BaseException:
            round_.end(CLOSED)
            raise
        self._round = round_.next()
        round_.end(WOKEN)

    def reset(self) -> None:
        """Start afresh; who waits gets BrokenBarrierError.

        Switches: never. Call from: hub | any thread | signal. Raises: nothing.
        """
        round_ = self._round
        fresh = round_.next()
        while fresh.outcome is CLOSED:
            fresh = fresh.next()
        self._round = fresh
        if round_.claim():
            round_.end(CLOSED)

    def abort(self) -> None:
        """Break the barrier: who waits and who comes gets BrokenBarrierError, until `reset`.

        Switches: never. Call from: hub | any thread | signal. Raises: nothing.
        """
        round_ = self._round
        while not round_.claim():
            if round_.outcome is CLOSED:
                return
            round_ = round_.next()  # this one has everybody it waited for
        round_.end(CLOSED)

    @property
    def parties(self) -> int:
        """How many must come."""
        return self._parties

    @property
    def n_waiting(self) -> int:
        """How many have come and wait for the others."""
        return len(self._round.waiters)

    @property
    def broken(self) -> bool:
        """Whether nobody can pass until `reset`."""
        return self._round.outcome is CLOSED

    def __repr__(self) -> str:
        state = "broken" if self.broken else f"{self.n_waiting} of {self._parties} waiting"
        return f"<Barrier {state}>"


class _Round:
    """One passing of the barrier."""

    __slots__ = ("_ending", "_next", "numbers", "outcome", "parties", "waiters")

    def __init__(self, parties: int) -> None:
        self.parties = parties
        self.numbers = iter(range(parties))  # who comes takes the next
        self.waiters = WaitQueue()
        self.outcome: Outcome | None = None  # WOKEN if it was passed, CLOSED if it was broken
        self._ending = [True]  # whoever pops it decides about the outcome
        self._next: dict[int, _Round] = {}

    def claim(self) -> bool:
        try:
            return self._ending.pop()
        except IndexError:
            return False

    def end(self, outcome: Outcome) -> None:
        """To be called by who has claimed it."""
        self.outcome = outcome
        self.waiters.wake_all(outcome)

    def next(self) -> _Round:
        return self._next.get(0) or self._next.setdefault(0, _Round(self.parties))

    def wait(self, timeout: float | None) -> None:
        """Wait for the others; break the round if that fails."""
        try:
            outcome = TIMED_OUT if timeout == 0 else self._wait(timeout)
        except BaseException:
            if self.claim():
                self.end(CLOSED)
            raise
        if outcome is TIMED_OUT:
            if self.claim():
                self.end(CLOSED)
            else:  # all have come, and the action runs
                outcome = self.wait_for_end()
        if outcome is not WOKEN:
            raise BrokenBarrierError

    def wait_for_end(self) -> Any:
        return self._wait(None)

    def _wait(self, timeout: float | None) -> Any:
        ticket = own_ticket()
        self.waiters.add(ticket)
        if self.outcome is not None:
            self.waiters.wake_all(self.outcome)
        return wait(ticket, timeout, self.waiters)
