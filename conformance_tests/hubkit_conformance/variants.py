"""The rows of the conformance matrix: hubs, and what else there is to choose on their hosts.

What must live here: finding the variants that an adapter declares, and putting one in force. What this
file must not know: any hub, any variant, pytest.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from hubkit import registry
from hubkit.contract import Adapter, Variant
from hubkit.errors import HubError
from hubkit.testing.lint import PREFIX


class BadVariant(HubError, LookupError):
    """There is no such variant, it cannot be had here, or it comes too late."""


@dataclass(frozen=True)
class Row:
    """One run of the suite: a hub, as its host comes (no variant) or with a choice made."""

    hub: str
    variant: Variant | None = None

    @property
    def label(self) -> str:
        """As it is written in tables: `gevent`, `gevent-libuv`."""
        return f"{self.hub}-{self.variant.name}" if self.variant else self.hub

    def lacks(self) -> list[str]:
        """The modules that this row needs and that are not installed."""
        adapter = adapter_of(self.hub)
        absent = registry.missing(adapter) if adapter else []
        wanted = self.variant.requires if self.variant else ()
        return absent + [name for name in wanted if name not in sys.modules and find_spec(name) is None]

    def install(self) -> str:
        """What to type to get what it lacks."""
        adapter = adapter_of(self.hub)
        if adapter and registry.missing(adapter):
            return adapter.install
        return (self.variant.install if self.variant else "") or f"pip install {' '.join(self.lacks())}"


def adapter_of(hub: str) -> Adapter | None:
    """The adapter of a hub that is registered, named by that name or as "module:Class"; linted or not."""
    hub = hub.removeprefix(PREFIX)
    known = registry.adapters()
    return known.get(hub) or next((adapter for adapter in known.values() if adapter.hub == hub), None)


def rows_of(hub: str) -> list[Row]:
    """Every variant of one hub; the hub alone if it declares none."""
    adapter = adapter_of(hub)
    return [Row(hub, variant) for variant in adapter.variants] if adapter and adapter.variants else [Row(hub)]


def all_rows(hubs: Sequence[str] | None = None) -> list[Row]:
    """The whole matrix: all registered hubs, or those named, each with all its variants."""
    return [row for hub in (registry.adapters() if hubs is None else hubs) for row in rows_of(hub)]


def find_row(hub: str, variant: str | None) -> Row:
    """The row that was asked for; raises BadVariant with what there is, or with what to install."""
    if variant is None:
        return Row(hub)
    if adapter_of(hub) is None and ":" not in hub:
        registry.load(hub)  # says which hubs there are
    known = {row.variant.name: row for row in rows_of(hub) if row.variant}
    if variant not in known:
        there_are = f"it has: {', '.join(known)}" if known else "it has none"
        raise BadVariant(f"the hub {hub!r} has no variant {variant!r}; {there_are}")
    row = known[variant]
    if row.lacks():
        raise BadVariant(
            f"the variant {variant!r} of the hub {hub!r} needs {', '.join(row.lacks())}, "
            f"which is not installed; type: {row.install()}"
        )
    return row


def put_in_force(row: Row) -> None:
    """Set the variables of the row's variant in this process; raises BadVariant if that comes too late."""
    if row.variant is None or all(
        os.environ.get(key) == row.variant.environment[key] for key in row.variant.environment
    ):
        return
    adapter = adapter_of(row.hub)
    imported = [name for name in (adapter.requires if adapter else ()) if name in sys.modules]
    if imported:
        settings = " ".join(f"{name}={value}" for name, value in row.variant.environment.items())
        raise BadVariant(
            f"{', '.join(imported)} was imported before the variant {row.variant.name!r} could be chosen; "
            f"put this before the command: {settings}"
        )
    os.environ.update(row.variant.environment)
