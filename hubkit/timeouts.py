"""Timeouts: scopes that expire by the clock.

What must live here: deadlines, their timers, and what leaving an expired block means. What this file
must not know: how a request reaches a waiting task (see scopes.py).

Inside the block expiry is a `Cancelled` of the scope, which no `except Exception` or `except OSError`
eats. Only the scope's own exit turns it into something for ordinary code: `TimeoutError`, or nothing.
"""

from __future__ import annotations

from types import TracebackType
from typing import TypeVar

from .contract import TimerHandle
from .scopes import Scope, shield
from .waiting import check_timeout

__all__ = ["move_on_after", "shield", "timeout", "timeout_at"]

S = TypeVar("S", bound="_Timed")


class _Timed(Scope):
    """A scope with a deadline."""

    __slots__ = ("_deadline", "_seconds", "_timer")

    def __init__(self, seconds: float | None) -> None:
        super().__init__()
        self._seconds = check_timeout(seconds)  # counted from entering; None: see _deadline
        self._deadline: float | None = None
        self._timer: TimerHandle | None = None

    @property
    def deadline(self) -> float | None:
        """When the block expires, in the hub's time (`hubkit.now()`); None: never, or not entered yet."""
        return self._deadline

    def reschedule(self, deadline: float | None) -> None:
        """Expire at `deadline` instead, in the hub's time; None: never.

        A deadline that has passed expires at once. Changes nothing once the scope has expired, as the
        request is on its way and is not taken back, or once the block has been left: another task
        cannot know.

        Switches: never. Call from: any thread. Raises: TypeError or ValueError if that is no time.
        """
        deadline = check_timeout(deadline, "a deadline is a time as of hubkit.now(), or None")
        if self.expired or (self.task is not None and not self.active):
            return
        self._seconds = None
        self._deadline = deadline
        if self.active:
            self._set_timer()

    def _set_timer(self) -> None:
        assert self.task is not None
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        deadline = self._deadline
        if deadline is None or self.expired:
            return
        hub = self.task.hub
        if deadline <= hub.now():
            self.expire()
        else:
            self._timer = hub.call_at(deadline, self.expire)

    def __enter__(self: S) -> S:
        hub = self._enter().hub
        if self._seconds is not None:
            self._deadline = hub.now() + self._seconds
        try:
            self._set_timer()
        except BaseException:  # the hub is closed
            self._exit()
            raise
        return self

    def _leave(self) -> None:
        self._exit()
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        deadline = self._deadline
        if deadline is not None and not self.expired:
            # The body may have kept the hub from noticing.
            assert self.task is not None
            self.expired = self.task.hub.now() >= deadline

    def __repr__(self) -> str:
        when = f"deadline={self._deadline:.3f}" if self._deadline is not None else "None"
        return f"{type(self).__name__}({when if self._seconds is None else format(self._seconds, 'g')})"


class timeout(_Timed):  # noqa: N801 (reads as a verb: `with timeout(3):`)
    """Ends the block after `seconds` by the built-in TimeoutError; None: never.

    Zero or less expires at the first call in the block that can wait. A body that finishes in spite of
    expiry has done its work: no error, but `expired` is True. A scope is entered once.

    Switches: never. Call from: hub. Raises: TypeError or ValueError if that is no number; TimeoutError
    on leaving.
    """

    __slots__ = ()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._leave()
        if self.caused(error):
            # Not in place of the Cancelled: its traceback shows in which wait the time ran out.
            raise TimeoutError(self._complaint()) from error

    def _complaint(self) -> str:
        if self._seconds == 0:
            return "the block was given no time: a timeout of 0 s, or less"
        if self._seconds is not None:
            return f"the block was not done within {self._seconds:g} s"
        return "the block was not done by its deadline"


class move_on_after(_Timed):  # noqa: N801 (as timeout)
    """Ends the block after `seconds` without an error; None: never.

    `expired` tells afterwards whether the time had run out. A scope is entered once.

    Switches: never. Call from: hub. Raises: TypeError or ValueError if that is no number.
    """

    __slots__ = ()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        self._leave()
        return self.caused(error)


def timeout_at(deadline: float | None) -> timeout:
    """Like `timeout`, but ends the block at a point of the hub's time (`hubkit.now()`); None: never.

    Switches: never. Call from: hub. Raises: TypeError or ValueError if that is no time; TimeoutError on
    leaving.
    """
    scope = timeout(None)
    scope.reschedule(deadline)
    return scope
