"""The rules run in processes of their own (test_first_party.py), one a hub, never in this one."""

from __future__ import annotations

from pathlib import Path

import pytest

from hubkit_conformance.plugin import hub_names
from hubkit_conformance.watchdog import install

SUITE = Path(__file__).parent / "hubkit_conformance"


def pytest_configure(config: pytest.Config) -> None:
    install(config)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Unless pytest was called for the suite itself."""
    for_itself = hub_names(config) or config.option.pyargs
    return True if collection_path == SUITE / "rules" and not for_itself else None
