"""Pool: no more than so many tasks at once.

What must live here: slots, and the tasks that hold them. What this file must not know: hubs.

A slot is taken before its task is made and given on when the task has ended, whichever way: `task_ended` runs
in the ending task, so the next spawner in the queue has the slot before anybody is told of the end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextvars import copy_context
from itertools import repeat
from operator import index
from types import TracebackType
from typing import Any, TypeVar

from .handover import Handover
from .queues import SimpleQueue
from .registry import current_hub, hub_to_spawn, this_task
from .tasks import Task
from .waiting import WOKEN, Ticket, WaitQueue, check_timeout, deliver_latched, latched, wait

T = TypeVar("T")


class Pool(Handover):
    """Spawns tasks, at most `size` of them at a time.

    `with Pool(10) as pool:` joins at the end; if the block ends by an error its tasks are cancelled first.
    """

    __slots__ = ("__weakref__", "_debts", "_free", "_joiners", "_tasks", "size")

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = _checked(size)
        self._free: deque[None] = deque(repeat(None, size))
        self._debts: deque[None] = deque()  # slots in use that are not to come back: the pool has shrunk
        self._tasks: dict[Task[Any], None] = {}
        self._joiners = WaitQueue()

    # -- spawning ---------------------------------------------------------------------------------

    def spawn(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Task[T]:
        """Start `fn(*args, **kwargs)` as a task once there is a slot for it.

        Switches: if it must wait. Call from: hub | any thread. Raises: TypeError if `fn` is not
        callable; Cancelled.
        """
        _check_callable(fn)
        if latched:
            deliver_latched()
        if not self._take_in_turn():
            self._queue_up(None)
        return self._start(fn, args, kwargs)

    def try_spawn(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Task[T] | None:
        """Start `fn(*args, **kwargs)` as a task if there is a slot for it now; None if not.

        Switches: never. Call from: hub | any thread | signal. Raises: TypeError if `fn` is not callable.
        """
        _check_callable(fn)
        return self._start(fn, args, kwargs) if self._take_in_turn() else None

    def _start(self, fn: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Task[T]:
        try:
            hub = hub_to_spawn()
            task: Task[T] = Task(hub, fn, args, kwargs, copy_context())
            task.owner = self
            self._tasks[task] = None
            try:
                hub.start(task)
            except BaseException:
                self._tasks.pop(task, None)
                raise
        except BaseException:
            self._put_back()
            self._match()
            raise
        return task

    def task_ended(self, task: Task[Any]) -> bool:
        """A slot is free. For tasks; see `tasks.Owner`.

        Switches: never. Call from: the ending task. Raises: nothing.
        """
        self._tasks.pop(task, None)
        self._put_back()
        self._match()
        if self._joiners and not self._tasks:
            self._joiners.wake_all()
        return False

    def _take(self) -> bool:
        try:
            self._free.pop()
        except IndexError:
            return False
        return True

    def _put_back(self) -> None:
        try:
            self._debts.pop()
        except IndexError:
            self._free.append(None)

    # -- many at once -----------------------------------------------------------------------------

    def map(self, fn: Callable[..., T], *iterables: Iterable[Any]) -> list[T]:
        """The results of `fn` for each item (or one item of each iterable), in order.

        The first error is raised, and what has not ended by then is cancelled.

        Switches: if it must wait. Call from: hub | any thread. Raises: what `fn` raises; Cancelled.
        """
        return list(self.imap(fn, *iterables))

    def imap(self, fn: Callable[..., T], *iterables: Iterable[Any]) -> Iterator[T]:
        """Like `map`, one result after the other, each as soon as it is its turn.

        An error is raised in its item's place. At most `size` items are taken ahead.

        Switches: if it must wait, at each step. Call from: hub | any thread. Raises: what `fn` raises.
        """
        _check_callable(fn)
        return self._imap(fn, zip(*iterables, strict=False))

    def _imap(self, fn: Callable[..., T], calls: Iterable[tuple[Any, ...]]) -> Iterator[T]:
        ahead: deque[Task[T]] = deque()
        try:
            for args in calls:
                while len(ahead) >= self.size:
                    yield ahead.popleft().result()
                ahead.append(self.spawn(fn, *args))
            while ahead:
                yield ahead.popleft().result()
        finally:
            for task in ahead:
                task.cancel()

    def imap_unordered(self, fn: Callable[..., T], *iterables: Iterable[Any]) -> Iterator[T]:
        """Like `imap`, each result as soon as it is there.

        Switches: if it must wait, at each step. Call from: hub | any thread. Raises: what `fn` raises.
        """
        _check_callable(fn)
        return self._imap_unordered(fn, zip(*iterables, strict=False))

    def _imap_unordered(self, fn: Callable[..., T], calls: Iterable[tuple[Any, ...]]) -> Iterator[T]:
        ahead: dict[Task[T], None] = {}
        ended: SimpleQueue[Task[T]] = SimpleQueue()

        def next_result() -> T:
            task = ended.get()
            del ahead[task]
            return task.result()

        try:
            for args in calls:
                while len(ahead) >= self.size:
                    yield next_result()
                task = self.spawn(fn, *args)
                ahead[task] = None
                task.add_done_callback(ended.put)
            while ahead:
                yield next_result()
        finally:
            for task in ahead:
                task.cancel()

    # -- the pool as a whole ----------------------------------------------------------------------

    def join(self, timeout: float | None = None) -> bool:
        """Wait until no task is left, at most `timeout` seconds; whether it is so.

        Switches: if it must wait. Call from: hub | any thread. Raises: RuntimeError in a task of the pool,
        which would wait for itself; Cancelled.
        """
        timeout = check_timeout(timeout)
        if latched:
            deliver_latched()
        if current_hub().current() in self._tasks:
            raise RuntimeError(f"a task of {self!r} joins the pool and would wait for itself")
        if not self._tasks:
            return True
        if timeout == 0:
            return False
        ticket = Ticket(this_task())
        self._joiners.add(ticket)
        if not self._tasks:
            self._joiners.wake_all()
        return wait(ticket, timeout, self._joiners.discard) is WOKEN

    def cancel(self) -> int:
        """Ask every task of the pool to stop; the number of those that were not finished.

        Switches: never. Call from: hub | any thread | signal. Raises: nothing.
        """
        return sum(task.cancel() for task in list(self._tasks))

    def resize(self, size: int) -> None:
        """Change how many tasks may run. Those that run go on; a smaller pool waits for their ends.

        Switches: never. Call from: hub | any thread. Raises: ValueError, TypeError.
        """
        change = _checked(size) - self.size
        self.size = size
        for _ in repeat(None, change):
            self._put_back()
        for _ in repeat(None, -change):
            if not self._take():
                self._debts.append(None)
        self._match()

    @property
    def free(self) -> int:
        """Slots that a spawn would get now."""
        return len(self._free)

    def __len__(self) -> int:
        return len(self._tasks)

    def __bool__(self) -> bool:
        return True

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            self.cancel()
        self.join()

    def __repr__(self) -> str:
        return f"<Pool of {self.size}, {len(self._tasks)} running, {len(self._waiters)} waiting>"


def _checked(size: int) -> int:
    if index(size) < 1:
        raise ValueError(f"a pool needs room for one task at least, not {size!r}")
    return size


def _check_callable(fn: Any) -> None:
    if not callable(fn):
        raise TypeError(f"a pool spawns a function with its arguments, not {fn!r}")
