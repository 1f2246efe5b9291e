"""VirtualClock: the simulated clock of the hub that a test runs on, as the test sees it.

What must live here: looking at it and letting time pass. What this file must not know: which hub it is.
"""

from __future__ import annotations

from .. import registry
from ..contract import VIRTUAL_TIME
from ..waiting import check_timeout


class VirtualClock:
    """The time of the current hub, which must be one that has VIRTUAL_TIME.

    Switches: never. Call from: a thread that has such a hub. Raises: NotSupported.
    """

    def __init__(self) -> None:
        self._hub = registry.hub_to_spawn()
        self._hub.require(VIRTUAL_TIME, "the virtual hub has it")
        self._start = self._hub.now()

    def now(self) -> float:
        """The hub's time; what `hubkit.now()` says.

        Switches: never. Call from: any thread. Raises: nothing.
        """
        return self._hub.now()

    @property
    def elapsed(self) -> float:
        """Seconds that have passed since the test began."""
        return self._hub.now() - self._start

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass at once, as if the caller had computed for so long: nobody else runs meanwhile.

        What falls due in that time is noticed afterwards, when the caller waits. To let others run, sleep.

        Switches: never. Call from: the hub's thread. Raises: TypeError, ValueError.
        """
        left = check_timeout(seconds)
        if left is None or seconds < 0:
            raise ValueError(f"time passes by a number of seconds, not {seconds!r}")
        self._hub.advance(left)

    def __repr__(self) -> str:
        return f"<VirtualClock {self.elapsed:g} s>"
