"""Record: what is noted of one hub while a program runs, and how a violation is told.

What must live here: the notes, and their clearing when a hub ends or forks. What this file must not know:
when a clause is broken.

Notes about a ticket or a task end with it. Each is written in one atomic step: the verbs may be called
from any thread, a signal handler and a finalizer.
"""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any
from weakref import WeakKeyDictionary

from ...errors import ContractViolation
from ...tasks import Task
from ...waiting import Ticket
from .calls import Call
from .clauses import Clause
from .order import Order

_log = logging.getLogger("hubkit.lint")


class Record:
    """The notes on one hub."""

    def __init__(self, violations: list[ContractViolation]) -> None:
        self._violations = violations
        self.closed = False
        self.latest = float("-inf")  # what `now` has returned
        self.started: MutableMapping[Task[Any], object] = WeakKeyDictionary()
        self.ran: MutableMapping[Task[Any], object] = WeakKeyDictionary()
        self.parked: MutableMapping[Ticket, object] = WeakKeyDictionary()  # once, so never again
        self.won: MutableMapping[Ticket, object] = WeakKeyDictionary()  # `fire` has returned True
        self.deadlines: MutableMapping[Ticket, float] = WeakKeyDictionary()
        self.forget_all()

    def forget_all(self) -> None:
        """After the hub was closed, or in a forked child: nothing that was under way is due any more."""
        self.starting: dict[Task[Any], int] = {}  # the thread that is in `start`
        self.waiting: dict[Ticket, None] = {}  # in `park`
        self.watched: dict[tuple[int, str], Ticket] = {}
        self.runnable: Order[Task[Any] | Ticket] = Order()
        self.soon: Order[Call] = Order()
        self._timers: dict[float, Order[Call]] = {}  # by time: those of one time are in order

    def timers_of(self, when: float) -> Order[Call]:
        """The timers of one time."""
        return self._timers.get(when) or self._timers.setdefault(when, Order())

    def forget_timer(self, call: Call) -> None:
        """It is not to be called any more."""
        if call.when is not None:
            self.timers_of(call.when).forget(call)
            self.tidy(call.when)

    def tidy(self, when: float | None) -> None:
        """Keep no order of timers that have all been called."""
        if when is not None and self.timers_of(when).is_empty():
            self._timers.pop(when, None)  # who adds to it in this instant is not compared with others

    def note(self, clause: Clause, what: str) -> ContractViolation:
        """Log a violation, and keep it for those who ask afterwards."""
        violation = ContractViolation(*clause, what)
        self._violations.append(violation)
        _log.error("%s: %s", type(violation).__name__, violation, stack_info=True)
        return violation


def first(notes: MutableMapping[Any, object], key: object) -> bool:
    """Note `key`; whether it had not been noted before."""
    mine = object()
    return notes.setdefault(key, mine) is mine
