"""to_thread: calls that block, in native threads.

What must live here: waiting for such a call on any hub, and how many of them run at once. What this file must
not know: where threads come from (worker_threads.py).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from typing import Any, TypeVar

from .counts import count_of
from .registry import this_task
from .slots import SizedSlots
from .waiting import WOKEN, Ticket, deliver_latched, latched, ticket_for, wait
from .worker_threads import run_in_thread

__all__ = ["set_thread_limit", "to_thread"]

T = TypeVar("T")


def to_thread(fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
    """Call `fn(*args, **kwargs)` in a native thread and wait for what it returns or raises.

    It runs in a copy of the caller's context, and other tasks run meanwhile. At most so many such calls
    run at once (see `set_thread_limit`); the rest begin in order. Whatever `fn` raises is raised here.

    A thread cannot be interrupted: a caller that is cancelled or whose time is over leaves at once, the
    call runs on to its end, and its outcome is dropped.

    Switches: always. Call from: hub. Raises: what `fn` raises; TypeError if it is not callable;
    RuntimeError if the system gives no more threads; Cancelled.
    """
    if latched:
        deliver_latched()
    if not callable(fn):
        raise TypeError(f"to_thread() takes a function and its arguments, not {fn!r}")
    task = this_task()
    places = _places
    places.take(None)
    call = _Call(ticket_for(task), places)
    _calls[call] = None
    try:
        if latched:
            deliver_latched()  # asked to stop while it queued: then do not begin
        run_in_thread(partial(copy_context().run, fn, *args, **kwargs), call.end)
    except BaseException:
        del _calls[call]
        places.release()
        raise
    wait(call.ticket)
    return call.outcome()  # type: ignore[no-any-return]


def set_thread_limit(limit: int) -> None:
    """Let at most `limit` calls of `to_thread` run at once in this process, from now on.

    Until then it is `min(32, processors + 4)`. Calls that run already are not interrupted.

    Switches: never. Call from: any thread. Raises: TypeError, or ValueError if `limit` is less than one.
    """
    _places.resize(count_of(limit, "the limit must be a number of threads, 1 or more", 1))


def calls_under_way() -> bool:
    """Whether a thread runs a call of `to_thread`, or is about to tell of its end. For hubs.

    Switches: never. Call from: any thread. Raises: nothing.
    """
    return bool(_calls)


class _Call:
    """One call, its place, and its end."""

    __slots__ = ("error", "places", "ticket", "value")

    def __init__(self, ticket: Ticket, places: SizedSlots) -> None:
        self.ticket = ticket
        self.places = places
        self.value: Any = None
        self.error: BaseException | None = None

    def end(self, value: Any, error: BaseException | None) -> None:
        """In the thread."""
        self.places.release()
        self.value, self.error = value, error
        if not self.ticket.task.hub.fire(self.ticket, WOKEN):
            self.value = self.error = None
        _calls.pop(self, None)  # last: who looks whether there are any must not miss the one that ends

    def outcome(self) -> Any:
        error, self.error = self.error, None
        if error is None:
            return self.value
        try:
            raise error
        finally:
            del error  # it would hold this frame, and the frame it


_places = SizedSlots(min(32, (os.cpu_count() or 1) + 4))
_calls: dict[_Call, None] = {}  # those that have not told their ends


def _in_child() -> None:
    """After a fork: the calls that ran are the parent's."""
    global _places
    _places = SizedSlots(_places.size)
    _calls.clear()


os.register_at_fork(after_in_child=_in_child)
