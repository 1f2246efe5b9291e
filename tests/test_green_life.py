"""hubkit.green.socket: making, adopting, duplicating, closing; and files made of sockets."""

from __future__ import annotations

import copy
import errno
import gc
import io
import os
import pickle
import socket as standard
import threading
import warnings
from collections.abc import Callable

import pytest
from sockets import connected, every_stream, fill, tcp_pair

from hubkit import Closed, checkpoint, move_on_after, spawn, wait_readable
from hubkit.contract import FORK, Hub
from hubkit.green import socket
from hubkit_conformance.tools import PATIENCE, SHORT, finish, parked, returned, settle, stop

pytestmark = pytest.mark.usefixtures("hub")


# -- what it is -----------------------------------------------------------------------------------


def test_it_is_a_standard_socket() -> None:
    with socket.socket() as sock:
        assert isinstance(sock, standard.socket)
        assert (sock.family, sock.type, sock.proto) == (socket.AF_INET, socket.SOCK_STREAM, 0)
        assert isinstance(sock.type, socket.SocketKind)
        assert repr(sock).startswith("<hubkit.green.socket.socket fd=")
        assert not hasattr(sock, "__dict__")
        assert not os.get_inheritable(sock.fileno())
        assert not os.get_blocking(sock.fileno())
        for refused in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match="cannot pickle 'socket' object"):
                refused(sock)
    assert "[closed]" in repr(sock)
    with pytest.raises(OSError):
        socket.socket(-7)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as sock:
        assert sock.gettimeout() == 0.0
        assert sock.type == socket.SOCK_STREAM


def test_adopted_by_number() -> None:
    ours, theirs = standard.socketpair()
    with theirs, socket.socket(fileno=ours.detach()) as sock:
        assert (sock.family, sock.type) == (socket.AF_UNIX, socket.SOCK_STREAM)
        assert sock.gettimeout() is None
        task = spawn(sock.recv, 10)
        parked(task)
        theirs.send(b"x")
        assert task.result(PATIENCE) == b"x"
    for wrong in (-1, 10_000_000):
        with pytest.raises((OSError, ValueError)):
            socket.socket(fileno=wrong)
    with pytest.raises(TypeError):
        socket.socket(fileno="1")  # type: ignore[arg-type]


def test_t29_an_adopted_descriptor_stays_as_it_was() -> None:
    # O_NONBLOCK is shared with every duplicate, maybe with another process.
    ours, theirs = standard.socketpair()
    with ours, theirs, socket.fromfd(ours.fileno(), ours.family, ours.type) as sock:
        with move_on_after(SHORT):
            sock.recv(1)
        sock.settimeout(SHORT)
        fill(ours)
        with pytest.raises(TimeoutError):
            sock.sendall(b"x")
        sock.settimeout(0)
        with pytest.raises(BlockingIOError):
            sock.recv(1)
        sock.setblocking(True)
        assert os.get_blocking(ours.fileno())
        assert os.get_blocking(sock.fileno())


def test_an_adopted_listener_does_not_block_the_hub() -> None:
    listener = standard.create_server(("127.0.0.1", 0))
    with socket.socket(fileno=listener.detach()) as server:
        tasks = [spawn(server.accept) for _ in range(2)]
        parked(*tasks)
        address = server.getsockname()
        with socket.create_connection(address), socket.create_connection(address):
            for connection, _ in returned(*tasks):  # which of the two gets which is the system's affair
                connection.close()


# -- duplicates -----------------------------------------------------------------------------------


@every_stream
def test_duplicates(kind: str) -> None:
    with connected(kind) as (ours, theirs):
        ours.settimeout(PATIENCE)
        with ours.dup() as twin:
            assert type(twin) is socket.socket
            assert twin.gettimeout() == PATIENCE
            for reader in (ours, twin, twin, ours):
                task = spawn(reader.recv, 10)
                parked(task)
                theirs.sendall(b"x")
                assert task.result(PATIENCE) == b"x"
            waiting = spawn(twin.recv, 10)
            parked(waiting)
            ours.close()
            theirs.sendall(b"still")
            assert waiting.result(PATIENCE) == b"still"


def test_t3_a_number_used_again_while_a_duplicate_lives() -> None:
    # The old registration must not outlive the close, or its events come under the number of the new.
    old, theirs = tcp_pair()
    with theirs:
        with move_on_after(SHORT):
            old.recv(1)  # now the poller knows it
        number = old.fileno()
        with old.dup() as twin:
            old.close()
            with connected("unix") as (ours, other):
                assert ours.fileno() == number
                tasks = [spawn(end.recv, 10) for end in (ours, other)]
                parked(*tasks)
                theirs.sendall(b"for the old")
                assert twin.recv(100) == b"for the old"
                assert not any(task.done() for task in tasks)
                other.sendall(b"to ours")
                ours.sendall(b"to other")
                assert [task.result(PATIENCE) for task in tasks] == [b"to ours", b"to other"]


@every_stream
def test_numbers_used_again_at_once(kind: str) -> None:
    numbers = set()
    for round_ in range(30):
        with connected(kind) as (ours, theirs):
            numbers.add(ours.fileno())
            task = spawn(ours.recv, 10)
            if round_ % 2:
                parked(task)
            theirs.sendall(b"%d" % round_)
            assert task.result(PATIENCE) == b"%d" % round_
            if round_ % 3:
                waiting = spawn(ours.recv, 10)
                parked(waiting)
                ours.close()
                assert isinstance(waiting.exception(PATIENCE), Closed)
    assert len(numbers) < 30


# -- closing --------------------------------------------------------------------------------------


@every_stream
@pytest.mark.parametrize("how", ["close", "detach"])
def test_whoever_waits_is_told(kind: str, how: str) -> None:
    with connected(kind) as (ours, _):
        fill(ours)
        number = ours.fileno()
        tasks = [spawn(ours.recv, 10), spawn(ours.sendall, b"x")]
        parked(*tasks)
        detached = getattr(ours, how)()
        for task in tasks:
            error = task.exception(PATIENCE)
            assert isinstance(error, Closed)
            assert error.errno == errno.EBADF
        if how == "detach":
            assert detached == number
            os.close(detached)
        assert ours.fileno() == -1


def test_closed_between_the_wake_up_and_the_read() -> None:
    with connected() as (ours, theirs):
        task = spawn(ours.recv, 10)
        parked(task)

        def both() -> None:
            theirs.sendall(b"x")
            while getattr(task.ticket, "armed", False):  # until the hub has seen it
                checkpoint()
            ours.close()

        spawn(both)
        finish(task)
        assert task.exception() is None or isinstance(task.exception(), Closed)


def test_a_closed_socket() -> None:
    with connected() as (ours, _):
        ours.close()
        ours.close()
        for verb in (
            lambda: ours.recv(1),
            lambda: ours.recv_into(bytearray(1)),
            lambda: ours.recvfrom(1),
            lambda: ours.send(b"x"),
            lambda: ours.sendall(b"x"),
            ours.accept,
            ours.listen,
            lambda: ours.connect(("127.0.0.1", 1)),
            ours.dup,
            lambda: ours.settimeout(1),
            lambda: ours.setblocking(False),
        ):
            with pytest.raises(OSError) as caught:
                verb()
            assert caught.value.errno == errno.EBADF
        assert ours.detach() == -1


def test_detached_and_adopted_again() -> None:
    with connected() as (ours, theirs):
        with move_on_after(SHORT):
            ours.recv(1)
        theirs.sendall(b"unread")
        with socket.socket(fileno=ours.detach()) as again:
            assert again.recv(10) == b"unread"
            task = spawn(again.recv, 10)
            parked(task)
            theirs.sendall(b"x")
            assert task.result(PATIENCE) == b"x"


def test_the_module_closes_by_number() -> None:
    ours, theirs = standard.socketpair()
    with theirs:
        number = ours.detach()
        task = spawn(wait_readable, number)
        parked(task)
        socket.close(number)
        assert isinstance(task.exception(PATIENCE), Closed)
        with pytest.raises(OSError):
            os.fstat(number)


@every_stream
def test_a_forgotten_socket_warns_and_is_closed(kind: str) -> None:
    with connected(kind) as (ours, theirs):
        number = theirs.fileno()
        holder = [theirs.dup(), socket.socket(fileno=theirs.detach())]
        holder.pop(0).close()
        with move_on_after(SHORT):
            holder[0].recv(1)
        with pytest.warns(ResourceWarning, match=f"unclosed <hubkit.green.socket.socket fd={number}"):
            holder.clear()
        assert ours.recv(10) == b""
        with connected(kind) as (first, second):
            assert number in (first.fileno(), second.fileno())
            task = spawn(first.recv, 10)
            parked(task)
            second.sendall(b"x")
            assert task.result(PATIENCE) == b"x"


def test_freed_in_another_thread_while_the_hub_waits(hub: Hub) -> None:
    holder = list(tcp_pair())
    with move_on_after(SHORT):
        holder[0].recv(1)
    with pytest.warns(ResourceWarning):
        _in_a_thread(holder.clear)
    settle(hub)


def _in_a_thread(fn: Callable[[], None]) -> None:
    thread = threading.Thread(target=fn)
    thread.start()
    thread.join()


def test_half_made_sockets_are_freed_in_silence() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()  # what a test that failed has left is not ours
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        with pytest.raises(OSError):
            socket.socket(12345)
        socket.socket.__new__(socket.socket)
        gc.collect()
    assert not [str(warning.message) for warning in heard]


def test_a_child_leaves_the_parents_sockets_alone(hub: Hub) -> None:
    # T3: what a child unregisters from the poller that it inherited, the parent no longer hears of.
    if not hub.supports(FORK):
        pytest.skip("the hub does not claim FORK")
    with connected() as (ours, theirs):
        task = spawn(ours.recv, 10)
        parked(task)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # eventlet, once imported, warns of every fork
            child = os.fork()
        if child == 0:
            try:
                ours.close()
                with connected() as (mine, other):
                    spawn(other.sendall, b"in the child")
                    assert mine.recv(100) == b"in the child"
                theirs.sendall(b"from the child")
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
        assert task.result(PATIENCE) == b"from the c"
        assert ours.recv(10) == b"hild"
        following = spawn(ours.recv, 10)
        parked(following)
        theirs.sendall(b"x")
        assert following.result(PATIENCE) == b"x"


# -- files ----------------------------------------------------------------------------------------


@every_stream
def test_lines_of_a_file(kind: str) -> None:
    with connected(kind) as (ours, theirs):
        with ours.makefile("rb") as file, theirs.makefile("w", encoding="utf-8", newline="\n") as out:
            task = spawn(lambda: list(file))
            for text in ("first\nsec", "ond\n", "", "third"):
                out.write(text)
                out.flush()
                parked(task)
            out.close()
            theirs.shutdown(socket.SHUT_WR)
            assert task.result(PATIENCE) == [b"first\n", b"second\n", b"third"]


def test_a_timeout_in_the_middle_of_lines() -> None:
    with connected() as (ours, theirs):
        ours.settimeout(SHORT)
        with ours.makefile("rb") as file:
            theirs.sendall(b"whole\nhal")
            assert file.readline() == b"whole\n"
            with pytest.raises(TimeoutError):
                file.readline()
            theirs.sendall(b"f\n")
            with pytest.raises(OSError, match="timed out object"):
                file.readline()


def test_a_cancel_in_the_middle_of_lines() -> None:
    with connected() as (ours, theirs):
        with ours.makefile("rb") as file:
            task = spawn(file.readline)
            parked(task)
            stop(task)
            assert task.cancelled()
            theirs.sendall(b"line\n")
            assert file.readline() == b"line\n"


def test_both_directions_of_a_file_at_once() -> None:
    with connected() as (ours, theirs):
        with ours.makefile("rwb") as file:
            reader = spawn(file.readline)
            parked(reader)
            file.write(b"question\n")
            file.flush()
            assert theirs.recv(100) == b"question\n"
            theirs.sendall(b"answer\n")
            assert reader.result(PATIENCE) == b"answer\n"


def test_a_big_write_to_a_file() -> None:
    data = os.urandom(3_000_000)
    with connected() as (ours, theirs):
        file = ours.makefile("wb")

        def write() -> None:
            file.write(data)
            file.close()
            ours.shutdown(socket.SHUT_WR)

        task = spawn(write)
        with theirs.makefile("rb") as other:
            assert other.read() == data
        task.result(PATIENCE)


@pytest.mark.parametrize("first", ["file", "socket"])
def test_the_descriptor_lives_as_long_as_its_files(first: str) -> None:
    with connected() as (ours, theirs):
        file = ours.makefile("rb")
        ends: list[Callable[[], None]] = [file.close, ours.close]
        if first == "socket":
            ends.reverse()
        task = spawn(theirs.recv, 10)
        ends[0]()
        parked(task)
        ends[1]()
        assert task.result(PATIENCE) == b""


def test_files_without_waiting() -> None:
    with connected() as (ours, theirs):
        ours.settimeout(0)
        with ours.makefile("rb", buffering=0) as raw:
            assert isinstance(raw, io.RawIOBase)
            assert raw.read(10) is None
            theirs.sendall(b"x")
            wait_readable(ours, PATIENCE)
            assert raw.read(10) == b"x"
