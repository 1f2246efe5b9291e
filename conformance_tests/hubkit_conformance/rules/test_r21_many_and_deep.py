"""R21 Many and deep."""

from __future__ import annotations

import resource
import sys

import pytest

import hubkit
from hubkit import Event, Queue, checkpoint, spawn
from hubkit.contract import MANY_TASKS

from ..plugin import needs
from ..tools import PATIENCE, finish, parked

MANY = 100_000


def many_tasks_wait():
    def main():
        event, ended = hubkit.Event(), []

        def work(number):
            event.wait()
            ended.append(number)

        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        tasks = [hubkit.spawn(work, number) for number in range(MANY)]
        hubkit.checkpoint()
        waiting = sum(task.ticket is not None for task in tasks)
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        event.set()
        for task in tasks:
            task.join()
        print(waiting, len(ended), sorted(ended) == list(range(MANY)))
        print(f"{(after - before) * 1024 // MANY} bytes per parked task", file=sys.stderr)

    hubkit.run(main)


@needs(MANY_TASKS)
@pytest.mark.watchdog(120)
def test_r21_a_hundred_thousand_tasks_wait_at_once(child):
    finished = child(many_tasks_wait, seconds=105)
    assert finished.output.splitlines() == [f"{MANY} {MANY} True"]
    print(finished.errors.strip())


def test_r21_a_thousand_tasks_wait_at_once():
    event = Event()
    tasks = [spawn(event.wait) for _ in range(1000)]
    parked(*tasks)
    event.set()
    finish(*tasks)
    assert all(task.result() for task in tasks)


def room():
    """How deep a function may recurse here."""

    def down(depth):
        try:
            return down(depth + 1)
        except RecursionError:
            return depth

    return down(0)


def at_depth(depth, fn):
    return fn() if depth == 0 else at_depth(depth - 1, fn)


@pytest.mark.parametrize("depth", [100, 500])
def test_r21_a_tasks_recursion_depth_does_not_depend_on_its_spawner(depth):
    shallow = spawn(room).result(PATIENCE)
    deep = at_depth(depth, lambda: spawn(room)).result(PATIENCE)
    assert abs(shallow - deep) <= 10

    def waits_deep():
        # Started, and the task of it, while this one stands deep.
        return at_depth(depth, lambda: spawn(room).result(PATIENCE))

    assert abs(shallow - spawn(waits_deep).result(PATIENCE)) <= 10
    assert abs(shallow - at_depth(depth, lambda: spawn(room).result(PATIENCE))) <= 10


def test_r21_the_first_task_of_all_may_be_spawned_from_deep(child):
    assert child(first_task_from_deep).output.splitlines() == ["True"]


def first_task_from_deep():
    def main():
        deep = at_depth(500, lambda: hubkit.spawn(room).result())
        print(deep > sys.getrecursionlimit() - 200)

    hubkit.run(main)


def test_r21_tasks_that_spawn_tasks_a_thousand_deep_work():
    reached = Queue()

    def descend(depth):
        if depth:
            spawn(descend, depth - 1)
        else:
            reached.put("bottom")

    spawn(descend, 1000)
    assert reached.get() == "bottom"  # a thousand starts of threads take their time


def test_r21_tasks_that_wait_for_tasks_hundreds_deep_work():
    def descend(depth):
        checkpoint()
        return 0 if depth == 0 else 1 + spawn(descend, depth - 1).result(PATIENCE)

    assert spawn(descend, 300).result(PATIENCE) == 300
