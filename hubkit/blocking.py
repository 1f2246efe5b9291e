"""How an OS thread waits: it blocks until its ticket is fired, or one of its descriptors is ready.

What must live here: the locks and wake-up descriptors that threads block on, and which ticket waits for
which descriptor. What this file must not know: hubs, timers, what is waited for.

A ticket is fired in two steps, claim and wake-up. The thread publishes how to wake it and then looks at the
outcome; the winner of the claim sets the outcome and then looks for whom to wake. So one of the two sees
the other. Each wait has a lock of its own, since a signal handler may wait in the middle of a wait.

Waiting for a descriptor is polling it together with one of our own that any thread can make readable.
Such a pair of descriptors serves one wait after another, and only threads that poll have one.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from .contract import READ, WRITE
from .errors import Busy
from .originals import allocate_lock, monotonic, select
from .waiting import CLOSED, TIMED_OUT, WOKEN, Ticket
from .wake_fd import WakeFd

#: The longest single blocking call, in seconds: more than this is too much for some system calls.
LONGEST = 86_400.0
#: Idle wake-up descriptors kept.
MAX_SPARE = 16

#: A hang-up or an error is always reported, asked for or not.
_EVENTS = {
    READ: select.POLLIN | select.POLLPRI | getattr(select, "POLLRDHUP", 0),
    WRITE: select.POLLOUT,
}

_wake: dict[Ticket, Callable[[], object]] = {}  # how to wake the thread that is blocked on a ticket
_waiters: dict[tuple[int, str], Ticket] = {}  # who waits for (descriptor, direction); dead ones too
_spare: list[WakeFd] = []


def fire(ticket: Ticket, outcome: Any) -> bool:
    """Claim `ticket`, and wake the thread that is blocked on it if there is one.

    Switches: never. Call from: any thread, signal. Raises: nothing.
    """
    if not _claim(ticket, outcome):
        return False
    wake = _wake.pop(ticket, None)
    if wake is not None:
        wake()
    return True


def _claim(ticket: Ticket, outcome: Any) -> bool:
    # The two steps stand side by side: no signal handler and no other thread gets in between.
    try:
        del ticket.armed
    except AttributeError:
        return False
    ticket.outcome = outcome
    return True


def block(ticket: Ticket, when: float | None) -> Any:
    """Block until `ticket` is fired, at the latest at `when`; its outcome.

    Switches: if it must wait. Call from: any thread. Raises: what a signal handler raises.
    """
    descriptors: list[tuple[int, str]] | None = getattr(ticket, "fd", None)
    if descriptors is None:
        if ticket.outcome is None:
            _block_on_lock(ticket, when)
    else:
        try:
            if ticket.outcome is None:
                _block_on_poll(ticket, when, descriptors)
        finally:
            leave(ticket)
    return ticket.outcome


def _block_on_lock(ticket: Ticket, when: float | None) -> None:
    lock = allocate_lock()
    lock.acquire()
    try:
        _wake[ticket] = lock.release
        while ticket.outcome is None:
            if when is None:
                lock.acquire()
            elif (left := when - monotonic()) > 0:
                lock.acquire(True, min(left, LONGEST))
            else:
                when = None  # if somebody else was faster its wake-up comes any moment
                _claim(ticket, TIMED_OUT)
    finally:
        _wake.pop(ticket, None)


def _block_on_poll(ticket: Ticket, when: float | None, descriptors: list[tuple[int, str]]) -> None:
    own = _spare.pop() if _spare else WakeFd()
    try:
        _wake[ticket] = own.set
        poller = select.poll()
        poller.register(own.fd, select.POLLIN)
        watched = _masks(descriptors)
        for fd, mask in watched.items():
            poller.register(fd, mask)
        while ticket.outcome is None:
            outcome = _poll(poller, own.fd, when)
            if outcome is None:
                if ticket.outcome is None:
                    own.clear()
            elif not _claim(ticket, outcome):
                when = None  # somebody else was faster: its wake-up comes any moment
                for fd in watched:
                    poller.unregister(fd)
    finally:
        # If its wake-up is still to come it is not used again: that must not hit another's wait.
        if (_wake.pop(ticket, None) is not None or own.clear()) and len(_spare) < MAX_SPARE:
            _spare.append(own)


def _masks(descriptors: list[tuple[int, str]]) -> dict[int, int]:
    masks: dict[int, int] = {}
    for fd, direction in descriptors:
        masks[fd] = masks.get(fd, 0) | _EVENTS[direction]
    return masks


def _poll(poller: Any, own_fd: int, when: float | None) -> Any:
    """WOKEN if a watched descriptor is ready, TIMED_OUT, or None: look again."""
    left = None if when is None else max(0.0, when - monotonic())
    events = poller.poll(None if left is None else min(left, LONGEST) * 1000)
    for fd, _ in events:
        if fd != own_fd:
            return WOKEN
    return TIMED_OUT if when is not None and not events and monotonic() >= when else None


# -- descriptors ----------------------------------------------------------------------------------


def arm(fd: int, direction: str, ticket: Ticket) -> None:
    """Let `block` watch `fd` for `ticket`.

    Switches: never. Call from: any thread. Raises: Busy if a live ticket waits there already; OSError.
    """
    os.fstat(fd)  # EBADF now, and not in the wait
    descriptor = fd, direction
    while (other := _waiters.setdefault(descriptor, ticket)) is not ticket:
        if hasattr(other, "armed"):
            raise Busy(
                f"{other.task!r} already waits to {direction} descriptor {fd}; "
                "one task at a time may wait in each direction"
            )
        _leave(descriptor, other)
    if not hasattr(ticket, "fd"):
        ticket.fd = []
    ticket.fd.append(descriptor)


def leave(ticket: Ticket) -> None:
    """Let nobody find `ticket` at its descriptors any more.

    Switches: never. Call from: any thread. Raises: nothing.
    """
    for descriptor in getattr(ticket, "fd", ()):
        _leave(descriptor, ticket)


def _leave(descriptor: tuple[int, str], ticket: Ticket) -> None:
    if _waiters.get(descriptor) is ticket:
        gone = _waiters.pop(descriptor, None)
        if gone is not None and gone is not ticket:  # another has come into its place meanwhile
            _waiters.setdefault(descriptor, gone)


def forget(fd: int) -> None:
    """Fire who waits for `fd` with CLOSED.

    Switches: never. Call from: any thread. Raises: nothing.
    """
    for direction in (READ, WRITE):
        ticket = _waiters.pop((fd, direction), None)
        if ticket is not None:
            fire(ticket, CLOSED)


def after_fork(survivor: object) -> None:
    """In the child, where of all waits only those of the task `survivor` are left.

    The wake-up descriptors are shared with the parent's threads: no one here may use them.
    """
    for ticket in list(_wake):
        if ticket.task is not survivor:
            del _wake[ticket]
    for descriptor, ticket in list(_waiters.items()):
        if ticket.task is not survivor:
            del _waiters[descriptor]
    _spare.clear()
