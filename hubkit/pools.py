"""Pool: so many tasks at a time, and not more.

What must live here: who has a place, many calls at once, and the end of it all. What this file must not
know: how places are given out (slots.py), how tasks run.

A spawner takes a place, enters its task, and then looks whether the pool was cancelled; who cancels says so
first and then looks at the tasks. The place is given back by the task itself, when it has ended.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextvars import copy_context
from types import TracebackType
from typing import Any, TypeVar

from .contract import Owner
from .counts import count_of
from .errors import Closed
from .queues import SimpleQueue
from .registry import current_hub, hub_to_spawn
from .scopes import shield
from .slots import SizedSlots
from .tasks import Task, new_task
from .waiting import CLOSED, WOKEN, check_timeout, deliver_latched, latched

T = TypeVar("T")

SIZE = "a pool's size must be a number of tasks, 1 or more"


class Pool:
    """Runs tasks, at most `size` of them at the same time.

    `with Pool(size) as pool:` waits at the end of the block until all its tasks have ended, also those that
    they have spawned into it, and closes it. A block that ends by an error cancels them first.
    """

    __slots__ = ("__weakref__", "_cancelled", "_slots", "_tasks")

    def __init__(self, size: int) -> None:
        self._slots = SizedSlots(count_of(size, SIZE, 1))
        self._tasks: dict[Task[Any], None] = {}  # not ended yet, in order of spawn
        self._cancelled = False

    # -- one call ---------------------------------------------------------------------------------

    def spawn(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Task[T]:
        """Start `fn(*args, **kwargs)` as a task; waits while the pool is full.

        Who waits is served in the order of coming. The task runs in a copy of the caller's context. An
        error that nobody waits for is logged.

        Switches: if it must wait. Call from: hub | any thread. Raises: TypeError if `fn` is not callable;
        Closed if the pool is; Cancelled.
        """
        _check_callable("Pool.spawn", fn)
        return self._spawn(self, fn, args, kwargs)

    def try_spawn(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Task[T] | None:
        """Start `fn(*args, **kwargs)` as a task, as `spawn`; None if the pool is full.

        Switches: never. Call from: hub | any thread | signal. Raises: TypeError if `fn` is not callable;
        Closed if the pool is.
        """
        _check_callable("Pool.try_spawn", fn)
        outcome = self._slots.take(0)
        return self._start(self, fn, args, kwargs) if self._got_place(outcome) else None

    def _spawn(
        self, owner: Owner, fn: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any] | None = None
    ) -> Task[T]:
        if latched:
            deliver_latched()
        self._got_place(self._slots.take(None))
        return self._start(owner, fn, args, kwargs)

    def _got_place(self, outcome: Any) -> bool:
        if outcome is CLOSED:
            raise Closed(f"{self!r} is closed: it takes no more tasks")
        return outcome is WOKEN

    def _start(
        self, owner: Owner, fn: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any] | None
    ) -> Task[T]:
        try:
            hub = hub_to_spawn()
            task: Task[T] = new_task(hub, fn, args, kwargs, copy_context())
            task.owner = owner
            self._tasks[task] = None
            try:
                if self._cancelled:
                    task.cancel()
                hub.start(task)
            except BaseException:
                del self._tasks[task]
                raise
        except BaseException:
            self._slots.release()
            raise
        return task

    def task_ended(self, task: Task[Any]) -> bool:
        """Take note of a task's end. Called by the task, inline; see `contract.Owner`.

        Switches: never. Call from: hub | any thread. Raises: nothing.
        """
        self._tasks.pop(task, None)
        self._slots.release()
        return False

    # -- many calls -------------------------------------------------------------------------------

    def map(self, fn: Callable[..., T], *iterables: Iterable[Any]) -> list[T]:
        """Call `fn` with the items of `iterables` taken together, each call a task; the results in order.

        The first error, in that order, ends it. Then, as when it is interrupted, the tasks that are left are
        cancelled and joined before it is raised. Called in a task of the pool it can wait for its own place.

        Switches: if it must wait. Call from: hub | any thread. Raises: what `fn` raises; TaskCancelled if
        somebody cancelled one of the tasks; TypeError; Closed if the pool is; Cancelled.
        """
        rows = _rows("Pool.map", fn, iterables)
        owner = _Errands(self)
        tasks: deque[Task[T]] = deque()
        results: list[T] = []
        try:
            for row in rows:
                tasks.append(self._spawn(owner, fn, row))
                while tasks and tasks[0].done():
                    results.append(tasks[0].result())
                    tasks.popleft()
            while tasks:
                results.append(tasks[0].result())
                tasks.popleft()
        except BaseException:
            for task in tasks:
                task.cancel()
            with shield():
                for task in tasks:
                    task.join()
            raise
        return results

    def imap(self, fn: Callable[..., T], *iterables: Iterable[Any]) -> Iterator[T]:
        """Like `map`, one result after the other, from iterables of any length.

        Each step starts tasks until twice the pool's size are ahead of it, and waits for the next result. An
        error is raised in the place of its result and ends the iteration; so does dropping the iterator. Then
        the tasks that are left are cancelled.

        Switches: if it must wait, in each step. Call from: hub | any thread. Raises: TypeError; in a step
        what `map` raises.
        """
        return self._imap(fn, _rows("Pool.imap", fn, iterables))

    def _imap(self, fn: Callable[..., T], rows: Iterator[tuple[Any, ...]]) -> Iterator[T]:
        owner = _Errands(self)
        tasks: deque[Task[T]] = deque()
        try:
            for row in rows:
                tasks.append(self._spawn(owner, fn, row))
                while tasks and (tasks[0].done() or len(tasks) >= 2 * self.size):
                    result = tasks[0].result()
                    tasks.popleft()
                    yield result
            while tasks:
                result = tasks[0].result()
                tasks.popleft()
                yield result
        finally:
            for task in tasks:
                task.cancel()

    def imap_unordered(self, fn: Callable[..., T], *iterables: Iterable[Any]) -> Iterator[T]:
        """Like `imap`, the results in the order in which they come.

        Each step starts tasks until as many as the pool's size run or have not been asked for.

        Switches: if it must wait, in each step. Call from: hub | any thread. Raises: TypeError; in a step
        what `map` raises.
        """
        return self._imap_unordered(fn, _rows("Pool.imap_unordered", fn, iterables))

    def _imap_unordered(self, fn: Callable[..., T], rows: Iterator[tuple[Any, ...]]) -> Iterator[T]:
        ended: SimpleQueue[Task[T]] = SimpleQueue()
        owner = _Errands(self, ended)
        tasks: dict[Task[T], None] = {}
        try:
            for row in rows:
                tasks[self._spawn(owner, fn, row)] = None
                while not ended.empty() or len(tasks) >= self.size:
                    task = ended.get()
                    del tasks[task]
                    yield task.result()
            while tasks:
                task = ended.get()
                del tasks[task]
                yield task.result()
        finally:
            for task in tasks:
                task.cancel()

    # -- the end ----------------------------------------------------------------------------------

    def join(self, timeout: float | None = None) -> bool:
        """Wait until no task is left and nobody waits for a place, at most `timeout` seconds.

        Zero or less means not to wait. True if it is so.

        Switches: if it must wait. Call from: hub | any thread. Raises: RuntimeError in a task of the pool's
        own, which would wait for itself; Cancelled; ValueError and TypeError for a timeout that is no number.
        """
        timeout = check_timeout(timeout)
        if latched:
            deliver_latched()
        if self._tasks and current_hub().current() in self._tasks:
            raise RuntimeError(f"a task of {self!r} joins its own pool and would wait for ever")
        return self._slots.join(timeout)

    def close(self) -> None:
        """Take no more tasks: `spawn` raises Closed, also where it waits. The tasks that run go on.

        Switches: never. Call from: hub | any thread | signal. Raises: nothing.
        """
        self._slots.close()

    def cancel(self) -> None:
        """Close the pool and cancel its tasks.

        Switches: never. Call from: hub | any thread | signal. Raises: nothing.
        """
        self._cancelled = True
        self._slots.close()
        for task in list(self._tasks):
            task.cancel()

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            self.cancel()
        try:
            self.join()
        except BaseException:
            self.cancel()
            with shield():
                self.join()
            raise
        self.close()

    # -- size -------------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """How many tasks may run at the same time."""
        return self._slots.size

    def resize(self, size: int) -> None:
        """Let `size` tasks run at the same time. Those that are too many by then run to their ends.

        Switches: never. Call from: hub | any thread | signal. Raises: ValueError, TypeError.
        """
        self._slots.resize(count_of(size, SIZE, 1))

    @property
    def free(self) -> int:
        """How many tasks `try_spawn` would start now."""
        return self._slots.free()

    def __len__(self) -> int:
        """The number of tasks that have not ended."""
        return len(self._tasks)

    def __bool__(self) -> bool:
        return True  # a pool without tasks is still one

    def __repr__(self) -> str:
        over = ", closed" if self._slots.closed else ""
        return f"<Pool {len(self._tasks)} of {self.size} tasks, {len(self._slots._waiters)} waiting{over}>"


class _Errands:
    """The tasks of one `map`: their errors are raised there."""

    __slots__ = ("_ended", "_pool")

    def __init__(self, pool: Pool, ended: SimpleQueue[Any] | None = None) -> None:
        self._pool = pool
        self._ended = ended

    def task_ended(self, task: Task[Any]) -> bool:
        self._pool.task_ended(task)
        if self._ended is not None:
            self._ended.put(task)
        return True


def _rows(verb: str, fn: Any, iterables: tuple[Iterable[Any], ...]) -> Iterator[tuple[Any, ...]]:
    _check_callable(verb, fn)
    if not iterables:
        raise TypeError(f"{verb}() takes a function and at least one iterable of its arguments")
    try:
        return zip(*iterables, strict=False)
    except TypeError as error:
        given = ", ".join(map(repr, iterables))
        raise TypeError(
            f"{verb}() takes an iterable for each argument of its function, not {given}"
        ) from error


def _check_callable(verb: str, fn: Any) -> None:
    if not callable(fn):
        raise TypeError(f"{verb}() takes a function and its arguments, not {fn!r}")
