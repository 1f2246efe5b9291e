"""Readiness of descriptors: which ticket waits for which, and one epoll (or selector) behind them.

What must live here: registrations, and their end. What this file must not know: sockets, tasks.

Two kinds of descriptors. A *stream* is a stream socket that hubkit made and closes itself, so its
registration can be edge-triggered, made once, and believed. Any other descriptor may be closed, duplicated
or re-used behind our back: it is registered for one event at a time, and nothing is remembered after.
epoll keeps the registration of a closed descriptor alive as long as a duplicate exists (in a forked
child, say) and reports its events under the old number; readiness is therefore never more than a hint.
"""

from __future__ import annotations

import os
import selectors
from collections.abc import Callable
from errno import EEXIST, ENOENT, EPERM
from typing import Any

from .contract import READ
from .errors import Busy
from .originals import select
from .waiting import CLOSED, WOKEN, Ticket

Fire = Callable[[Ticket, Any], bool]

#: Events taken from the kernel at a time.
MAX_EVENTS = 1023


class StreamRecord:
    """What is known of one descriptor: who waits, and for streams what was seen last."""

    __slots__ = (
        "fd",
        "hung_up",
        "mask",
        "owned",
        "poller",
        "readable",
        "reader",
        "short_reads",
        "writable",
        "writer",
    )

    def __init__(self, fd: int, owned: bool, poller: Poller) -> None:
        self.fd = fd
        self.owned = owned
        self.poller: Poller | None = poller  # None: it keeps this record no longer
        self.mask = 0  # registered events; 0: not registered
        self.reader: Ticket | None = None
        self.writer: Ticket | None = None
        # The rest is for streams: hints that the socket's own calls keep up to date.
        self.readable = True  # worth a try: no event has been used up by a read that found the end
        self.writable = True
        self.hung_up = False  # seen once, true for ever: then nobody waits for reading
        self.short_reads = False  # a read of less than was asked for has emptied the buffer


class Poller:
    """Tickets by descriptor. What differs between epoll and the rest is in the two subclasses."""

    def __init__(self, fire: Fire) -> None:
        self._fire = fire
        self._records: dict[int, StreamRecord] = {}
        self._armed: dict[Ticket, None] = {}

    def arm(self, fd: int, direction: str, ticket: Ticket) -> None:
        """Fire `ticket` once when `fd` is ready; Busy if a live one waits there already."""
        record = self._records.get(fd)
        if record is None:
            record = self._records[fd] = StreamRecord(fd, owned=False, poller=self)
        waiting = record.reader if direction == READ else record.writer
        if waiting is not None and hasattr(waiting, "armed"):
            raise Busy(
                f"{waiting.task!r} already waits to {direction} descriptor {fd}; "
                "one task at a time may wait in each direction"
            )
        if direction == READ:
            record.reader = ticket
        else:
            record.writer = ticket
        self._armed[ticket] = None
        if record.owned and record.mask:
            return
        try:
            self._register(record)
        except OSError as error:
            self._drop(record)
            if error.errno == EPERM:  # a regular file: always ready, and not pollable
                self._fire(ticket, WOKEN)
                return
            raise

    def own(self, fd: int) -> StreamRecord | None:
        """The record of a stream that hubkit owns; None if this poller keeps none."""
        return None

    def forget(self, fd: int) -> None:
        """`fd` will be closed: wake its waiters with CLOSED. Any thread."""
        record = self._records.pop(fd, None)
        if record is not None:
            record.poller = None
            self._unregister(record)
            for ticket in (record.reader, record.writer):
                if ticket is not None:
                    self._armed.pop(ticket, None)
                    self._fire(ticket, CLOSED)

    def has_waiters(self) -> bool:
        """Whether a live ticket waits for a descriptor."""
        for ticket in list(self._armed):
            if hasattr(ticket, "armed"):
                return True
            self._armed.pop(ticket, None)
        return False

    def watched(self) -> list[int]:
        """The descriptors that a live ticket waits for."""
        return [
            record.fd
            for record in list(self._records.values())
            if any(hasattr(ticket, "armed") for ticket in (record.reader, record.writer))
        ]

    def _readable(self, record: StreamRecord) -> None:
        ticket = record.reader
        if ticket is not None:
            # First: if a signal handler raises in between, a dead ticket is left, and not a lost one.
            self._fire(ticket, WOKEN)
            self._armed.pop(ticket, None)
            record.reader = None

    def _writable(self, record: StreamRecord) -> None:
        ticket = record.writer
        if ticket is not None:
            self._fire(ticket, WOKEN)
            self._armed.pop(ticket, None)
            record.writer = None

    def _drop(self, record: StreamRecord) -> None:
        if not record.owned and self._records.get(record.fd) is record:
            del self._records[record.fd]
        for ticket in (record.reader, record.writer):
            if ticket is not None:
                self._armed.pop(ticket, None)
        record.reader = record.writer = None

    def _rest_of(self, record: StreamRecord) -> None:
        """A one-shot registration has fired: keep it for the other direction, or end it."""
        for ticket in (record.reader, record.writer):
            if ticket is not None and hasattr(ticket, "armed"):
                self._register(record)
                return
        self._unregister(record)
        self._drop(record)

    def fileno(self) -> int:
        """A descriptor that is readable when `poll` has something to report."""
        raise NotImplementedError

    def poll(self, timeout: float | None) -> None:
        """Wait at most `timeout` seconds (None: for ever) and fire what is ready."""
        self.wait(timeout)
        self.deliver()

    def wait(self, timeout: float | None) -> None:
        """Wait at most `timeout` seconds (None: for ever) for something that `deliver` can fire."""
        raise NotImplementedError

    def deliver(self) -> None:
        """Fire what was ready at the last `wait`."""
        raise NotImplementedError

    def add_wake(self, fd: int, drain: Callable[[], object]) -> None:
        """End `poll` when `fd` is readable, and call `drain`."""
        raise NotImplementedError

    def close(self) -> None:
        """Free the descriptor behind. Waiters are not told."""
        for record in list(self._records.values()):
            record.poller = None

    def _register(self, record: StreamRecord) -> None:
        raise NotImplementedError

    def _unregister(self, record: StreamRecord) -> None:
        raise NotImplementedError


class EpollPoller(Poller):
    """epoll: one descriptor, itself pollable, so a host can watch it."""

    def __init__(self, fire: Fire) -> None:
        super().__init__(fire)
        self._epoll = select.epoll()
        self._wakes: dict[int, Callable[[], object]] = {}
        self._events: list[tuple[int, int]] = []  # of the last wait, the first one last
        self._in = select.EPOLLIN | select.EPOLLPRI | select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
        self._out = select.EPOLLOUT | select.EPOLLHUP | select.EPOLLERR
        self._gone = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
        self._pri = select.EPOLLPRI
        self._stream = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLPRI | select.EPOLLET

    def own(self, fd: int) -> StreamRecord:
        record = self._records.get(fd)
        if record is None:
            record = self._records[fd] = StreamRecord(fd, owned=True, poller=self)
        elif not record.owned:  # somebody waits for its number, and goes on waiting
            record.owned = True
            if record.mask:
                record.mask = 0
                self._register(record)
        return record

    def fileno(self) -> int:
        return int(self._epoll.fileno())

    def add_wake(self, fd: int, drain: Callable[[], object]) -> None:
        self._wakes[fd] = drain
        self._epoll.register(fd, select.EPOLLIN)

    def wait(self, timeout: float | None) -> None:
        if not self._events:
            self._events = self._epoll.poll(timeout, MAX_EVENTS)
            self._events.reverse()

    def deliver(self) -> None:
        events = self._events
        while events:
            fd, mask = events[-1]
            record = self._records.get(fd)
            if record is None:
                self._unknown(fd)
            else:
                if mask & self._in:
                    record.readable = True
                    if record.owned:
                        if mask & self._gone:
                            record.hung_up = True
                        if mask & self._pri:  # a read stops at urgent data: short, yet not empty
                            record.short_reads = False
                    if record.reader is not None:
                        self._readable(record)
                if mask & self._out:
                    record.writable = True
                    if record.writer is not None:
                        self._writable(record)
                if not record.owned:
                    self._rest_of(record)
            events.pop()  # after: if a signal handler raises here, an edge must not get lost

    def close(self) -> None:
        super().close()
        self._epoll.close()

    def _unknown(self, fd: int) -> None:
        drain = self._wakes.get(fd)
        if drain is not None:
            drain()
            return
        try:
            self._epoll.unregister(fd)
        except OSError:  # the description lives on under a duplicate: nothing reaches it any more
            pass

    def _register(self, record: StreamRecord) -> None:
        if record.owned:
            if record.mask:
                return
            mask = self._stream
        else:
            mask = select.EPOLLONESHOT
            if record.reader is not None:
                mask |= select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLPRI
            if record.writer is not None:
                mask |= select.EPOLLOUT
        first, second = self._epoll.register, self._epoll.modify
        if record.mask:
            first, second = second, first
        try:
            first(record.fd, mask)
        except OSError as error:
            if error.errno not in (EEXIST, ENOENT):
                raise
            second(record.fd, mask)
        record.mask = mask

    def _unregister(self, record: StreamRecord) -> None:
        if record.mask:
            record.mask = 0
            try:
                self._epoll.unregister(record.fd)
            except (OSError, ValueError):  # closed meanwhile, or this poller is
                pass


class SelectorPoller(Poller):
    """Any selector of the standard library: level-triggered, registered for each wait anew."""

    def __init__(self, fire: Fire, selector: selectors.BaseSelector | None = None) -> None:
        super().__init__(fire)
        self._selector = selector if selector is not None else selectors.DefaultSelector()
        self._events: list[tuple[selectors.SelectorKey, int]] = []

    def fileno(self) -> int:
        fileno = getattr(self._selector, "fileno", None)
        return -1 if fileno is None else int(fileno())

    def add_wake(self, fd: int, drain: Callable[[], object]) -> None:
        self._selector.register(fd, selectors.EVENT_READ, drain)

    def wait(self, timeout: float | None) -> None:
        self._events = self._selector.select(timeout)

    def deliver(self) -> None:
        for key, events in self._events:
            record = self._records.get(key.fd)
            if record is None:
                if callable(key.data):
                    key.data()
                continue
            if events & selectors.EVENT_READ:
                self._readable(record)
            if events & selectors.EVENT_WRITE:
                self._writable(record)
            self._rest_of(record)

    def close(self) -> None:
        super().close()
        self._selector.close()

    def _register(self, record: StreamRecord) -> None:
        mask = 0
        if record.reader is not None:
            mask |= selectors.EVENT_READ
        if record.writer is not None:
            mask |= selectors.EVENT_WRITE
        if record.mask:
            self._unregister(record)
        os.fstat(record.fd)  # EBADF now, and not in the next wait, for all
        self._selector.register(record.fd, mask)
        record.mask = mask

    def _unregister(self, record: StreamRecord) -> None:
        if record.mask:
            record.mask = 0
            try:
                self._selector.unregister(record.fd)
            except (KeyError, ValueError, OSError):
                pass


def make_poller(fire: Fire) -> Poller:
    """The best poller of this platform."""
    return EpollPoller(fire) if hasattr(select, "epoll") else SelectorPoller(fire)
