"""Every test of a rule runs on the hub under test, also those that do not mention it."""

from __future__ import annotations

import pytest

from hubkit.contract import Hub


@pytest.fixture(autouse=True)
def _on_the_hub_under_test(hub: Hub) -> None:
    """By asking for `hub`, which makes it current."""
