"""TaskGroup: a block that no task started in it outlives.

What must live here: who belongs to a group, what its children's ends mean for the block, and joining
them whatever happens. What this file must not know: how a task is carried, and clocks.

A group is a `Scope`, by which it stops its own body, and the `Owner` of its children. Whoever is last
acts: a child leaves `_children` before it looks for the joiner, who publishes his ticket before he
looks at `_children` again; a spawner adds to `_children` before he looks whether the group is open or
stopping, both of which change before `_children` is read.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from contextvars import copy_context
from types import TracebackType
from typing import Any, TypeVar

from .errors import HubError
from .registry import hub_to_spawn
from .scopes import Scope, shield
from .tasks import Task, new_task
from .waiting import WOKEN, Ticket, ticket_for, wait

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup

T = TypeVar("T")

_log = logging.getLogger("hubkit")


class TaskGroup(Scope):
    """`with TaskGroup() as group:` joins at its end every task that was started by `group.spawn`.

    The first error of a child, or of the body, cancels the children that are left and the body. When
    all have ended the errors come out in one ExceptionGroup. A child that was cancelled is no error.
    Interrupted from outside (its task is cancelled, an outer timeout expires, the host throws) the
    group cancels its children, still joins them, and lets the interruption go on; errors of children
    are then logged.

    Switches: if it must wait, on leaving. Call from: hub. Raises: ExceptionGroup (BaseExceptionGroup if
    an error is not an Exception); Cancelled if interrupted from outside.
    """

    __slots__ = ("_children", "_errors", "_going", "_joiner", "_open")

    def __init__(self) -> None:
        super().__init__()
        self._children: dict[Task[Any], None] = {}  # not ended yet, in order of spawn
        self._errors: list[BaseException] = []  # in order of their raising
        self._open = False  # may spawn: from entering until the last child has ended
        self._going = [True]  # whoever pops it stops the group
        self._joiner: Ticket | None = None

    # -- children ---------------------------------------------------------------------------------

    def spawn(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Task[T]:
        """Start `fn(*args, **kwargs)` as a child of the group, in a copy of the caller's context.

        The body and the children may call it, as long as the group is open. In a group that is stopping
        already the child is cancelled before it starts, and never runs.

        Switches: never. Call from: any thread, signal. Raises: TypeError if `fn` is not callable;
        RuntimeError if the group is not open.
        """
        if not callable(fn):
            raise TypeError(f"TaskGroup.spawn() takes a function and its arguments, not {fn!r}")
        if self.task is None:
            raise RuntimeError(f"{self!r} is not entered yet: type `with TaskGroup() as group:`")
        hub = self.task.hub
        child: Task[T] = new_task(hub, fn, args, kwargs, copy_context())
        child.owner = self
        self._children[child] = None
        try:
            if not self._open:
                raise RuntimeError(f"{self!r} is closed: all its tasks have ended, and its block with them")
            if not self._going:
                child.cancel()
            hub.start(child)
        except BaseException:
            self._leave(child)
            raise
        return child

    def task_ended(self, task: Task[Any]) -> bool:
        """Take note of a child's end. Called by the child, inline; see `tasks.Owner`.

        Switches: never. Call from: any thread. Raises: nothing.
        """
        error = task._error
        if error is not None and not task._cancelled:
            if not _went_to_main(task, error):
                self._errors.append(error)
            self.expire()
        self._leave(task)
        return True

    def _leave(self, child: Task[Any]) -> None:
        self._children.pop(child, None)
        if not self._children:
            joiner = self._joiner
            if joiner is not None:
                joiner.task.hub.fire(joiner, WOKEN)

    def expire(self) -> None:
        """Cancel the children and end the body. The block then ends without an error of its own.

        Switches: never. Call from: any thread, signal. Raises: nothing.
        """
        try:
            self._going.pop()
        except IndexError:  # a second cancel would hit a child in its clean-up
            return
        for child in list(self._children):
            child.cancel()
        super().expire()

    # -- the block --------------------------------------------------------------------------------

    def __enter__(self) -> TaskGroup:
        hub_to_spawn()  # a thread that has none would else wait natively, and its children with it
        self._enter()
        self._open = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        self._exit()  # from here on a child's error need not interrupt this task: it joins anyway
        own = self.caused(error)
        interrupted = error is not None and not own and not isinstance(error, Exception)
        if error is not None:
            if not own and not interrupted:
                self._errors.append(error)
            self.expire()
        try:
            if interrupted:
                with shield():
                    self._join()
            else:
                self._join()
        except BaseException:
            self._log_errors()
            raise
        if interrupted:
            self._log_errors()
            return False
        if self._errors:
            errors, self._errors = self._errors, []  # they refer to frames that refer to the group
            raise BaseExceptionGroup("unhandled errors in a task group", errors) from None
        return own

    def _join(self) -> None:
        """Return when no child is left and the group is closed; then raise what interrupted it."""
        try:
            while self._open:
                self._wait_for_children()
                self._open = False
                if self._children:  # one was spawned in this instant, from outside of the group
                    self._open = True
        except BaseException as error:
            if isinstance(error, HubError) and not self._going:
                raise  # Deadlock, Closed: they have been cancelled, and waiting does not end them
            self.expire()
            with shield():
                self._join()
            raise

    def _wait_for_children(self) -> None:
        task = self.task
        assert task is not None
        try:
            while self._children:
                self._joiner = ticket = ticket_for(task)
                if not self._children:
                    break
                wait(ticket)
        finally:
            self._joiner = None

    def _log_errors(self) -> None:
        errors, self._errors = self._errors, []
        for error in errors:
            _log.error("an error in %r, which was interrupted from outside", self, exc_info=error)

    def __repr__(self) -> str:
        state = "new" if self.task is None else "closed" if not self._open else f"{len(self._children)} tasks"
        return f"<TaskGroup {state}>"


def _went_to_main(task: Task[Any], error: BaseException) -> bool:
    """Whether the hub's main task is to raise what a child ended by: then it is not the group's too."""
    return isinstance(error, (KeyboardInterrupt, SystemExit)) and task.hub.main not in (None, task)
