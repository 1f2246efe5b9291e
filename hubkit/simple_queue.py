"""SimpleQueue: items on their way from those who put them to those who get them.

What must live here: handing items to getters in the order of their coming. What this file must not know:
hubs; in which order a container gives its items back; why there is a limit or an end (queues.py).

There is no lock: adding an item and taking one are one atomic step of the container each. Who puts adds first
and then looks for getters; who gets publishes its ticket first and then looks for items. An item in hand for
a getter who has gone is put back, and then looked at again. Nobody takes an item while others wait for one.
"""

from __future__ import annotations

import sys
from collections import deque
from queue import Empty
from typing import Any, Generic, Protocol, TypeVar

from greenlet import getcurrent

from .registry import this_task
from .slots import Slots
from .waiting import (
    CLOSED,
    TIMED_OUT,
    Ticket,
    WaitQueue,
    check_timeout,
    deliver_latched,
    latched,
    nothing,
    wait,
)

if sys.version_info >= (3, 13):
    from queue import ShutDown as ShutDown
else:

    class ShutDown(Exception):
        """`put` or `get` of a queue that was shut down; `queue.ShutDown` itself from Python 3.13 on."""


T = TypeVar("T")


class Items(Protocol[T]):
    """A container whose operations are atomic. `popleft` takes the next item or raises IndexError;
    `appendleft` puts it back as if it had not been taken."""

    def append(self, item: T, /) -> None: ...
    def appendleft(self, item: T, /) -> None: ...
    def popleft(self) -> T: ...
    def __len__(self) -> int: ...


class SimpleQueue(Generic[T]):
    """First in, first out, without limit. Shaped as `queue.SimpleQueue`."""

    __slots__ = ("__weakref__", "_closed", "_getters", "_items", "_slots")

    def __init__(self) -> None:
        self._items: Items[T] = self._container()
        self._getters = WaitQueue()
        self._slots: Slots | None = None  # places for items, if there is a limit
        self._closed = False

    def _container(self) -> Items[T]:
        return deque()

    # -- putting ----------------------------------------------------------------------------------

    def put(self, item: T, block: bool = True, timeout: float | None = None) -> None:
        """Add an item; it goes to the longest waiting getter. `block` and `timeout` mean nothing here.

        Switches: never. Call from: hub | any thread | signal. Raises: nothing.
        """
        getters = self._getters.tickets
        if getters and not self._items:  # right into the hands of the longest waiting
            try:
                ticket = getters.popleft()
            except IndexError:  # another has just served it
                pass
            else:
                if ticket.task.hub.fire(ticket, (item,)):
                    return
        self._items.append(item)
        if getters:
            self._match()

    def put_nowait(self, item: T) -> None:
        """`put` without waiting.

        Switches: never. Call from: hub | any thread | signal. Raises: as `put`, and Full if there is no room.
        """
        self.put(item, False)

    # -- getting ----------------------------------------------------------------------------------

    def get(self, block: bool = True, timeout: float | None = None) -> T:
        """Take the next item, at most after `timeout` seconds (None: for ever).

        Not blocking, it does not wait; nor with a timeout of zero or less.

        Switches: if it must wait. Call from: hub | any thread; not blocking, signal too. Raises: Empty if
        none came in time; Cancelled; ValueError and TypeError for a timeout that is no number; ShutDown
        if the queue was shut down and no item is left.
        """
        if timeout is not None:
            timeout = check_timeout(timeout)
        if latched and block:
            deliver_latched()
        items, getters = self._items, self._getters.tickets
        if items:
            if getters or self._slots is not None:
                for item in self._take():
                    return item
            else:
                try:
                    return items.popleft()
                except IndexError:  # another has just taken it
                    pass
        if not block or timeout is not None:
            self._none_there(block, timeout)
        ticket = Ticket()  # as `own_ticket`, without the call
        try:
            task = getcurrent().hubkit_task
        except AttributeError:
            task = None
        ticket.task = this_task() if task is None else task
        ticket.resume = nothing
        ticket.armed = True
        ticket.outcome = None
        getters.append(ticket)
        if items or self._closed:
            self._look_again(ticket)
        outcome = wait(ticket, timeout, self)
        try:
            item = outcome[0]
        except TypeError:  # no tuple: it is how the wait has ended instead
            raise Empty if outcome is TIMED_OUT else self._shut_down() from None
        if self._slots is not None:
            self._slots.release()  # not before: an item put back still has its place
        return item

    def get_nowait(self) -> T:
        """`get` without waiting.

        Switches: never. Call from: hub | any thread | signal. Raises: as `get`.
        """
        return self.get(False)

    def _none_there(self, block: bool, timeout: float | None) -> None:
        """Raise what it means that no item is there, unless the caller waits for one."""
        if self._closed and self._is_over():
            raise self._shut_down()
        if not block or timeout == 0:
            raise Empty

    def _shut_down(self) -> ShutDown:
        return ShutDown(f"{self!r} was shut down, and is empty")

    def _take(self) -> tuple[()] | tuple[T]:
        """The next item, if there is one and nobody waits for it."""
        if self._getters.tickets:
            self._match()  # some may have gone, and not have withdrawn yet
        if self._getters.tickets:
            return ()
        try:
            item = self._items.popleft()
        except IndexError:  # another has just taken it
            return ()
        if self._slots is not None:
            self._slots.release()
        return (item,)

    def _look_again(self, ticket: Ticket) -> None:
        try:
            self._match()
        except BaseException:  # items could not be compared
            if ticket.claim():
                self._getters.discard(ticket)
                raise

    def _withdraw(self, ticket: Ticket) -> None:
        self._getters.discard(ticket)

    def _undo(self, outcome: Any) -> None:
        """Something was thrown into a getter in the instant in which an item was handed to it."""
        if outcome is not CLOSED:
            self._items.appendleft(outcome[0])
            self._match()

    def _match(self) -> None:
        """Hand items to those who wait. An item travels in a tuple: it may be any object."""
        items, getters = self._items, self._getters
        while getters.tickets and items:
            try:
                item = items.popleft()
            except IndexError:  # another has just taken it
                continue
            ticket = getters.next()
            if ticket is None or not ticket.task.hub.fire(ticket, (item,)):
                items.appendleft(item)
        if self._closed and self._is_over():
            getters.wake_all(CLOSED)

    def _is_over(self) -> bool:
        """Once it is closed: whether no item is left and none can come any more."""
        return not self._items

    # -- looking ----------------------------------------------------------------------------------

    def qsize(self) -> int:
        """The number of items in the queue.

        Switches: never. Call from: hub | any thread | signal. Raises: nothing.
        """
        return len(self._items)

    def empty(self) -> bool:
        """Whether there is no item in the queue.

        Switches: never. Call from: hub | any thread | signal. Raises: nothing.
        """
        return not self._items

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self._items)} items, {self._getters.alive()} waiting>"
