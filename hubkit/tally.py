"""Tally: how many of the items put into a queue are not done yet.

What must live here: counting up and down in atomic steps, and who waits for zero. What this file must not
know: queues.
"""

from __future__ import annotations

import sys
from itertools import repeat
from operator import length_hint

from .waiting import WOKEN, WaitQueue, check_timeout, deliver_latched, latched, own_ticket, wait


class Tally:
    """Counts with iterators: `next(tally.ups)` is one more, in one atomic step and without a lock."""

    __slots__ = ("_downs", "_joiners", "_spare", "ups")

    def __init__(self) -> None:
        self.ups = repeat(None, sys.maxsize)
        # Who counts down claims a number. It stands for the item put as that many-th, if there is one.
        self._downs = iter(range(sys.maxsize))
        self._spare: list[int] = []  # numbers claimed by somebody for whom there was no item
        self._joiners = WaitQueue()

    def count(self) -> int:
        """How many are not done.

        Switches: never. Call from: hub | any thread | signal. Raises: nothing.
        """
        return length_hint(self._downs) - length_hint(self.ups) + len(self._spare)

    def down(self) -> bool:
        """Count one as done, and wake who waits if it was the last; False if all were.

        Switches: never. Call from: hub | any thread | signal. Raises: nothing.
        """
        if self.count() <= 0:
            return False
        try:
            number = self._spare.pop()
        except IndexError:
            number = next(self._downs)
        if number >= sys.maxsize - length_hint(self.ups):
            self._spare.append(number)
            return False
        if self.count() <= 0:
            self._joiners.wake_all()
        return True

    def join(self, timeout: float | None) -> bool:
        """Wait until all are done, at most `timeout` seconds; whether they are.

        Switches: if it must wait. Call from: hub | any thread. Raises: Cancelled; ValueError and
        TypeError for a timeout that is no number.
        """
        timeout = check_timeout(timeout)
        if latched:
            deliver_latched()
        if self.count() <= 0:
            return True
        if timeout == 0:
            return False
        ticket = own_ticket()
        self._joiners.add(ticket)
        if self.count() <= 0:
            self._joiners.wake_all()
        return wait(ticket, timeout, self._joiners) is WOKEN or self.count() <= 0
