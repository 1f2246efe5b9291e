"""Task groups: no child outlives the block, however it ends, and every error comes out."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from machines import ROUNDS, cases

from hubkit import Event, Task, TaskGroup, checkpoint, current_hub, spawn, testing
from hubkit.errors import Cancelled

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup

pytestmark = pytest.mark.watchdog(300)


class Child:
    """Waits until it is told what to do, and may need a second word to give up."""

    def __init__(self, stubborn: bool) -> None:
        self.gate, self.leave = Event(), Event()
        self.stubborn = stubborn
        self.fails = False
        self.error: BaseException | None = None
        self.task: Task[Any] | None = None

    def run(self) -> None:
        try:
            self.gate.wait()
        except Cancelled:
            if self.stubborn:
                self.leave.wait()
            raise
        if self.fails:
            self.error = KeyError("child")
            raise self.error


class TaskGroupMachine(RuleBasedStateMachine):
    """One group: children are spawned, let go, made to fail, cancelled; its block is left or cancelled."""

    hub_name: str

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        self._stack.enter_context(testing.override(self.hub_name))

    @initialize()
    def open(self) -> None:
        self.children: list[Child] = []
        self.body = Event()
        self.cancelled = False
        self.body_fails = False
        self.group: Any = None
        self.owner = spawn(self.block)
        checkpoint()

    def block(self) -> None:
        with TaskGroup() as self.group:
            self.body.wait()
            if self.body_fails:
                raise IndexError("body")

    # -- what happens -----------------------------------------------------------------------------

    @rule(stubborn=st.booleans())
    def spawn(self, stubborn: bool) -> None:
        child = Child(stubborn)
        try:
            child.task = self.group.spawn(child.run)
        except RuntimeError:
            assert all(other.task is None or other.task.done() for other in self.children)
        self.children.append(child)

    @rule(data=st.data(), fails=st.booleans())
    @precondition(lambda self: self.children)
    def let_go(self, data: st.DataObject, fails: bool) -> None:
        child = data.draw(st.sampled_from(self.children))
        child.fails |= fails and not child.gate.is_set()
        child.gate.set()

    @rule(data=st.data())
    @precondition(lambda self: self.children)
    def let_leave(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.children)).leave.set()

    @rule(data=st.data())
    @precondition(lambda self: self.children)
    def cancel_child(self, data: st.DataObject) -> None:
        child = data.draw(st.sampled_from(self.children))
        if child.task is not None and not child.stubborn:
            child.task.cancel()

    @rule(fails=st.booleans())
    @precondition(lambda self: not self.body.is_set())
    def leave_block(self, fails: bool) -> None:
        self.body_fails = fails
        self.body.set()

    @rule()
    @precondition(lambda self: not self.cancelled)
    def cancel_owner(self) -> None:
        self.cancelled = self.owner.cancel()

    @rule()
    def settle(self) -> None:
        for _ in range(ROUNDS):
            checkpoint()
        left = [child.task for child in self.children if child.task is not None and not child.task.done()]
        if self.owner.done():
            assert left == [], "a child has outlived its group"
            assert list(current_hub().tasks) == []
            self.check_outcome()
        else:
            assert left or not (self.body.is_set() or self.stopping()), "nobody is left, and it does not end"
        if self.stopping():
            for child in self.children:
                assert child.stubborn or child.task is None or child.task.done(), "a child goes on"

    def stopping(self) -> bool:
        failed = self.body_fails and self.body.is_set()
        return failed or self.cancelled or any(child.error is not None for child in self.children)

    def check_outcome(self) -> None:
        errors = [child.error for child in self.children if child.error is not None]
        outcome = self.owner.exception() if not self.owner.cancelled() else None
        if self.owner.cancelled():
            assert self.cancelled
        elif outcome is None:
            assert not errors
            assert not self.body_fails
        else:
            assert isinstance(outcome, BaseExceptionGroup)
            own = [error for error in outcome.exceptions if error not in errors]
            assert [type(error) for error in own] in ([], [IndexError])
            assert {*outcome.exceptions} == {*errors, *own}, "an error was lost"

    def teardown(self) -> None:
        with self._stack:
            self.body.set()
            for child in self.children:
                child.gate.set()
                child.leave.set()
            self.settle()
            assert self.owner.done()


TestTaskGroupOnNative, TestTaskGroupOnVirtual = cases(TaskGroupMachine)
