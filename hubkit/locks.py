"""Lock and RLock: one holder at a time.

What must live here: who holds a lock, in a form that changes in one atomic step, and `threading`'s spelling
of time limits. What this file must not know: hubs; how waiters are served (handover.py).
"""

from __future__ import annotations

from types import TracebackType
from typing import Any

from .handover import Handover
from .originals import allocate_lock, get_ident
from .registry import current_hub
from .tasks import Task
from .waiting import WOKEN, Ticket, check_timeout, deliver_latched, latched


def lock_timeout(blocking: bool, timeout: float | None) -> float | None:
    """Seconds to wait by `threading`'s rules for locks: None for ever, 0 not at all."""
    if timeout is None or timeout == -1:
        return None if blocking else 0.0
    seconds = check_timeout(timeout)
    if not blocking:
        raise ValueError(f"acquire(blocking=False) does not wait: leave out timeout={timeout!r}")
    if timeout < 0:
        raise ValueError(f"timeout must be -1, for ever, or a number of seconds from 0 on, not {timeout!r}")
    return seconds


class Lock(Handover):
    """A lock that anybody may release. Shaped as `threading.Lock`; `with lock:` holds it for a block.

    It is handed over to the longest waiter: whoever comes later, also who has just released it, gets it
    after those who wait.
    """

    __slots__ = ("__weakref__", "_bit")

    def __init__(self) -> None:
        super().__init__()
        # A lock of the interpreter used as an atomic bit; nobody ever waits on it.
        self._bit = allocate_lock()

    def acquire(self, blocking: bool = True, timeout: float | None = -1) -> bool:
        """Take the lock, at most after `timeout` seconds (-1 or None: for ever); whether it was taken.

        Not blocking, it does not wait.

        Switches: if it must wait. Call from: hub | any thread; not blocking, signal too. Raises:
        Cancelled; ValueError for a negative timeout but -1, or one that comes with blocking=False.
        """
        seconds = None if blocking and timeout == -1 else lock_timeout(blocking, timeout)
        if latched and blocking:
            deliver_latched()
        if self._take_in_turn():
            return True
        return seconds != 0 and self._queue_up(seconds) is WOKEN

    def release(self) -> None:
        """Hand the lock to the longest waiter, or leave it free.

        Switches: never. Call from: hub | any thread | signal. Raises: RuntimeError if it is not held.
        """
        try:
            self._bit.release()
        except RuntimeError:
            raise RuntimeError("release() of a Lock that nobody holds: acquire() it first") from None
        if self._waiters.tickets:
            self._match()

    def locked(self) -> bool:
        """Whether somebody holds the lock.

        Switches: never. Call from: hub | any thread | signal. Raises: nothing.
        """
        return bool(self._bit.locked())

    __enter__ = acquire

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()

    def __repr__(self) -> str:
        return f"<Lock {'held' if self.locked() else 'free'}, {self._waiters.alive()} waiting>"

    def _take(self) -> bool:
        return bool(self._bit.acquire(False))

    def _put_back(self) -> None:
        self._bit.release()

    # For Condition.

    def _is_owned(self) -> bool:
        return self.locked()

    def _release_save(self) -> Any:
        self.release()

    def _acquire_restore(self, saved: Any) -> None:
        self.acquire()


class RLock(Handover):
    """A lock that its holder, a task, may take again. Shaped as `threading.RLock`.

    Each `acquire` needs a `release` by the same task. As it must know who calls, its first use chooses
    the hub, even if it need not wait.
    """

    __slots__ = ("__weakref__", "_hold")

    def __init__(self) -> None:
        super().__init__()
        # {0: [owner, owner, …]}, one entry for each acquire, or {} while it is free. `setdefault` takes
        # the lock, names its owner and counts to one in one atomic step.
        self._hold: dict[int, list[Any]] = {}

    def acquire(self, blocking: bool = True, timeout: float | None = -1) -> bool:
        """Take the lock, or take it once more; at most after `timeout` seconds (-1 or None: for ever).

        Not blocking, it does not wait. Whether it was taken.

        Switches: if it must wait. Call from: hub | any thread; not blocking, signal too. Raises:
        Cancelled; ValueError for a negative timeout but -1, or one that comes with blocking=False.
        """
        seconds = None if blocking and timeout == -1 else lock_timeout(blocking, timeout)
        if latched and blocking:
            deliver_latched()
        me = _caller()
        hold = self._hold.get(0)
        if hold is not None and hold[0] == me:
            hold.append(me)
            return True
        if self._waiters.tickets:
            self._match()
        if not self._waiters.tickets and self._take(me):
            return True
        return seconds != 0 and self._queue_up(seconds) is WOKEN

    def release(self) -> None:
        """Undo one `acquire`; undoing the first hands the lock to the longest waiter or leaves it free.

        Switches: never. Call from: hub | any thread | signal. Raises: RuntimeError if the caller does
        not hold it.
        """
        hold = self._held_by_caller("release()")
        if len(hold) > 1:
            hold.pop()
        else:
            self._put_back()
            if self._waiters.tickets:
                self._match()

    def locked(self) -> bool:
        """Whether somebody holds the lock.

        Switches: never. Call from: hub | any thread | signal. Raises: nothing.
        """
        return bool(self._hold)

    __enter__ = acquire

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()

    def __repr__(self) -> str:
        hold = self._hold.get(0)
        how = "free" if hold is None else f"held {len(hold)} times by {hold[0]!r}"
        return f"<RLock {how}, {self._waiters.alive()} waiting>"

    def _held_by_caller(self, purpose: str) -> list[Any]:
        hold = self._hold.get(0)
        if hold is None or hold[0] != _caller():
            raise RuntimeError(f"{purpose} of {self!r} by somebody who does not hold it: acquire() it first")
        return hold

    def _take(self, owner: Any = None) -> bool:
        hold = [owner]
        return self._hold.setdefault(0, hold) is hold

    def _put_back(self) -> None:
        del self._hold[0]

    def _give(self, ticket: Ticket) -> bool:
        self._hold[0][0] = ticket.task
        return super()._give(ticket)

    # For Condition.

    def _is_owned(self) -> bool:
        hold = self._hold.get(0)
        return hold is not None and hold[0] == _caller()

    def _release_save(self) -> Any:
        hold = self._held_by_caller("wait()")
        self._put_back()
        self._match()
        return hold

    def _acquire_restore(self, saved: Any) -> None:
        self.acquire()
        self._hold[0].extend(saved[1:])


def _caller() -> Task[Any] | int:
    """Who owns what the caller acquires: its task; in hub context the thread, as nothing waits there."""
    task = current_hub().current()
    return get_ident() if task is None else task
