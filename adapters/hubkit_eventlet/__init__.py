"""The eventlet hub: hubkit's scheduler as a guest on eventlet's hub."""

from __future__ import annotations

import sys

from hubkit.contract import Adapter, Variant


def detect() -> bool:
    """Whether eventlet has patched the standard library, or its hub is alive in this thread."""
    patcher = sys.modules.get("eventlet.patcher")
    if patcher is not None and patcher.is_monkey_patched("socket"):
        return True
    hubs = sys.modules.get("eventlet.hubs")
    return hubs is not None and getattr(hubs._threadlocal, "hub", None) is not None


adapter = Adapter(
    name="eventlet",
    hub="hubkit_eventlet.hub:EventletHub",
    requires=("eventlet",),
    install="pip install 'hubkit[eventlet]'",
    distribution="eventlet",
    detect=detect,
    variants=(Variant("epolls", {"EVENTLET_HUB": "epolls"}), Variant("asyncio", {"EVENTLET_HUB": "asyncio"})),
)
