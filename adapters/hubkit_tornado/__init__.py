"""The Tornado hub: hubkit's scheduler as a guest on Tornado's IOLoop.

Tornado runs on asyncio's loop, and the bridges are asyncio's: `hubkit_asyncio.await_` and `run_task`.
"""

from __future__ import annotations

import sys

from hubkit.contract import Adapter


def detect() -> bool:
    """Whether a loop runs in this thread that Tornado has taken for an IOLoop."""
    events, ioloop = sys.modules.get("asyncio.events"), sys.modules.get("tornado.ioloop")
    if events is None or ioloop is None or events._get_running_loop() is None:
        return False
    return ioloop.IOLoop.current(instance=False) is not None


adapter = Adapter(
    name="tornado",
    hub="hubkit_tornado.hub:TornadoHub",
    requires=("tornado",),
    install="pip install 'hubkit[tornado]'",
    distribution="tornado",
    detect=detect,
)
