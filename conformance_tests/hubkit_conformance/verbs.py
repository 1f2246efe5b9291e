"""The verbs that can wait, each in a state where it must and in one where it need not.

What must live here: one entry a verb, for the tests that hold for all of them. What this file must not
know: what a test does with them. A test prepares in its own task and calls in another.
"""

from __future__ import annotations

import socket as plain_socket
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from hubkit import (
    Barrier,
    BoundedSemaphore,
    Channel,
    Condition,
    Event,
    Future,
    LifoQueue,
    Lock,
    Pool,
    PriorityQueue,
    Queue,
    RLock,
    Semaphore,
    SimpleQueue,
    TaskGroup,
    as_completed,
    sleep,
    spawn,
    to_thread,
    wait,
    wait_readable,
    wait_writable,
)
from hubkit.green import socket

from .tools import LONG, PATIENCE, parked

Call = Callable[[], Any]
#: Given a stack for its clean-up, makes a call that waits until it is interrupted.
Blocked = Callable[[ExitStack], Call]
#: Makes a call that need not wait, and a check that it has had no effect.
Ready = Callable[[ExitStack], tuple[Call, Call]]

BLOCKED: dict[str, Blocked] = {}
READY: dict[str, Ready] = {}


def blocked(name: str) -> Callable[[Blocked], Blocked]:
    return lambda prepare: BLOCKED.setdefault(name, prepare)


def ready(name: str) -> Callable[[Ready], Ready]:
    return lambda prepare: READY.setdefault(name, prepare)


def pair(stack: ExitStack) -> tuple[Any, Any]:
    """Two connected sockets of hubkit."""
    ends = socket.socketpair()
    for end in ends:
        stack.callback(end.close)
    return ends


def plain_pair(stack: ExitStack) -> tuple[plain_socket.socket, plain_socket.socket]:
    """Two connected sockets of the standard library, for waits on bare descriptors."""
    ends = plain_socket.socketpair()
    for end in ends:
        end.setblocking(False)
        stack.callback(end.close)
    return ends


def fill(sock: plain_socket.socket) -> None:
    """Send until nothing more goes in."""
    sock.setblocking(False)
    try:
        while True:
            sock.send(bytes(65536))
    except BlockingIOError:
        pass


def parked_task(stack: ExitStack) -> Any:
    task = spawn(sleep, LONG)
    stack.callback(task.join, PATIENCE)
    stack.callback(task.cancel)
    return task


# -- must wait ------------------------------------------------------------------------------------

blocked("sleep")(lambda stack: lambda: sleep(LONG))
blocked("Event.wait")(lambda stack: Event().wait)
blocked("Semaphore.acquire")(lambda stack: Semaphore(0).acquire)
blocked("Queue.get")(lambda stack: Queue().get)
blocked("SimpleQueue.get")(lambda stack: SimpleQueue().get)
blocked("LifoQueue.get")(lambda stack: LifoQueue().get)
blocked("PriorityQueue.get")(lambda stack: PriorityQueue().get)
blocked("Channel.get")(lambda stack: Channel().get)
blocked("Channel.put")(lambda stack: lambda: Channel().put(1))
blocked("Barrier.wait")(lambda stack: Barrier(2).wait)
blocked("Future.result")(lambda stack: Future().result)
blocked("Future.exception")(lambda stack: Future().exception)
blocked("Task.join")(lambda stack: parked_task(stack).join)
blocked("Task.result")(lambda stack: parked_task(stack).result)
blocked("Task.exception")(lambda stack: parked_task(stack).exception)


@blocked("Lock.acquire")
def _lock(stack: ExitStack) -> Call:
    lock = Lock()
    lock.acquire()
    return lock.acquire


@blocked("RLock.acquire")
def _rlock(stack: ExitStack) -> Call:
    lock = RLock()
    lock.acquire()
    return lock.acquire


@blocked("BoundedSemaphore.acquire")
def _bounded_semaphore(stack: ExitStack) -> Call:
    semaphore = BoundedSemaphore(1)
    semaphore.acquire()
    return semaphore.acquire


@blocked("Condition.wait")
def _condition(stack: ExitStack) -> Call:
    condition = Condition()

    def call() -> None:
        with condition:
            condition.wait()

    return call


@blocked("Condition.wait_for")
def _condition_for(stack: ExitStack) -> Call:
    condition = Condition()

    def call() -> None:
        with condition:
            condition.wait_for(lambda: False)

    return call


@blocked("Queue.put")
def _put(stack: ExitStack) -> Call:
    queue: Queue[int] = Queue(1)
    queue.put(1)
    return lambda: queue.put(2)


@blocked("Queue.join")
def _queue_join(stack: ExitStack) -> Call:
    queue: Queue[int] = Queue()
    queue.put(1)
    return queue.join


@blocked("wait")
def _wait(stack: ExitStack) -> Call:
    task = parked_task(stack)
    return lambda: wait([task])


@blocked("as_completed")
def _as_completed(stack: ExitStack) -> Call:
    task = parked_task(stack)
    return lambda: next(iter(as_completed([task])))


@blocked("Pool.spawn")
def _pool_spawn(stack: ExitStack) -> Call:
    pool = Pool(1)
    holder = pool.spawn(sleep, LONG)
    stack.callback(holder.join, PATIENCE)
    stack.callback(holder.cancel)
    return lambda: pool.spawn(int)


@blocked("Pool.join")
def _pool_join(stack: ExitStack) -> Call:
    pool = Pool(1)
    holder = pool.spawn(sleep, LONG)
    stack.callback(holder.join, PATIENCE)
    stack.callback(holder.cancel)
    return pool.join


@blocked("TaskGroup.__exit__")
def _group(stack: ExitStack) -> Call:
    def call() -> None:
        with TaskGroup() as group:
            group.spawn(sleep, LONG)

    return call


@blocked("to_thread")
def _to_thread(stack: ExitStack) -> Call:
    gate = threading.Event()
    stack.callback(gate.set)
    return lambda: to_thread(gate.wait, PATIENCE)


@blocked("wait_readable")
def _wait_readable(stack: ExitStack) -> Call:
    ours, _ = plain_pair(stack)
    return lambda: wait_readable(ours.fileno())


@blocked("wait_writable")
def _wait_writable(stack: ExitStack) -> Call:
    ours, _ = plain_pair(stack)
    fill(ours)
    return lambda: wait_writable(ours.fileno())


@blocked("socket.recv")
def _recv(stack: ExitStack) -> Call:
    ours, _ = pair(stack)
    return lambda: ours.recv(1)


@blocked("socket.recv_into")
def _recv_into(stack: ExitStack) -> Call:
    ours, _ = pair(stack)
    return lambda: ours.recv_into(bytearray(1))


@blocked("socket.sendall")
def _sendall(stack: ExitStack) -> Call:
    ours, _ = pair(stack)
    return lambda: ours.sendall(bytes(16_000_000))


@blocked("socket.accept")
def _accept(stack: ExitStack) -> Call:
    listener = socket.create_server(("127.0.0.1", 0))
    stack.callback(listener.close)
    return listener.accept  # type: ignore[no-any-return]


@blocked("socket.makefile.readline")
def _readline(stack: ExitStack) -> Call:
    ours, _ = pair(stack)
    lines = ours.makefile("rb")
    stack.callback(lines.close)
    return lines.readline  # type: ignore[no-any-return]


# -- need not wait --------------------------------------------------------------------------------


@ready("Event.wait")
def _event_set(stack: ExitStack) -> tuple[Call, Call]:
    event = Event()
    event.set()
    return event.wait, event.is_set


@ready("Lock.acquire")
def _lock_free(stack: ExitStack) -> tuple[Call, Call]:
    lock = Lock()
    return lock.acquire, lambda: lock.acquire(blocking=False)


@ready("RLock.acquire")
def _rlock_free(stack: ExitStack) -> tuple[Call, Call]:
    lock = RLock()
    return lock.acquire, lambda: lock.acquire(blocking=False)


@ready("Semaphore.acquire")
def _semaphore_free(stack: ExitStack) -> tuple[Call, Call]:
    semaphore = Semaphore(1)
    return semaphore.acquire, lambda: semaphore.acquire(blocking=False)


@ready("BoundedSemaphore.acquire")
def _bounded_semaphore_free(stack: ExitStack) -> tuple[Call, Call]:
    semaphore = BoundedSemaphore(1)
    return semaphore.acquire, lambda: semaphore.acquire(blocking=False)


def _filled(make: Callable[[], Any]) -> Ready:
    def prepare(stack: ExitStack) -> tuple[Call, Call]:
        queue = make()
        queue.put(1)
        return queue.get, lambda: queue.qsize() == 1

    return prepare


ready("Queue.get")(_filled(Queue))
ready("SimpleQueue.get")(_filled(SimpleQueue))
ready("LifoQueue.get")(_filled(LifoQueue))
ready("PriorityQueue.get")(_filled(PriorityQueue))


@ready("Queue.put")
def _put_free(stack: ExitStack) -> tuple[Call, Call]:
    queue: Queue[int] = Queue()
    return lambda: queue.put(1), queue.empty


@ready("Channel.get")
def _channel_offered(stack: ExitStack) -> tuple[Call, Call]:
    channel: Channel[int] = Channel()
    putter = spawn(channel.put, 1)
    stack.callback(putter.join, PATIENCE)
    stack.callback(putter.cancel)
    parked(putter)
    return channel.get, lambda: channel.get_nowait() == 1


@ready("Channel.put")
def _channel_wanted(stack: ExitStack) -> tuple[Call, Call]:
    channel: Channel[int] = Channel()
    getter = spawn(channel.get)
    stack.callback(getter.join, PATIENCE)
    stack.callback(getter.cancel)
    parked(getter)
    return lambda: channel.put(1), lambda: not getter.done() and not channel.put_nowait(1)


@ready("Barrier.wait")
def _barrier_of_one(stack: ExitStack) -> tuple[Call, Call]:
    barrier = Barrier(1)
    return barrier.wait, lambda: not barrier.broken


@ready("Queue.join")
def _queue_joined(stack: ExitStack) -> tuple[Call, Call]:
    return Queue().join, lambda: True


def _resolved() -> Future[int]:
    future: Future[int] = Future()
    future.set_result(1)
    return future


ready("Future.result")(lambda stack: (_resolved().result, lambda: True))
ready("Future.exception")(lambda stack: (_resolved().exception, lambda: True))


def _ended() -> Any:
    task = spawn(int)
    assert task.join(PATIENCE)
    return task


ready("Task.join")(lambda stack: (_ended().join, lambda: True))
ready("Task.result")(lambda stack: (_ended().result, lambda: True))
ready("Task.exception")(lambda stack: (_ended().exception, lambda: True))


@ready("wait")
def _waited(stack: ExitStack) -> tuple[Call, Call]:
    task = _ended()
    return lambda: wait([task]), lambda: True


@ready("Pool.spawn")
def _pool_free(stack: ExitStack) -> tuple[Call, Call]:
    pool = Pool(1)

    def untouched() -> bool:
        pool.join(PATIENCE)
        return pool.try_spawn(int) is not None

    return lambda: pool.spawn(int), untouched


ready("Pool.join")(lambda stack: (Pool(1).join, lambda: True))


@ready("socket.recv")
def _recv_there(stack: ExitStack) -> tuple[Call, Call]:
    ours, theirs = pair(stack)
    theirs.sendall(b"x")
    return lambda: ours.recv(1), lambda: ours.recv(1) == b"x"


@ready("socket.sendall")
def _sendall_room(stack: ExitStack) -> tuple[Call, Call]:
    ours, theirs = pair(stack)

    def untouched() -> bool:
        ours.close()
        return theirs.recv(1) == b""  # type: ignore[no-any-return]

    return lambda: ours.sendall(b"x"), untouched
