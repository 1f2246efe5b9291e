"""Slots: places of which there are so many, until closed; and a number of them that can change.

What must live here: closing, resizing, and when all places are free. What this file must not know: what takes
a place (an item, a task).
"""

from __future__ import annotations

from collections import deque
from itertools import repeat
from typing import Any

from .semaphores import Semaphore
from .waiting import CLOSED, TIMED_OUT, WOKEN, WaitQueue, own_ticket, wait


class Slots(Semaphore):
    """A semaphore that can be closed: then nobody gets a permit any more, nor waits for one."""

    __slots__ = ("closed",)

    def __init__(self, value: int) -> None:
        super().__init__(value)
        self.closed = False

    def take(self, timeout: float | None) -> Any:
        """Take a place within `timeout` seconds: WOKEN, TIMED_OUT or CLOSED.

        Switches: if it must wait. Call from: hub | any thread. Raises: Cancelled.
        """
        if self._take_in_turn():
            outcome: Any = WOKEN
        elif timeout == 0:
            outcome = TIMED_OUT
        else:
            outcome = self._queue_up(timeout)
        if self.closed:
            if outcome is WOKEN:
                self.release()
            return CLOSED
        return outcome

    def release(self, n: int = 1) -> None:
        """Give a place to who waits longest, or leave it free.

        Switches: never. Call from: hub | any thread | signal. Raises: nothing.
        """
        self._put_back()
        if self._waiters.tickets:
            self._match()

    def close(self) -> None:
        """End every wait for a place. Who has one keeps it until `release`.

        Switches: never. Call from: hub | any thread | signal. Raises: nothing.
        """
        self.closed = True
        self._match()

    def _match(self) -> None:
        if self.closed:
            self._waiters.wake_all(CLOSED)
        super()._match()


class SizedSlots(Slots):
    """Slots whose number can change, and that can be waited for to be all free."""

    __slots__ = ("_busy", "_debt", "_joiners", "_sizes")

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._sizes = deque([size])  # the last counts; more than one only while `resize` runs
        self._debt: deque[None] = deque()  # one for each place to be dropped instead of given to the next
        self._busy: deque[None] = deque()  # one for each place that is taken; too many, never too few
        self._joiners = WaitQueue()

    @property
    def size(self) -> int:
        """How many places there are."""
        return self._sizes[-1]

    def free(self) -> int:
        """How many places could be taken now.

        Switches: never. Call from: hub | any thread | signal. Raises: nothing.
        """
        return self._free()

    def resize(self, size: int) -> None:
        """Have `size` places; what is taken in excess is dropped when it is released.

        Switches: never. Call from: hub | any thread | signal. Raises: nothing.
        """
        self._sizes.append(size)
        before = self._sizes.popleft()
        self._debt.extend(repeat(None, before - size))
        self._freed.extend(repeat(None, size - before))
        self._pay()
        self._match()

    def join(self, timeout: float | None) -> bool:
        """Wait until all places are free, at most `timeout` seconds; whether they are.

        Switches: if it must wait. Call from: hub | any thread. Raises: Cancelled.
        """
        if not self._busy:
            return True
        if timeout == 0:
            return False
        ticket = own_ticket()
        self._joiners.add(ticket)
        if not self._busy:
            self._joiners.wake_all()
        return wait(ticket, timeout, self._joiners) is WOKEN or not self._busy

    @property
    def busy(self) -> bool:
        """Whether any place is taken."""
        return bool(self._busy)

    def _take(self) -> bool:
        if not super()._take():
            return False
        self._busy.append(None)
        return True

    def _put_back(self) -> None:
        # The next takes his place before this one is counted as free, so that who joins sees no gap.
        super()._put_back()
        self._pay()
        if self._waiters.tickets:
            self._match()
        self._busy.pop()
        if not self._busy:
            self._joiners.wake_all()

    def _pay(self) -> None:
        """Drop free places that are one too many."""
        while self._debt and Semaphore._take(self):
            try:
                self._debt.pop()
            except IndexError:  # another has paid
                Semaphore._put_back(self)
