"""The guest's poller, as the reactor wants to see a descriptor.

What must live here: Twisted's interface of what is read. What this file must not know: what is read, and why.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReadDescriptor
from zope.interface import implementer


@implementer(IReadDescriptor)
class Reader:
    """Calls a function whenever a descriptor is readable."""

    def __init__(self, fd: int, on_readable: Callable[[], None]) -> None:
        self._fd = fd
        self.doRead = on_readable

    def fileno(self) -> int:
        """For the reactor's poll."""
        return self._fd

    def logPrefix(self) -> str:  # noqa: N802 # Twisted's name
        """For the lines that are logged meanwhile."""
        return "hubkit"

    def connectionLost(self, reason: object) -> None:  # noqa: N802 # Twisted's name
        """The reactor stops: who wants to know has set a trigger."""
