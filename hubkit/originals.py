"""The standard library as it was before anybody patched it.

Monkey patchers replace attributes of `_thread`, `select` and `time` and may have run before this
import, so each C module is instantiated once more: the fresh instance cannot have been patched.
Nothing else in hubkit may reach for these names in the shared modules.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from types import ModuleType


def _fresh(name: str) -> ModuleType:
    shared = sys.modules.get(name)
    spec = shared.__spec__ if shared is not None else importlib.util.find_spec(name)
    if spec is None or spec.loader is None:  # not a module that can be loaded again
        return importlib.import_module(name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_thread = _fresh("_thread")
_select = _fresh("select")
_time = _fresh("time")

allocate_lock = _thread.allocate_lock
start_new_thread = _thread.start_new_thread
get_ident: Callable[[], int] = _thread.get_ident
ThreadLocal = _thread._local
sleep = _time.sleep
monotonic: Callable[[], float] = _time.monotonic
select = _select


def thread_count() -> int:
    """Python threads that run now, not counting the caller's."""
    # _count() leaves out the main thread; called elsewhere it counts the caller in the main one's place.
    return int(_thread._count())
