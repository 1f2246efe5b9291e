"""Which hub serves the caller: choosing one, once, and finding it again, fast.

What must live here: the choice and who made it, the entry points, the per-thread cache. What this file
must not know: any hub by name but the defaults below; a host is never imported to look.

Order: `use(name)`, else the variable HUBKIT_BACKEND, else what an adapter detects in the modules that
are imported already, else DEFAULTS. The choice falls at the first `spawn`, `run` or call that must
wait, never at import.
"""

from __future__ import annotations

import atexit
import os
import sys
import weakref
from importlib import import_module, metadata
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

from greenlet import getcurrent

from .contract import VERBS, Adapter, Hub
from .errors import HubAlreadyChosen, HubNotInstalled, InvalidHub, UnknownHub, WrongContext
from .originals import ThreadLocal, get_ident

if TYPE_CHECKING:
    from .tasks import Task

VARIABLE = "HUBKIT_BACKEND"
GROUP = "hubkit.hubs"


class Defaults(NamedTuple):
    """The only hubs that the core names."""

    library: str = "threads"  # right inside any program
    program: str = "native"  # for `hubkit run`, where the program is ours to start
    tests: str = "virtual"  # for `hubkit.testing`, where the time and the order are


DEFAULTS = Defaults()


class Choice(NamedTuple):
    """The hub of this process and who chose it."""

    name: str
    hub_class: type[Hub]
    by: str


_choice: Choice | None = None
_adapters: dict[str, Adapter] | None = None
_registered: dict[str, Adapter] = {}
_broken: dict[str, ImportError] = {}
_cache = ThreadLocal()  # .hub: the hub that serves this thread, once found
_alive: dict[weakref.ref[Hub], None] = {}  # in order of their making
_has_exit_handler = False


# -- finding --------------------------------------------------------------------------------------


def current_hub() -> Hub:
    """The hub that serves the caller; makes the choice if none has been made.

    Switches: never. Call from: any thread. Raises: UnknownHub, HubNotInstalled, NotSupported.
    """
    try:
        return _cache.hub  # type: ignore[no-any-return]
    except AttributeError:
        pass  # what is raised from here on has nothing to do with that
    return _find(create=get_ident() == _main_thread())


def hub_to_spawn() -> Hub:
    """The hub that a task spawned here belongs to; made if this thread has none yet."""
    try:
        return _cache.hub  # type: ignore[no-any-return]
    except AttributeError:
        pass
    return _find(create=True)


def this_task() -> Task[Any]:
    """The calling task; an error in hub context, where nothing may wait."""
    try:
        task: Task[Any] | None = getcurrent().hubkit_task
    except AttributeError:  # a thread's, or a greenlet that no hub has seen yet
        task = None
    if task is None:
        task = current_hub().current()
    if task is None:
        raise WrongContext(
            "this call may have to wait, and what runs on the hub itself, as a callback does, must not. "
            + current_hub().remedy
        )
    return task


def _find(create: bool) -> Hub:
    hub = _chosen().hub_class.here(create)
    if hub is None:
        # A thread without a hub waits natively, whatever hub the others are on.
        from .thread_hub import ThreadHub

        return ThreadHub.shared()
    if hub.loop is None:  # else it serves the thread only while that loop runs
        _cache.hub = hub
    return hub


def hub_here() -> Hub | None:
    """The hub that serves the caller if there is one; makes neither a hub nor the choice."""
    try:
        return _cache.hub  # type: ignore[no-any-return]
    except AttributeError:
        if _choice is None:
            return None
    hub = _choice.hub_class.here(False)
    if hub is not None and hub.loop is None:
        _cache.hub = hub
    return hub


def serve(hub: Hub | None) -> None:
    """Have `hub` serve the calling thread; None: it is looked for at the next call. For hubs."""
    if hub is None:
        _cache.__dict__.pop("hub", None)
    else:
        _cache.hub = hub


def remember(hub: Hub) -> None:
    """Count `hub` among the live ones. For hubs, when they are made."""
    global _has_exit_handler
    if not _has_exit_handler:
        # Now and not at import: exit handlers run last in, first out, and those of the libraries that
        # tasks use should find no task any more.
        _has_exit_handler = True
        atexit.register(_end_at_exit)
    _alive[weakref.ref(hub, _bury)] = None


def forget(hub: Hub) -> None:
    """Drop `hub` from this thread's cache and from the live ones. For hubs that close or die."""
    if getattr(_cache, "hub", None) is hub:
        del _cache.hub
    _alive.pop(weakref.ref(hub), None)


def hubs() -> list[Hub]:
    """Every live hub of this process, whichever thread it serves, in the order of their making."""
    return [hub for ref in list(_alive) if (hub := ref()) is not None]


def _bury(ref: weakref.ref[Hub]) -> None:
    _alive.pop(ref, None)


def _end_at_exit() -> None:
    from .running import end_at_exit

    end_at_exit()


def _main_thread() -> int | None:
    threading = sys.modules.get("threading")
    # `_main_thread` survives monkey patching, `main_thread()` may describe a greenlet.
    return None if threading is None else threading._main_thread.ident


# -- choosing -------------------------------------------------------------------------------------


def use(name: str) -> None:
    """Choose the hub of this process: a registered name, or "module:Class".

    Choosing the same one again changes nothing.

    Switches: never. Call from: any thread. Raises: UnknownHub, HubNotInstalled, InvalidHub; TypeError if that
    is no name; HubAlreadyChosen if another one was chosen before.
    """
    if not isinstance(name, str):
        raise TypeError(f'use() takes a hub\'s name or "module:Class", not {name!r}')
    _choose(name, f"hubkit.use({name!r})")


def chosen() -> str | None:
    """The name of the hub chosen in this process, or None while the choice is open.

    Switches: never. Call from: any thread. Raises: nothing.
    """
    return None if _choice is None else _choice.name


def _chosen() -> Choice:
    if _choice is not None:
        return _choice
    name = os.environ.get(VARIABLE)
    if name:
        return _choose(name, f"the environment variable {VARIABLE}={name}")
    adapter = detected()
    if adapter is not None:
        return _choose(adapter.name, f"detection: {adapter.name} is at work in this thread")
    return _choose(DEFAULTS.library, "default: nothing was chosen, and no host was detected")


def detected() -> Adapter | None:
    """The adapter of the host that is at work in this thread.

    A loop that comes with Python may be what another host runs on: who had to be installed goes first.
    """
    for adapter in sorted(adapters().values(), key=lambda adapter: not adapter.requires):
        if adapter.detect():
            return adapter
    return None


def _choose(name: str, by: str) -> Choice:
    global _choice
    if _choice is not None:
        if name in (_choice.name, _spelling(_choice.hub_class)):
            return _choice
        raise HubAlreadyChosen(
            f"{by} comes too late: this process runs on {_choice.name!r}, chosen by {_choice.by}. "
            "Choose before the first spawn, run or wait; in tests use hubkit.testing.override()"
        )
    try:
        hub_class = load(name)
    except UnknownHub as error:
        raise UnknownHub(f"{error} (chosen by {by})") from error.__cause__
    if _choice is None:  # another thread may have chosen while we imported
        _choice = Choice(hub_class.name, hub_class, by)
    return _choice


def _spelling(hub_class: type[Hub]) -> str:
    return f"{hub_class.__module__}:{hub_class.__qualname__}"


# -- what there is --------------------------------------------------------------------------------


def adapters() -> dict[str, Adapter]:
    """Every registered adapter by name, whether or not what it runs on is installed."""
    global _adapters
    if _adapters is None:
        found = {}
        for entry in metadata.entry_points(group=GROUP):
            try:
                adapter = entry.load()
            except ImportError as error:  # somebody's broken package is nobody else's trouble
                _broken[entry.name] = error
                continue
            if not isinstance(adapter, Adapter):
                raise InvalidHub(
                    f"entry point {entry.name!r} of group {GROUP!r} is {adapter!r}; "
                    f"it must be a hubkit.contract.Adapter"
                )
            found[entry.name] = adapter
        _adapters = found
    return {**_adapters, **_registered}


def register(adapter: Adapter) -> None:
    """Make a hub known at run time, as an entry point of the group `hubkit.hubs` would.

    Switches: never. Call from: any thread. Raises: InvalidHub.
    """
    if not isinstance(adapter, Adapter):
        raise InvalidHub(f"register() takes a hubkit.contract.Adapter, not {adapter!r}")
    _registered[adapter.name] = adapter


def available_hubs() -> list[str]:
    """The names of the hubs that could be used now.

    Switches: never. Call from: any thread. Raises: nothing.
    """
    return [adapter.name for adapter in adapters().values() if not missing(adapter)]


def missing(adapter: Adapter) -> list[str]:
    """The modules that `adapter` runs on and that are not installed."""
    return [name for name in adapter.requires if name not in sys.modules and find_spec(name) is None]


def load(name: str) -> type[Hub]:
    """The hub class called `name` (or written "module:Class"), imported and checked."""
    if ":" in name.strip(":"):
        return _import(name, name)
    known = adapters()
    adapter = known.get(name)
    if adapter is None and name in _broken:
        raise HubNotInstalled(f"the hub {name!r} is registered but cannot be imported") from _broken[name]
    if adapter is None:
        raise UnknownHub(
            f"there is no hub called {name!r}; installed: {', '.join(available_hubs())}. "
            'A hub that is not registered is named as "module:Class"'
        )
    absent = missing(adapter)
    if absent:
        raise HubNotInstalled(
            f"the hub {name!r} runs on {', '.join(absent)}, which is not installed; "
            f"type: {adapter.install}. Installed hubs: {', '.join(available_hubs())}"
        )
    return _import(adapter.hub, name)


def _import(path: str, name: str) -> type[Hub]:
    module_name, _, class_name = path.partition(":")
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not module_name.startswith(error.name.split(".")[0]):
            raise
        raise UnknownHub(
            f"the hub {name!r} names the module {module_name!r}, which cannot be found"
        ) from error
    try:
        found = getattr(module, class_name)
    except AttributeError as error:
        raise UnknownHub(
            f"the hub {name!r} names {class_name!r}, which {module_name!r} does not have"
        ) from error
    if not _is_hub(found):
        raise InvalidHub(
            f"{name!r} is {found!r}, which is not a subclass of hubkit.contract.Hub; "
            'type the "module:Class" of one that is, or the name of an installed hub: '
            f"{', '.join(available_hubs())}"
        )
    check(found)
    return found  # type: ignore[no-any-return]


def _is_hub(found: object) -> bool:
    return isinstance(found, type) and issubclass(found, Hub)


def check(hub_class: Any) -> None:
    """Raise InvalidHub, naming what lacks, unless `hub_class` has the whole contract."""
    if not _is_hub(hub_class):
        raise InvalidHub(f"{hub_class!r} is not a subclass of hubkit.contract.Hub")
    lacking = [verb for verb in VERBS if verb in hub_class.__abstractmethods__]
    lacking += [data for data in ("name", "capabilities") if not hasattr(hub_class, data)]
    if lacking:
        raise InvalidHub(
            f"{_spelling(hub_class)} lacks {', '.join(lacking)}; hubkit.contract.Hub says what each must do"
        )
    for capability in sorted(hub_class.capabilities):
        hub_class.supports(capability)
