"""The hubs that a test of what is built on the contract runs on: ours, as far as they can be imported."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

import pytest

from hubkit import registry, testing
from hubkit.contract import Adapter, Hub


def _importable() -> list[Adapter]:
    names = "threads", "native", "virtual", "gevent", "eventlet", "asyncio"
    adapters = [import_module(f"hubkit_{name}").adapter for name in names]
    return [adapter for adapter in adapters if not registry.missing(adapter)]


#: For tests that start processes: the name a child knows the hub by, registered or not.
each_hub = pytest.mark.parametrize(
    "hub_name", [pytest.param(adapter.hub, id=adapter.name) for adapter in _importable()]
)


@pytest.fixture(scope="session", params=_importable(), ids=lambda adapter: adapter.name)
def adapter(request: pytest.FixtureRequest) -> Adapter:
    """One hub after the other: once a host is at work in a thread the threads hub refuses to block it."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def hub(adapter: Adapter) -> Iterator[Hub]:
    """A fresh hub, current in this thread until the test ends."""
    with testing.override(adapter.hub, grace=10):
        yield registry.hub_to_spawn()
