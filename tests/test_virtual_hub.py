"""The virtual hub: when its clock leaps, and when it does not."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import pytest
from scripts import run_script

from hubkit import (
    Event,
    Queue,
    TaskGroup,
    checkpoint,
    current_hub,
    idleness,
    move_on_after,
    now,
    sleep,
    spawn,
    testing,
    timeout,
    to_thread,
    wait_readable,
)
from hubkit.errors import Deadlock
from hubkit.green import socket
from hubkit_conformance.tools import LONG, PATIENCE
from hubkit_virtual.hub import VirtualHub
from hubkit_virtual.outsiders import SILENCE

HOUR = 3600.0


@pytest.fixture(autouse=True)
def hub() -> Iterator[VirtualHub]:
    with testing.override("virtual"):
        made = current_hub()
        assert isinstance(made, VirtualHub)
        yield made


def test_ten_thousand_timers_of_an_hour_take_no_time() -> None:
    ends: list[float] = []

    def work(number: int) -> None:
        sleep(number * HOUR / 10_000)
        ends.append(now())

    start, began = now(), time.monotonic()
    with TaskGroup() as group:
        for number in range(10_000):
            group.spawn(work, number + 1)
    assert time.monotonic() - began < PATIENCE, "an hour of real time would be no capability"
    assert ends == sorted(ends)
    assert now() == ends[-1] == pytest.approx(start + HOUR)


def test_time_stands_still_while_tasks_run_and_leaps_to_the_very_time() -> None:
    start = now()
    for _ in range(100):
        checkpoint()
    assert now() == start
    time.sleep(0.002)
    assert now() == start
    sleep(0.25)
    assert now() == start + 0.25
    with move_on_after(HOUR) as scope:
        sleep(LONG * 10)
    assert scope.expired
    assert now() == start + 0.25 + HOUR


def test_each_hub_starts_at_the_same_time() -> None:
    start = now()
    sleep(5)
    with testing.override("virtual"):
        pass
    current_hub().close()
    with testing.override("virtual"):
        assert now() == start


def test_what_was_written_is_read_before_time_passes() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        reader = spawn(lambda: (ours.recv(10), now()))
        checkpoint()
        start = now()
        theirs.sendall(b"x")
        sleep(HOUR)
        assert reader.result() == (b"x", start)
    read_end, write_end = os.pipe()
    try:
        waiter = spawn(lambda: (wait_readable(read_end), now()))
        checkpoint()
        start = now()
        os.write(write_end, b"x")
        sleep(HOUR)
        assert waiter.result() == (None, start)
    finally:
        os.close(read_end)
        os.close(write_end)


def test_the_network_has_its_moment_before_time_passes() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                for _ in range(20):
                    connection.sendall(connection.recv(100))

        serving = spawn(serve)
        with socket.create_connection(server.getsockname(), timeout=HOUR) as client:
            start = now()
            for number in range(20):
                client.sendall(b"%d" % number)
                assert client.recv(100) == b"%d" % number
            assert now() == start
        serving.result()


def test_a_job_in_a_thread_is_waited_for() -> None:
    gate = threading.Event()
    spawn(lambda: os.write(write_end, b"x"))
    read_end, write_end = os.pipe()
    try:
        with timeout(LONG):
            assert to_thread(lambda: os.read(read_end, 1)) == b"x"
        with pytest.raises(TimeoutError):
            with timeout(0.01):
                to_thread(gate.wait, PATIENCE)
    finally:
        gate.set()
        os.close(read_end)
        os.close(write_end)


def test_the_clock_is_a_real_one_beside_a_thread_and_leaps_when_it_has_ended() -> None:
    queue: Queue[float] = Queue()
    gate = threading.Event()

    def work() -> None:
        gate.wait(PATIENCE)
        queue.put(time.monotonic())

    thread = threading.Thread(target=work)
    thread.start()
    real, virtual = time.monotonic(), now()
    sleep(0.05)
    assert time.monotonic() - real >= 0.048
    assert now() - virtual >= 0.05
    gate.set()
    queue.get(timeout=LONG)
    thread.join()
    began = time.monotonic()
    sleep(LONG)
    assert time.monotonic() - began < PATIENCE


def test_a_thread_that_says_nothing_is_not_waited_for_for_ever() -> None:
    gate, event = threading.Event(), Event()

    def speak() -> None:
        gate.wait(6 * PATIENCE)
        event.set()

    thread = threading.Thread(target=speak)
    thread.start()
    began = time.monotonic()
    for _ in range(100):
        sleep(LONG)
    assert SILENCE - 0.1 <= time.monotonic() - began < 3 * PATIENCE, "once is enough"
    gate.set()
    assert event.wait() is True
    thread.join()


def test_tasks_that_never_wait_do_not_stop_time_for_ever() -> None:
    over = Event()

    def spin() -> None:
        while not over.is_set():
            checkpoint()

    spinners = [spawn(spin) for _ in range(3)]
    start = now()
    with move_on_after(0.01) as scope:
        Event().wait()
    assert scope.expired
    assert 0.01 <= now() - start < 0.1
    over.set()
    for spinner in spinners:
        spinner.result()


def test_a_deadlock_is_told_at_once_and_names_who_waits_on_what() -> None:
    output = run_script(
        """
        def main():
            one, other = hubkit.Lock(), hubkit.Lock()

            def both(first, second):
                with first:
                    hubkit.sleep(3600)
                    with second:
                        pass

            a, b = spawn(both, one, other), spawn(both, other, one)
            a.name, b.name = "a", "b"
            a.join()

        try:
            hubkit.run(main)
        except errors.Deadlock as error:
            print(error)
        """,
        "virtual",
    )
    assert "<Task a waiting> in Lock.acquire() of <Lock" in output
    assert "<Task b waiting> in Lock.acquire() of <Lock" in output
    assert "in Task.join() of <Task a waiting>" in output


def test_nothing_to_wait_for_is_a_deadlock_here_too() -> None:
    if idleness.outsiders():
        pytest.skip("another test has left a thread that might still wake somebody")
    with pytest.raises(Deadlock):
        Event().wait()


def test_two_runs_are_the_same_byte_for_byte() -> None:
    program = """
        import random

        def main():
            dice = random.Random(7)
            queue, trace = hubkit.Queue(3), []

            def work(number):
                for step in range(20):
                    hubkit.sleep(dice.choice([0, 0.1, 0.25, 1]))
                    try:
                        if dice.random() < 0.5:
                            queue.put(step, timeout=0.1)
                        else:
                            queue.get(timeout=0.1)
                    except (hubkit.Empty, hubkit.Full) as error:
                        trace.append(type(error).__name__)
                    trace.append((number, step, hubkit.now()))

            with hubkit.TaskGroup() as group:
                for number in range(10):
                    group.spawn(work, number)
            print(trace)

        hubkit.run(main)
    """
    runs = {run_script(program, "virtual", PYTHONHASHSEED=seed) for seed in ("1", "2")}
    assert len(runs) == 1
    assert len(runs.pop()) > 1000
