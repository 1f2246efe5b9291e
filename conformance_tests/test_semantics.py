"""docs/semantics.md and the list that programs read are the same."""

from __future__ import annotations

import re
from pathlib import Path

from hubkit.contract import CAPABILITIES
from hubkit_conformance.rules import RULES

DOCUMENT = Path(__file__).parents[1] / "docs" / "semantics.md"


def test_the_document_has_the_same_rules_in_the_same_order():
    headings = re.findall(r"^## (R\d\d) (.+)$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert headings == [(rule.label, rule.title) for rule in RULES]


def test_the_document_names_no_capability_that_there_is_not():
    named = re.findall(r"\[([A-Z_]{4,})\]", DOCUMENT.read_text(encoding="utf-8"))
    assert set(named) <= CAPABILITIES
    assert {"ORDERED_YIELD", "FIFO_LOCKS", "FORK", "DEADLOCK", "HOST_MIX"} <= set(named)
