"""The rules run in processes of their own (test_first_party.py), one a row, never in this one.

What must live here: what the tests of the suite get beside the watchdog: calls that are made ahead of them.
What this file must not know: what these calls do.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ahead import Ahead, jobs
from hubkit_conformance.plugin import hub_names
from hubkit_conformance.watchdog import install

SUITE = Path(__file__).parent / "hubkit_conformance"
AHEAD = pytest.StashKey[Ahead]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "made_ahead(call): start the call now, the test waits for its end")
    install(config)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Unless pytest was called for the suite itself."""
    for_itself = hub_names(config) or config.option.pyargs
    return True if collection_path == SUITE / "rules" and not for_itself else None


def pytest_collection_finish(session: pytest.Session) -> None:
    """Now, for the calls take long and the other tests come first."""
    marks = {item.nodeid: item.get_closest_marker("made_ahead") for item in session.items}
    calls = {nodeid: mark.args[0] for nodeid, mark in marks.items() if mark}
    if calls and not session.config.option.collectonly:
        try:
            session.config.stash[AHEAD] = Ahead(calls, jobs())
        except ValueError as error:
            raise pytest.UsageError(str(error)) from error


def pytest_unconfigure(config: pytest.Config) -> None:
    """However the session ends."""
    if AHEAD in config.stash:
        config.stash[AHEAD].close()


@pytest.fixture
def made_ahead(request: pytest.FixtureRequest) -> Callable[[], Any]:
    """Waits for what the call of the test's mark `made_ahead` returns."""
    return partial(request.config.stash[AHEAD].outcome, request.node.nodeid)
