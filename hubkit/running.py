"""Running: a program with a beginning and an end, and the calls by which it lets time pass.

What must live here: how a hub's life ends, in `run` and at interpreter exit. What this file must not
know: how a hub runs, and what a task is carried by.

The end of a hub is the same everywhere: its tasks are cancelled and joined within a grace time, and what
is left then is dropped. It comes after the last non-daemon thread has ended: threads keep a process
alive, tasks do not.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from inspect import iscoroutinefunction
from typing import Any, TypeVar

from greenlet import getcurrent

from .contract import Hub
from .ctrl_c import CtrlC
from .errors import Cancelled, Closed
from .homes import bury
from .naming import name_of
from .originals import get_ident
from .registry import current_hub, forget, hub_here, hub_to_spawn, hubs, this_task
from .tasks import Task
from .waiting import check_timeout, deliver_latched, latched, own_ticket, wait

__all__ = ["checkpoint", "now", "run", "sleep"]

T = TypeVar("T")

#: Seconds that tasks have for their clean-up when their hub ends.
GRACE = 3.0

_log = logging.getLogger("hubkit")


def run(fn: Callable[..., T], /, *args: Any, grace: float | None = GRACE) -> T:
    """Call `fn(*args)` as the main task of a program and return its value, or raise its error.

    When it has ended the program ends: tasks that are left are cancelled and joined for at most `grace`
    seconds (None: as long as it takes), then dropped, and the hub is closed.

    Ctrl-C interrupts what the program computes; in the middle of hubkit's own code it is put off until `fn`
    waits or has ended, so that it loses nothing. Another one a second later is raised wherever it comes. (All
    that in the main thread, if nobody else handles SIGINT.)

    Switches: if it must wait. Call from: a thread that runs no task. Raises: what `fn` raises; Cancelled
    if the main task was cancelled; KeyboardInterrupt; RuntimeError inside a task or another `run`;
    TypeError, ValueError.
    """
    if not callable(fn):
        raise TypeError(f"run() takes a function and its arguments, not {fn!r}")
    if iscoroutinefunction(fn):
        raise TypeError(
            f"run() takes a plain function: run {name_of(fn)}, a coroutine's, by asyncio.run(), "
            "or wait for it in a plain one by hubkit_asyncio.await_()"
        )
    grace = check_timeout(grace, "grace must be a number of seconds or None")
    hub = hub_to_spawn()
    task = hub.current()
    if task is None or task in task.hub.tasks or hub in _running:
        raise RuntimeError("a program runs here already: call the function, or spawn it as a task")
    began: list[bool] = []

    def main() -> T:
        began.append(True)
        try:
            return fn(*args)
        finally:
            end_tasks([hub], grace)

    with CtrlC(hub, main.__code__) as ctrl_c:
        _running[hub] = None
        try:
            return hub.run(main)
        finally:
            ctrl_c.ends()
            del _running[hub]
            if began:  # else it is not ours to end
                hub.close()
                forget(hub)


_running: dict[Hub, None] = {}


def end_tasks(ending: Iterable[Hub], grace: float | None) -> None:
    """Cancel the tasks of some hubs and join them for at most `grace` seconds; complain of what is left.

    Ctrl-C and what ends like it is raised afterwards; at once if it comes again.

    Switches: if it must wait. Call from: the main task of a hub. Raises: KeyboardInterrupt, SystemExit
    and what the host throws.
    """
    ending = list(ending)
    asked: dict[Task[Any], None] = {}
    end = None if grace is None else current_hub().now() + grace
    interrupt: BaseException | None = None
    while left := _left(ending):
        for task in left:
            if task not in asked:  # once: a second cancel would hit its clean-up
                asked[task] = None
                task.cancel()
        patience = None if end is None else end - current_hub().now()
        try:
            if (patience is not None and patience <= 0) or not left[0].join(patience):
                _log.warning("dropped, as %g s were over: %s", grace, ", ".join(map(repr, left)))
                break
        except Cancelled:
            pass  # a request for what has ended by now
        except Closed as error:
            _log.warning("dropped, as %s: %s", error, ", ".join(map(repr, left)))
            break
        except (KeyboardInterrupt, SystemExit) as error:
            if interrupt is not None:
                raise
            interrupt = error
    if interrupt is not None:
        raise interrupt


def _left(ending: list[Hub]) -> list[Task[Any]]:
    me = current_hub().current()
    return [task for hub in ending for task in list(hub.tasks) if task is not me]


def end_at_exit() -> None:
    """End every hub whose tasks can still run. Called at interpreter exit, in the main thread.

    Loops in other threads are left alone: the threads are daemons, or have ended. To wake a loop while the
    interpreter is taken down under it crashes the process.

    Switches: if it must wait. Call from: the main thread. Raises: KeyboardInterrupt, SystemExit.
    """
    mine = [hub for hub in hubs() if hub.thread in (None, get_ident())]
    alive = [hub for hub in mine if hub.loop is None]
    for left in mine:
        if left.loop is not None:  # somebody else's, and at exit it runs no more
            bury(left)
    try:
        if any(hub.tasks for hub in alive):
            end_tasks(alive, GRACE)
    finally:
        hub = hub_here()
        if hub is not None:
            hub.close()


def sleep(seconds: float) -> None:
    """Let others run for `seconds`; for 0 or less until each that is ready has run once.

    Switches: always. Call from: hub. Raises: Cancelled; TypeError or ValueError if that is no number;
    WrongContext in hub context.
    """
    if seconds == 0:  # as `checkpoint`, without the call that finds the hub
        if latched:
            deliver_latched()
        try:
            hub = getcurrent().hubkit_task.hub
        except AttributeError:
            hub = None
        if hub is None:
            hub = this_task().hub
        hub.yield_now()
        if latched:
            deliver_latched()
        return
    if seconds is None:
        raise TypeError("sleep() takes a number of seconds, not None; to wait for ever wait for an Event")
    timeout = check_timeout(seconds, "sleep() takes a number of seconds")
    if timeout == 0:
        checkpoint()
        return
    if latched:
        deliver_latched()
    wait(own_ticket(), timeout)


def checkpoint() -> None:
    """Let every other task that is ready run once, and raise what this one is asked to end by.

    Switches: always. Call from: hub. Raises: Cancelled; WrongContext in hub context.
    """
    if latched:
        deliver_latched()
    this_task().hub.yield_now()
    if latched:
        deliver_latched()


def now() -> float:
    """Seconds on the monotonic clock of the caller's hub, that deadlines are measured by.

    Switches: never. Call from: any thread, signal. Raises: nothing.
    """
    return current_hub().now()
