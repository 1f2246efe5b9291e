"""R19 Fork."""

from __future__ import annotations

import os
import sys

import hubkit
from hubkit.contract import FORK
from hubkit.errors import NotSupported

from ..plugin import lacks, needs
from ..tools import LONG


def say(text):
    """Unbuffered: what is in the buffer at a fork would come out twice."""
    os.write(1, f"{text}\n".encode())


def wait_for(pid):
    _, status = hubkit.to_thread(os.waitpid, pid, 0)
    return os.waitstatus_to_exitcode(status)


def a_task_forks(end):
    def other():
        try:
            hubkit.sleep(LONG)
        finally:
            say("parent: the other is unwound" if os.getpid() == parent else "child: the other is unwound")

    def forker():
        pid = os.fork()
        if pid:
            return pid
        say(f"child: {len(hubkit.all_tasks())} task")
        hubkit.sleep(0.01)
        queue = hubkit.Queue()
        hubkit.spawn_later(0.01, queue.put, "works")
        say(f"child: its hub {queue.get()}")
        read_end, write_end = os.pipe()
        os.write(write_end, b"x")
        hubkit.wait_readable(read_end)
        say(f"child: a thread says {hubkit.to_thread(pow, 2, 3)}")
        if end == "error":
            raise KeyError("in the child")
        if end == "exit":
            sys.exit(7)
        return None

    def ticker():
        for _ in range(20):
            hubkit.sleep(0.005)
        return "ticked"

    def waiter(read_end):
        hubkit.wait_readable(read_end)
        return os.read(read_end, 10)

    def main():
        read_end, write_end = os.pipe()
        others = [hubkit.spawn(other), hubkit.spawn(ticker), hubkit.spawn(waiter, read_end)]
        hubkit.sleep(0.01)
        pid = hubkit.spawn(forker).result()
        status = wait_for(pid)
        os.write(write_end, b"hello")
        say(f"parent: the child ended with {status}")
        say(f"parent: {others[1].result()}, read {others[2].result()}")
        others[0].cancel()
        others[0].join()
        say("parent: done")

    parent = os.getpid()
    hubkit.run(main)
    say("end of the program")


CHILD = ["child: 1 task", "child: its hub works", "child: a thread says 8"]
PARENT = [
    "parent: ticked, read b'hello'",
    "parent: the other is unwound",
    "parent: done",
    "end of the program",
]


@needs(FORK)
def test_r19_the_childs_hub_works_and_holds_only_the_task_that_forked(child):
    lines = child(a_task_forks, "return").output.splitlines()
    assert [line for line in lines if line.startswith("child")] == CHILD
    assert [line for line in lines if not line.startswith("child")] == [
        "parent: the child ended with 0",
        *PARENT,
    ]


@needs(FORK)
def test_r19_the_child_ends_with_its_task_that_failed(child):
    lines = child(a_task_forks, "error").output.splitlines()
    assert [line for line in lines if not line.startswith("child")] == [
        "parent: the child ended with 1",
        *PARENT,
    ]


@needs(FORK)
def test_r19_the_child_ends_with_the_status_its_task_asked_for(child):
    lines = child(a_task_forks, "exit").output.splitlines()
    assert [line for line in lines if not line.startswith("child")] == [
        "parent: the child ended with 7",
        *PARENT,
    ]


def main_forks():
    def other():
        try:
            hubkit.sleep(LONG)
        finally:
            say(f"unwound in {'parent' if os.getpid() == parent else 'child'}")

    def main():
        task = hubkit.spawn(other)
        hubkit.sleep(0.01)
        pid = os.fork()
        if pid == 0:
            say(f"child: {len(set(hubkit.all_tasks()) - {hubkit.current_task()})} others")
            hubkit.sleep(0.01)
            say(f"child: {hubkit.spawn(pow, 2, 3).result()}")
            return
        say(f"parent: {wait_for(pid)}")
        task.cancel()
        task.join()

    parent = os.getpid()
    hubkit.run(main)
    say("child: end" if os.getpid() != parent else "parent: end")


@needs(FORK)
def test_r19_a_main_task_that_forks_goes_on_in_the_child(child):
    lines = child(main_forks).output.splitlines()
    assert lines == [
        "child: 0 others",
        "child: 8",
        "child: end",
        "parent: 0",
        "unwound in parent",
        "parent: end",
    ]


def a_task_forks_where_that_is_not_supported():
    def forker():
        pid = os.fork()
        if pid == 0:
            status = 3
            try:
                hubkit.sleep(0.01)
            except NotSupported:
                status = 42
            finally:
                os._exit(status)
        return pid

    def main():
        say(wait_for(hubkit.spawn(forker).result()))
        hubkit.sleep(0.01)
        say("parent goes on")

    hubkit.run(main)


@lacks(FORK)
def test_r19_a_hub_without_fork_says_so_in_the_child(child):
    assert child(a_task_forks_where_that_is_not_supported).output.splitlines() == ["42", "parent goes on"]
