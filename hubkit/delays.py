"""Delay: what stands in for the carrier of a task that is to start later.

What must live here: that such a task is started by its timer or ended by a cancel, and not both. What this
file must not know: hubs, and what a task is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .contract import TimerHandle
    from .tasks import Task


class Delay:
    """Called by the timer it starts the task; cancelled before, it ends it at once and without a carrier."""

    __slots__ = ("_claims", "_task", "timer")

    def __init__(self, task: Task[Any]) -> None:
        self._task = task
        self._claims = [True]  # whoever pops it decides
        self.timer: TimerHandle | None = None

    def __call__(self) -> None:
        if self._claim():
            self._task.hub.start(self._task)

    def cancel(self) -> None:
        """End the task, which has been asked to by now."""
        if self._claim():
            if self.timer is not None:
                self.timer.cancel()
            self._task.run()

    def _claim(self) -> bool:
        try:
            return self._claims.pop()
        except IndexError:
            return False
