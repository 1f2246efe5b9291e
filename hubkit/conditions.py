"""Condition: a lock, and waiting for news about what it protects.

What must live here: letting go of the lock for a wait and getting it back whatever happens, and that no
notification is spent on somebody who goes away. What this file must not know: how a lock is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

from .errors import HubError
from .locks import Lock, RLock
from .registry import this_task
from .scopes import shield
from .waiting import WOKEN, Ticket, WaitQueue, check_timeout, deliver_latched, latched, own_ticket, wait

T = TypeVar("T")


class Condition:
    """Waiting for news, with a lock. Shaped as `threading.Condition`; `with condition:` holds the lock.

    The lock is a `Lock` or `RLock` of hubkit's, by default an RLock of its own. Conditions may share one.
    """

    __slots__ = ("__weakref__", "_lock", "_waiters")

    def __init__(self, lock: Lock | RLock | None = None) -> None:
        if lock is not None and not isinstance(lock, (Lock, RLock)):
            raise TypeError(f"Condition() takes a hubkit.Lock or hubkit.RLock, not {lock!r}")
        self._lock = RLock() if lock is None else lock
        self._waiters = WaitQueue()

    # -- the lock ---------------------------------------------------------------------------------

    def acquire(self, blocking: bool = True, timeout: float | None = -1) -> bool:
        """Take the lock; see `Lock.acquire`.

        Switches: if it must wait. Call from: hub | any thread; not blocking, signal too. Raises:
        Cancelled; ValueError for a negative timeout but -1, or one that comes with blocking=False.
        """
        return self._lock.acquire(blocking, timeout)

    def release(self) -> None:
        """Release the lock; see `Lock.release`.

        Switches: never. Call from: hub | any thread | signal. Raises: RuntimeError if it is not held.
        """
        self._lock.release()

    def locked(self) -> bool:
        """Whether somebody holds the lock.

        Switches: never. Call from: hub | any thread | signal. Raises: nothing.
        """
        return self._lock.locked()

    def __enter__(self) -> bool:
        return self._lock.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._lock.release()

    # -- waiting ----------------------------------------------------------------------------------

    def wait(self, timeout: float | None = None) -> bool:
        """Release the lock, wait for a notification at most `timeout` seconds, take the lock again.

        False if no notification came in time. The lock is held again whenever this returns or raises: no
        cancel and no timeout keeps it from being taken. Zero or less means not to wait for a notification;
        the lock is released for a moment all the same.

        Switches: always. Call from: hub | any thread. Raises: RuntimeError if the lock is not held;
        Cancelled, holding the lock; ValueError and TypeError for a timeout that is no number.
        """
        timeout = check_timeout(timeout)
        if latched:
            deliver_latched()
        self._check_held("wait")
        ticket = own_ticket()
        self._waiters.add(ticket)
        saved = self._lock._release_save()
        woken = False
        try:
            woken = wait(ticket, timeout, self) is WOKEN
        finally:
            try:
                with shield():
                    self._take_again(saved)
            except BaseException:
                if woken:
                    self._undo(WOKEN)
                raise
        return woken

    def wait_for(self, predicate: Callable[[], T], timeout: float | None = None) -> T:
        """Wait until `predicate()` is true, at most `timeout` seconds in all; its last value.

        It is called with the lock held, at once and after each notification.

        Switches: if it must wait. Call from: hub | any thread. Raises: as `wait`; what `predicate` raises.
        """
        left = check_timeout(timeout)
        if latched:
            deliver_latched()
        result = predicate()
        if result:
            return result
        now = this_task().hub.now
        deadline = None if left is None else now() + left
        while not result:
            if deadline is not None:
                left = deadline - now()
                if left <= 0:
                    break
            self.wait(left)
            result = predicate()
        return result

    def _take_again(self, saved: Any) -> None:
        """Acquire in any case, and only then raise what was thrown meanwhile."""
        try:
            self._lock._acquire_restore(saved)
        except HubError:  # Deadlock, Closed: waiting cannot get it
            raise
        except BaseException:
            self._take_again(saved)
            raise

    def _withdraw(self, ticket: Ticket) -> None:
        self._waiters.discard(ticket)

    def _undo(self, outcome: Any) -> None:
        """Give the notification of a waiter that ends by an exception to the next."""
        if outcome is WOKEN:
            self._waiters.wake_one()

    # -- notifying --------------------------------------------------------------------------------

    def notify(self, n: int = 1) -> None:
        """Wake the `n` longest waiters, or as many as there are. They run once they get the lock.

        Switches: never. Call from: hub | any thread | signal. Raises: RuntimeError if the lock is not held.
        """
        self._check_held("notify")
        while n > 0 and self._waiters.wake_one():
            n -= 1

    def notify_all(self) -> None:
        """Wake everybody who waits now.

        Switches: never. Call from: hub | any thread | signal. Raises: RuntimeError if the lock is not held.
        """
        self._check_held("notify_all")
        self._waiters.wake_all()

    def _check_held(self, verb: str) -> None:
        if not self._lock._is_owned():
            raise RuntimeError(f"{verb}() without the lock: call it inside `with condition:`")

    def __repr__(self) -> str:
        return f"<Condition on {self._lock!r}, {self._waiters.alive()} waiting>"
