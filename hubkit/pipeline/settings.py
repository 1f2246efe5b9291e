"""Settings: every number that bounds what one client, or all of them, can make the server do.

What must live here: the limits, with units, and their defaults, the same on every hub. What this file
must not know: how they are enforced.
"""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Settings:
    """Sizes are bytes, times are seconds; None for a time means no limit.

    Switches: never. Call from: any thread. Raises: ValueError for a number that makes no sense.
    """

    max_head: int = 32 * 1024  #: request line and headers of one message; more is a 431
    max_body: int = 1024 * 1024  #: body of one message; more is a 413
    max_pipelined: int = 8  #: messages of one connection taken in before the first is answered
    connections: int = 1000  #: open at once; more wait in the listener's backlog
    handlers: int = 256  #: running at once, over all connections
    queue_timeout: float | None = 5.0  #: waiting for a free handler; then 503
    deadline: float | None = 30.0  #: from the start of a handler to its end; then 504
    transfer_timeout: float = 30.0  #: for a message to come in, then 408, or an answer to go out
    idle_timeout: float = 75.0  #: a connection without a message; then it is closed
    linger: float = 2.0  #: for a client to take in the last answer before its socket is closed
    grace: float = 10.0  #: for messages being handled when the server is stopped

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if value is not None and not value > 0:
                raise ValueError(f"Settings.{each.name} must be greater than zero, not {value!r}")
