"""The gevent hub: hubkit's scheduler as a guest on gevent's loop (libev or libuv)."""

from __future__ import annotations

import sys

from hubkit.contract import Adapter, Variant


def detect() -> bool:
    """Whether gevent has patched the standard library, or its hub is alive in this thread."""
    monkey = sys.modules.get("gevent.monkey")
    if monkey is not None and monkey.is_module_patched("socket"):
        return True
    local = sys.modules.get("gevent._hub_local")
    return local is not None and local.get_hub_if_exists() is not None


adapter = Adapter(
    name="gevent",
    hub="hubkit_gevent.hub:GeventHub",
    requires=("gevent",),
    install="pip install 'hubkit[gevent]'",
    distribution="gevent",
    detect=detect,
    variants=(
        Variant("libev", {"GEVENT_LOOP": "libev-cext"}),
        Variant("libuv", {"GEVENT_LOOP": "libuv-cffi"}, ("cffi",), "pip install cffi"),
    ),
)
