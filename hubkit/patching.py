"""Monkey patching, in the words of the chosen hub.

What must live here: the three public calls and what to type where a hub cannot patch. What this file must
not know: how anybody patches. Importing hubkit never does.
"""

from __future__ import annotations

from typing import Any

from .errors import NotSupported
from .registry import _chosen


def patch() -> dict[str, str]:
    """Make the standard library cooperative on the chosen hub; what was done, module by module.

    Call it before anything else is imported: what a module has taken out of `socket` or `time` before
    stays as it was. A hub on which ordinary blocking is harmless patches nothing and says so.

    Switches: never. Call from: the main thread. Raises: NotSupported if the hub cannot patch.
    """
    hub_class = _chosen().hub_class
    try:
        return hub_class.patch()
    except NotSupported as error:
        raise NotSupported(
            f"{error}: use hubkit's own verbs and hubkit.green.socket in your code, or choose a hub that has "
            "PATCH for code that blocks by itself; type: hubkit hubs"
        ) from error


def is_patched(module: str) -> bool:
    """Whether the chosen hub has replaced parts of the standard module of that name.

    Switches: never. Call from: any thread. Raises: nothing.
    """
    return _chosen().hub_class.is_patched(module)


def original(module: str, attribute: str) -> Any:
    """`module.attribute` of the standard library as it was before the chosen hub patched it.

    Switches: never. Call from: any thread. Raises: ImportError, AttributeError if there is none.
    """
    return _chosen().hub_class.original(module, attribute)
