"""hubkit.testing.explore: planted races are found, right programs hold, what is found can be run again."""

from __future__ import annotations

import logging
import re
import signal
import sys
from collections.abc import Callable

import pytest
from scripts import run_script

from hubkit import (
    Barrier,
    Condition,
    Event,
    Lock,
    Queue,
    TaskGroup,
    checkpoint,
    current_hub,
    move_on_after,
    now,
    sleep,
    spawn,
    testing,
    timeout,
    to_thread,
)
from hubkit.errors import Deadlock, NotSupported
from hubkit.testing import RaceFound, explore
from hubkit.testing.schedule import Endless, from_text, to_text
from hubkit.waiting import latched
from hubkit_conformance.tools import LONG

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup

Program = Callable[[], object]


# -- planted races --------------------------------------------------------------------------------


def lost_update_across_a_wait() -> None:
    balance = [0]

    def deposit(pause: float) -> None:
        sleep(pause)
        before = balance[0]
        sleep(1)
        balance[0] = before + 1

    with TaskGroup() as group:
        group.spawn(deposit, 0)
        group.spawn(deposit, 1)
    assert balance == [2]


def lost_update_across_a_verb_that_does_not_wait() -> None:
    balance, seen = [0], Queue[int]()

    def deposit() -> None:
        before = balance[0]
        seen.put_nowait(before)
        balance[0] = before + 1

    with TaskGroup() as group:
        group.spawn(deposit)
        group.spawn(deposit)
    assert balance == [2]


def check_then_act_on_a_queue() -> None:
    queue = Queue[int]()
    queue.put(1)

    def take() -> None:
        if not queue.empty():
            queue.get_nowait()

    with TaskGroup() as group:
        group.spawn(take)
        group.spawn(take)


def check_then_wait_on_a_queue() -> None:
    queue = Queue[int]()
    queue.put(1)

    def take() -> None:
        if queue.qsize():
            queue.get()

    with TaskGroup() as group:
        group.spawn(take)
        group.spawn(take)


def locks_in_two_orders() -> None:
    one, other = Lock(), Lock()

    def both(first: Lock, second: Lock) -> None:
        with first:
            with second:
                pass

    tasks = [spawn(both, one, other), spawn(both, other, one)]
    for task in tasks:
        task.join()


def missed_notification() -> None:
    condition, ready = Condition(), []

    def waiter() -> None:
        if not ready:
            with condition:
                condition.wait()

    def notifier() -> None:
        ready.append(True)
        with condition:
            condition.notify()

    tasks = [spawn(waiter), spawn(notifier)]
    for task in tasks:
        task.join()


def wakes_one_too_few() -> None:
    """Works first in, first out; a second waiter that comes too late is not woken."""
    event, waiting = Event(), []

    def waiter() -> None:
        waiting.append(True)
        event.wait()

    def waker() -> None:
        if len(waiting) == 2:
            event.set()

    tasks = [spawn(waiter), spawn(waiter), spawn(waker)]
    for task in tasks:
        task.join()


def initialized_twice() -> None:
    made: list[int] = []
    lock = Lock()

    def get() -> None:
        if not made:
            with lock:
                made.append(1)

    with TaskGroup() as group:
        for _ in range(3):
            group.spawn(get)
    assert len(made) == 1


def needs_three_deviations() -> None:
    trace: list[str] = []

    def step(name: str) -> None:
        for number in range(2):
            checkpoint()
            trace.append(f"{name}{number}")

    with TaskGroup() as group:
        for name in "abc":
            group.spawn(step, name)
    assert trace != ["c0", "c1", "b0", "b1", "a0", "a1"]


def error_that_nobody_hears() -> None:
    queue = Queue[int]()

    def work() -> None:
        assert queue.get_nowait() == 1

    spawn(work)
    spawn(queue.put, 1)
    checkpoint()
    checkpoint()


def relies_on_speed() -> None:
    done = []

    def slow() -> None:
        for _ in range(3):
            checkpoint()
        done.append(True)

    spawn(slow)
    with move_on_after(1) as scope:
        while not done:
            checkpoint()
    assert not scope.expired


RACES = [
    (lost_update_across_a_verb_that_does_not_wait, AssertionError),
    (check_then_act_on_a_queue, Exception),
    (check_then_wait_on_a_queue, Deadlock),
    (locks_in_two_orders, Deadlock),
    (missed_notification, Deadlock),
    (initialized_twice, AssertionError),
    (needs_three_deviations, AssertionError),
    (wakes_one_too_few, Deadlock),
]


def found(program: Program, **options: object) -> RaceFound:
    with pytest.raises(RaceFound) as caught:
        explore(program, **options)  # type: ignore[arg-type]
    return caught.value


@pytest.mark.parametrize(("program", "error"), RACES, ids=lambda value: getattr(value, "__name__", ""))
def test_a_planted_race_is_found(program: Program, error: type[BaseException]) -> None:
    with testing.override("virtual"):
        program()  # nothing is wrong with it in the plain order
    race = found(program)
    assert isinstance(race.__cause__, error)
    assert race.schedules > 1
    again = found(program, replay=race.replay)
    assert again.replay == race.replay
    assert again.schedules == 1
    assert without_numbers(again) == without_numbers(race)


def without_numbers(race: RaceFound) -> str:
    return re.sub(r"under schedule \d+", "under schedule", str(race))


def test_a_race_that_the_plain_order_shows_is_told_as_such() -> None:
    race = found(lost_update_across_a_wait)
    assert race.schedules == 1
    assert "under the plain order of tasks" in str(race)


def test_an_error_that_only_the_log_would_tell_is_found(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "hubkit"):
        race = found(error_that_nobody_hears)
    assert "ended by an error that nobody waits for" in str(race)
    assert caplog.records == [], "what a thousand schedules log is nothing to read"


def test_slowness_is_explored_if_asked_for() -> None:
    explore(relies_on_speed, schedules=300)
    race = found(relies_on_speed, time_passes=True)
    assert "the clock runs on to the next timer" in str(race)
    assert found(relies_on_speed, replay=race.replay).replay == race.replay


def test_many_deviations_are_found_by_chance_and_made_few() -> None:
    race = found(needs_three_deviations, preemptions=0, schedules=3000)
    deviations, _ = from_text(race.replay)
    assert 0 < len(deviations) <= 10


def test_one_that_goes_on_and_on() -> None:
    def waits_for_what_does_not_come() -> None:
        done = Event()
        spawn(lambda: [sleep(1) for _ in iter(int, 1)])
        done.wait()

    assert isinstance(found(waits_for_what_does_not_come, steps=1000).__cause__, Endless)

    def spins() -> None:
        while True:
            checkpoint()

    assert isinstance(found(spins, steps=1000).__cause__, Endless)


# -- right programs -------------------------------------------------------------------------------


def a_lock_makes_it_right() -> None:
    balance, lock = [0], Lock()

    def deposit() -> None:
        with lock:
            before = balance[0]
            checkpoint()
            balance[0] = before + 1

    with TaskGroup() as group:
        for _ in range(3):
            group.spawn(deposit)
    assert balance == [3]


def a_queue_hands_over() -> None:
    queue, got = Queue[int](1), []

    def produce() -> None:
        for number in range(4):
            queue.put(number)
        queue.shutdown()

    with TaskGroup() as group:
        group.spawn(produce)
        group.spawn(lambda: got.extend(queue))
    assert got == [0, 1, 2, 3]


def a_predicate_is_looked_at_under_the_lock() -> None:
    condition, ready = Condition(), []

    def waiter() -> None:
        with condition:
            condition.wait_for(lambda: ready)

    def notifier() -> None:
        with condition:
            ready.append(True)
            condition.notify_all()

    tasks = [spawn(waiter), spawn(waiter), spawn(notifier)]
    for task in tasks:
        task.join()


def they_meet() -> None:
    barrier, met = Barrier(3), []

    def come() -> None:
        barrier.wait()
        met.append(barrier.n_waiting)

    with TaskGroup() as group:
        for _ in range(3):
            group.spawn(come)
    assert len(met) == 3


def one_of_two_timeouts() -> None:
    inner = move_on_after(2)
    try:
        with timeout(1) as outer:
            with inner:
                Event().wait()
    except TimeoutError:
        return
    assert outer.expired, "the inner scope has ended the wait, on a slow machine"
    assert inner.expired


RIGHT = [
    a_lock_makes_it_right,
    a_queue_hands_over,
    a_predicate_is_looked_at_under_the_lock,
    they_meet,
    one_of_two_timeouts,
]


@pytest.mark.parametrize("program", RIGHT, ids=lambda program: program.__name__)
@pytest.mark.parametrize("time_passes", [False, True])
def test_a_right_program_holds(program: Program, time_passes: bool) -> None:
    explored = explore(program, schedules=400, time_passes=time_passes)
    assert explored.schedules == 400 or explored.complete


def test_a_program_with_one_task_has_one_schedule() -> None:
    calls = []
    explored = explore(lambda: (calls.append(now()), sleep(1)))
    assert (explored.schedules, explored.complete) == (1, True)
    assert len(calls) == 1


def test_every_schedule_with_few_deviations_is_tried() -> None:
    orders = set()

    def program() -> None:
        order: list[str] = []
        with TaskGroup() as group:
            for name in "abc":
                group.spawn(order.append, name)
        orders.add("".join(order))

    explored = explore(program, schedules=5000, preemptions=3)
    assert explored.complete
    assert orders == {"abc", "acb", "bac", "bca", "cab", "cba"}


def test_jobs_in_threads_may_be_used() -> None:
    def program() -> None:
        with TaskGroup() as group:
            for number in range(2):
                group.spawn(lambda number=number: to_thread(abs, -number))

    assert explore(program, schedules=30).schedules == 30


# -- what is told, and how it is repeated ---------------------------------------------------------


def test_the_schedule_is_told_in_words() -> None:
    line = check_then_act_on_a_queue.__code__.co_firstlineno + 6
    text = str(found(check_then_act_on_a_queue))
    assert re.search(
        rf"^  \* take-1 is stopped before Queue.get_nowait\(\) test_explore.py:{line}$", text, re.M
    )
    assert re.search(r"^    take-2 ends$", text, re.M)
    assert re.search(r"^    main   ends by ExceptionGroup$", text, re.M)
    assert re.search(r"^To run it again: explore\(…, replay=':[\d.-]+'\)$", text, re.M)


def test_errors_in_groups_are_told_themselves() -> None:
    assert str(found(check_then_act_on_a_queue)).startswith("Empty, in an ExceptionGroup\nunder schedule")

    balance = AssertionError("balance is 1\nassert 1 == 2")
    assert head(balance) == "AssertionError: balance is 1, in an ExceptionGroup\nassert 1 == 2\n"
    many = ExceptionGroup("inner", [balance, *map(ValueError, "xxyz")])
    assert head(ExceptionGroup("outer", [KeyError("a"), many])) == (
        "KeyError: 'a'; AssertionError: balance is 1; ValueError: x; 2 more, in an ExceptionGroup\n"
    )


def head(error: Exception) -> str:
    """What is told first of a task group in which that was raised."""

    def program() -> None:
        def fails() -> None:
            raise error

        with TaskGroup() as group:
            group.spawn(fails)

    return str(found(program)).partition("under ")[0]


def test_a_deadlock_names_who_waits_on_what() -> None:
    text = str(found(locks_in_two_orders))
    assert re.search(r"both-1 waiting> in Lock\.acquire\(\) of <Lock held, 1 waiting>", text)
    assert re.search(r"both-2 waiting> in Lock\.acquire\(\) of <Lock held, 1 waiting>", text)
    assert "one_run.py" not in text, "how it was run is nobody's concern"


def test_who_runs_after_a_deadlock_is_told_too() -> None:
    def program() -> None:
        with TaskGroup() as group:
            group.spawn(Queue[int]().get)

    turns = re.findall(r"^    (\S+) +(\w+)", str(found(program)).partition("plain order:")[2], re.M)
    other = "SimpleQueue.get-1"
    assert turns == [
        ("main", "waits"),
        (other, "waits"),
        ("main", "waits"),
        (other, "ends"),
        ("main", "ends"),
    ]


def test_the_same_seed_is_the_same_search_byte_for_byte() -> None:
    program = """
        from hubkit.testing import RaceFound, explore

        def main():
            trace = []

            def step(name):
                for number in range(3):
                    hubkit.checkpoint()
                    trace.append(name)

            with hubkit.TaskGroup() as group:
                for name in "abc":
                    group.spawn(step, name)
            assert trace != list("bbabacacc"), "planted"

        try:
            explore(main, preemptions=0, schedules=20000, seed=5)
        except RaceFound as error:
            print(error, error.schedules)
        """
    runs = {run_script(program, "native", PYTHONHASHSEED=seed) for seed in ("1", "2")}
    assert len(runs) == 1
    assert "planted" in runs.pop()


def test_another_seed_is_another_search() -> None:
    assert {found(needs_three_deviations, preemptions=0, seed=seed).schedules for seed in range(8)} != {1}
    assert len({found(needs_three_deviations, preemptions=0, seed=seed).schedules for seed in range(8)}) > 1


def test_a_program_that_differs_by_itself_is_told_as_such() -> None:
    runs = []

    def program() -> None:
        runs.append(True)
        spawn(int).join()
        assert len(runs) != 3

    assert "but not when it was run again in the same order" in str(found(program))


def test_a_schedule_that_does_not_fit_any_more_is_refused() -> None:
    for replay in (":0.90", ":9999.1"):
        with pytest.raises(ValueError, match="fits it no longer"):
            explore(a_lock_makes_it_right, replay=replay)
    with pytest.raises(ValueError, match="as explore\\(\\) prints it"):
        explore(a_lock_makes_it_right, replay="seed 7")
    assert from_text(to_text({3: 1, 12: 2}, True)) == ({3: 1, 12: 2}, True)
    assert from_text(":") == ({}, False)


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(TypeError):
        explore(7)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        explore(int, schedules=1.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="schedules must be 1 or more"):
        explore(int, schedules=0)
    with pytest.raises(ValueError, match="preemptions must be 0 or more"):
        explore(int, preemptions=-1)
    with pytest.raises(NotSupported, match="VIRTUAL_TIME"):
        explore(int, hub="native")


# -- it leaves nothing behind ---------------------------------------------------------------------


def test_it_works_beside_a_hub_and_leaves_it_alone() -> None:
    for name in ("virtual", "native"):
        with testing.override(name):
            hub, task = current_hub(), spawn(sleep, LONG)
            checkpoint()
            explore(a_queue_hands_over, schedules=20)
            assert current_hub() is hub
            assert not task.done()
            assert spawn(int).result() == 0
    assert not latched


def test_verbs_are_themselves_again() -> None:
    before = {name: vars(Queue)[name] for name in ("put", "shutdown", "join")}
    found(check_then_act_on_a_queue)
    assert {name: vars(Queue)[name] for name in before} == before
    assert not latched


def test_an_interrupt_ends_the_search() -> None:
    def program() -> None:
        signal.raise_signal(signal.SIGINT)
        checkpoint()

    with pytest.raises(KeyboardInterrupt):
        explore(program)


def test_a_skip_is_no_failure() -> None:
    with pytest.raises(pytest.skip.Exception):
        explore(lambda: pytest.skip("not here"))


def test_a_handler_of_signals_does_not_hide_a_deadlock() -> None:
    before = signal.signal(signal.SIGUSR2, lambda *_: None)
    try:
        assert isinstance(found(lambda: Event().wait()).__cause__, Deadlock)
    finally:
        signal.signal(signal.SIGUSR2, before)
