"""Schedule: the decisions of one run, made again or made anew, and written down.

What must live here: which way is taken where there is more than one, and the text that stands for it. What
this file must not know: hubs; which schedules are worth a try (explore.py); how one looks (trace.py).

A *decision* is an instant in which more than one thing could come next. Way 0 is the plain order: the task
whose turn it is runs, and one that runs goes on. Every other way is a *deviation*. A schedule is its
deviations: the number of the decision and the way taken there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from ..errors import HubError
from ..tasks import Task

#: Deviations by the number of their decision.
Ways = dict[int, int]
#: `choose(ways, preempts)`: the way to take at a decision that was not made before.
Choose = Callable[[int, bool], int]

ENDLESS = "the program went on and on: tasks that wait for something by trying again and again?"

#: Steps after which a main task that has swallowed the end is told again.
INSISTENCE = 1000

_TEXT = re.compile(r"(t?)(?::(\d+\.\d+(?:-\d+\.\d+)*)?)?")


class Endless(HubError):
    """A program went on under a schedule for more steps than it was allowed."""


class Observer(Protocol):
    """Who wants to see a schedule unfold; called in the greenlet of who ran until then."""

    def runs(self, ready: Sequence[Any], chosen: int) -> None: ...
    def preempted(self, task: Task[Any], ready: Sequence[Any], chosen: int) -> None: ...
    def time_passes(self) -> None: ...


class Schedule:
    """Steers a hub (`hubkit.contract.Steering`) through one run."""

    def __init__(
        self,
        ways: Ways | None = None,
        time_passes: bool = False,
        choose: Choose | None = None,
        steps: int = 0,
    ) -> None:
        self.time_passes = time_passes
        self.taken: Ways = {}  # the deviations of this run
        self.widths: list[int] = []  # how many ways there were at each decision
        self.fits = True  # every given deviation was possible
        self.endless = False
        self._given = ways or {}
        self._choose = choose
        self._left = steps
        self._observer: Observer | None = None
        self._at_verb = False  # this verb has been a place to be stopped at already

    def next(self, ready: Sequence[Any], timers: bool) -> int:
        """See `hubkit.contract.Steering`."""
        self._at_verb = False
        self._step(ready[0])
        way = self._decide(len(ready) + (timers and self.time_passes), False)
        if self._observer is not None:
            if way < len(ready):
                self._observer.runs(ready, way)
            else:
                self._observer.time_passes()
        return way

    def preempt(self, task: Task[Any], ready: Sequence[Any], timers: bool) -> int:
        """See `hubkit.contract.Steering`."""
        if self._at_verb:
            self._at_verb = False
            return 0
        self._step(task)
        way = self._decide(1 + len(ready) + (timers and self.time_passes), True)
        if self._observer is not None and way:
            if way <= len(ready):
                self._observer.preempted(task, ready, way - 1)
            else:
                self._observer.time_passes()
        return way

    def observe(self, observer: Observer) -> None:
        """Have `observer` see what comes from here on."""
        self._observer = observer

    def enter(self, enter: Callable[[], object]) -> None:
        """A program calls a verb: `enter()` is the place to be stopped at, and its inside no second one."""
        self._at_verb = False
        enter()
        self._at_verb = True

    def leave(self) -> None:
        """The verb has ended."""
        self._at_verb = False

    def _decide(self, ways: int, preempts: bool) -> int:
        if ways == 1:
            return 0
        number = len(self.widths)
        self.widths.append(ways)
        way = self._given.get(number, 0)
        if way >= ways:
            self.fits = False
            way = 0
        if self._choose is not None and number not in self._given:
            way = self._choose(ways, preempts)
        if way:
            self.taken[number] = way
        return way

    def _step(self, somebody: Any) -> None:
        self._left -= 1
        if self._left > 0 or self._left % INSISTENCE:
            return
        self.endless = True
        self._choose = None
        self._given = {}
        main = somebody.hub.main
        if main is not None:
            main.interrupt(Endless(ENDLESS))


def to_text(ways: Ways, time_passes: bool) -> str:
    """What `replay=` takes."""
    deviations = "-".join(f"{number}.{way}" for number, way in sorted(ways.items()))
    return f"{'t' if time_passes else ''}:{deviations}"


def from_text(text: str) -> tuple[Ways, bool]:
    """The opposite of `to_text`; raises ValueError for anything else."""
    match = _TEXT.fullmatch(text)
    if match is None:
        raise ValueError(f'a schedule is written as explore() prints it, like ":3.1-12.2", not {text!r}')
    pairs = (deviation.split(".") for deviation in (match[2] or "").split("-") if deviation)
    return {int(number): int(way) for number, way in pairs}, bool(match[1])


class Shuffled:
    """Steers a hub so that each time any of the ready tasks is next; the same ones for the same seed."""

    time_passes = False

    def __init__(self, seed: int) -> None:
        from random import Random

        self._dice = Random(seed)

    def next(self, ready: Sequence[Any], timers: bool) -> int:
        """See `hubkit.contract.Steering`."""
        return self._dice.randrange(len(ready))

    def preempt(self, task: Task[Any], ready: Sequence[Any], timers: bool) -> int:
        """See `hubkit.contract.Steering`."""
        return 0
