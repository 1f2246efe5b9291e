"""What the state machines share: a primitive on a hub beside a plain model of it, step by step.

An operation that may wait runs in a task of its own. The model has what a hub has, in a few lines: a ring of
what is ready. So an example may let several things happen in one instant, before any task has run: a wake-up
meets a cancel, an item its end. What has become of each operation is compared whenever all is at rest.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from math import inf
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hubkit import Task, checkpoint, current_hub, now, sleep, spawn, testing
from hubkit.contract import VIRTUAL_TIME
from hubkit.errors import Cancelled, TaskCancelled

HUBS = ("native", "virtual")
CANCELLED = "cancelled"
#: More rounds than any chain of wake-ups in these examples is long.
ROUNDS = 8

#: Seconds that add up without rounding; time limits only where the clock is simulated.
seconds = st.sampled_from([0.25, 0.5, 1.0])
limits = st.one_of(st.none(), st.none(), seconds)
numbers = st.integers(0, 9)


class Op:
    """One operation: the task that does it, and what the model says of it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.task: Any = None
        self.item: Any = None  # the machine's own
        self.begun = False
        self.waiting = False
        self.cancelled = False  # before it began
        self.latched = False  # after it was woken: the next wait of the same operation is not begun
        self.ended = False
        self.outcome: Any = None
        self.line: Any = None  # where it waits
        self.deadline: float | None = None
        self.timed_out: Any = None  # the outcome then

    def __repr__(self) -> str:
        return f"op{self.number}"


class HubMachine(RuleBasedStateMachine):
    """A hub, operations, and the model's ring."""

    hub_name: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        hub_class = self._stack.enter_context(testing.override(self.hub_name))
        self.virtual = hub_class.supports(VIRTUAL_TIME)
        current_hub().current()
        self.ops: list[Op] = []
        self.ring: deque[Callable[[], object]] = deque()

    def teardown(self) -> None:
        with self._stack:
            self.settle()
            self.at_rest()

    def at_rest(self) -> None:
        """What must hold in the end, when all has settled."""

    # -- the model's hub --------------------------------------------------------------------------

    def begin(self, real: Callable[[], Any], model: Callable[[Op], object]) -> Op:
        """Do `real()` in a task; when that task runs, `model(op)` says what comes of it."""
        op = self.new_op()
        op.task = spawn(outcome_of, real)
        self.ring.append(lambda: self._start(op, model))
        return op

    def new_op(self) -> Op:
        self.ops.append(Op(len(self.ops)))
        return self.ops[-1]

    def _start(self, op: Op, model: Callable[[Op], object]) -> None:
        op.begun = True
        if op.cancelled:
            self.end(op, CANCELLED)
        else:
            model(op)

    def wait_in(self, line: Any, op: Op, limit: float | None = None, timed_out: Any = None) -> None:
        """The operation waits in a line, at most for `limit` seconds."""
        op.waiting = True
        op.line = line
        line.append(op)
        op.deadline = None if limit is None else now() + limit
        op.timed_out = timed_out

    def wake(self, op: Op, then: Callable[[], object]) -> None:
        """It waits no more; `then` happens when its task runs."""
        assert op.waiting
        op.waiting = False
        op.line.remove(op)
        self.ring.append(then)

    def wake_with(self, op: Op, outcome: Any) -> None:
        self.wake(op, lambda: self.end(op, outcome))

    def end(self, op: Op, outcome: Any) -> None:
        op.ended = True
        op.outcome = outcome

    def interrupted(self, op: Op) -> None:
        """A waiting operation was cancelled, and has left its line."""
        self.end(op, CANCELLED)

    def expired(self, op: Op) -> None:
        """The time of a waiting operation is over, and it has left its line."""
        self.end(op, op.timed_out)

    def settle(self) -> None:
        """Let all that is ready run, and compare."""
        while self.ring:
            self.ring.popleft()()
        for _ in range(ROUNDS):
            checkpoint()
        self.compare()

    def compare(self) -> None:
        for op in self.ops:
            if op.task is None:
                continue
            assert op.task.done() == op.ended, f"{op}: {op.task} {op.outcome!r}"
            if op.ended:
                assert _result(op.task) == op.outcome, f"{op}"
        assert len(current_hub().tasks) == sum(map(is_going, self.ops))

    # -- what may happen with any primitive -------------------------------------------------------

    @rule(data=st.data())
    @precondition(lambda self: any(map(is_going, self.ops)))
    def cancel(self, data: st.DataObject) -> None:
        op = data.draw(st.sampled_from([op for op in self.ops if is_going(op)]))
        op.task.cancel()
        if not op.begun:
            op.cancelled = True
        elif op.waiting:
            self.wake(op, lambda: self.interrupted(op))
        else:
            op.latched = True

    @rule()
    def let_all_run(self) -> None:
        self.settle()

    @rule(delay=seconds)
    @precondition(lambda self: self.virtual)
    def let_time_pass(self, delay: float) -> None:
        self.settle()
        until = now() + delay
        while due := [op for op in self.ops if op.waiting and (op.deadline or inf) <= until]:
            first = min(op.deadline or inf for op in due)
            for op in [op for op in due if op.deadline == first]:
                self.wake(op, lambda op=op: self.expired(op))
            while self.ring:
                self.ring.popleft()()
        sleep(delay)
        self.settle()

    def limit(self, seconds: float | None) -> float | None:
        """A time limit, where time is simulated."""
        return seconds if self.virtual else None

    @invariant()
    def nobody_is_in_two_lines(self) -> None:
        for op in self.ops:
            assert not (op.waiting and op.ended)


def is_going(op: Op) -> bool:
    """Whether it has a task, and has not ended."""
    return op.task is not None and not op.ended


def outcome_of(real: Callable[[], Any]) -> Any:
    try:
        return real()
    except Cancelled:
        raise
    except Exception as error:
        return type(error).__name__


def _result(task: Task[Any]) -> Any:
    try:
        return task.result()
    except TaskCancelled:
        return CANCELLED


def cases(machine: type[RuleBasedStateMachine]) -> list[Any]:
    """The machine as a test case on each hub."""
    made = []
    for name in HUBS:
        label = f"{machine.__name__}On{name.title()}"
        made.append(type(label, (machine,), {"hub_name": name}).TestCase)
    return made
