"""What is right: pure functions by which the service answers and the client checks.

What must live here: values that follow from a number alone. What this file must not know: HTTP, hubs.
"""

from __future__ import annotations

from hashlib import sha256

#: Upstream calls per fan-out, and seconds that each takes.
PARTS = 5
PART_SECONDS = 0.2
#: One request in KINDS is a computation, one goes to the database, one fans out.
KINDS = 3

_ROUNDS = 100


def computed(n: int) -> str:
    """What `GET /compute/n` answers: some work for the processor.

    Switches: never. Call from: any thread. Raises: nothing.
    """
    digest = str(n).encode()
    for _ in range(_ROUNDS):
        digest = sha256(digest).digest()
    return digest.hex()


def stored(key: int) -> str:
    """What the client stores under `key`.

    Switches: never. Call from: any thread. Raises: nothing.
    """
    return f"{key * 7919 % 10_007:05d}" * 20


def part(n: int, k: int) -> int:
    """What the upstream answers to call `k` of fan-out `n`.

    Switches: never. Call from: any thread. Raises: nothing.
    """
    return (n + 1) * (k + 3) % 1009


def fanned(n: int) -> int:
    """What `GET /fan/n` answers.

    Switches: never. Call from: any thread. Raises: nothing.
    """
    return sum(part(n, k) for k in range(PARTS))
