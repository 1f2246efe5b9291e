"""explore: a program under many schedules, and the shortest one that it fails under.

What must live here: which schedules are tried, in which order, and the report. What this file must not know:
how a schedule is put in force (one_run.py) and looks (trace.py).

First the plain order. Then all schedules with one deviation from it, with two, and so on up to a limit: most
races need very few, and the first schedule that fails is a short one. What is left of the number of runs goes
to chance, which also finds what needs many.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from ..contract import Hub
from ..registry import DEFAULTS
from .one_run import Program, Runner
from .schedule import Choose, Schedule, Ways, from_text, to_text

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup

#: Of the schedules, how many are spent on the systematic part if it does not come to an end.
SYSTEMATIC = 0.6
#: Runs spent on making a failing schedule shorter.
SHRINKING = 400
#: Of a group, how many different errors the headline names.
NAMED = 3
#: The chances of being stopped at a verb, one for each random schedule in turn.
CHANCES = (0.03, 0.1, 0.3, 0.5)


class RaceFound(AssertionError):
    """A program has failed under a schedule. Its cause is the error that the program failed by."""

    def __init__(self, message: str, replay: str, schedules: int) -> None:
        super().__init__(message)
        self.replay = replay  #: what `explore(replay=)` takes to run that schedule again
        self.schedules = schedules  #: how many had been tried


@dataclass(frozen=True)
class Explored:
    """What was tried, and held."""

    schedules: int  #: how many
    complete: bool  #: whether there are no others with so few preemptions


def explore(
    fn: Program,
    *,
    schedules: int = 1000,
    preemptions: int = 2,
    seed: int = 0,
    replay: str | None = None,
    time_passes: bool = False,
    steps: int = 100_000,
    unheard_errors: bool = True,
    hub: str | type[Hub] = DEFAULTS.tests,
) -> Explored:
    """Run `fn()` under up to `schedules` schedules, and raise RaceFound if it fails under one.

    `fn` is called anew each time, as the main task of a program on the virtual hub, and must make all that
    it uses. A failure is an error that comes out of it, a Deadlock, that it goes on for more than `steps`
    steps, and, unless `unheard_errors` is false, an error that hubkit can only log as nobody waits for it.
    Nothing but the order of tasks may differ between two runs: no thread, no chance, not the world.

    A schedule deviates from the plain order where a task is stopped at the entry of one of hubkit's verbs for
    another that is ready, or where one runs before others that were ready earlier. All schedules with up to
    `preemptions` deviations are tried, fewest first, as far as the number allows; the rest are random ones,
    the same for the same `seed`. With `time_passes` the clock may also run on to the next timer while tasks
    are ready, as it does on a slow machine.

    `replay` is what a RaceFound has told: only that schedule is run.

    Switches: never; it blocks the thread. Call from: a thread that runs no task. Raises: RaceFound;
    TypeError, ValueError; NotSupported if `hub` cannot be steered.
    """
    _check(fn, schedules=schedules, preemptions=preemptions, steps=steps)
    with Runner(fn, hub, unheard_errors) as runner:
        search = _Search(runner, time_passes, steps)
        if replay is not None:
            search.replay(replay)
            return Explored(1, False)
        return search.run(schedules, preemptions, Random(seed))


def _check(fn: object, **numbers: object) -> None:
    if not callable(fn):
        raise TypeError(f"explore() takes a function without arguments, not {fn!r}")
    for name, value in numbers.items():
        if type(value) is not int:
            raise TypeError(f"{name} must be a whole number, not {value!r}")
        if value < (name != "preemptions"):
            raise ValueError(f"{name} must be {int(name != 'preemptions')} or more, not {value}")


class _Search:
    def __init__(self, runner: Runner, time_passes: bool, steps: int) -> None:
        self._run = runner
        self._time_passes = time_passes
        self._steps = steps
        self._count = 0

    def run(self, schedules: int, preemptions: int, dice: Random) -> Explored:
        complete = True
        level: list[Ways] = [{}]
        for deviations in range(preemptions + 1):
            left = int(schedules * (SYSTEMATIC if deviations else 1)) - self._count
            if len(level) > left:
                complete = False
                level = [level[number] for number in sorted(dice.sample(range(len(level)), max(0, left)))]
            more = deviations < preemptions
            level = [child for ways in level for child in self._try(ways, more)]
        if not self._ways:
            return Explored(self._count, True)
        while self._count < schedules:
            self._one(self._schedule(choose=_by_chance(dice, CHANCES[self._count % len(CHANCES)])))
        return Explored(self._count, complete)

    _ways = False  # whether there has ever been more than one

    def _try(self, ways: Ways, more: bool) -> Iterator[Ways]:
        """Run one schedule; those with one deviation more, after its last."""
        schedule = self._schedule(ways)
        self._one(schedule)
        self._ways = self._ways or bool(schedule.widths)
        if more:
            for number in range(max(ways, default=-1) + 1, len(schedule.widths)):
                for way in range(1, schedule.widths[number]):
                    yield {**ways, number: way}

    def replay(self, text: str) -> None:
        ways, self._time_passes = from_text(text)
        self._count = 1
        schedule = self._schedule(ways)
        error = self._run(schedule)
        if not schedule.fits or (error is None and schedule.taken != ways):
            raise ValueError(f"the program has changed since: the schedule {text!r} fits it no longer")
        if error is not None:
            self._report(ways, error)

    def _schedule(self, ways: Ways | None = None, choose: Choose | None = None) -> Schedule:
        return Schedule(ways, self._time_passes, choose, self._steps)

    def _one(self, schedule: Schedule) -> None:
        self._count += 1
        error = self._run(schedule)
        if error is not None:
            self._report(self._shortened(schedule.taken, type(error)), error)

    # -- a failing schedule -----------------------------------------------------------------------

    def _shortened(self, ways: Ways, kind: type[BaseException]) -> Ways:
        """Fewer deviations under which it fails in the same way: without many of them, then without few."""
        left = SHRINKING
        size = len(ways)
        while size and left > 0:
            shorter = None
            numbers = sorted(ways)
            for start in range(0, len(numbers), size):
                without = set(numbers[start : start + size])
                candidate = {number: way for number, way in ways.items() if number not in without}
                left -= 1
                schedule = self._schedule(candidate)
                if type(self._run(schedule)) is kind:
                    shorter = schedule.taken
                    break
                if left <= 0:
                    break
            if shorter is not None and len(shorter) < len(ways):
                ways = shorter
                size = min(size, len(ways))
            else:
                size //= 2
        return ways

    def _report(self, ways: Ways, error: BaseException) -> None:
        schedule = self._schedule(ways)
        again, trace = self._run.traced(schedule)
        text = to_text(schedule.taken, self._time_passes)
        if again is None:
            message = (
                f"{_describe(error)}\nunder schedule {self._count} of those tried, but not when it was run "
                "again in the same order: something else decides, a thread, chance or the world"
            )
            raise RaceFound(message, text, self._count) from error
        where = f"schedule {self._count} of those tried" if ways else "the plain order of tasks"
        message = (
            f"{_describe(again)}\nunder {where}; * is where it deviates from the plain order:\n{trace}\n"
            f"To run it again: explore(…, replay={text!r})"
        )
        raise RaceFound(message, text, self._count) from again


def _describe(error: BaseException) -> str:
    """What is told of it first; of a group, the errors in it."""
    if not isinstance(error, BaseExceptionGroup):
        return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    texts = list(dict.fromkeys(map(_describe, _leaves(error))))
    heads = [text.partition("\n")[0] for text in texts[:NAMED]]
    if len(texts) > NAMED:
        heads.append(f"{len(texts) - NAMED} more")
    rest = texts[0].partition("\n")[1:] if len(texts) == 1 else ()
    name = type(error).__name__
    return "".join([f"{'; '.join(heads)}, in {'an' if name[0] in 'AEIOU' else 'a'} {name}", *rest])


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error


def _by_chance(dice: Random, chance: float) -> Callable[[int, bool], int]:
    def choose(ways: int, preempts: bool) -> int:
        if preempts:
            return dice.randrange(1, ways) if dice.random() < chance else 0
        return dice.randrange(ways)

    return choose
