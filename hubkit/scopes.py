"""Scopes: parts of a task's life that can be asked to stop, or shielded from being asked.

What must live here: the stack of scopes that every task carries, and when a request of one of them
is deliverable. What this file must not know: clocks and timers (see timeouts.py).

A scope is entered and left by one task. It expires at most once, from any thread; a request that is
not delivered when the scope is left is revoked. The stack is a linked list from the innermost
scope outwards, changed by its own task only.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any

from .errors import Cancelled
from .registry import this_task
from .waiting import latched, unlatch

if TYPE_CHECKING:
    from .tasks import Task


class Scope:
    """Base of everything that can end a block from within: timeouts, task groups."""

    __slots__ = ("active", "delivered", "expired", "outer", "task")

    shields = False

    def __init__(self) -> None:
        self.task: Task[Any] | None = None
        self.outer: Scope | None = None
        self.active = False  # between enter and exit
        self.expired = False  # asked to stop; never taken back
        self.delivered = False  # its Cancelled was raised; never again

    def _enter(self) -> Task[Any]:
        if self.task is not None:
            raise RuntimeError(f"{self!r} was entered before: make a new one for each `with`")
        task = this_task()
        self.task = task
        self.outer = task.scope
        self.active = True
        task.scope = self
        return task

    def _exit(self) -> None:
        task = self.task
        assert task is not None
        self.active = False
        if task.scope is self:
            task.scope = self.outer
        else:
            _unlink(task, self)
        if latched and self.expired and not self.delivered:
            unlatch(task)

    def expire(self) -> None:
        """Ask the block to stop. Idempotent; nothing happens outside the block.

        Switches: never. Call from: any thread, signal. Raises: nothing.
        """
        if self.active and not self.expired:
            self.expired = True
            assert self.task is not None
            self.task.nudge(self)

    def caused(self, error: BaseException | None) -> bool:
        """Whether `error` is this scope's own request, come back to its edge."""
        return isinstance(error, Cancelled) and error.source is self


def put_back(request: BaseException, task: Task[Any]) -> None:
    """Have `request`, just raised in `task`, the caller, raised by its next verb instead: the wait that it
    ended has brought something after all."""
    source = request.source if isinstance(request, Cancelled) else None
    if isinstance(source, Scope):
        source.delivered = False
        task.nudge(source)
    else:
        task.interrupt(request)


def _unlink(task: Task[Any], scope: Scope) -> None:
    """Leave a scope that is not the innermost (a generator that held it open was resumed elsewhere)."""
    inner = task.scope
    while inner is not None and inner.outer is not scope:
        inner = inner.outer
    if inner is None:
        raise RuntimeError(f"{scope!r} was left in a task that did not enter it")
    inner.outer = scope.outer


class shield(Scope):  # noqa: N801 (reads as a verb: `with shield():`)
    """Defers outer cancels and outer timeouts while the block runs.

    Scopes opened inside still fire. Leaving never raises; what was deferred is raised by the next
    verb that can wait.

    Switches: never. Call from: hub. Raises: WrongContext in hub context.
    """

    __slots__ = ()

    shields = True

    def __enter__(self) -> shield:
        self._enter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._exit()
        task = self.task
        assert task is not None
        if task.pending():
            latched[task] = None

    def __repr__(self) -> str:
        return "shield()"
