"""Message: one request as it came off a wire, whole, before anybody has interpreted it.

What must live here: the fields that every carrier of requests can fill. What this file must not
know: which protocol carried the message, and anything about handlers or responses.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Peer = tuple[str, int]  #: host and port


@dataclass(eq=False)
class Message:
    """One complete request. Header values and the target are text of the wire, decoded as Latin-1."""

    method: str  #: upper case, as sent
    target: str  #: origin form (path and query, still percent-encoded), or "*"
    headers: list[tuple[str, str]] = field(default_factory=list)  #: in order, repeated names apart
    body: bytes = b""
    version: str = "1.1"
    keep_alive: bool = True  #: whether the sender expects another message to be answered after it
    peer: Peer | None = None  #: the sender's address, where it has one
