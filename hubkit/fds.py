"""Descriptors: waiting until one is ready, and telling every hub that one will be closed.

What must live here: what is true of any descriptor, ours or not. What this file must not know: sockets,
and how a hub watches.

A hub's news that a descriptor is ready is only a hint (see poller.py). So these calls ask the kernel, by
a poll that does not wait, before they believe it; and before they wait at all.
"""

from __future__ import annotations

import os
from errno import EBADF
from typing import Any, Protocol

from .contract import READ, WRITE
from .errors import Closed
from .originals import select
from .registry import hubs, this_task
from .waiting import (
    CLOSED,
    TIMED_OUT,
    check_timeout,
    deliver_latched,
    latched,
    own_ticket,
    ticket_for,
    wait,
)

__all__ = ["notify_closing", "wait_readable", "wait_writable"]


class HasFileno(Protocol):
    """A file, a socket: what `select` takes beside a number."""

    def fileno(self) -> int:
        """The number of the open descriptor."""


#: A hang-up or an error is always reported, asked for or not.
_EVENTS = {
    READ: select.POLLIN | select.POLLPRI | getattr(select, "POLLRDHUP", 0),
    WRITE: select.POLLOUT,
}

#: Wake-ups in a row that brought nothing before it is taken for a descriptor whose readiness lies.
PATIENCE = 4
#: Seconds between two tries of such a descriptor: the first, and the longest.
FIRST_PAUSE = 0.001
LONGEST_PAUSE = 0.05


def wait_readable(fd: int | HasFileno, timeout: float | None = None) -> None:
    """Wait until `fd`, a number or an object with `fileno()`, can be read without waiting.

    Its end, a hang-up and an error count as readable; a regular file always is. A descriptor closed
    without `notify_closing` while somebody waits is not noticed.

    Switches: if it must wait. Call from: hub. Raises: TimeoutError after `timeout` seconds; Busy if
    another task of this hub waits for the same; Closed if it is closed meanwhile; OSError (EBADF) if it
    is not open; Cancelled; TypeError or ValueError for what is no descriptor or no timeout.
    """
    _wait_ready(fd, READ, timeout)


def wait_writable(fd: int | HasFileno, timeout: float | None = None) -> None:
    """Wait until `fd`, a number or an object with `fileno()`, can be written to without waiting.

    A hang-up and an error count as writable; a regular file always is.

    Switches: if it must wait. Call from: hub. Raises: TimeoutError after `timeout` seconds; Busy if
    another task of this hub waits for the same; Closed if it is closed meanwhile; OSError (EBADF) if it
    is not open; Cancelled; TypeError or ValueError for what is no descriptor or no timeout.
    """
    _wait_ready(fd, WRITE, timeout)


def notify_closing(fd: int | HasFileno) -> None:
    """Tell every hub that `fd` is about to be closed or given away; call it before that is done.

    Whoever waits for it gets `Closed`, and nothing is remembered of it: the number may be used again
    for something else. hubkit's own sockets do this by themselves.

    Switches: never. Call from: any thread, signal. Raises: TypeError, ValueError for what is no
    descriptor.
    """
    forget_fd(number_of(fd))


def forget_fd(fd: int) -> None:
    """`notify_closing` for a number that is known to be one."""
    for hub in hubs():
        hub.forget_fd(fd)


def number_of(fd: int | HasFileno) -> int:
    """The descriptor's number, checked as far as that is possible without the kernel."""
    if isinstance(fd, int):
        if fd < 0:
            raise ValueError(f"a descriptor is a number from 0 upwards, not {fd}")
        return fd
    try:
        fileno = fd.fileno
    except AttributeError:
        raise TypeError(f"a descriptor is an int or an object with fileno(), not {fd!r}") from None
    number = fileno()
    if not isinstance(number, int):
        raise TypeError(f"{fd!r}.fileno() must return an int, not {number!r}")
    if number < 0:
        raise OSError(EBADF, f"{os.strerror(EBADF)}: {fd!r} is closed")
    return number


def _wait_ready(what: int | HasFileno, direction: str, timeout: float | None) -> None:
    timeout = check_timeout(timeout)
    fd = number_of(what)
    if latched:
        deliver_latched()
    if _is_ready(fd, direction):
        return
    deadline = None
    fruitless = 0
    while True:
        task = this_task()
        if timeout is not None:
            now = task.hub.now()
            deadline = now + timeout if deadline is None else deadline
            timeout = max(0.0, deadline - now)
            if timeout == 0.0:
                raise TimeoutError(f"descriptor {fd} was not ready to {direction} in time")
        wait_armed(task, fd, direction, timeout)
        if _is_ready(fd, direction):
            return
        fruitless += 1
        pause(fruitless)


def _is_ready(fd: int, direction: str) -> bool:
    poll = select.poll()
    poll.register(fd, _EVENTS[direction])
    events = poll.poll(0)
    if events and events[0][1] & select.POLLNVAL:
        raise OSError(EBADF, f"{os.strerror(EBADF)}: {fd} is not open")
    return bool(events)


def wait_armed(task: Any, fd: int, direction: str, timeout: float | None) -> None:
    """One wait of `task`, the caller, for the hub's hint that `fd` is ready."""
    ticket = ticket_for(task)
    try:
        task.hub.arm_fd(fd, direction, ticket)
        outcome = wait(ticket, timeout)
    except BaseException:
        ticket.claim()  # or its place would be taken, if a signal handler raised before the wait
        raise
    if outcome is TIMED_OUT:
        raise TimeoutError(f"descriptor {fd} was not ready to {direction} in time")
    if outcome is CLOSED:
        raise was_closed(f"descriptor {fd} was closed while {task!r} waited to {direction} it")


def was_closed(message: str) -> Closed:
    """The error for a waiter whose descriptor went away."""
    return Closed(EBADF, message)


def pause(fruitless: int) -> None:
    """Called after each wake-up that brought nothing: keeps one that is always wrong from spinning.

    A full queue of a Unix datagram socket is such a case: ready to write, and yet nothing can be sent.
    """
    if fruitless > PATIENCE:
        seconds = min(FIRST_PAUSE * 2.0 ** min(fruitless - PATIENCE, 16), LONGEST_PAUSE)
        wait(own_ticket(), seconds)
