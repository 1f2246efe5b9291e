"""Local."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import pytest

from hubkit import registry
from hubkit.futures import Future
from hubkit.local import Local
from hubkit.registry import current_hub
from hubkit.running import checkpoint, run, sleep
from hubkit.spawning import current_task, spawn
from hubkit_conformance.tools import PATIENCE, finish, parked, until

pytestmark = pytest.mark.usefixtures("hub")


class Thing:
    pass


def in_task(fn: Any) -> Any:
    return spawn(fn).result(PATIENCE)


def test_each_task_has_its_own() -> None:
    local = Local()
    local.x = "main"

    def body(number: int) -> Any:
        with pytest.raises(AttributeError):
            local.x  # noqa: B018
        local.x = number
        checkpoint()
        sleep(0.001)
        assert local.__dict__ == {"x": number}
        return local.x

    tasks = [spawn(body, number) for number in range(5)]
    assert [task.result(PATIENCE) for task in tasks] == list(range(5))
    assert local.x == "main"


def test_nothing_leaks_to_the_next_task() -> None:
    local = Local()

    def body() -> bool:
        fresh = not hasattr(local, "x")
        local.x = 1
        return fresh

    assert all(in_task(body) for _ in range(20))


def test_set_delete_and_ask() -> None:
    local = Local()
    local.x = 1
    del local.x
    with pytest.raises(AttributeError, match="no attribute 'x'"):
        del local.x
    with pytest.raises(AttributeError, match="'x'"):
        local.x  # noqa: B018
    local.__dict__["y"] = 2
    assert local.y == 2
    assert "y" in dir(local)
    with pytest.raises(AttributeError, match="cannot be replaced"):
        local.__dict__ = {}


class Mine(Local):
    kind = "class attribute"
    calls: list[Any] = []  # noqa: RUF012

    def __init__(self, start: int, *, step: int = 1) -> None:
        self.calls.append(current_task())
        self.number = start
        self.step = step

    def advance(self) -> int:
        self.number += self.step
        return self.number

    @property
    def twice(self) -> int:
        return int(self.number) * 2

    @twice.setter
    def twice(self, value: int) -> None:
        self.number = value // 2


def test_a_subclass_is_initialised_once_in_each_task() -> None:
    Mine.calls.clear()
    local = Mine(10, step=5)

    def body() -> tuple[int, int]:
        checkpoint()
        return local.advance(), local.advance()

    tasks = [spawn(body) for _ in range(3)]
    assert [task.result(PATIENCE) for task in tasks] == [(15, 20)] * 3
    assert local.advance() == 15
    assert len(Mine.calls) == 4
    assert set(Mine.calls) == {current_task(), *tasks}


def test_what_belongs_to_the_class_works_as_in_any() -> None:
    local = Mine(1)
    local.twice = 8
    assert (local.twice, local.number, local.kind) == (8, 4, "class attribute")
    local.kind = "mine"
    assert (local.kind, Mine.kind) == ("mine", "class attribute")
    assert in_task(lambda: local.kind) == "class attribute"
    del local.kind
    assert local.kind == "class attribute"
    with pytest.raises(AttributeError):
        del local.twice
    assert isinstance(local, Mine)


def test_slots_are_shared_as_in_threading() -> None:
    class Slotted(Local):
        __slots__ = ("shared",)

    local: Any = Slotted()
    local.shared, local.own = 1, 2
    assert in_task(lambda: (local.shared, hasattr(local, "own"))) == (1, False)
    del local.shared
    assert not hasattr(local, "shared")


def test_getattr_of_a_subclass_is_the_last_resort() -> None:
    class Lazy(Local):
        def __getattr__(self, name: str) -> str:
            return f"no {name}"

    local = Lazy()
    assert local.x == "no x"
    local.x = 1
    assert local.x == 1


def test_arguments_need_an_init() -> None:
    with pytest.raises(TypeError, match="takes no arguments"):
        Local(1)

    class Plain(Local):
        pass

    with pytest.raises(TypeError, match=r"Plain\(\) takes no arguments"):
        Plain(x=1)


def test_an_init_that_fails_is_tried_again() -> None:
    tries: list[int] = []

    class Fragile(Local):
        def __init__(self) -> None:
            tries.append(1)
            self.half = "made"
            if len(tries) == 2:
                raise KeyError("second")
            self.whole = "made"

    local = Fragile()

    def body() -> Any:
        with pytest.raises(KeyError):
            local.half  # noqa: B018
        return local.whole

    assert in_task(body) == "made"
    assert len(tries) == 3


def test_an_init_may_wait() -> None:
    gate: Future[int] = Future()

    class Slow(Local):
        def __init__(self, wait: list[bool]) -> None:
            self.value = gate.result() if wait else 0

    wait: list[bool] = []
    local = Slow(wait)
    wait.append(True)
    tasks = [spawn(lambda: local.value) for _ in range(3)]
    parked(*tasks)
    gate.set_result(3)
    assert [task.result(PATIENCE) for task in tasks] == [3] * 3


def test_values_are_freed_with_their_task_although_somebody_keeps_it() -> None:
    local = Local()
    refs: list[weakref.ref[Thing]] = []

    def body() -> None:
        local.thing = Thing()
        refs.append(weakref.ref(local.thing))

    gc.collect()
    gc.disable()
    try:
        task = spawn(body)
        finish(task)
        until(lambda: refs[0]() is None)
    finally:
        gc.enable()


def test_values_are_freed_with_the_local_in_a_task_that_lives_on() -> None:
    refs: list[weakref.ref[Thing]] = []

    def make() -> None:
        local = Local()
        local.thing = Thing()
        refs.append(weakref.ref(local.thing))

    gc.collect()
    gc.disable()
    try:
        make()
        assert refs[0]() is None
    finally:
        gc.enable()


def test_a_local_that_refers_to_itself_is_collected() -> None:
    def make() -> weakref.ref[Local]:
        local = Local()
        local.me = local
        return weakref.ref(local)

    ref = make()
    gc.collect()
    assert ref() is None


def test_a_value_may_use_the_local_in_its_finalizer() -> None:
    local = Local()
    seen: list[Any] = []

    class Last:
        def __del__(self) -> None:
            local.after = 1
            seen.append(local.after)

    def body() -> None:
        local.last = Last()

    finish(spawn(body))
    gc.collect()
    until(lambda: seen)
    assert seen == [1]


def test_callbacks_share_one_that_is_no_tasks() -> None:
    local = Local()
    local.x = "main"
    seen: list[Any] = []

    def callback(value: Any) -> None:
        seen.append(getattr(local, "x", None))
        local.x = value

    hub = current_hub()
    hub.call_soon(lambda: callback("first"))
    hub.call_soon(lambda: callback("second"))
    until(lambda: len(seen) == 2)
    assert seen == [None, "first"]
    assert local.x == "main"


@pytest.mark.usefixtures("a_hub_in_each_thread")
def test_a_thread_without_a_hub_keeps_its_own_through_waits() -> None:
    local = Local()
    local.x = "main"
    seen: list[Any] = []
    gate: Future[None] = Future()

    def thread_main() -> None:
        seen.append(hasattr(local, "x"))
        local.x = "thread"
        gate.result()
        seen.append(local.x)
        seen.append(spawn(lambda: hasattr(local, "x")).result(PATIENCE))
        seen.append(local.x)
        current_hub().close()

    thread = threading.Thread(target=thread_main)
    thread.start()
    until(lambda: gate._watchers)
    gate.set_result(None)
    until(lambda: not thread.is_alive())
    assert seen == [False, "thread", False, "thread"]
    assert local.x == "main"


def test_values_of_a_thread_are_freed_with_it() -> None:
    local = Local()
    refs: list[weakref.ref[Thing]] = []

    def thread_main() -> None:
        local.thing = Thing()
        refs.append(weakref.ref(local.thing))

    thread = threading.Thread(target=thread_main)
    thread.start()
    until(lambda: not thread.is_alive())
    thread.join()
    until(lambda: refs[0]() is None)


def test_making_and_using_one_neither_chooses_nor_makes_a_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_choice", None)
    monkeypatch.setattr(registry, "_cache", registry.ThreadLocal())
    before = registry.hubs()

    class Plain(Local):
        def __init__(self, number: int) -> None:
            self.number = number

    local = Plain(3)
    local.x = 1
    assert (local.x, local.number) == (1, 3)
    assert registry.chosen() is None
    assert registry.hubs() == before


@pytest.mark.usefixtures("a_hub_in_each_thread")
def test_what_was_set_before_the_program_ran_is_there_in_it_and_after() -> None:
    local = Local()
    seen: list[Any] = []

    def program() -> None:
        seen.append(local.x)
        local.x = "of the program"

    def thread_main() -> None:
        local.x = "before"
        run(program)
        seen.append(local.x)

    thread = threading.Thread(target=thread_main)
    thread.start()
    until(lambda: not thread.is_alive())
    assert seen == ["before", "of the program"]
