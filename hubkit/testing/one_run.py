"""One run of a program under one schedule, on a steered hub of its own.

What must live here: setting up the hub, and everything that counts as a failure. What this file must not
know: which schedules are tried.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count
from typing import Any

from .. import registry, running, tasks
from ..contract import Hub
from ..waiting import latched
from .override import override
from .points import Leave, points
from .schedule import ENDLESS, Endless, Schedule
from .trace import Trace

Program = Callable[[], object]


class _Always:
    """In `latched` it makes every verb that can wait look there, and so pass by `Hub.at_verb`."""


class Unheard(Exception):
    """Something went wrong in a program that nobody waits for: hubkit could only log it."""


class Runner:
    """Runs one program again and again; a context manager."""

    def __init__(self, program: Program, hub: str | type[Hub], unheard_errors: bool) -> None:
        base: Any = registry.load(hub) if isinstance(hub, str) else hub
        # A class of its own: a hub of the same class that serves this thread already is left alone.
        self._hub_class = type(base)("Explored", (base,), {"__module__": base.__module__})
        self._program = program
        self._unheard_errors = unheard_errors
        self._hub: Hub | None = None
        self._schedule = Schedule()
        self._trace: Trace | None = None
        self._open = ExitStack()

    def __enter__(self) -> Runner:
        self._open.enter_context(points(self._at))
        self._open.enter_context(_every_verb_looks())
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def __call__(self, schedule: Schedule) -> BaseException | None:
        """Run under `schedule`; how it failed, or None."""
        with _logged() as complaints, _numbered_anew(), override(self._hub_class):
            self._hub = registry.hub_to_spawn()
            self._hub.steer(schedule)
            self._schedule = schedule
            try:
                error = self._run()
            finally:
                self._hub = None
        if schedule.endless:
            return error if isinstance(error, Endless) else Endless(ENDLESS)
        if error is None and complaints and self._unheard_errors:
            error = Unheard(complaints[0].getMessage())
            error.__cause__ = complaints[0].exc_info[1] if complaints[0].exc_info else None
        return error

    def traced(self, schedule: Schedule) -> tuple[BaseException | None, str]:
        """The same, and how it went."""
        trace = self._trace = Trace(self._hub_class)
        schedule.observe(trace)
        try:
            return self(schedule), trace.text()
        finally:
            self._trace = None

    def _run(self) -> BaseException | None:
        try:
            running.run(self._main, grace=None)  # or slowness would look like a task that does not end
        except Exception as error:
            return error
        except BaseException as error:
            if isinstance(error, (KeyboardInterrupt, SystemExit)) or type(error).__name__ == "Skipped":
                raise
            return error
        return None

    def _main(self) -> None:
        error = None
        try:
            self._program()
        except BaseException as raised:
            error = raised
            raise
        finally:
            if self._trace is not None:
                self._trace.end(error)
            del error

    def _at(self) -> Leave | None:
        """A program calls one of hubkit's methods."""
        hub = self._hub
        if hub is None or registry.hub_here() is not hub:
            return None  # between two runs, or in another thread
        task = hub.current()
        if task is None:
            return None
        self._schedule.enter(partial(hub.at_verb, task))
        return self._schedule.leave


@contextmanager
def _every_verb_looks() -> Iterator[None]:
    """Whether there is a request, and so passes by `Hub.at_verb`."""
    always = _Always()
    latched[always] = None  # type: ignore[index] # only a task is ever looked for
    try:
        yield
    finally:
        latched.pop(always, None)  # type: ignore[call-overload]


@contextmanager
def _numbered_anew() -> Iterator[None]:
    """The names of tasks do not depend on earlier runs."""
    before = tasks._numbers
    tasks._numbers = count()
    try:
        yield
    finally:
        tasks._numbers = before


@contextmanager
def _logged() -> Iterator[list[logging.LogRecord]]:
    """What hubkit would log in the block."""
    complaints: list[logging.LogRecord] = []

    def keep(record: logging.LogRecord) -> bool:
        if record.levelno >= logging.WARNING:
            complaints.append(record)
        return False

    log = logging.getLogger("hubkit")
    log.addFilter(keep)
    try:
        yield complaints
    finally:
        log.removeFilter(keep)
