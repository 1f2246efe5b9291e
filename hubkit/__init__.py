"""hubkit: one synchronous API for concurrent code, on whichever hub the user chose.

Where things are. What you import is here; each noun has a file of its own name:

    spawning tasks task_group scopes timeouts         spawning, cancelling, time limits
    waits running                                     waiting for the end
    events locks conditions semaphores barriers       synchronisation
    queues channels pools futures local threads       passing values, limiting, native threads
    handover slots tally heap simple_queue            … what these are made of
    fds green.socket                                  descriptors and sockets
    patching registry                                 the standard library; which hub
    contract waiting originals errors                 what everything stands on
    loop_hub ring crew workers callbacks timers       the scheduler, a guest
    poller host homes in_place                        … on any event loop
    thread_hub blocking watched                       the hub of OS threads
    pipeline testing demo cli                         on top

Nothing is chosen, patched or started by importing.
"""

import sys as _sys

from .barriers import Barrier
from .channels import Channel
from .conditions import Condition
from .errors import (
    Busy,
    Cancelled,
    Closed,
    Deadlock,
    HubAlreadyChosen,
    HubError,
    HubNotInstalled,
    InvalidHub,
    InvalidState,
    NotSupported,
    TaskCancelled,
    UnknownHub,
    WrongContext,
)
from .events import Event
from .fds import notify_closing, wait_readable, wait_writable
from .futures import Future
from .local import Local
from .locks import Lock, RLock
from .patching import is_patched, original, patch
from .pools import Pool
from .queues import Empty, Full, LifoQueue, PriorityQueue, Queue, ShutDown, SimpleQueue
from .registry import available_hubs, current_hub, use
from .running import checkpoint, now, run, sleep
from .scopes import shield
from .semaphores import BoundedSemaphore, Semaphore
from .spawning import all_tasks, current_task, spawn, spawn_later
from .task_group import TaskGroup
from .tasks import Task
from .threads import to_thread
from .timeouts import move_on_after, timeout, timeout_at
from .waits import as_completed, wait
from .workers import remember_depth as _remember_depth

__version__ = "0.1.0"

__all__ = [
    "Barrier",
    "BoundedSemaphore",
    "Busy",
    "Cancelled",
    "Channel",
    "Closed",
    "Condition",
    "Deadlock",
    "Empty",
    "Event",
    "Full",
    "Future",
    "HubAlreadyChosen",
    "HubError",
    "HubNotInstalled",
    "InvalidHub",
    "InvalidState",
    "LifoQueue",
    "Local",
    "Lock",
    "NotSupported",
    "Pool",
    "PriorityQueue",
    "Queue",
    "RLock",
    "Semaphore",
    "ShutDown",
    "SimpleQueue",
    "Task",
    "TaskCancelled",
    "TaskGroup",
    "UnknownHub",
    "WrongContext",
    "all_tasks",
    "as_completed",
    "available_hubs",
    "checkpoint",
    "current_hub",
    "current_task",
    "is_patched",
    "move_on_after",
    "notify_closing",
    "now",
    "original",
    "patch",
    "run",
    "shield",
    "sleep",
    "spawn",
    "spawn_later",
    "timeout",
    "timeout_at",
    "to_thread",
    "use",
    "wait",
    "wait_readable",
    "wait_writable",
]

if not getattr(_sys, "_is_gil_enabled", lambda: True)():
    raise ImportError(
        "hubkit relies on the GIL, which is switched off in this interpreter; "
        "type PYTHON_GIL=1 before your command, or use a build that is not free-threaded"
    )

_remember_depth()

# `import hubkit.spawn`, written literally, finds what it names.
for _name in __all__:
    _sys.modules.setdefault(f"{__name__}.{_name}", globals()[_name])
