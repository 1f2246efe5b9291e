"""R01 Spawn."""

from __future__ import annotations

import pytest

from hubkit import Event, Queue, checkpoint, current_hub, current_task, now, sleep, spawn, spawn_later
from hubkit.contract import ORDERED_YIELD

from ..plugin import needs
from ..tools import PATIENCE, SHORT, finish, not_before, returned, until


@pytest.mark.parametrize("nonsense", [None, 3, "name", [print]])
def test_r01_spawn_refuses_what_is_not_callable(nonsense):
    with pytest.raises(TypeError):
        spawn(nonsense)
    with pytest.raises(TypeError):
        spawn_later(0, nonsense)


@needs(ORDERED_YIELD)
def test_r01_spawn_returns_before_the_child_runs():
    seen = []
    task = spawn(seen.append, "child")
    seen.append("spawner")
    finish(task)
    assert seen == ["spawner", "child"]


def test_r01_spawn_does_not_wait_for_the_child():
    gate = Event()
    task = spawn(gate.wait, PATIENCE)
    gate.set()  # never reached if spawn waited
    assert task.result(PATIENCE) is True


@needs(ORDERED_YIELD)
def test_r01_children_start_in_spawn_order():
    seen = []
    finish(*[spawn(seen.append, number) for number in range(100)])
    assert seen == list(range(100))


@needs(ORDERED_YIELD)
def test_r01_children_of_several_spawners_start_in_spawn_order():
    seen, expected, tasks = [], [], []

    def spawner(name):
        for number in range(3):
            expected.append((name, number))
            tasks.append(spawn(seen.append, (name, number)))
            checkpoint()

    finish(*[spawn(spawner, name) for name in "abc"])
    finish(*tasks)
    assert seen == expected


def test_r01_every_task_runs_exactly_once():
    runs = [0] * 1000

    def run(number):
        runs[number] += 1

    finish(*[spawn(run, number) for number in range(1000)])
    assert runs == [1] * 1000


def test_r01_arguments_reach_the_function_whatever_they_are_called():
    def child(*args, **kwargs):
        return args, kwargs

    task = spawn(child, 1, 2, fn=3, self=4, delay=5, hub=6, name=7)
    assert task.result(PATIENCE) == ((1, 2), {"fn": 3, "self": 4, "delay": 5, "hub": 6, "name": 7})
    task = spawn_later(0, child, 1, fn=3, self=4, delay=5, hub=6)
    assert task.result(PATIENCE) == ((1,), {"fn": 3, "self": 4, "delay": 5, "hub": 6})


def test_r01_each_task_is_another_one_and_knows_itself():
    tasks = [spawn(current_task) for _ in range(10)]
    assert returned(*tasks) == tasks
    assert len({id(task) for task in tasks}) == 10
    assert current_task() not in tasks


def test_r01_spawn_later_waits_for_its_delay():
    with not_before(SHORT, now):
        assert spawn_later(SHORT, int).result(PATIENCE) == 0


def test_r01_spawn_later_with_a_negative_delay_starts_soon():
    assert spawn_later(-5, int).result(PATIENCE) == 0


def test_r01_spawn_later_checks_its_delay():
    with pytest.raises(ValueError):
        spawn_later(float("nan"), int)
    with pytest.raises(TypeError):
        spawn_later("soon", int)
    with pytest.raises(TypeError):
        spawn_later(None, int)


def test_r01_spawn_later_does_not_run_what_was_cancelled_before():
    seen = []
    task = spawn_later(SHORT, seen.append, "ran")
    assert task.cancel() is True
    assert task.join(PATIENCE)
    sleep(2 * SHORT)
    assert seen == []
    assert task.cancelled()


def test_r01_a_callback_may_spawn():
    done = Queue()
    current_hub().call_soon(lambda: spawn(done.put, current_task()))
    assert done.get(timeout=PATIENCE) is None  # current_task() in hub context


def test_r01_a_child_may_spawn_and_outlive_its_spawner():
    gate, tasks = Event(), []

    def spawner():
        tasks.append(spawn(gate.wait, PATIENCE))

    finish(spawn(spawner))
    until(lambda: tasks)
    assert not tasks[0].done()
    gate.set()
    assert tasks[0].result(PATIENCE) is True
