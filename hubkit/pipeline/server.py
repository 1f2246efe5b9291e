"""Server: the listener, the two pools, and the orderly end.

What must live here: how many connections and handlers there are at once, and starting and stopping. What
this file must not know: what happens on a connection.
"""

from __future__ import annotations

import errno
import logging
from types import TracebackType
from typing import Any

from hubkit import Event, Pool, Task, now, sleep, spawn
from hubkit.green import socket

from .application import Application
from .connection import Connection
from .message import Message, Peer
from .response import Response
from .settings import Settings

_log = logging.getLogger("hubkit.pipeline")

#: What `accept` fails by while the process is short of something; it comes back.
_SHORTAGES = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
BACKLOG = 1024


class Server:
    """Serves an application over HTTP/1.1; `with Server(…) as server:` starts and stops it.

    Switches: never. Call from: any thread. Raises: nothing.
    """

    def __init__(
        self,
        application: Application,
        host: str = "127.0.0.1",
        port: int = 0,
        settings: Settings | None = None,
    ) -> None:
        self.application = application
        self.settings = settings = settings or Settings()
        self.stopping = False
        self.cutting_off = False  # the grace time is over: no handler begins any more
        self.handlers = Pool(settings.handlers)
        self._connections = Pool(settings.connections)
        self._open: dict[Connection, None] = {}
        self._wanted = (host, port)
        self._listener: socket.socket | None = None
        self._tasks: list[Task[None]] = []
        self._stopped = Event()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that it listens on; with port 0 the one that the system has chosen.

        Switches: never. Call from: any thread. Raises: RuntimeError before `start`.
        """
        if self._listener is None:
            raise RuntimeError("the server has no address before start()")
        return self._address

    def start(self) -> tuple[str, int]:
        """Listen, and begin to accept; the address.

        Switches: if it must wait. Call from: hub. Raises: OSError if the address cannot be had;
        RuntimeError if it was started before.
        """
        if self._listener is not None:
            raise RuntimeError("a server is started once: make a new one")
        family = socket.AF_INET6 if ":" in self._wanted[0] else socket.AF_INET
        self._listener = socket.create_server(self._wanted, family=family, backlog=BACKLOG)
        host, port, *_ = self._listener.getsockname()
        self._address: tuple[str, int] = host, port
        self._tasks = [spawn(self._accept, self._listener), spawn(self._expire)]
        return self._address

    @property
    def listening(self) -> bool:
        """Whether connections are accepted.

        Switches: never. Call from: any thread. Raises: nothing.
        """
        return self._listener is not None and not self.stopping

    def serve(self) -> None:
        """Start, if that was not done, and wait until somebody has called `stop`.

        Switches: always. Call from: hub. Raises: OSError, Cancelled.
        """
        if self._listener is None:
            self.start()
        self._stopped.wait()

    def stop(self, grace: float | None = None) -> bool:
        """Accept no more, let messages be answered for `grace` seconds, then cancel what is left.

        Whether nothing had to be cancelled. Idle connections are closed at once.

        Switches: if it must wait. Call from: hub, but not from a handler. Raises: Cancelled.
        """
        self.stopping = True
        for task in self._tasks:
            task.cancel()
            task.join()
        if self._listener is not None:
            self._listener.close()
        for connection in list(self._open):
            connection.close_soon()
        in_time = False
        try:
            in_time = self._connections.join(self.settings.grace if grace is None else grace)
        finally:
            if not in_time:
                self._cut_off()
            self._stopped.set()
        return in_time

    def _cut_off(self) -> None:
        self.cutting_off = True
        left = list(self._open)
        for connection in left:
            if connection.task is not None:
                connection.task.cancel()
        if not self._connections.join(self.settings.linger + 1.0):
            _log.error("%d connections do not end: their handlers swallow Cancelled", len(self._open))
        for connection in left:  # also of tasks that were cancelled before they began
            connection.close()

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    # -- its two tasks ----------------------------------------------------------------------------

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, peer = listener.accept()
            except OSError as error:
                if error.errno in _SHORTAGES:
                    _log.error("cannot accept: %s", error)
                    sleep(0.1)
                elif listener.fileno() == -1:
                    return
                continue
            self._begin(sock, peer)

    def _begin(self, sock: socket.socket, peer: Any) -> None:
        connection = Connection(self, sock, peer[:2])
        self._open[connection] = None
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.task = self._connections.spawn(connection.run)
        except BaseException as error:
            connection.close()
            self.ended(connection)
            if not isinstance(error, (OSError, RuntimeError)):
                raise
            _log.error("cannot serve a connection: %s", error)  # it has gone, or there are no more threads

    def _expire(self) -> None:
        """Look at every connection now and then: cheaper than a timer for each wait of each."""
        settings = self.settings
        pause = min(1.0, settings.idle_timeout / 4, settings.transfer_timeout / 4)
        while True:
            sleep(pause)
            at = now()
            for connection in list(self._open):
                connection.expire_at(at)

    # -- told by connections ----------------------------------------------------------------------

    def ended(self, connection: Connection) -> None:
        """`connection` is closed.

        Switches: never. Call from: any thread. Raises: nothing.
        """
        self._open.pop(connection, None)

    def log(
        self, peer: Peer | None, message: Message | None, response: Response, size: int, seconds: float
    ) -> None:
        """Write the access log's line: logger `hubkit.pipeline`, level INFO. Override it for metrics.

        `message` is None where what was received was none; `size` is bytes sent, head and body.

        Switches: never. Call from: hub. Raises: nothing.
        """
        if _log.isEnabledFor(logging.INFO):
            host = peer[0] if peer else "-"
            what = f"{message.method} {message.target}" if message else "-"
            _log.info('%s "%s" %d %d %.1f ms', host, what, response.status_code, size, seconds * 1000)
