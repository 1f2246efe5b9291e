"""Tasks that see what is another's.

What must live here: faults of contexts, locals and what else must not leak from one task to the next. What
this file must not know: how a hub runs.
"""

from __future__ import annotations

from contextvars import Context, copy_context
from typing import Any

from hubkit import Local, Task, local
from hubkit.contract import Hub

from .fault import fault, wrap


@fault("test_r14_a_childs_changes_stay_its_own")
def context_shared(hub: type[Hub]) -> None:
    """All tasks run in one and the same context."""
    shared = copy_context()

    @wrap(hub, "start")
    def start(right: Any, self: Any, task: Any) -> None:
        task.context = shared
        right(self, task)


@fault("test_r14_a_child_sees_its_spawners_context")
def context_empty(hub: type[Hub]) -> None:
    """A task starts in an empty context."""

    @wrap(hub, "start")
    def start(right: Any, self: Any, task: Any) -> None:
        task.context = Context()
        right(self, task)


@fault("test_r14_nothing_leaks_to_the_next_task")
def context_of_the_last_task(hub: type[Hub]) -> None:
    """A task that starts in a context without values gets that of the task that ended last."""
    left: list[Context] = []

    @wrap(Task, "run")
    def run(right: Any, self: Any) -> None:
        fn = self._fn

        def call(*args: Any, **kwargs: Any) -> Any:
            if left:
                for variable, value in left.pop().items():
                    variable.set(value)
            try:
                return fn(*args, **kwargs)
            finally:
                left.append(copy_context())

        self._fn = call
        right(self)


@fault("test_r14_nothing_leaks_to_the_next_task")
def local_leaks_to_the_next_task(hub: type[Hub]) -> None:
    """What a task has set in a Local the task that runs after it finds there."""
    left: list[Any] = []

    @wrap(Task, "run")
    def run(right: Any, self: Any) -> None:
        if left:
            self.locals = left.pop()
        fn = self._fn

        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                return fn(*args, **kwargs)
            finally:
                if self.locals is not None:
                    left.append(self.locals)

        self._fn = call
        right(self)


@fault("test_r14_a_local_is_per_task")
def local_shared(hub: type[Hub]) -> None:
    """All tasks share the attributes of a Local."""
    shared = local.Holder()

    @wrap(local, "_holder")
    def holder(right: Any) -> object:
        return shared


@fault("test_r14_a_subclass_of_local_is_initialised_in_each_task")
def local_initialised_once(hub: type[Hub]) -> None:
    """`__init__` of a subclass of Local runs when the object is made and then no more."""
    made = set()

    @wrap(local, "_attributes")
    def attributes(right: Any, of: Any) -> dict[str, Any]:
        by_holder = object.__getattribute__(of, "_Local__attributes")
        if id(of) in made:
            by_holder.setdefault(local._holder(), {})
        made.add(id(of))
        found: dict[str, Any] = right(of)
        return found


@fault("test_r14_a_locals_value_dies_with_its_task")
def local_outlives_its_task(hub: type[Hub]) -> None:
    """What a task has set in a Local is never freed."""
    kept: list[Any] = []

    @wrap(Local, "__setattr__")
    def set_attribute(right: Any, self: Any, name: str, value: Any) -> None:
        right(self, name, value)
        kept.append(value)


@fault("test_r14_a_task_frees_its_arguments_and_its_value_is_freed_with_it")
def arguments_outlive_their_task(hub: type[Hub]) -> None:
    """The hub keeps the arguments of each task."""
    kept: list[Any] = []

    @wrap(hub, "start")
    def start(right: Any, self: Any, task: Any) -> None:
        kept.append(task._args)
        right(self, task)


@fault("test_r14_a_child_starts_outside_of_the_except_block_it_was_spawned_in")
def exception_leaks_into_the_next_task(hub: type[Hub]) -> None:
    """A task runs inside of an `except` block of whoever carries it."""

    @wrap(Task, "run")
    def run(right: Any, self: Any) -> None:
        try:
            raise KeyError("of the task before")
        except KeyError:
            right(self)


@fault("test_r14_nothing_leaks_to_the_next_task")
def scope_leaks_to_the_next_task(hub: type[Hub]) -> None:
    """A scope that a task has not left is entered by the next."""
    left: list[Any] = []

    @wrap(Task, "run")
    def run(right: Any, self: Any) -> None:
        if left:
            self.scope = left.pop()
        fn = self._fn

        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                return fn(*args, **kwargs)
            finally:
                if self.scope is not None:
                    left.append(self.scope)

        self._fn = call
        right(self)
