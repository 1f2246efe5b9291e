"""Where a run takes place: what a report says of versions, so that its reader can have the same.

What must live here: asking the interpreter and the installed distributions. What this file must not
know: any hub, any result.
"""

from __future__ import annotations

import os
import platform
from importlib import metadata

from .variants import Row, adapter_of


def describe(row: Row) -> dict[str, str]:
    """Python, the system, hubkit, greenlet, what the hub runs on, and the variables of the variant."""
    found = {
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processors": str(os.cpu_count()),
    }
    for distribution in ("hubkit", "greenlet", *_distributions(row)):
        try:
            found[distribution] = metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
    found.update(row.variant.environment if row.variant else {})
    return found


def _distributions(row: Row) -> list[str]:
    """What the hub's own code and its host are installed from."""
    adapter = adapter_of(row.hub)
    modules = [*(adapter.requires if adapter else ()), *(row.variant.requires if row.variant else ())]
    path = adapter.hub if adapter else row.hub
    modules.append(path.partition(":")[0].partition(".")[0])
    owners = metadata.packages_distributions()
    named = [adapter.distribution] if adapter and adapter.distribution else []
    return list(dict.fromkeys([*named, *(name for module in modules for name in owners.get(module, ()))]))
