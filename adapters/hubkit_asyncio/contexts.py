"""Context variables across a bridge.

What must live here: giving back what a callee has changed in its copy of the caller's context.
"""

from __future__ import annotations

from contextvars import Context

_ABSENT = object()


def take_over(ended: Context) -> None:
    """Change the context variables of the caller as a callee that has ended has changed its copy."""
    for variable, value in ended.items():
        if variable.get(_ABSENT) is not value:
            variable.set(value)
