"""patch(), is_patched() and original(), each in a fresh process: patching cannot be undone."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from hubkit import registry

PATCHING = ("gevent", "eventlet")


def run(hub: str, code: str) -> str:
    adapter = registry.adapters()[hub]
    if registry.missing(adapter):
        pytest.skip(f"{hub} is not installed: {adapter.install}")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={**os.environ, registry.VARIABLE: hub},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("hub", PATCHING)
def test_patching_makes_blocking_code_cooperative(hub: str) -> None:
    code = """
import hubkit
assert not hubkit.is_patched("time")
report = hubkit.patch()
assert "socket" in report, report
import time
seen = []
def nap(n):
    for _ in range(3):
        time.sleep(0.01)
        seen.append(n)
tasks = [hubkit.spawn(nap, n) for n in (1, 2)]
for task in tasks:
    task.join()
print(hubkit.is_patched("time"), hubkit.is_patched("json"), seen.index(2) < 3)
"""
    assert run(hub, code) == "True False True"


@pytest.mark.parametrize("hub", PATCHING)
def test_the_original_is_what_was_there_before(hub: str) -> None:
    code = """
import time
before = time.sleep
import hubkit
hubkit.patch()
original = hubkit.original("time", "sleep")  # the very function, or one of a fresh copy of its module
print(type(time.sleep) is type(before), type(original) is type(before), original.__name__)
"""
    assert run(hub, code) == "False True sleep"


def test_where_blocking_is_harmless_nothing_is_patched_and_that_is_said() -> None:
    code = """
import socket, hubkit
before = socket.socket
print(hubkit.patch())
assert socket.socket is before
assert not hubkit.is_patched("socket")
assert hubkit.original("socket", "socket") is before
"""
    assert "noth" in run("threads", code).lower()


def test_a_hub_that_cannot_patch_says_what_to_do() -> None:
    code = """
import hubkit
try:
    hubkit.patch()
except hubkit.NotSupported as error:
    print(error)
"""
    text = run("native", code)
    assert "hubkit.green.socket" in text
    assert "hubkit hubs" in text


def test_importing_never_patches() -> None:
    code = """
import socket, time, threading, select, subprocess, os
before = [socket.socket, time.sleep, threading.Lock, select.select, subprocess.Popen, os.read]
import hubkit, hubkit.cli, hubkit.patching, hubkit.pipeline
print(before == [socket.socket, time.sleep, threading.Lock, select.select, subprocess.Popen, os.read])
"""
    for hub in ("native", "threads"):
        assert run(hub, code) == "True"


def test_asking_for_an_attribute_that_is_not_there() -> None:
    code = """
import hubkit
for module, attribute in (("time", "nonsense"), ("no_such_module", "x")):
    try:
        hubkit.original(module, attribute)
    except (AttributeError, ImportError) as error:
        print(type(error).__name__)
"""
    assert run("native", code).split() == ["AttributeError", "ModuleNotFoundError"]
