"""Future: an outcome that somebody will supply, and that tasks can wait for.

What must live here: the one outcome, who waits for it, and telling them. What this file must not know:
who supplies it, and how. A future belongs to no hub: each waiter is woken by its own.

The outcome enters a dict by one `setdefault`, so the first of all who try has supplied it and it is
complete when it is seen.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Generic, NamedTuple, TypeVar

from .errors import Cancelled, InvalidState, TaskCancelled
from .registry import current_hub
from .waiting import check_timeout, deliver_latched, latched, own_ticket, wait
from .watched import Watched

T = TypeVar("T")


class _Outcome(NamedTuple):
    """How a future ended; its identity tells who supplied it."""

    value: Any = None
    error: BaseException | None = None
    traceback: TracebackType | None = None
    cancelled: bool = False


class Future(Watched, Generic[T]):
    """A value or an error that is not there yet; of use between tasks, threads and hubs alike.

    Switches: never. Call from: any thread, signal. Raises: nothing.
    """

    __slots__ = ("__weakref__", "_outcomes")

    def __init__(self) -> None:
        self._outcomes: dict[None, _Outcome] = {}  # empty, or the one under None
        self._watchers = []

    # -- supplying --------------------------------------------------------------------------------

    def set_result(self, value: T) -> None:
        """End with `value` and wake who waits.

        Switches: never. Call from: any thread, signal. Raises: InvalidState if it has ended before.
        """
        self._supply(_Outcome(value))

    def set_exception(self, error: BaseException | type[BaseException]) -> None:
        """End with `error`, an exception or a class of them, and wake who waits.

        A `Cancelled` is somebody else's fate: it ends the future cancelled, as `cancel()` does.

        Switches: never. Call from: any thread, signal. Raises: InvalidState if it has ended before;
        TypeError if that is no exception.
        """
        if isinstance(error, type) and issubclass(error, BaseException):
            error = error()
        if not isinstance(error, BaseException):
            raise TypeError(f"set_exception() takes an exception, not {error!r}")
        self._supply(_Outcome(None, error, error.__traceback__, isinstance(error, Cancelled)))

    def cancel(self) -> bool:
        """End without value and error; True unless it has ended before.

        Switches: never. Call from: any thread, signal. Raises: nothing.
        """
        outcome = _Outcome(cancelled=True)
        if self._outcomes.setdefault(None, outcome) is not outcome:
            return False
        self._serve_watchers()
        return True

    def _supply(self, outcome: _Outcome) -> None:
        if self._outcomes.setdefault(None, outcome) is not outcome:
            raise InvalidState(f"{self!r} has ended before: a future takes one outcome")
        self._serve_watchers()

    # -- asking -----------------------------------------------------------------------------------

    def done(self) -> bool:
        """Whether it has ended, in whatever way.

        Switches: never. Call from: any thread, signal. Raises: nothing.
        """
        return None in self._outcomes

    def cancelled(self) -> bool:
        """Whether it has ended by being cancelled.

        Switches: never. Call from: any thread, signal. Raises: nothing.
        """
        outcome = self._outcomes.get(None)
        return outcome is not None and outcome.cancelled

    def result(self, timeout: float | None = None) -> T:
        """Wait for the end and return the value, or raise the error.

        Switches: if it must wait. Call from: hub. Raises: the error it was given; TaskCancelled if it was
        cancelled; TimeoutError after `timeout` seconds; Cancelled if the caller is cancelled.
        """
        outcome = self._wait(timeout)
        if outcome.error is not None:
            raise outcome.error.with_traceback(outcome.traceback)
        return outcome.value  # type: ignore[no-any-return]

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait for the end and return the error, or None.

        Switches: if it must wait. Call from: hub. Raises: TaskCancelled if it was cancelled;
        TimeoutError after `timeout` seconds; Cancelled if the caller is cancelled.
        """
        return self._wait(timeout).error

    def add_done_callback(self, fn: Callable[[Future[T]], object]) -> None:
        """Call `fn(future)` in the context of the caller's hub once it has ended; soon, if it has already.

        Switches: never. Call from: any thread, signal. Raises: TypeError if `fn` is not callable.
        """
        self._call_when_done(current_hub(), fn)

    # -- waiting ----------------------------------------------------------------------------------

    def _wait(self, timeout: float | None) -> _Outcome:
        timeout = check_timeout(timeout)
        if latched:
            deliver_latched()
        if not self._outcomes and timeout != 0:
            ticket = own_ticket()
            self._watch(ticket)
            wait(ticket, timeout, self)
        outcome = self._outcomes.get(None)
        if outcome is None:
            raise TimeoutError(f"{self!r} has not ended within {timeout} s")
        if outcome.cancelled:
            raise TaskCancelled(f"{self!r} was cancelled") from None
        return outcome

    def _failed(self) -> bool:
        outcome = self._outcomes.get(None)
        return outcome is not None and outcome.error is not None and not outcome.cancelled

    def __repr__(self) -> str:
        outcome = self._outcomes.get(None)
        if outcome is None:
            how = "pending"
        else:
            how = "cancelled" if outcome.cancelled else "failed" if outcome.error is not None else "done"
        return f"<Future {how} at {id(self):#x}>"
