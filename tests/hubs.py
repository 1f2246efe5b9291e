"""The hubs that a test of what is built on the contract runs on: ours, as far as they can be imported."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

import pytest

from hubkit import registry, testing
from hubkit.contract import Adapter, Hub


def _importable() -> list[Adapter]:
    adapters = [import_module(f"hubkit_{name}").adapter for name in ("threads", "native", "gevent", "eventlet")]
    return [adapter for adapter in adapters if not registry.missing(adapter)]


@pytest.fixture(params=_importable(), ids=lambda adapter: adapter.name)
def hub(request: pytest.FixtureRequest) -> Iterator[Hub]:
    """A fresh hub, current in this thread until the test ends."""
    with testing.override(request.param.hub, grace=10):
        yield registry.hub_to_spawn()
