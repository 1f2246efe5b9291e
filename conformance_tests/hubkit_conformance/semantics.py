"""The text of the rules, as docs/semantics.md has it.

What must live here: reading the document that is shipped beside this file. What this file must not know:
how a rule is tested or shown. In a checkout that document is a link to the one in docs; a build copies it.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

HEADING = re.compile(r"^## (R\d\d) .+\n", re.MULTILINE)


@cache
def texts() -> dict[str, str]:
    """The text below the heading of each rule, in Markdown, by label: R07."""
    document = files(__package__).joinpath("semantics.md").read_text(encoding="utf-8")
    _, *parts = HEADING.split(document)
    return {label: text.strip() for label, text in zip(parts[::2], parts[1::2], strict=True)}
