"""Handover: what there is only so much of, given to those who wait in the order of their coming.

What must live here: queueing up, matching what is free with who waits, and giving on what cannot be used.
What this file must not know: what is given (a lock, permits, places).

There is no lock. `_take` and `_put_back` are one atomic step each, so whatever interrupts a method here (a
thread, a signal handler, a finalizer, this very method once more) finds a state that it can work on:

1. who gives puts back first and then looks for waiters;
2. who waits publishes its ticket first and then looks for what is free;
3. who took something for a waiter and cannot hand it over puts it back and looks again.

Nobody takes what is free while others wait, not even who has just put it back: it queues up.
"""

from __future__ import annotations

import abc
from typing import Any

from .waiting import WOKEN, Ticket, WaitQueue, own_ticket, wait


class Handover(abc.ABC):
    """Base of locks, semaphores and slots."""

    __slots__ = ("_waiters",)

    def __init__(self) -> None:
        self._waiters = WaitQueue()

    @abc.abstractmethod
    def _take(self) -> bool:
        """Claim one, atomically; False if none is free."""

    @abc.abstractmethod
    def _put_back(self) -> None:
        """Make one free again, atomically."""

    def _give(self, ticket: Ticket) -> bool:
        """Hand over what was taken; False if the waiter has gone."""
        return ticket.task.hub.fire(ticket, WOKEN)

    def _match(self) -> None:
        """Hand over what is free to those who wait."""
        waiters = self._waiters
        while waiters.tickets and self._take():
            ticket = waiters.next()
            if ticket is None or not self._give(ticket):
                self._put_back()

    def _take_in_turn(self) -> bool:
        """Claim one without waiting, unless somebody waits for it already."""
        if self._waiters.tickets:
            self._match()  # some may have gone, and not have withdrawn yet
        return not self._waiters.tickets and self._take()

    def _queue_up(self, timeout: float | None) -> Any:
        """Wait for one; the outcome of the wait, WOKEN if it was handed over.

        Switches: if it must wait. Call from: hub | any thread. Raises: Cancelled; WrongContext.
        """
        ticket = own_ticket()
        self._waiters.add(ticket)
        self._match()
        return wait(ticket, timeout, self)

    def _withdraw(self, ticket: Ticket) -> None:
        self._waiters.discard(ticket)

    def _undo(self, outcome: Any) -> None:
        """Something was thrown into a waiter in the instant of the hand-over."""
        if outcome is WOKEN:
            self._put_back()
            self._match()
