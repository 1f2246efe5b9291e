"""hubkit.green.socket: connecting, accepting, and the standard library's protocols on top."""

from __future__ import annotations

import errno
import http.client
import http.server
import os
import socket as standard
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hubkit import Cancelled, Closed, Task, checkpoint, move_on_after, spawn, timeout
from hubkit.contract import FIFO_LOCKS, Hub
from hubkit.green import names, socket
from hubkit_conformance.tools import (
    PATIENCE,
    SHORT,
    finish,
    not_before,
    parked,
    parked_in_order,
    returned,
    stop,
)

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup

pytestmark = pytest.mark.usefixtures("hub")


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def refusing() -> tuple[str, int]:
    """An address where nobody listens."""
    with standard.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()  # type: ignore[no-any-return]


@pytest.fixture
def deaf() -> Iterator[tuple[str, int]]:
    """An address that answers no attempt to connect: a listener whose queue is full."""
    with standard.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        clients = []
        for _ in range(3):
            client = standard.socket()
            client.setblocking(False)
            client.connect_ex(server.getsockname())
            clients.append(client)
        yield server.getsockname()
        for client in clients:
            client.close()


# -- accept ---------------------------------------------------------------------------------------


def test_accept(server: socket.socket) -> None:
    task = spawn(server.accept)
    parked(task)
    with socket.create_connection(server.getsockname()) as client:
        connection, address = task.result(PATIENCE)
        with connection:
            assert type(connection) is socket.socket
            assert address == client.getsockname() == connection.getpeername()
            assert (connection.family, connection.type) == (server.family, server.type)
            assert connection.gettimeout() is None
            client.sendall(b"x")
            assert connection.recv(10) == b"x"


def test_many_clients(server: socket.socket) -> None:
    def serve(connection: socket.socket) -> None:
        with connection:
            while data := connection.recv(100):
                connection.sendall(data)

    def accept() -> None:
        while True:
            spawn(serve, server.accept()[0])

    def talk(number: int) -> None:
        with socket.create_connection(server.getsockname()) as client:
            for message in range(20):
                text = b"%d %d" % (number, message)
                client.sendall(text)
                assert client.recv(100) == text

    acceptor = spawn(accept)
    returned(*[spawn(talk, number) for number in range(50)])
    stop(acceptor)
    assert acceptor.cancelled()


def test_acceptors_are_served_in_order(hub: Hub, server: socket.socket) -> None:
    order: list[int] = []

    def accept(number: int) -> None:
        connection, _ = server.accept()
        order.append(number)
        connection.close()

    tasks = parked_in_order(5, accept)
    stop(tasks[0], tasks[2])
    for number in (1, 3, 4):
        with socket.create_connection(server.getsockname()):
            finish(tasks[number])
    if hub.supports(FIFO_LOCKS):
        assert order == [1, 3, 4]
    assert sorted(order) == [1, 3, 4]


def test_timeouts_of_acceptors_in_line(server: socket.socket) -> None:
    first = spawn(server.accept)
    parked(first)
    server.settimeout(SHORT)
    with not_before(SHORT), pytest.raises(TimeoutError, match="timed out"):
        server.accept()
    server.settimeout(0)
    with pytest.raises(BlockingIOError):
        server.accept()
    server.settimeout(None)
    with pytest.raises(TimeoutError):
        with timeout(SHORT):
            server.accept()
    with socket.create_connection(server.getsockname()):
        first.result(PATIENCE)[0].close()


def test_closing_tells_all_acceptors(server: socket.socket) -> None:
    tasks = parked_in_order(4, lambda _: server.accept())
    server.close()
    finish(*tasks)
    assert [type(task.exception()) for task in tasks] == [Closed] * 4


def test_a_latched_cancel_leaves_the_connection_in_the_queue(server: socket.socket) -> None:
    with socket.create_connection(server.getsockname()) as client:

        def body() -> None:
            me.cancel()
            with pytest.raises(Cancelled):
                server.accept()

        me = spawn(body)
        me.result(PATIENCE)
        connection, address = server.accept()
        connection.close()
        assert address == client.getsockname()


@pytest.mark.usefixtures("a_hub_in_each_thread")
def test_acceptors_in_several_threads(server: socket.socket) -> None:
    got: list[Any] = []
    tasks: list[Task[None]] = []

    def accept() -> None:
        for _ in range(10):
            connection, address = server.accept()
            connection.close()
            got.append(address)

    def elsewhere() -> None:
        task = spawn(accept)
        tasks.append(task)
        task.join()

    threads = [threading.Thread(target=elsewhere) for _ in range(3)]
    for thread in threads:
        thread.start()
    sent = []
    for _ in range(30):
        with socket.create_connection(server.getsockname()) as client:
            sent.append(client.getsockname())
            client.settimeout(PATIENCE)
            assert client.recv(1) == b""
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted(got) == sorted(sent)


# -- connect --------------------------------------------------------------------------------------


def test_connect(server: socket.socket) -> None:
    with socket.socket() as client:
        client.connect(server.getsockname())
        assert client.getpeername() == server.getsockname()
        with pytest.raises(OSError) as caught:
            client.connect(server.getsockname())
        assert caught.value.errno == errno.EISCONN
        assert client.connect_ex(server.getsockname()) == errno.EISCONN


def test_connect_to_a_name(server: socket.socket) -> None:
    with socket.socket() as client:
        client.connect(("localhost", server.getsockname()[1]))
        assert client.getpeername() == server.getsockname()


def test_refused() -> None:
    address = refusing()
    with socket.socket() as client:
        with pytest.raises(ConnectionRefusedError):
            client.connect(address)
    with socket.socket() as client:
        client.settimeout(PATIENCE)
        assert client.connect_ex(address) == errno.ECONNREFUSED
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)


def test_refused_and_tried_again(server: socket.socket) -> None:
    with socket.socket() as client:
        with pytest.raises(ConnectionRefusedError):
            client.connect(refusing())
        client.connect(server.getsockname())
        connection, _ = server.accept()
        with connection:
            task = spawn(client.recv, 10)
            parked(task)
            connection.sendall(b"x")
            assert task.result(PATIENCE) == b"x"


def test_connect_without_waiting(server: socket.socket) -> None:
    with socket.socket() as client:
        client.settimeout(0)
        with pytest.raises(BlockingIOError):
            client.connect(server.getsockname())
        server.accept()[0].close()
        assert client.connect_ex(server.getsockname()) in (0, errno.EISCONN)


def test_connect_in_vain(deaf: tuple[str, int]) -> None:
    with socket.socket() as client:
        client.settimeout(SHORT)
        with not_before(SHORT), pytest.raises(TimeoutError):
            client.connect(deaf)
    with socket.socket() as client:
        client.settimeout(SHORT)
        assert client.connect_ex(deaf) == errno.EAGAIN
    with pytest.raises(TimeoutError):
        socket.create_connection(deaf, timeout=SHORT)
    with move_on_after(SHORT) as scope:
        socket.create_connection(deaf)
    assert scope.expired
    task = spawn(socket.create_connection, deaf)
    parked(task)
    stop(task)
    assert task.cancelled()


def test_closed_while_connecting(deaf: tuple[str, int]) -> None:
    with socket.socket() as client:
        task = spawn(client.connect, deaf)
        parked(task)
        client.close()
        assert isinstance(task.exception(PATIENCE), Closed)


def test_a_unix_listener_whose_queue_is_full() -> None:
    # The kernel says EAGAIN, and no event tells of room.
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server:
        path = os.path.join(folder, "socket")
        server.bind(path)
        server.listen(0)
        clients = [socket.socket(socket.AF_UNIX) for _ in range(4)]
        tasks = [spawn(client.connect, path) for client in clients]
        clients[3].settimeout(SHORT)
        with pytest.raises(TimeoutError):
            while True:
                clients[3].connect(path)
        for _ in range(3):
            server.accept()[0].close()
        stop(tasks[3])
        returned(*tasks[:3])
        for client in clients:
            client.close()


# -- create_connection, create_server -------------------------------------------------------------


def answers(monkeypatch: pytest.MonkeyPatch, *addresses: tuple[str, int]) -> None:
    """Make every name stand for these addresses."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", address) for address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args: found)


def test_every_address_is_tried(server: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, refusing(), refusing(), server.getsockname())
    with socket.create_connection(("many.example", 80)) as client:
        assert client.getpeername() == server.getsockname()


def test_no_address_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, refusing(), refusing())
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("many.example", 80))
    with pytest.raises(ExceptionGroup) as caught:
        socket.create_connection(("many.example", 80), all_errors=True)
    assert [type(error) for error in caught.value.exceptions] == [ConnectionRefusedError] * 2
    answers(monkeypatch)
    with pytest.raises(OSError, match=r"no address of 'many\.example'"):
        socket.create_connection(("many.example", 80))


def test_timeout_and_source_of_a_connection(server: socket.socket) -> None:
    with socket.create_connection(server.getsockname(), 5, ("127.0.0.1", 0)) as client:
        assert client.gettimeout() == 5
    standard.setdefaulttimeout(7)
    try:
        with socket.create_connection(server.getsockname()) as client:
            assert client.gettimeout() == 7
        with socket.create_connection(server.getsockname(), timeout=None) as client:
            assert client.gettimeout() is None
    finally:
        standard.setdefaulttimeout(None)


def test_a_failed_connection_leaves_no_socket_open(recwarn: pytest.WarningsRecorder) -> None:
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for _ in range(20):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(refusing())
    if before:
        assert len(os.listdir("/proc/self/fd")) < before + 20
    assert not recwarn.list


def test_create_server(server: socket.socket) -> None:
    assert server.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
    with pytest.raises(OSError, match="while attempting to bind on address") as caught:
        socket.create_server(server.getsockname())
    assert caught.value.errno == errno.EADDRINUSE
    with socket.create_server(("127.0.0.1", 0), reuse_port=True, backlog=1) as first:
        with socket.create_server(first.getsockname(), reuse_port=True) as second:
            assert second.getsockname() == first.getsockname()
    with pytest.raises(ValueError, match="AF_INET6"):
        socket.create_server(("", 0), dualstack_ipv6=True)


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="IPv6 is missing here")
def test_ipv6() -> None:
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        for host in ("127.0.0.1", "::1"):
            with socket.create_connection((host, server.getsockname()[1])):
                server.accept()[0].close()
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        assert server.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
        with socket.socket(socket.AF_INET6) as client:
            client.connect(server.getsockname()[:2])
            server.accept()[0].close()


def test_socketpair() -> None:
    for arguments in ((), (socket.AF_UNIX, socket.SOCK_STREAM, 0), (None, socket.SOCK_DGRAM)):
        first, second = socket.socketpair(*arguments)
        with first, second:
            assert first.family == socket.AF_UNIX
            second.send(b"x")
            assert first.recv(10) == b"x"


# -- protocols of the standard library ------------------------------------------------------------


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[::-1])

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def web(server: socket.socket) -> Iterator[tuple[str, int]]:
    """The standard library's handler of HTTP on our sockets."""

    def serve(connection: socket.socket, address: Any) -> None:
        with connection:
            Handler(connection, address, None)  # type: ignore[arg-type]

    def accept() -> None:
        while True:
            spawn(serve, *server.accept())

    task = spawn(accept)
    yield server.getsockname()
    stop(task)


def client_of(address: tuple[str, int]) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection(*address)
    connection._create_connection = socket.create_connection  # type: ignore[attr-defined]
    return connection


def test_http_client(web: tuple[str, int]) -> None:
    def talk(number: int) -> None:
        connection = client_of(web)
        for size in (1, 10_000, 300_000):
            body = b"%d" % (number % 10) + os.urandom(size)
            connection.request("POST", "/", body)
            assert connection.getresponse().read() == body[::-1]
            checkpoint()
        connection.close()

    returned(*[spawn(talk, number) for number in range(10)])


def test_urllib(web: tuple[str, int]) -> None:
    class OverHubkit(urllib.request.HTTPHandler):
        def http_open(self, request: urllib.request.Request) -> Any:
            return self.do_open(lambda host, **_: client_of(web), request)

    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), OverHubkit)

    def fetch(number: int) -> bytes:
        with opener.open(f"http://{web[0]}:{web[1]}/", data=b"abc%d" % number) as answer:
            return answer.read()  # type: ignore[no-any-return]

    assert returned(*[spawn(fetch, number) for number in range(5)]) == [b"%dcba" % n for n in range(5)]


# -- names ----------------------------------------------------------------------------------------


def no_thread(*args: Any) -> Any:
    raise AssertionError(f"asked a thread for {args[1:]}")


@pytest.mark.parametrize(
    "look_up",
    [
        lambda: socket.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM),
        lambda: socket.getaddrinfo("::1", "80", 0, socket.SOCK_STREAM),
        lambda: socket.getaddrinfo(b"127.0.0.1", b"80"),
        lambda: socket.getaddrinfo(None, 0, flags=socket.AI_PASSIVE),
        lambda: socket.gethostbyname("127.0.0.1"),
        lambda: socket.gethostbyname(""),
        lambda: socket.getnameinfo(("127.0.0.1", 80), socket.NI_NUMERICHOST | socket.NI_NUMERICSERV),
    ],
)
def test_numbers_need_no_thread(look_up: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "to_thread", no_thread)
    assert look_up()


def test_sockets_with_numbers_need_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "to_thread", no_thread)
    for host in ("127.0.0.1", ""):
        with socket.create_server((host, 0)) as server:
            with socket.create_connection(("127.0.0.1", server.getsockname()[1])):
                server.accept()[0].close()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        with pytest.raises(OSError):
            sock.connect("/nowhere")


def test_names_are_looked_up_while_others_run(monkeypatch: pytest.MonkeyPatch) -> None:
    wait_for_it = threading.Event()
    real = names._socket.getaddrinfo

    def slow(*args: Any) -> Any:
        assert wait_for_it.wait(PATIENCE)
        return real("127.0.0.1", *args[1:])

    monkeypatch.setattr(names._socket, "getaddrinfo", slow)
    task = spawn(socket.getaddrinfo, "slow.example", 80, 0, socket.SOCK_STREAM)
    parked(task)
    wait_for_it.set()  # only a hub that is not held up comes here
    found = task.result(PATIENCE)
    assert found[0][4] == ("127.0.0.1", 80)
    assert isinstance(found[0][0], socket.AddressFamily)
    assert isinstance(found[0][1], socket.SocketKind)


def test_names_of_this_host() -> None:
    assert socket.gethostbyname("localhost") == "127.0.0.1"
    assert "127.0.0.1" in socket.gethostbyname_ex("localhost")[2]
    assert socket.gethostbyaddr("127.0.0.1")[2]
    assert socket.getnameinfo(("127.0.0.1", 80), 0)
    assert socket.getfqdn("localhost") == standard.getfqdn("localhost")
    assert socket.getfqdn() == standard.getfqdn()
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("no such name", 80)
    with socket.socket() as sock, pytest.raises(socket.gaierror):
        sock.connect(("no such name", 80))


# -- the module -----------------------------------------------------------------------------------


def test_the_module_has_the_shape_of_the_standard_one() -> None:
    for name in standard.__all__:
        assert name in socket.__all__
        ours, theirs = getattr(socket, name), getattr(standard, name)
        if getattr(theirs, "__module__", "_socket") == "_socket" and not callable(theirs):
            assert ours is theirs, name
    assert socket.timeout is TimeoutError
    assert socket.error is OSError
    assert socket.inet_aton is standard.inet_aton
    assert socket.SocketIO is standard.SocketIO  # in no __all__, and in use
    with pytest.raises(AttributeError):
        getattr(socket, "no such name")
    with pytest.raises(OSError):
        socket.close(-1)
