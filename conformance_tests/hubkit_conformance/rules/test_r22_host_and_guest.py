"""R22 Host and guest."""

from __future__ import annotations

import socket as plain_socket
from contextlib import ExitStack
from time import monotonic, process_time

import pytest

from hubkit import (
    Event,
    Queue,
    checkpoint,
    current_task,
    move_on_after,
    now,
    sleep,
    spawn,
    wait_readable,
)
from hubkit.contract import HOST_MIX, INTERRUPT_HOST
from hubkit.green import socket

from ..hosts import Receive, Send, Sleep
from ..plugin import needs
from ..tools import LONG, PATIENCE, finish, parked, returned, until

EACH = 100
STEP = 0.05  # seconds within which each side must step; of this process, where it is busy all the time
RUN = 0.5  # seconds of the mixed run


class Steps:
    """In which stretches of time each side stepped."""

    def __init__(self):
        self.start = monotonic()
        self.stretches = {"host": set(), "guest": set()}

    def step(self, side):
        self.stretches[side].add(int((monotonic() - self.start) / STEP))

    def check(self):
        # Where neither side stepped the machine was busy elsewhere.
        either = self.stretches["host"] | self.stretches["guest"]
        for side, stretches in self.stretches.items():
            assert len(stretches) >= 0.7 * len(either), (
                f"the {side} starved: it stepped in {sorted(stretches)}"
            )


@needs(HOST_MIX)
def test_r22_a_hundred_of_each_run_side_by_side_on_sleeps(host):
    steps, ended = Steps(), Queue()
    end = monotonic() + RUN

    def host_task():
        while monotonic() < end:
            yield Sleep(0.002)
            steps.step("host")
        ended.put("host")

    def guest_task():
        while monotonic() < end:
            sleep(0.002)
            steps.step("guest")
        ended.put("guest")

    for _ in range(EACH):
        host.spawn(host_task())
        spawn(guest_task)
    got = [ended.get(timeout=PATIENCE) for _ in range(2 * EACH)]
    assert got.count("host") == got.count("guest") == EACH
    steps.check()


@needs(HOST_MIX)
def test_r22_queues_are_fed_from_the_other_side(host):
    to_guest, ended, got = Queue(), Queue(), []

    def host_feeder(name):
        for number in range(10):
            yield Sleep(0.001)
            to_guest.put_nowait((name, number))

    def guest_worker():
        for _ in range(10):
            got.append(to_guest.get(timeout=PATIENCE))
        ended.put(True)

    for name in range(EACH):
        host.spawn(host_feeder(name))
        spawn(guest_worker)
    for _ in range(EACH):
        ended.get(timeout=PATIENCE)
    assert sorted(got) == [(name, number) for name in range(EACH) for number in range(10)]


@needs(HOST_MIX)
def test_r22_the_host_takes_what_the_guest_puts(host):
    to_host, got = Queue(), []

    def host_taker():
        while len(got) < 10 * EACH:
            yield Sleep(0.001)
            while to_host.qsize():
                got.append(to_host.get_nowait())

    def guest_feeder(name):
        for number in range(10):
            checkpoint()
            to_host.put((name, number))

    host.spawn(host_taker())
    tasks = [spawn(guest_feeder, name) for name in range(EACH)]
    finish(*tasks)
    until(lambda: len(got) == 10 * EACH)
    assert sorted(got) == [(name, number) for name in range(EACH) for number in range(10)]


@needs(HOST_MIX)
def test_r22_two_ends_of_socket_pairs(host):
    ended = Queue()

    def host_echo(sock):
        while True:
            data = yield Receive(sock, 100)
            if not data:
                break
            yield Send(sock, data)
        sock.close()
        ended.put("host")

    def guest_client(sock, number):
        for turn in range(10):
            message = b"%d:%d" % (number, turn)
            sock.sendall(message)
            assert sock.recv(100) == message
        sock.close()
        return "guest"

    tasks = []
    for number in range(EACH):
        theirs, ours = plain_socket.socketpair()
        host.spawn(host_echo(theirs))
        tasks.append(spawn(guest_client, socket.socket(fileno=ours.detach()), number))
    assert returned(*tasks) == ["guest"] * EACH
    assert [ended.get(timeout=PATIENCE) for _ in range(EACH)] == ["host"] * EACH


@needs(HOST_MIX)
def test_r22_guests_that_spin_do_not_starve_the_host(host):
    over, ticks = Event(), []

    def spinner():
        while not over.is_set():
            checkpoint()

    def ticker():
        end = monotonic() + RUN
        while monotonic() < end:
            yield Sleep(0.005)
            ticks.append(monotonic())
        over.set()

    start = process_time()
    spinners = [spawn(spinner) for _ in range(10)]
    host.spawn(ticker())
    finish(*spinners)
    assert len(ticks) >= (process_time() - start) / STEP


@needs(HOST_MIX)
def test_r22_a_host_that_spins_does_not_starve_the_guests(host):
    over, ticks = Event(), []

    def spinner():
        while not over.is_set():
            yield Sleep(0)

    start = process_time()
    for _ in range(10):
        host.spawn(spinner())
    end = now() + RUN
    while now() < end:
        sleep(0.005)
        ticks.append(now())
    over.set()
    assert len(ticks) >= (process_time() - start) / STEP


@needs(HOST_MIX)
def test_r22_a_wake_up_by_the_host_is_noticed_while_the_guest_waits_for_a_descriptor(host):
    event = Event()
    with ExitStack() as stack:
        ours, theirs = plain_socket.socketpair()
        stack.callback(ours.close)
        stack.callback(theirs.close)
        reader = spawn(wait_readable, ours.fileno())

        def host_task():
            yield Sleep(0.01)
            event.set()
            yield Send(theirs, b"x")

        host.spawn(host_task())
        assert event.wait(PATIENCE) is True
        finish(reader)
        assert reader.exception() is None


@needs(HOST_MIX)
def test_r22_the_host_may_spawn_and_cancel_hubkit_tasks(host):
    tasks = Queue()

    def host_task():
        tasks.put_nowait(spawn(pow, 2, 3))
        victim = spawn(sleep, LONG)
        yield Sleep(0.005)
        victim.cancel()
        tasks.put_nowait(victim)

    host.spawn(host_task())
    assert tasks.get(timeout=PATIENCE).result(PATIENCE) == 8
    victim = tasks.get(timeout=PATIENCE)
    finish(victim)
    assert victim.cancelled()


@pytest.fixture
def mixing_host(host):
    """A host whose tasks and hubkit's may wait in each other's verbs."""
    if not host.waits_mix:
        pytest.skip("the waits of this host and those of hubkit do not mix")
    return host


@needs(HOST_MIX)
def test_r22_a_host_task_may_wait_and_is_one_task(mixing_host):
    queue, told = Queue(), Queue()

    def host_task():
        before = current_task()
        item = queue.get(timeout=PATIENCE)
        yield Sleep(0.001)
        sleep(0.001)
        checkpoint()
        told.put((item, before is current_task(), before is not None))

    for _ in range(5):
        mixing_host.spawn(host_task())
    sleep(0.01)
    for number in range(5):
        queue.put(number)
    assert sorted(told.get(timeout=PATIENCE) for _ in range(5)) == [
        (number, True, True) for number in range(5)
    ]


@needs(HOST_MIX)
def test_r22_a_host_task_can_be_cancelled_in_a_hubkit_wait(mixing_host):
    tasks, told = Queue(), Queue()

    def host_task():
        tasks.put(current_task())
        try:
            sleep(LONG)
        except BaseException as error:
            told.put(type(error).__name__)
        yield Sleep(0)
        told.put("goes on")

    mixing_host.spawn(host_task())
    task = tasks.get(timeout=PATIENCE)
    parked(task)
    task.cancel()
    assert [told.get(timeout=PATIENCE) for _ in range(2)] == ["Cancelled", "goes on"]


@needs(HOST_MIX)
def test_r22_a_host_task_that_waits_in_hubkit_can_be_killed_by_the_host(mixing_host):
    tasks, told, queue = Queue(), Queue(), Queue()

    def host_task():
        tasks.put(current_task())
        try:
            queue.get()
        finally:
            told.put("unwound")
        yield Sleep(0)

    mixing_host.spawn(host_task())
    task = tasks.get(timeout=PATIENCE)
    parked(task)
    mixing_host.kill(task)
    assert told.get(timeout=PATIENCE) == "unwound"
    queue.put("for nobody")
    assert queue.get(timeout=PATIENCE) == "for nobody"


@needs(HOST_MIX)
def test_r22_a_hubkit_task_may_wait_in_the_hosts_verbs_and_its_joiner_is_woken(mixing_host):
    def work(number):
        mixing_host.sleep(0.002)
        checkpoint()
        mixing_host.sleep(0.002)
        return number

    assert returned(*[spawn(work, number) for number in range(20)]) == list(range(20))


@needs(INTERRUPT_HOST)
def test_r22_a_cancel_reaches_a_task_in_a_wait_of_the_hosts_own(mixing_host):
    started = Queue()

    def waiter():
        started.put(True)
        mixing_host.sleep(LONG)

    task = spawn(waiter)
    assert started.get(timeout=PATIENCE) is True
    sleep(0.01)
    task.cancel()
    finish(task)
    assert task.cancelled()


@needs(INTERRUPT_HOST)
def test_r22_a_timeout_reaches_a_task_in_a_wait_of_the_hosts_own(mixing_host):
    def waiter():
        with move_on_after(0.02) as scope:
            mixing_host.sleep(LONG)
        checkpoint()
        return scope.expired

    assert spawn(waiter).result(PATIENCE) is True
