"""Local: each task has its own values, and nobody inherits them."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from machines import cases

from hubkit import Local, SimpleQueue, spawn, testing

pytestmark = pytest.mark.watchdog(300)

names = st.sampled_from(["a", "b", "count"])


class Counted(Local):
    """Has a value from the start, in each task."""

    def __init__(self, start: int) -> None:
        self.count = start


class Agent:
    """A task that does what it is told, and the values that it should have."""

    def __init__(self, start: int) -> None:
        self.orders: SimpleQueue[Any] = SimpleQueue()
        self.answers: SimpleQueue[Any] = SimpleQueue()
        self.task = spawn(self.work)
        self.values: dict[str, int] = {"count": start}

    def work(self) -> None:
        while (order := self.orders.get()) is not None:
            self.answers.put(order())

    def do(self, order: Any) -> Any:
        self.orders.put(order)
        return self.answers.get(timeout=10)


class LocalMachine(RuleBasedStateMachine):
    """Tasks come and go; carriers are used again, and values must not be."""

    hub_name: str

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        self._stack.enter_context(testing.override(self.hub_name))

    @initialize(start=st.integers(0, 9))
    def make(self, start: int) -> None:
        self.start = start
        self.local = Counted(start)
        self.agents = [Agent(start)]

    @rule()
    @precondition(lambda self: len(self.agents) < 4)
    def join_in(self) -> None:
        self.agents.append(Agent(self.start))

    @rule(data=st.data())
    @precondition(lambda self: len(self.agents) > 1)
    def leave(self, data: st.DataObject) -> None:
        agent = data.draw(st.sampled_from(self.agents))
        self.agents.remove(agent)
        agent.orders.put(None)
        agent.task.result(timeout=10)

    @rule(data=st.data(), name=names, value=st.integers(0, 99))
    def set(self, data: st.DataObject, name: str, value: int) -> None:
        agent = data.draw(st.sampled_from(self.agents))
        agent.do(lambda: setattr(self.local, name, value))
        agent.values[name] = value

    @rule(data=st.data(), name=names)
    def delete(self, data: st.DataObject, name: str) -> None:
        agent = data.draw(st.sampled_from(self.agents))
        had = agent.values.pop(name, None) is not None
        assert agent.do(lambda: self.has_deleted(name)) == had

    def has_deleted(self, name: str) -> bool:
        try:
            delattr(self.local, name)
        except AttributeError:
            return False
        return True

    @invariant()
    def each_sees_its_own(self) -> None:
        for agent in self.agents:
            assert agent.do(lambda: dict(vars(self.local))) == agent.values

    def teardown(self) -> None:
        with self._stack:
            for agent in self.agents:
                agent.orders.put(None)
                agent.task.result(timeout=10)


TestLocalOnNative, TestLocalOnVirtual = cases(LocalMachine)
