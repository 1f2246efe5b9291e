"""Scopes: nested time limits and shields, against a model that knows what time it is."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubkit import current_hub, move_on_after, now, shield, sleep, testing, timeout

pytestmark = pytest.mark.watchdog(300)

sleeps = st.tuples(st.just("sleep"), st.integers(1, 4))
programs = st.recursive(
    st.lists(sleeps, max_size=2),
    lambda inner: st.lists(
        st.one_of(
            sleeps,
            st.tuples(st.sampled_from(["timeout", "move_on"]), st.integers(-1, 8), inner),
            st.tuples(st.just("shield"), st.just(0), inner),
        ),
        max_size=4,
    ),
    max_leaves=12,
)


class Limit:
    """No two scopes expire at once: each has a fraction of a second of its own."""

    def __init__(self) -> None:
        self.numbers = count(2)

    def of(self, seconds: int) -> float:
        return seconds + 2.0 ** -next(self.numbers)


# -- on the hub -----------------------------------------------------------------------------------


def really(program: Any, limit: Limit, trace: list[Any], start: float) -> None:
    for step in program:
        if step[0] == "sleep":
            sleep(step[1])
            trace.append(("slept", now() - start))
        elif step[0] == "shield":
            with shield():
                really(step[2], limit, trace, start)
        else:
            make = timeout if step[0] == "timeout" else move_on_after
            raised = False
            try:
                with make(limit.of(step[1])) as scope:
                    really(step[2], limit, trace, start)
            except TimeoutError:
                raised = True
            trace.append((step[0], now() - start, scope.expired, raised))


# -- the model ------------------------------------------------------------------------------------


@dataclass(eq=False)
class Scope:
    deadline: float
    shields: bool = False
    delivered: bool = False


class Stop(Exception):
    def __init__(self, scope: Scope) -> None:
        self.scope = scope


class Model:
    def __init__(self) -> None:
        self.time = 0.0
        self.limit = Limit()
        self.scopes: list[Scope] = []  # the innermost last
        self.trace: list[Any] = []

    def reachable(self) -> list[Scope]:
        """The scopes whose requests are not deferred, the innermost first."""
        found: list[Scope] = []
        for scope in reversed(self.scopes):
            if scope.shields:
                break
            found.append(scope)
        return [scope for scope in found if not scope.delivered]

    def sleep(self, seconds: float) -> None:
        end = self.time + seconds
        first = min([scope.deadline for scope in self.reachable()], default=end)
        self.time = min(end, max(first, self.time))
        if first < end:
            scope = next(scope for scope in self.reachable() if scope.deadline <= self.time)
            scope.delivered = True
            raise Stop(scope)

    def run(self, program: Any) -> None:
        for step in program:
            if step[0] == "sleep":
                self.sleep(step[1])
                self.trace.append(("slept", self.time))
            elif step[0] == "shield":
                self.inside(Scope(0, shields=True), step[2])
            else:
                scope = Scope(self.time + self.limit.of(step[1]))
                stopped = False
                try:
                    self.inside(scope, step[2])
                except Stop as stop:
                    if stop.scope is not scope:
                        raise
                    stopped = True
                expired = scope.deadline <= self.time
                self.trace.append((step[0], self.time, expired, stopped and step[0] == "timeout"))

    def inside(self, scope: Scope, program: Any) -> None:
        self.scopes.append(scope)
        try:
            self.run(program)
        finally:
            self.scopes.pop()


@given(program=programs)
def test_nested_scopes_end_what_the_model_says_when_it_says(program: Any) -> None:
    model = Model()
    model.run(program)
    with testing.override("virtual"):
        trace: list[Any] = []
        really(program, Limit(), trace, now())
        assert trace == model.trace
        assert not current_hub().tasks
