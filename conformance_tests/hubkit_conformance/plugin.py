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
REPORT = "--hubkit-report"
FAULT = "--hubkit-fault"


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
    group.addoption(
        REPORT,
        metavar="FILE",
        dest="hubkit_report",
        help="write what was found, rule by rule, to a file .html, .md, .json, or .jsonl (as it comes)",
    )
    group.addoption(
        FAULT,
        metavar="NAME",
        dest="hubkit_fault",
        help="make that one hub wrong in this way, so that the suite must fail; see its `faults`",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "hubkit_needs(capability, ...): only for hubs that claim them all")
    config.addinivalue_line("markers", "hubkit_lacks(capability, ...): only for hubs that claim none of them")
    names = hub_names(config)
    for option, value in ((VARIANT, "hubkit_variant"), (REPORT, "hubkit_report")):
        if config.getoption(value) and not names:
            raise pytest.UsageError(f"{option} goes with {OPTION} NAME")
    if names:
        _prepare(config, names)
    _make_wrong(names, config.getoption("hubkit_fault"))


def _prepare(config: pytest.Config, names: list[str]) -> None:
    """Before any test is imported."""
    from pathlib import Path

    from hubkit.errors import HubError

    from . import loading, reports, session, variants, watchdog

    variant, report = config.getoption("hubkit_variant"), config.getoption("hubkit_report")
    if variant and len(names) > 1:
        raise pytest.UsageError(f"{VARIANT} {variant} goes with one hub, not with {', '.join(names)}")
    path = Path(report).absolute() if report else None
    try:
        rows = [variants.find_row(name, variant) for name in names]
        for row in rows:
            variants.put_in_force(row)  # first: a host reads its variables when it is imported
            loading.load(row.hub)
        if path is not None:
            reports.check(path)
    except HubError as error:
        raise pytest.UsageError(str(error)) from error
    watchdog.install(config)
    session.install(config, rows, path)


def _make_wrong(hubs: list[str], fault: str | None) -> None:
    """Before any test is imported, too."""
    if fault is None:
        return
    if len(hubs) != 1:
        raise pytest.UsageError(f"{FAULT} {fault} goes with {OPTION} NAME, one hub")
    from hubkit import registry

    from . import faults

    try:
        faults.install(fault, registry.load(hubs[0]))
    except LookupError as error:
        raise pytest.UsageError(f"{FAULT} {fault}: {error.args[0]}") from error


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
        metafunc.parametrize("hubkit_hub_name", hub_names(metafunc.config) or [""], scope="session")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Not while the tests are collected: there it would be said once for each file."""
    ours = any("hubkit_hub_name" in getattr(item, "fixturenames", ()) for item in items)
    if ours and not hub_names(config):
        from hubkit import registry

        raise pytest.UsageError(
            f"which hub is to be tested? Type {OPTION} NAME; "
            f"installed: {', '.join(registry.available_hubs())}"
        )


@pytest.fixture
def hub_class(hubkit_hub_name: str, request: pytest.FixtureRequest) -> type[Hub]:
    """The class of the hub under test; skips what the hub does not claim, or claims."""
    from hubkit import registry

    from .recorder import CLAIMS, LACKS

    found = registry.load(hubkit_hub_name)
    for mark in request.node.iter_markers("hubkit_needs"):
        absent = [capability for capability in mark.args if not found.supports(capability)]
        if absent:
            request.node.stash[LACKS] = absent
            pytest.skip(f"the hub {hubkit_hub_name} does not claim {', '.join(absent)}")
    for mark in request.node.iter_markers("hubkit_lacks"):
        present = [capability for capability in mark.args if found.supports(capability)]
        if present:
            request.node.stash[CLAIMS] = present
            pytest.skip(f"the hub {hubkit_hub_name} claims {', '.join(present)}")
    return found


@pytest.fixture
def hub(hubkit_hub_name: str, hub_class: type[Hub]) -> Iterator[Hub]:
    """A fresh hub of the class under test, current in this thread until the test ends."""
    import hubkit
    from hubkit import testing

    violations = getattr(hub_class, "violations", [])  # of a hub made by hubkit.testing.lint
    violations.clear()
    with testing.override(hubkit_hub_name):
        yield hubkit.current_hub()
    if violations:
        pytest.fail("\n".join(map(str, violations)), pytrace=False)


@pytest.fixture
def host(hubkit_hub_name: str, hub_class: type[Hub], hub: Hub, request: pytest.FixtureRequest) -> Host:
    """The host of the hub under test; skips where there is none, fails where there should be one."""
    from hubkit.contract import HOST_MIX, INTERRUPT_HOST

    from .hosts import find_host
    from .recorder import LACKS

    found = find_host(hub_class)
    if found is None:
        for capability in filter(hub_class.supports, (HOST_MIX, INTERRUPT_HOST)):
            pytest.fail(
                f"the hub {hubkit_hub_name} claims {capability}; hubkit_conformance.hosts says what to supply"
            )
        request.node.stash[LACKS] = [HOST_MIX]
        pytest.skip(f"the hub {hubkit_hub_name} has no host")
    return found


@pytest.fixture
def child(hubkit_hub_name: str, hub_class: type[Hub]) -> Any:
    """Runs a scenario on the hub under test in a process of its own; see `child.Child`."""
    from .child import Child

    return Child(hubkit_hub_name)
