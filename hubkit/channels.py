"""Channel: a meeting point where an item goes straight from who puts it to who gets it.

What must live here: bringing the two together. What this file must not know: hubs.

Who comes publishes a ticket, and a putter its item too, and then matches. Two tickets cannot be fired in one
atomic step: the putter's comes first, as a put that was refused must not arrive. If in that very instant the
getter goes away, the item is owed to the next.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from queue import Empty, Full
from typing import Any, Generic, TypeVar

from .errors import Closed
from .waiting import (
    CLOSED,
    TIMED_OUT,
    WOKEN,
    Ticket,
    WaitQueue,
    check_timeout,
    deliver_latched,
    latched,
    own_ticket,
    wait,
)

T = TypeVar("T")


class Channel(Generic[T]):
    """A queue without room: `put` waits until somebody gets the item. `for item in channel` gets items until
    the channel is closed."""

    __slots__ = ("__weakref__", "_closed", "_getters", "_offers", "_owed")

    def __init__(self) -> None:
        self._offers: OrderedDict[Ticket, T] = OrderedDict()
        self._getters = WaitQueue()
        self._owed: deque[T] = deque()  # accepted, and then not taken
        self._closed = False

    # -- putting ----------------------------------------------------------------------------------

    def put(self, item: T, block: bool = True, timeout: float | None = None) -> None:
        """Give an item to the longest waiting getter, at most after `timeout` seconds (None: for ever).

        Not blocking, or with a timeout of zero or less, only if one waits already.

        Switches: if it must wait. Call from: hub | any thread; not blocking, signal too. Raises: Full if
        nobody took it in time; Closed if the channel is, or is closed first; Cancelled; ValueError and
        TypeError for a timeout that is no number.
        """
        timeout = check_timeout(timeout)
        if latched and block:
            deliver_latched()
        if self._closed:
            raise Closed(f"{self!r} is closed: nobody will get what is put")
        self._match()
        if not self._offers and not self._owed and self._hand_to_getter(item):
            return
        if not block or timeout == 0:
            raise Full
        ticket = own_ticket()
        self._offers[ticket] = item
        self._match()
        outcome = wait(ticket, timeout, self)
        if outcome is TIMED_OUT:
            raise Full
        if outcome is CLOSED:
            raise Closed(f"{self!r} was closed before anybody got what was put")

    def put_nowait(self, item: T) -> None:
        """`put` without waiting.

        Switches: never. Call from: hub | any thread | signal. Raises: Full if no getter waits; Closed.
        """
        self.put(item, False)

    def _withdraw(self, ticket: Ticket) -> None:
        self._offers.pop(ticket, None)
        self._getters.discard(ticket)

    def _hand_to_getter(self, item: T) -> bool:
        getters = self._getters
        while getters.tickets:
            ticket = getters.next()
            if ticket is not None and ticket.task.hub.fire(ticket, (item,)):
                return True
        return False

    # -- getting ----------------------------------------------------------------------------------

    def get(self, block: bool = True, timeout: float | None = None) -> T:
        """Take the item of the longest waiting putter, at most after `timeout` seconds (None: for ever).

        Not blocking, or with a timeout of zero or less, only if one waits already.

        Switches: if it must wait. Call from: hub | any thread; not blocking, signal too. Raises: Empty if
        no item came in time; Closed if the channel is, or is closed first; Cancelled; ValueError and
        TypeError for a timeout that is no number.
        """
        timeout = check_timeout(timeout)
        if latched and block:
            deliver_latched()
        self._match()
        if not self._getters.tickets:
            for item in self._take():
                return item
        if self._closed:
            raise Closed(f"{self!r} is closed: nothing more will come")
        if not block or timeout == 0:
            raise Empty
        ticket = own_ticket()
        self._getters.add(ticket)
        self._match()
        outcome = wait(ticket, timeout, self)
        if outcome is TIMED_OUT:
            raise Empty
        if outcome is CLOSED:
            raise Closed(f"{self!r} was closed before anything came")
        result: T = outcome[0]
        return result

    def get_nowait(self) -> T:
        """`get` without waiting.

        Switches: never. Call from: hub | any thread | signal. Raises: Empty if no putter waits; Closed.
        """
        return self.get(False)

    def _undo(self, outcome: Any) -> None:
        """Something was thrown into a getter in the instant in which an item was handed to it."""
        if type(outcome) is tuple:
            self._owed.appendleft(outcome[0])
            self._match()

    def _take(self) -> tuple[()] | tuple[T]:
        """The next item, its putter told, if there is one."""
        if self._owed:
            try:
                return (self._owed.popleft(),)
            except IndexError:  # another has just taken it
                pass
        while self._offers:
            try:
                ticket, item = self._offers.popitem(last=False)
            except KeyError:
                break
            if ticket.task.hub.fire(ticket, WOKEN):
                return (item,)
        return ()

    def _match(self) -> None:
        """Bring those who wait together."""
        getters = self._getters
        while getters.tickets and (self._owed or self._offers):
            # A putter must not be told "taken" for a getter that has gone and not withdrawn yet.
            getter = getters.next()
            if getter is None or not hasattr(getter, "armed"):
                continue
            taken = self._take()
            if not taken:
                getters.tickets.appendleft(getter)
            elif not getter.task.hub.fire(getter, taken):
                self._owed.appendleft(taken[0])
        if self._closed:
            self._end_waits()

    # -- closing ----------------------------------------------------------------------------------

    def close(self) -> None:
        """End every wait, and every later call, with Closed. Closing again changes nothing.

        Switches: never. Call from: hub | any thread | signal. Raises: nothing.
        """
        self._closed = True
        self._match()

    @property
    def closed(self) -> bool:
        """Whether `close` has been called."""
        return self._closed

    def _end_waits(self) -> None:
        while self._offers:
            try:
                ticket, _ = self._offers.popitem(last=False)
            except KeyError:
                break
            ticket.task.hub.fire(ticket, CLOSED)
        self._getters.wake_all(CLOSED)

    def __iter__(self) -> Iterator[T]:
        while True:
            try:
                item = self.get()
            except Closed:
                return
            yield item

    def __repr__(self) -> str:
        over = ", closed" if self._closed else ""
        return f"<Channel {len(self._offers)} putters and {len(self._getters)} getters waiting{over}>"
