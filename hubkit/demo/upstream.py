"""The upstream: answers after a fixed time. Run as a process by the demo.

What must live here: the one thing that it serves. What this file must not know: who asks.
"""

from __future__ import annotations

from typing import Any

from hubkit import run, sleep
from hubkit.pipeline import Request, Routes

from . import answers
from .serving import serve

routes = Routes()


@routes.route("/part/<int:n>/<int:k>")
def give_part(request: Request, n: int, k: int) -> dict[str, Any]:
    """One part of a fan-out, after its time.

    Switches: always. Call from: hub. Raises: Cancelled.
    """
    sleep(answers.PART_SECONDS)
    return {"part": answers.part(n, k)}


if __name__ == "__main__":
    run(serve, routes)
