"""The pytest plugin for users' own tests: a hub for each test, and the virtual clock.

What must live here: the mark, the fixture, the option. What this file must not know: how a hub is put in
place (hubkit.testing). It imports nothing of hubkit until a test asks for it.

    @pytest.mark.hubkit(hub="native")   this test, class or module runs on that hub
    def test_…(virtual_clock):          on the virtual hub; the fixture is its clock
    pytest --hubkit-seed 7              on the virtual hub ready tasks run in an order of chance, this one
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from hubkit.testing.virtual_clock import VirtualClock

MARK = "hubkit"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("hubkit").addoption(
        "--hubkit-seed",
        type=int,
        default=None,
        metavar="NUMBER",
        dest="hubkit_seed",
        help="in tests on the virtual hub let ready tasks run in the order that this seed gives",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "hubkit(hub=name, seed=None): run the test on that hub; a seed shuffles its ready tasks"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker(MARK) is not None and isinstance(item, pytest.Function):
            item.fixturenames.insert(0, "hubkit_of_the_mark")


@pytest.fixture
def hubkit_of_the_mark(request: pytest.FixtureRequest) -> Iterator[None]:
    """Puts the hub of the test's mark in place."""
    mark = request.node.get_closest_marker(MARK)
    options: dict[str, Any] = dict(mark.kwargs) if mark is not None else {}
    hub, seed = options.pop("hub", None), options.pop("seed", None)
    if mark is None or mark.args or options or not isinstance(hub, str):
        pytest.fail('write @pytest.mark.hubkit(hub="name") or (hub="name", seed=7)', pytrace=False)
    if seed is not None and not _steerable(hub):
        pytest.fail(
            f'seed= shuffles tasks on the virtual hub only: write hub="virtual", not {hub!r}', pytrace=False
        )
    yield from _on(hub, seed if seed is not None else request.config.getoption("hubkit_seed"))


@pytest.fixture
def virtual_clock(request: pytest.FixtureRequest) -> Iterator[VirtualClock]:
    """The clock of the virtual hub, on which the test runs."""
    from hubkit.testing.virtual_clock import VirtualClock

    if request.node.get_closest_marker(MARK) is not None:
        request.getfixturevalue("hubkit_of_the_mark")
        yield VirtualClock()
        return
    from hubkit.registry import DEFAULTS

    for _ in _on(DEFAULTS.tests, request.config.getoption("hubkit_seed")):
        yield VirtualClock()


def _steerable(name: str) -> bool:
    from hubkit import registry
    from hubkit.contract import VIRTUAL_TIME

    return registry.load(name).supports(VIRTUAL_TIME)


def _on(name: str, seed: int | None) -> Iterator[None]:
    from hubkit import registry
    from hubkit.contract import VIRTUAL_TIME
    from hubkit.testing.override import override
    from hubkit.testing.schedule import Shuffled

    with override(name) as hub_class:
        hub = registry.hub_to_spawn()  # before the test starts any thread
        if seed is not None and hub_class.supports(VIRTUAL_TIME):
            hub.steer(Shuffled(seed))
        yield
