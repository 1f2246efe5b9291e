"""Running loops: those that hubkit runs itself, and the end of those that others run.

What must live here: a greenlet around `run_forever`, and what is done before a loop is closed. What this
file must not know: the host hooks, how the guest works.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING

from greenlet import getcurrent, greenlet

from hubkit import workers
from hubkit.running import GRACE, end_tasks

from .serving import run_task

if TYPE_CHECKING:
    from hubkit.loop_hub import LoopHub

_log = logging.getLogger("hubkit")
_ours: set[asyncio.AbstractEventLoop] = set()


def running_here() -> asyncio.AbstractEventLoop | None:
    """The loop that somebody else runs in this thread."""
    loop = asyncio._get_running_loop()
    return None if loop in _ours else loop


def root() -> greenlet:
    """The main greenlet of this thread."""
    g = getcurrent()
    while g.parent is not None:
        g = g.parent
    return g


class OwnLoop(greenlet):  # type: ignore[misc] # greenlet has no type hints
    """A loop that runs from `begin` to `end` in this greenlet, whatever is raised in it meanwhile."""

    __slots__ = ("hubkit_task", "loop", "on_error", "patience")

    def __init__(self, on_error: Callable[[BaseException], None]) -> None:
        super().__init__(None, root())
        self.hubkit_task = None  # hub context
        self.on_error = on_error
        self.patience = GRACE  # seconds that asyncio's tasks have for their clean-up in the end
        self.loop = self.make()

    def make(self) -> asyncio.AbstractEventLoop:
        """The default loop of this process."""
        return asyncio.new_event_loop()

    def go(self) -> None:
        """Run the loop until it is stopped."""
        self.loop.run_forever()

    def close(self) -> None:
        """Free what the loop holds."""
        self.loop.close()

    def begin(self) -> None:
        """Start the loop, near the bottom of the stack; returns when it runs.

        At once and not at the first wait, so that from the first call on there is a running loop, and
        nobody can start another one in this thread.
        """
        _ours.add(self.loop)
        self.loop.call_soon(getcurrent().switch)
        workers.start(self)

    def run(self) -> None:
        while True:
            try:
                self.go()
                break
            except BaseException as error:  # Ctrl-C, and what ends like it
                self.on_error(error)
        if self.patience:
            self.loop.run_until_complete(_wind_up(self.patience))

    def end(self) -> None:
        """Stop the loop and close it; returns when that is done."""
        try:
            if not self.dead:
                self.parent = getcurrent()  # type: ignore[misc]
                self.loop.stop()
                self.switch()
        finally:
            self.close()
            _ours.discard(self.loop)


async def _wind_up(patience: float) -> None:
    """What `asyncio.run` does when its coroutine has ended, within a time limit."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if tasks:
        _, left = await asyncio.wait(tasks, timeout=patience)
        if left:
            _log.warning("dropped, as %g s were over: %s", patience, ", ".join(map(repr, left)))
    loop = asyncio.get_running_loop()
    await loop.shutdown_asyncgens()
    await loop.shutdown_default_executor()


class Farewell:
    """Ends the tasks of a hub when the application ends its loop, while that can still run them.

    A loop has no hook for that but one: before `asyncio.run` closes its loop it has every asynchronous
    generator that was begun there run its `finally`.
    """

    def __init__(self, hub: LoopHub) -> None:
        self._generator: AsyncGenerator[None, None] | None = _until_the_end(hub)
        _step(self._generator.__anext__())

    def over(self) -> None:
        """The hub is closed: there is nothing left to do."""
        generator, self._generator = self._generator, None
        if generator is not None and not generator.ag_running:  # type: ignore[attr-defined]
            _step(generator.aclose())


async def _until_the_end(hub: LoopHub) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        try:
            if hub.tasks and not hub.closed():
                await run_task(end_tasks, [hub], GRACE)
        finally:
            hub.close()


def _step(awaitable: object) -> None:
    """Take the one step of an awaitable that waits for nothing."""
    try:
        awaitable.__await__().send(None)  # type: ignore[attr-defined]
    except StopIteration:
        pass
