"""Connection: one client's socket, from accept to close, driven by a task of its own.

What must live here: the order of messages and answers, and what ends a connection. What this file must
not know: parsing, and how an answer comes about.

The connection's task reads on while a handler runs, unless the client is too far ahead: so a hang-up is
noticed, and cancels the handler. Each message is handled by a task of the server's pool, which joins
the one before it and writes the answer itself: so messages are handled and answered in order. The
connection's task writes only while no handler is left to: CONTINUE, and answers to what is no message.
A client that has closed its sending side has hung up.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

from hubkit import Task, move_on_after, now, shield, timeout
from hubkit.green import socket

from .http1 import CONTINUE, Http1, Refusal, asks_to_close, encode
from .message import Message, Peer
from .response import Response

if TYPE_CHECKING:
    from .server import Server

_log = logging.getLogger("hubkit.pipeline")

READ_SIZE = 64 * 1024
#: How often a client that goes on sending is listened to while it should take in its last answer.
LINGER_READS = 64


class Connection:
    """One client. `run` is what its task does.

    Switches: never. Call from: any thread. Raises: nothing.
    """

    def __init__(self, server: Server, sock: socket.socket, peer: Peer | None) -> None:
        self.task: Task[None] | None = None
        self._server = server
        self._settings = server.settings
        self._sock = sock
        self._peer = peer
        self._http = Http1(server.settings, peer)
        self._reading = move_on_after(None)  # made to expire when there is nothing to read for any more
        self._found: deque[Message | Refusal] = deque()  # received, not dispatched
        self._tasks: deque[Task[None]] = deque()  # the handlers, in order; done ones are dropped later
        self._unanswered: deque[Message] = deque()  # dispatched, or about to be; left when the answer is out
        self._final = False  # no answer will follow: one with `Connection: close` was sent, or none can be
        self._gone = False  # the client has hung up, or does not take in what is sent
        self._sending = False
        self._since = now()  # when what it waits for now began: silence, a message, an answer

    def run(self) -> None:
        """Serve the client until one side ends the connection, then close it.

        Switches: if it must wait. Call from: hub. Raises: Cancelled.
        """
        try:
            with self._reading:
                self._receive()
            if not self._gone:
                self._answer_rest()
        except OSError as error:
            _log.debug("connection lost: %s", error)
            self._gone = True
        finally:
            self._end()

    # -- asked by the server ----------------------------------------------------------------------

    def close_soon(self) -> None:
        """End the connection unless a message is being received or handled: then it ends after that.

        Switches: never. Call from: any thread. Raises: nothing.
        """
        if not self._unanswered and not self._http.partial:
            self._reading.expire()

    def expire_at(self, at: float) -> None:
        """End the connection if the client has taken too long for what it does at time `at`.

        Switches: never. Call from: any thread. Raises: nothing.
        """
        settings = self._settings
        if self._sending:
            if at - self._since > settings.transfer_timeout:
                self._gone = True
                self._shut_down(socket.SHUT_RDWR)  # ends sending and reading
        elif not self._unanswered:
            limit = settings.transfer_timeout if self._http.partial else settings.idle_timeout
            if at - self._since > limit:
                self._reading.expire()

    def close(self) -> None:
        """Close the socket; for a connection whose task never ran, or does not end. Idempotent.

        Switches: never. Call from: hub. Raises: nothing.
        """
        self._sock.close()

    # -- receiving --------------------------------------------------------------------------------

    def _receive(self) -> None:
        http = self._http
        while not http.closed:
            data = self._sock.recv(READ_SIZE)
            if not data:
                self._gone = True
                return
            began_before = http.partial
            self._found.extend(http.receive(data))
            if http.partial and (self._found or not began_before):
                self._since = now()
            while self._found and isinstance(self._found[0], Message):
                self._dispatch(self._found[0])
                self._found.popleft()
            if http.wants_continue:
                http.wants_continue = False
                self._drain()
                self._sock.sendall(CONTINUE)
        if self._found:  # a refusal: answered outside
            return
        while self._sock.recv(READ_SIZE):  # the last message is being handled: only a hang-up matters
            pass
        self._gone = True

    # -- handling ---------------------------------------------------------------------------------

    def _dispatch(self, message: Message) -> None:
        """Start the message's task; waits while the client is too far ahead or the pool is full."""
        self._unanswered.append(message)
        tasks = self._tasks
        while tasks and tasks[0].done():
            tasks.popleft()
        if len(tasks) >= self._settings.max_pipelined:
            tasks[0].join()
        task = self._start_handler(message, tasks[-1] if tasks else None)
        if task is not None:
            tasks.append(task)

    def _start_handler(self, message: Message, before: Task[None] | None) -> Task[None] | None:
        handlers = self._server.handlers
        try:
            task = handlers.try_spawn(self._handle, message, before)
            if task is not None:
                return task
            with timeout(self._settings.queue_timeout):
                return handlers.spawn(self._handle, message, before)
        except TimeoutError:
            pass
        except RuntimeError as error:  # the system gives no more threads
            _log.error("no task for %s %s: %s", message.method, message.target, error)
        self._drain()
        if self._may_answer(message):
            self._answer(message, Response.problem(503, "too busy", {"Retry-After": "1"}), now())
        return None

    def _handle(self, message: Message, before: Task[None] | None) -> None:
        """The message's task: one message, one answer."""
        if before is not None:
            with shield():  # a cancel waits too: its answer must not overtake the one before
                before.join()
        if not self._may_answer(message):
            return
        started = now()
        if self._server.cutting_off:  # it has got the place of one that was cancelled
            self._answer(message, Response.problem(503, "stopping"), started, last=True)
            return
        try:
            response = self._server.application.respond(message, self._settings.deadline)
        except BaseException:  # cancelled, killed by the host, or ends the program
            status = 503 if self._server.stopping else 499 if self._gone else 500
            self._answer(message, Response.problem(status), started, last=True)
            raise
        self._answer(message, response, started)

    def _drain(self) -> None:
        """Wait until every message that was dispatched is answered."""
        while self._tasks:
            self._tasks[0].join()
            self._tasks.popleft()

    # -- answering --------------------------------------------------------------------------------

    def _may_answer(self, message: Message) -> bool:
        """Whether it is this message's turn, and the client has not been told that it is not answered."""
        if self._unanswered[0] is not message:  # before _final, as that is set before popleft
            # The one before was cancelled before its task began. No answer may overtake its own.
            self._reading.expire()
            return False
        return not self._final

    def _answer(self, message: Message, response: Response, started: float, last: bool = False) -> None:
        """Write the one answer to `message`, and end the connection if it is the last one."""
        last = last or not message.keep_alive or asks_to_close(response)
        last = last or self._server.stopping or self._reading.expired
        try:
            data = encode(response, message, not last)
        except ValueError:
            _log.exception("%s %s: the response cannot be sent", message.method, message.target)
            response = Response.problem(500)
            data = encode(response, message, not last)
        self._send(data, last)
        self._unanswered.popleft()
        if self._server.stopping:  # looked at after popleft, as stopping is set before close_soon looks
            self.close_soon()
        self._server.log(self._peer, message, response, len(data), now() - started)

    def _send(self, data: bytes, last: bool) -> None:
        self._final = last
        self._since = now()
        self._sending = True
        try:
            with shield():  # a cancel that comes now is too late: half an answer would be worse
                self._sock.sendall(data)
        except OSError as error:
            _log.debug("answer lost: %s", error)
            self._gone = self._final = True
        except BaseException:  # by the host: nothing can follow half an answer
            self._final = True
            raise
        finally:
            self._sending = False
            self._since = now()
            if self._final:
                self._reading.expire()

    def _answer_rest(self) -> None:
        """Reading has ended, the client has not: answer what is left, a refusal or what came too late."""
        self._drain()
        if self._final:
            return
        if self._unanswered:
            self._answer_unhandled()
            return
        if self._http.partial:
            self._found.append(Refusal(408, "the message did not come to its end"))
        if not self._found:
            return
        found = self._found.popleft()
        assert isinstance(found, Refusal)
        response = Response.problem(found.status, found.text)
        data = encode(response, None, keep_alive=False)
        self._send(data, last=True)
        self._server.log(self._peer, None, response, len(data), 0.0)

    def _answer_unhandled(self) -> None:
        """Answer the first message that no handler will."""
        if self._unanswered and not self._final and not self._gone:
            self._answer(self._unanswered[0], Response.problem(503, "stopping"), now(), last=True)

    # -- the end ----------------------------------------------------------------------------------

    def _end(self) -> None:
        """Cancel the handlers that are left, in order, as their answers go out in order; then close."""
        try:
            for task in self._tasks:
                task.cancel()
                task.join()
                if task.cancelled():
                    self._answer_unhandled()  # unless it had begun, and has answered
            self._answer_unhandled()
            if self._final and not self._gone:
                self._linger()
        except OSError:
            pass
        finally:
            self.close()
            self._server.ended(self)

    def _linger(self) -> None:
        """Closing while the client still sends would destroy the answer on its way."""
        self._shut_down(socket.SHUT_WR)
        with move_on_after(self._settings.linger):
            for _ in range(LINGER_READS):
                if not self._sock.recv(READ_SIZE):
                    return

    def _shut_down(self, how: int) -> None:
        try:
            self._sock.shutdown(how)
        except OSError:  # the client has done so
            pass
