"""Semaphore and BoundedSemaphore: a number of permits.

What must live here: permits in a form in which one is taken or given in one atomic step. What this file must
not know: hubs; how waiters are served (handover.py).
"""

from __future__ import annotations

from collections import deque
from itertools import repeat
from operator import length_hint
from types import TracebackType

from .counts import count_of
from .handover import Handover
from .waiting import WOKEN, check_timeout, deliver_latched, latched


class Semaphore(Handover):
    """A number of permits that anybody may give and take. Shaped as `threading.Semaphore`.

    `with semaphore:` takes one for a block. A permit is handed over to the longest waiter.
    """

    __slots__ = ("__weakref__", "_freed", "_stock")

    def __init__(self, value: int = 1) -> None:
        super().__init__()
        value = count_of(value, "a semaphore's value must be a number of permits, 0 or more", 0)
        # The permits that were never taken, as an iterator, and those given since: taking one is a `next` or
        # a `pop`, and a million cost nothing.
        self._stock = repeat(None, value)
        self._freed: deque[None] = deque()

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        """Take a permit, at most after `timeout` seconds (None: for ever); whether it was taken.

        Not blocking, it does not wait; nor with a timeout of zero or less.

        Switches: if it must wait. Call from: hub | any thread; not blocking, signal too. Raises:
        Cancelled; ValueError and TypeError for a timeout that is no number or comes with blocking=False.
        """
        if timeout is not None:
            timeout = check_timeout(timeout)
            if not blocking:
                raise ValueError(f"acquire(blocking=False) does not wait: leave out timeout={timeout!r}")
        if latched and blocking:
            deliver_latched()
        if self._take_in_turn():
            return True
        if not blocking or timeout == 0:
            return False
        return self._queue_up(timeout) is WOKEN

    def release(self, n: int = 1) -> None:
        """Give `n` permits: to those who wait longest, and for later.

        Switches: never. Call from: hub | any thread | signal. Raises: ValueError unless `n` is one or more.
        """
        if n < 1:
            raise ValueError(f"release() gives one permit or more, not {n!r}")
        for _ in repeat(None, n):
            self._put_back()
        if self._waiters.tickets:
            self._match()

    def locked(self) -> bool:
        """Whether no permit is free.

        Switches: never. Call from: hub | any thread | signal. Raises: nothing.
        """
        return not self._free()

    __enter__ = acquire

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._free()} free, {self._waiters.alive()} waiting>"

    def _free(self) -> int:
        return len(self._freed) + length_hint(self._stock)

    def _take(self) -> bool:
        if self._freed:
            try:
                self._freed.pop()
            except IndexError:  # another has just taken it
                pass
            else:
                return True
        for _ in self._stock:
            return True
        return False

    def _put_back(self) -> None:
        self._freed.append(None)


class BoundedSemaphore(Semaphore):
    """A semaphore that refuses more permits than it started with. Shaped as `threading.BoundedSemaphore`."""

    __slots__ = ("_out",)

    def __init__(self, value: int = 1) -> None:
        super().__init__(value)
        self._out: deque[None] = deque()  # one for each permit that somebody has

    def release(self, n: int = 1) -> None:
        """Give back `n` permits: to those who wait longest, and for later.

        Switches: never. Call from: hub | any thread | signal. Raises: ValueError unless `n` is one or
        more, or if fewer have been taken; then none is given back.
        """
        if n < 1:
            raise ValueError(f"release() gives one permit or more, not {n!r}")
        for number in range(n):
            try:
                self._out.pop()
            except IndexError:
                self._out.extend(repeat(None, number))
                raise ValueError(f"release({n}) of {self!r}: that is more than have been taken") from None
        for _ in repeat(None, n):
            super()._put_back()
        if self._waiters.tickets:
            self._match()

    def _take(self) -> bool:
        if not super()._take():
            return False
        self._out.append(None)
        return True

    def _put_back(self) -> None:
        self._out.pop()
        super()._put_back()
