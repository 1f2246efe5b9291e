"""Loading the hub under test: whatever is wrong with it, a sentence says what.

What must live here: turning what a stranger's module may do when it is imported into one kind of error.
What this file must not know: pytest, the command line.
"""

from __future__ import annotations

import os
import sys
import traceback
from typing import TYPE_CHECKING

from hubkit import registry
from hubkit.errors import HubError

if TYPE_CHECKING:
    from hubkit.contract import Hub


class CannotLoad(HubError, ImportError):
    """The hub's module raised something while it was imported, or its class is odd."""


def load(name: str) -> type[Hub]:
    """The hub class called `name`; raises HubError and nothing else.

    The author of an unregistered hub stands in the folder of its module: "module:Class" is found there.
    """
    folder = os.getcwd()
    if ":" in name and folder not in sys.path and not getattr(sys.flags, "safe_path", False):
        sys.path.insert(0, folder)
    try:
        return registry.load(name)
    except HubError as error:
        if error.__cause__ is None or isinstance(error.__cause__, (ModuleNotFoundError, AttributeError)):
            raise
        raise CannotLoad(f"{error}: {error.__cause__}") from error
    except ModuleNotFoundError as error:
        raise CannotLoad(
            f"the hub {name!r} cannot be imported: it needs the module {error.name!r}, which is not installed"
        ) from error
    except (Exception, SystemExit) as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{last.filename}, line {last.lineno}"
        raise CannotLoad(
            f"the hub {name!r} cannot be imported: {type(error).__name__}: {error} ({where})"
        ) from error
