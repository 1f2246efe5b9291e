"""A library that names no hub, and a program that uses it.

python examples/prices.py                             # on OS threads
HUBKIT_BACKEND=native python examples/prices.py       # on hubkit's own loop; also gevent, eventlet
"""

from __future__ import annotations

from collections.abc import Callable

import hubkit
from hubkit import Queue, TaskGroup, timeout


def cheapest(shops: list[str], fetch: Callable[[str], int]) -> tuple[int, str]:
    """Ask every shop at once and return the lowest price; TimeoutError after two seconds."""
    offers: Queue[tuple[int, str]] = Queue()

    def ask(shop: str) -> None:
        offers.put((fetch(shop), shop))

    with timeout(2.0), TaskGroup() as group:
        for shop in shops:
            group.spawn(ask, shop)
    return min(offers.get() for _ in shops)


def fetch(shop: str) -> int:
    """Stands for a request over the network."""
    hubkit.sleep(0.1)
    return len(shop)


if __name__ == "__main__":
    print(hubkit.run(cheapest, ["corner", "market", "mall"], fetch))
