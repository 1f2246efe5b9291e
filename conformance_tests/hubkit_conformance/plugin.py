"""The pytest plugin by which the suite is told which hub to test.

What must live here: the option, the marks, the fixtures. What this file must not know: any rule, any
hub. It is loaded in every pytest run where hubkit is installed, so it imports nothing until asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from hubkit.contract import Hub

    from .hosts import Host

OPTION = "--hubkit-hub"
VARIANT = "--hubkit-variant"


def needs(*capabilities: str) -> pytest.MarkDecorator:
    """The test holds only for hubs that claim all of `capabilities`; on others it is skipped."""
    return pytest.mark.hubkit_needs(*capabilities)


def lacks(*capabilities: str) -> pytest.MarkDecorator:
    """The test holds only for hubs that claim none of `capabilities`; on others it is skipped."""
    return pytest.mark.hubkit_lacks(*capabilities)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("hubkit")
    group.addoption(
        OPTION,
        action="append",
        default=[],
        metavar="NAME",
        dest="hubkit_hubs",
        help='hub to run the conformance suite on: a registered name or "module:Class"; repeatable, or a,b',
    )
    group.addoption(
        VARIANT,
        metavar="NAME",
        dest="hubkit_variant",
        help="the variant of that one hub to test, such as another event loop; its adapter declares them",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "hubkit_needs(capability, ...): only for hubs that claim them all")
    config.addinivalue_line("markers", "hubkit_lacks(capability, ...): only for hubs that claim none of them")
    names = hub_names(config)
    if config.getoption("hubkit_variant") and not names:
        raise pytest.UsageError(f"{VARIANT} goes with {OPTION} NAME")
    if names:
        from hubkit import registry

        from . import watchdog

        _choose_variant(names, config.getoption("hubkit_variant"))
        for name in names:
            try:
                registry.load(name)
            except (ImportError, LookupError, TypeError) as error:
                raise pytest.UsageError(f"{OPTION} {name}: {error}") from error
        watchdog.install(config)


def _choose_variant(hubs: list[str], variant: str | None) -> None:
    """Before any hub is loaded: a host reads its variables when it is imported."""
    if variant is None:
        return
    from hubkit.errors import HubError

    from . import variants

    if len(hubs) > 1:
        raise pytest.UsageError(f"{VARIANT} {variant} goes with one hub, not with {', '.join(hubs)}")
    try:
        variants.put_in_force(variants.find_row(hubs[0], variant))
    except HubError as error:
        raise pytest.UsageError(f"{VARIANT} {variant}: {error}") from error


def hub_names(config: pytest.Config) -> list[str]:
    """The hubs that were asked for, each once, in order."""
    asked = (name.strip() for option in config.getoption("hubkit_hubs") for name in option.split(","))
    return list(dict.fromkeys(name for name in asked if name))


def pytest_report_header(config: pytest.Config) -> list[str]:
    from hubkit import registry

    return [
        f"hubkit hub: {name} ({', '.join(sorted(registry.load(name).capabilities)) or 'no capabilities'})"
        for name in hub_names(config)
    ]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "hubkit_hub_name" in metafunc.fixturenames:
        names = hub_names(metafunc.config)
        if not names:
            from hubkit import registry

            raise pytest.UsageError(
                f"which hub is to be tested? Type {OPTION} NAME; "
                f"installed: {', '.join(registry.available_hubs())}"
            )
        metafunc.parametrize("hubkit_hub_name", names, scope="session")


@pytest.fixture
def hub_class(hubkit_hub_name: str, request: pytest.FixtureRequest) -> type[Hub]:
    """The class of the hub under test; skips what the hub does not claim, or claims."""
    from hubkit import registry

    found = registry.load(hubkit_hub_name)
    for mark in request.node.iter_markers("hubkit_needs"):
        absent = [capability for capability in mark.args if not found.supports(capability)]
        if absent:
            pytest.skip(f"the hub {hubkit_hub_name} does not claim {', '.join(absent)}")
    for mark in request.node.iter_markers("hubkit_lacks"):
        present = [capability for capability in mark.args if found.supports(capability)]
        if present:
            pytest.skip(f"the hub {hubkit_hub_name} claims {', '.join(present)}")
    return found


@pytest.fixture
def hub(hubkit_hub_name: str, hub_class: type[Hub]) -> Iterator[Hub]:
    """A fresh hub of the class under test, current in this thread until the test ends."""
    import hubkit
    from hubkit import testing

    with testing.override(hubkit_hub_name):
        yield hubkit.current_hub()


@pytest.fixture
def host(hubkit_hub_name: str, hub_class: type[Hub], hub: Hub) -> Host:
    """The host of the hub under test; skips where there is none, fails where there should be one."""
    from hubkit.contract import HOST_MIX

    from .hosts import find_host

    found = find_host(hub_class)
    if found is None:
        if hub_class.supports(HOST_MIX):
            pytest.fail(
                f"the hub {hubkit_hub_name} claims HOST_MIX; hubkit_conformance.hosts says what to supply"
            )
        pytest.skip(f"the hub {hubkit_hub_name} has no host")
    return found


@pytest.fixture
def child(hubkit_hub_name: str, hub_class: type[Hub]) -> Any:
    """Runs a scenario on the hub under test in a process of its own; see `child.Child`."""
    from .child import Child

    return Child(hubkit_hub_name)
