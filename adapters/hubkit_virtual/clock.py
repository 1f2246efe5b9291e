"""The simulated clock: it stands still while tasks run, and leaps when all wait.

What must live here: what time it is. What this file must not know: hubs, and when it should leap.
"""

from __future__ import annotations

from hubkit.originals import monotonic

#: Of every new clock, so that a program sees the same times in each run. Not 0: a time is true.
START = 1000.0


class Clock:
    """Seconds that pass only when somebody says so; as real ones do while it is `started`."""

    __slots__ = ("_state",)

    def __init__(self) -> None:
        # The time, and since when it runs on from there (None: it stands). One tuple, as any thread reads it.
        self._state: tuple[float, float | None] = START, None

    def now(self) -> float:
        """What time it is. Any thread."""
        time, since = self._state
        return time if since is None else time + monotonic() - since

    def leap(self, when: float) -> None:
        """It is `when` now, unless that has passed."""
        running = self._state[1] is not None
        self._state = max(self.now(), when), monotonic() if running else None

    def start(self) -> None:
        """Let real time pass from here on."""
        self._state = self.now(), monotonic()

    def stop(self) -> None:
        """Stand still at what time it is."""
        self._state = self.now(), None
