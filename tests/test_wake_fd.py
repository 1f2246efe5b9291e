"""hubkit.wake_fd: descriptors that wake a thread which polls."""

from __future__ import annotations

import os
import select

import pytest
from scripts import run_script

from hubkit.wake_fd import WakeFd


@pytest.fixture(params=["eventfd", "pipe"])
def waker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> WakeFd:
    if request.param == "pipe":
        monkeypatch.delattr(os, "eventfd", raising=False)
    elif not hasattr(os, "eventfd"):
        pytest.skip("eventfd is not installed on this platform")
    return WakeFd()


def is_readable(fd: int) -> bool:
    return bool(select.select([fd], [], [], 0)[0])


def test_it_is_readable_from_set_to_clear(waker: WakeFd) -> None:
    assert not is_readable(waker.fd)
    assert waker.clear() is False
    waker.set()
    waker.set()
    assert is_readable(waker.fd)
    assert waker.clear() is True
    assert not is_readable(waker.fd)
    assert waker.clear() is False


def test_it_may_be_set_more_often_than_it_can_count(waker: WakeFd) -> None:
    for _ in range(20_000):
        waker.set()
    assert is_readable(waker.fd)


def test_it_is_closed_with_the_last_who_could_set_it(waker: WakeFd) -> None:
    alone = WakeFd()
    fd = alone.fd
    about_to_set = alone.set
    del alone
    about_to_set()
    assert is_readable(fd)
    del about_to_set
    with pytest.raises(OSError):
        os.fstat(fd)


@pytest.mark.parametrize("hub", ["native", "eventlet"])
def test_a_hub_that_is_closed_while_others_wake_it_writes_to_no_strangers_descriptor(hub: str) -> None:
    pytest.importorskip("greenlet" if hub == "native" else hub)
    out = run_script(
        """
        import select
        def wake(host, over):
            try:
                while not over.is_set():
                    host.wake()
            except BaseException as error:
                faults.append(error)
        faults, written = [], []
        for _ in range(50):
            hub, over = spawn(int).hub, threading.Event()
            thread = threading.Thread(target=wake, args=(hub.host, over))
            thread.start()
            hubkit.sleep(0.001)
            hub.close()
            strangers = [os.pipe() for _ in range(4)]
            over.set()
            thread.join()
            written += select.select([read_end for read_end, _ in strangers], [], [], 0)[0]
            for pair in strangers:
                for fd in pair:
                    os.close(fd)
        print(faults, written)
        """,
        hub,
    )
    assert out == "[] []\n"
