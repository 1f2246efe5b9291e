"""Local: attributes of which every task has its own.

What must live here: whose attributes the caller sees, and how long they live. What this file must not
know: what carries a task.

The attributes hang on the `Local`, found by the holder of the calling task, which dies with the task. So
they die with either. The caller's holder is found without choosing or making a hub: a library may
set a Local up at import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from .originals import ThreadLocal
from .registry import hub_here
from .worker_threads import after_each_job

if TYPE_CHECKING:
    from .tasks import Task

_outside = ThreadLocal()  # .holder: of this thread's code that is no task of a hub's
after_each_job(lambda: _outside.__dict__.clear() is None)  # two jobs of a thread are not one context


class Holder:
    """What the attributes of one task live and die with."""

    __slots__ = ("__weakref__",)


def _holder() -> object:
    hub = hub_here()
    if hub is None:
        return _thread_holder()
    task = hub.current()
    if task is None:
        return hub  # the callbacks of a hub are one context
    if task.locals is None:
        # The thread's own code goes on as a task once there is a hub, and keeps what it has set.
        task.locals = _thread_holder() if _is_thread(task) else Holder()
    return task.locals


def _is_thread(task: Task[Any]) -> bool:
    """Whether the task is the thread's own code, and no task of a hub's or a host's: those have a parent."""
    return task._fn is None and getattr(task.carrier, "parent", None) is None


def _thread_holder() -> Holder:
    try:
        return _outside.holder  # type: ignore[no-any-return]
    except AttributeError:
        _outside.holder = holder = Holder()
        return holder


class Local:
    """An object whose attributes each task has for itself, as `threading.local` for threads.

    In a subclass `__init__` runs in each task that uses the object, before its first use there, with the
    arguments of its making. Methods, properties, class attributes and slots are shared. The values are
    freed when the task ends, and when the object is.

    Switches: never. Call from: any thread, signal. Raises: TypeError for arguments that no `__init__`
    takes.
    """

    __slots__ = ("__arguments", "__attributes", "__weakref__")

    def __new__(cls, /, *args: Any, **kwargs: Any) -> Local:
        if (args or kwargs) and cls.__init__ is object.__init__:
            raise TypeError(f"{cls.__name__}() takes no arguments: only a subclass with an __init__ does")
        self = super().__new__(cls)
        object.__setattr__(self, "_Local__arguments", (args, kwargs))
        # The caller's attributes are there already, so that __init__ does not run twice for it.
        object.__setattr__(self, "_Local__attributes", WeakKeyDictionary({_holder(): {}}))
        return self

    def __getattribute__(self, name: str) -> Any:
        attributes = _attributes(self)
        if name == "__dict__":
            return attributes
        try:
            return attributes[name]
        except KeyError:
            return object.__getattribute__(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        attributes = _attributes(self)
        if name == "__dict__":
            raise AttributeError("the __dict__ of a Local cannot be replaced: it belongs to one task")
        if _is_data_descriptor(type(self), name):
            object.__setattr__(self, name, value)
        else:
            attributes[name] = value

    def __delattr__(self, name: str) -> None:
        attributes = _attributes(self)
        if _is_data_descriptor(type(self), name):
            object.__delattr__(self, name)
            return
        try:
            del attributes[name]
        except KeyError:
            raise AttributeError(f"no attribute {name!r} in this task's {type(self).__name__}") from None


def _attributes(local: Local) -> dict[str, Any]:
    """The calling task's attributes; made by `__init__` when the task asks for the first time."""
    by_holder = object.__getattribute__(local, "_Local__attributes")
    holder = _holder()
    found: dict[str, Any] | None = by_holder.get(holder)
    if found is None:
        found = by_holder[holder] = {}
        args, kwargs = object.__getattribute__(local, "_Local__arguments")
        try:
            type(local).__init__(local, *args, **kwargs)
        except BaseException:
            del by_holder[holder]
            raise
    return found


def _is_data_descriptor(cls: type, name: str) -> bool:
    """Whether an assignment to the attribute is the class's affair: a property, a slot."""
    for base in cls.__mro__:
        if name in base.__dict__:
            return hasattr(type(base.__dict__[name]), "__set__")
    return False
