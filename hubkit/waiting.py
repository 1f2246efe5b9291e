"""How a task waits: tickets, wait queues, and the one function that parks.

What must live here: every call of `Hub.park` in the library, and what has to be undone when a
wait ends by an exception. What this file must not know: what is waited for.

A wait is a `Ticket`. Whoever has news for the waiter fires it; the first to do so has won and its
outcome is what the wait returns, every later one sees False. The protocol of a waiter:

1. make a ticket, publish it where wakers look (a `WaitQueue`, a list, a poller);
2. look again at the state that it waits for, as a waker may have come between look and publish;
3. `wait(ticket, …)`, which returns at once if the ticket has been fired meanwhile.

A waker changes the state first and then looks for tickets. So one of the two always sees the other,
without a lock (each step is one C-level container operation, atomic under the GIL).
"""

from __future__ import annotations

from collections import deque
from itertools import filterfalse, repeat
from math import inf, isnan
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Protocol

from greenlet import getcurrent

from .registry import current_hub, this_task

if TYPE_CHECKING:
    from .tasks import Task


class Outcome:
    """A way for a wait to end that is not a value; compared by identity."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


WOKEN = Outcome("WOKEN")  # what it waited for is there, or may be: look
TIMED_OUT = Outcome("TIMED_OUT")  # the timer of this very wait
INTERRUPT = Outcome("INTERRUPT")  # the task has a request to deliver: a cancel, an expired scope
CLOSED = Outcome("CLOSED")  # what it waited on was closed
WITHDRAWN = Outcome("WITHDRAWN")  # the waiter itself has ended the wait, by an exception


class Ticket:
    """One wait of one task, made by `own_ticket` or `ticket_for`. Fired at most once; never used again.

    `del ticket.armed` is the atomic claim: a single C-level slot clear, the loser of a race gets
    AttributeError. `outcome` stays None until the winner has set it; no outcome is false.
    """

    __slots__ = ("__weakref__", "armed", "fd", "outcome", "resume", "task")

    task: Task[Any]
    armed: bool
    outcome: Any
    resume: Any  # switches to the task while that is parked, where that is how it is woken; else nothing
    fd: Any  # a hub's own mark on a ticket it has armed; unset otherwise

    # No __init__: CPython needs twice as long to make an object that has one, and every wait makes a ticket.

    def claim(self) -> bool:
        """Take the ticket out of the race; True if nobody had fired or claimed it."""
        try:
            del self.armed
        except AttributeError:
            return False
        self.outcome = WITHDRAWN
        return True

    def __call__(self) -> None:
        """Fire as timed out: a ticket is a ready-made callback for `Hub.call_at`."""
        self.task.hub.fire(self, TIMED_OUT)


def nothing() -> None:
    """In place of a switch to a task that does not wait yet, or no longer."""


def own_ticket() -> Ticket:
    """A ticket for a wait of the calling task.

    Switches: never. Call from: hub | any thread. Raises: WrongContext in hub context.
    """
    ticket = Ticket()
    try:
        task = getcurrent().hubkit_task
    except AttributeError:
        task = None
    if task is None:
        task = this_task()
    ticket.task = task
    ticket.resume = nothing
    ticket.armed = True
    ticket.outcome = None
    return ticket


def ticket_for(task: Task[Any]) -> Ticket:
    """A ticket for a wait of `task`.

    Switches: never. Call from: any thread. Raises: nothing.
    """
    ticket = Ticket()
    ticket.task = task
    ticket.resume = nothing
    ticket.armed = True
    ticket.outcome = None
    return ticket


#: Tasks that may have something to deliver. Process-wide, so that a verb's entry check is one truth
#: test; only a hint, the truth is in the task (see `Task.deliver`).
latched: dict[Task[Any], None] = {}


def deliver_latched() -> None:
    """Raise what is latched for the calling task, if anything. Called when `latched` is not empty."""
    hub = current_hub()
    task = hub.current()
    if task is None:
        return
    hub.at_verb(task)
    if task in latched:
        task.deliver()


def unlatch(task: Task[Any]) -> None:
    """Take back the hint if `task` has nothing to deliver now. Any thread."""
    latched.pop(task, None)
    if task.pending():  # asked for in this very instant
        latched[task] = None


#: What a verb's `timeout` is.
TIMEOUT = "timeout must be a number of seconds or None"


def check_timeout(timeout: float | None, rule: str = TIMEOUT) -> float | None:
    """Validate a number of seconds: negative, "do not wait", becomes 0; for ever, None.

    `rule` says in the error what it must be.
    """
    if timeout is None:
        return None
    try:
        seconds = timeout + 0.0
    except TypeError:
        raise TypeError(f"{rule}, not {timeout!r}") from None
    if isnan(seconds):
        raise ValueError(f"{rule}, not {timeout!r}")
    return None if seconds == inf else seconds if seconds > 0.0 else 0.0


class Place(Protocol):
    """Where a ticket was published. Both are called in the waiting task, and must not wait."""

    def _withdraw(self, ticket: Ticket) -> None:
        """Take the ticket back: the wait ended by its timer, an interrupt or an exception."""

    def _undo(self, outcome: Any) -> None:
        """Give back what was handed over: in the same instant something was thrown into the waiter."""


def wait(ticket: Ticket, timeout: float | None = None, place: Place | None = None) -> Any:
    """Park until the ticket is fired and return its outcome. The only caller of `Hub.park`.

    `place` is where others find the ticket, if it has to be taken back from there.

    Switches: if it must wait. Call from: hub. Raises: Cancelled and whatever the host throws.
    """
    task = ticket.task
    timer = None
    outer = task.ticket  # of a wait in the middle of which a signal handler waits
    try:
        if timeout is not None:
            timer = task.hub.call_at(task.hub.now() + timeout, ticket)
        task.ticket = ticket  # published first, then `latched` is looked at: see Task.nudge
        if latched and task in latched and task.pending():
            task.hub.fire(ticket, INTERRUPT)
        outcome = task.hub.park(ticket)
    except BaseException:
        if not ticket.claim():
            _give_back(ticket, place)
        if place is not None:
            place._withdraw(ticket)
        if timer is not None:
            timer.cancel()
        raise
    finally:
        task.ticket = outer
        if outer is not None:
            back_in(outer, task)
    if timer is not None:
        if outcome is TIMED_OUT:
            if place is not None:
                place._withdraw(ticket)
            return outcome
        timer.cancel()
    if outcome is INTERRUPT:
        if place is not None:
            place._withdraw(ticket)
        task.deliver()
    return outcome


def back_in(outer: Ticket, task: Task[Any]) -> None:
    """A signal handler's wait in the middle of another one is over: what came for that one comes again.

    Its wake-up may have been taken for the inner one's, and a request found the inner ticket.
    """
    task.hub.refire(outer)
    task.nudge()


def _give_back(ticket: Ticket, place: Place | None) -> None:
    """Undo a hand-over that met an exception thrown into the waiter."""
    outcome = ticket.outcome
    if outcome is INTERRUPT:
        latched[ticket.task] = None  # the request is still the task's: its next verb raises it
    elif place is not None and outcome is not TIMED_OUT:
        place._undo(outcome)


#: Up to so many tickets one that leaves is looked for and taken out at once.
FEW = 16

_outcome_of = attrgetter("outcome")


class WaitQueue:
    """Tickets in the order of their arrival.

    Any operation may be called from any thread, a signal handler or a finalizer. Tickets that have left are
    dead, and dead ones that are met are dropped. Where many wait they stay until they are every other one.
    """

    __slots__ = ("_left", "tickets")

    def __init__(self) -> None:
        #: Empty if nobody waits. A plain deque: CPython takes twice as long for the methods of a subclass.
        self.tickets: deque[Ticket] = deque()
        self._left = 0  # about how many dead ones there are; a wrong count only moves a sweep

    def __len__(self) -> int:
        return len(self.tickets)

    def add(self, ticket: Ticket) -> None:
        """Queue up."""
        self.tickets.append(ticket)

    def discard(self, ticket: Ticket) -> None:
        """Withdraw a dead ticket, wherever it stands; nothing happens if it has left."""
        waiting = len(self.tickets)
        if waiting <= FEW:
            try:
                self.tickets.remove(ticket)
            except ValueError:
                pass
        else:
            self._left += 1
            if self._left * 2 > waiting:
                self._sweep()

    def _sweep(self) -> None:
        """Go once round and leave out the dead: one call that runs no bytecode, so nobody gets in between."""
        self._left = 0
        tickets = map(deque.popleft, repeat(self.tickets, len(self.tickets)))
        try:
            self.tickets.extend(filterfalse(_outcome_of, tickets))
        except IndexError:  # somebody has taken one before it began: it has come round all the same
            pass

    _withdraw = discard

    def _undo(self, outcome: Any) -> None:
        """A wake-up that came too late is lost on nobody: what it told of is still there."""

    def next(self) -> Ticket | None:
        """Take out the longest waiting ticket, or None."""
        try:
            return self.tickets.popleft()
        except IndexError:
            return None

    def alive(self) -> int:
        """How many wait."""
        return len(list(filterfalse(_outcome_of, self.tickets)))

    def wake_one(self, outcome: Any = WOKEN) -> bool:
        """Fire the longest waiting live ticket; False if there is none."""
        while self.tickets:
            ticket = self.next()
            if ticket is not None and ticket.task.hub.fire(ticket, outcome):
                return True
        return False

    def wake_all(self, outcome: Any = WOKEN) -> int:
        """Fire every ticket that waits now, in order; the number of those that were alive."""
        woken = 0
        for _ in range(len(self.tickets)):
            ticket = self.next()
            if ticket is None:
                break
            woken += ticket.task.hub.fire(ticket, outcome)
        return woken
