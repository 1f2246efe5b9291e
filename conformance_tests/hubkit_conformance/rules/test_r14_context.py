"""R14 Context."""

from __future__ import annotations

import gc
import sys
import weakref
from contextvars import ContextVar

import pytest

from hubkit import (
    Event,
    Local,
    TaskGroup,
    checkpoint,
    current_task,
    move_on_after,
    sleep,
    spawn,
    spawn_later,
    to_thread,
)

from ..tools import LONG, PATIENCE, finish, parked, returned, stop, until

variable = ContextVar("variable", default="default")


def test_r14_a_child_sees_its_spawners_context():
    variable.set("spawner")
    assert spawn(variable.get).result(PATIENCE) == "spawner"
    assert spawn_later(0.001, variable.get).result(PATIENCE) == "spawner"
    with TaskGroup() as group:
        assert group.spawn(variable.get).result(PATIENCE) == "spawner"
    variable.set("default")


def test_r14_a_childs_changes_stay_its_own():
    def child(value):
        variable.set(value)
        checkpoint()
        sleep(0.001)
        return variable.get()

    tasks = [spawn(child, number) for number in range(10)]
    assert returned(*tasks) == list(range(10))
    assert variable.get() == "default"


def test_r14_the_context_is_copied_at_the_call():
    variable.set("at the call")
    task, later = spawn(variable.get), spawn_later(0.001, variable.get)
    variable.set("afterwards")
    assert returned(task, later) == ["at the call"] * 2
    variable.set("default")


def test_r14_to_thread_takes_the_context_along():
    variable.set("caller")
    assert to_thread(variable.get) == "caller"
    to_thread(variable.set, "in the thread")
    assert variable.get() == "caller"
    variable.set("default")


def test_r14_a_local_is_per_task():
    local = Local()
    local.value = "main"

    def task(number):
        assert not hasattr(local, "value")
        local.value = number
        checkpoint()
        sleep(0.001)
        return local.value

    assert returned(*[spawn(task, number) for number in range(10)]) == list(range(10))
    assert local.value == "main"
    del local.value
    assert not hasattr(local, "value")
    with pytest.raises(AttributeError):
        del local.value


def test_r14_a_subclass_of_local_is_initialised_in_each_task():
    calls = []

    class Mine(Local):
        def __init__(self, start):
            calls.append(current_task())
            self.value = start

    local = Mine(7)

    def task():
        before = local.value
        local.value += 1
        checkpoint()
        return before, local.value

    tasks = [spawn(task) for _ in range(3)]
    assert returned(*tasks) == [(7, 8)] * 3
    assert local.value == 7
    assert sorted(map(id, calls)) == sorted(map(id, [current_task(), *tasks]))


class Thing:
    pass


def test_r14_a_locals_value_dies_with_its_task():
    local, things = Local(), []

    def task():
        local.thing = Thing()
        things.append(weakref.ref(local.thing))

    for _ in range(3):
        finish(spawn(task))
    gc.collect()
    until(lambda: not any(thing() for thing in things), "the values being freed")


def test_r14_a_locals_values_die_with_it():
    local = Local()
    local.thing = Thing()
    thing = weakref.ref(local.thing)
    del local
    gc.collect()
    assert thing() is None


def test_r14_a_task_frees_its_arguments_and_its_value_is_freed_with_it():
    thing = Thing()
    dead = weakref.ref(thing)
    task = spawn(lambda thing: None, thing)
    finish(task)
    del thing
    gc.collect()
    until(lambda: dead() is None, "the argument being freed")
    task = spawn(Thing)
    dead = weakref.ref(task.result(PATIENCE))
    del task
    gc.collect()
    until(lambda: dead() is None, "the value being freed")


def test_r14_nothing_leaks_to_the_next_task():
    local = Local()

    def look():
        return (
            variable.get(),
            hasattr(local, "value"),
            sys.exc_info()[0],
            current_task().scope,
            sys.gettrace() is trace,
        )

    def litter():
        variable.set("leaked")
        local.value = "leaked"
        scopes.append(move_on_after(LONG).__enter__())
        current_task().cancel()
        try:
            raise KeyError("being handled at the end")
        except KeyError:
            return spawn(look)

    trace, scopes = sys.gettrace(), []
    for _ in range(20):
        # What a task spawns has its spawner's context, by R14; all the rest starts afresh.
        assert spawn(litter).result(PATIENCE).result(PATIENCE) == ("leaked", False, None, None, True)
        assert spawn(look).result(PATIENCE) == ("default", False, None, None, True)


def test_r14_a_child_starts_outside_of_the_except_block_it_was_spawned_in():
    try:
        raise KeyError("of the spawner")
    except KeyError:
        assert spawn(sys.exc_info).result(PATIENCE) == (None, None, None)
        assert sys.exc_info()[0] is KeyError


def test_r14_each_task_handles_its_own_exception():
    gate = Event()

    def task(error):
        try:
            raise error
        except error:
            gate.wait(PATIENCE)
            checkpoint()
            return sys.exc_info()[0]

    errors = [KeyError, ValueError, IndexError]
    tasks = [spawn(task, error) for error in errors]
    parked(*tasks)
    assert sys.exc_info()[0] is None
    gate.set()
    assert returned(*tasks) == errors


def test_r14_a_tasks_error_has_no_stranger_as_context():
    def fail():
        raise ValueError("of its own")

    try:
        raise KeyError("of the spawner")
    except KeyError:
        error = spawn(fail).exception(PATIENCE)
    assert error.__context__ is None


def test_r14_a_request_for_one_task_never_hits_the_next():
    def innocent():
        for _ in range(3):
            checkpoint()
        return "innocent"

    for _ in range(20):
        victim = spawn(sleep, LONG)
        parked(victim)
        victim.cancel()
        following = spawn(innocent)
        stop(victim)
        victim.cancel()
        assert following.result(PATIENCE) == "innocent"
