"""The hubs that a test of what is built on the contract runs on: ours, as far as they can be imported."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

import pytest

from hubkit import registry, testing
from hubkit.contract import PER_THREAD, Adapter, Hub


def _importable() -> list[Adapter]:
    names = "threads", "native", "virtual", "gevent", "eventlet", "asyncio", "twisted"
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


def skip_without(capability: str, hub_name: str) -> None:
    """Skip the test that calls on a hub that does not claim `capability`."""
    if not registry.load(hub_name).supports(capability):
        pytest.skip(f"{hub_name} does not claim {capability}")


@pytest.fixture
def a_hub_in_each_thread(adapter: Adapter) -> None:
    """For tests that make hubs in threads of their own."""
    skip_without(PER_THREAD, adapter.hub)
