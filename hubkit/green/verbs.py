"""The verbs of a socket: connect, accept, send, receive.

What must live here: the calls that may wait, in the standard library's shape. What this file must not
know: how one waits (see endpoint.py), how a name becomes an address (see names.py).
"""

from __future__ import annotations

import _socket
import os
import sys
from collections.abc import Iterable
from errno import EAGAIN, EALREADY, EINPROGRESS, EISCONN
from typing import TYPE_CHECKING, Any

from .. import fds
from ..contract import READ, WRITE
from ..registry import current_hub
from ..waiting import deliver_latched, latched
from .endpoint import Endpoint
from .names import resolved

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

Address = Any

_accept = _socket.socket._accept  # type: ignore[attr-defined]
_connect_ex = _socket.socket.connect_ex
_recv = _socket.socket.recv
_recv_into = _socket.socket.recv_into
_recvfrom = _socket.socket.recvfrom
_recvfrom_into = _socket.socket.recvfrom_into
_recvmsg = _socket.socket.recvmsg
_recvmsg_into = _socket.socket.recvmsg_into
_send = _socket.socket.send
_sendto = _socket.socket.sendto
_sendmsg = _socket.socket.sendmsg

DONTWAIT = _socket.MSG_DONTWAIT
WAITALL = _socket.MSG_WAITALL
PEEK = _socket.MSG_PEEK

LINUX = sys.platform == "linux"

#: Bytes that sendfile reads at a time.
FILE_BLOCK = 64 * 1024


class socket(Endpoint):  # noqa: N801 (the standard library's name)
    """A socket whose verbs wait on the hub: a subclass of the standard library's, with its semantics.

    One task at a time may wait in each direction of a stream, another gets `Busy`; in `accept` and on
    datagram sockets they queue up. `close()`, from any thread, wakes whoever waits with `Closed`. A
    verb that is cancelled has done nothing, but for what `sendall` and `connect` say.

    Switches: never. Call from: any thread. Raises: OSError.
    """

    __module__ = "hubkit.green.socket"
    __slots__ = ()

    # -- connections ------------------------------------------------------------------------------

    def connect(self, address: Address, /) -> None:
        """Connect to `address`; a host's name is looked up first, off the hub.

        After a timeout or a cancel the attempt may still be under way: close the socket.

        Switches: if it must wait. Call from: hub. Raises: OSError; TimeoutError; BlockingIOError if
        the socket must not wait; Closed; Busy; Cancelled.
        """
        error = self._connect(address)
        if error:
            raise OSError(error, os.strerror(error))

    def connect_ex(self, address: Address, /) -> int:
        """Like `connect`, but return the error's number, or 0; EAGAIN after a timeout.

        Switches: if it must wait. Call from: hub. Raises: gaierror; Closed; Busy; Cancelled.
        """
        try:
            return self._connect(address)
        except TimeoutError:
            return EAGAIN

    def _connect(self, address: Address) -> int:
        if latched and self._timeout != 0.0:
            deliver_latched()
        address = resolved(self, address)
        self._set_nonblocking()
        timeout = self._timeout
        deadline = None
        tries = 0
        while True:
            record = self._record
            if record is not None:
                record.writable = False
            error = _connect_ex(self, address)
            if timeout == 0.0:
                return error
            if error == EISCONN and tries:
                return 0
            if error == EAGAIN:  # a Unix listener whose queue is full: no event tells of room
                tries += 1
                deadline = self._wait_for_room(deadline, tries)
            elif error in (EINPROGRESS, EALREADY):
                deadline = self._wait(WRITE, deadline)
                tries += 1
                error = self.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR)
                if error:
                    if LINUX:  # which tells it twice, and only then lets the socket try again
                        _connect_ex(self, address)
                    return error
            else:
                return error

    def _wait_for_room(self, deadline: float | None, tries: int) -> float | None:
        if self._timeout is not None:
            now = current_hub().now()
            deadline = now + self._timeout if deadline is None else deadline
            if now >= deadline:
                raise TimeoutError("timed out")
        self._pause(fds.PATIENCE + tries)
        return deadline

    def bind(self, address: Address, /) -> None:
        """Bind to `address`; a host's name is looked up first, off the hub.

        Switches: if it must wait. Call from: hub. Raises: OSError; gaierror; Cancelled.
        """
        super().bind(resolved(self, address))

    def listen(self, backlog: int | None = None, /) -> None:
        """Accept connections from now on; `backlog` of them may queue up in the kernel.

        Switches: never. Call from: any thread. Raises: OSError.
        """
        self._queue_acceptors()
        if backlog is None:
            super().listen()
        else:
            super().listen(backlog)

    def accept(self) -> tuple[socket, Address]:
        """Wait for a connection; the socket for it, and the client's address.

        Several tasks may wait: they are served in the order of their calls.

        Switches: if it must wait. Call from: hub. Raises: OSError; TimeoutError; BlockingIOError if
        the socket must not wait; Closed; Cancelled.
        """
        self._set_nonblocking()
        fd, address = self._retry(READ, 0, _accept)
        return socket._wrap(self.family, self.type, self.proto, fd), address

    # -- receiving --------------------------------------------------------------------------------

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """Receive at most `bufsize` bytes; b"" at the end of a stream.

        Switches: if it must wait. Call from: hub. Raises: OSError; TimeoutError; BlockingIOError if
        the socket must not wait; Closed; Busy; Cancelled.
        """
        if flags:
            return self._recv_with_flags(bufsize, flags)
        if latched and self._timeout != 0.0:
            deliver_latched()
        deadline = None
        while (record := self._record) is not None:
            if record.readable or not bufsize:
                try:
                    record.readable = False
                    data = _recv(self, bufsize, DONTWAIT)
                    if not 0 < len(data) < bufsize or not record.short_reads or record.hung_up:
                        record.readable = True
                    return data
                except BlockingIOError:
                    pass
                except BaseException:
                    record.readable = True
                    raise
            deadline = self._wait(READ, deadline)
        return self._retry(READ, 0, _recv, bufsize, DONTWAIT, deadline=deadline)

    def _recv_with_flags(self, bufsize: int, flags: int) -> bytes:
        if self._fills(flags):
            buffer = bytearray(bufsize)
            return bytes(buffer[: self._fill(memoryview(buffer), flags)])
        return self._retry(READ, flags, _recv, bufsize, flags | DONTWAIT)

    def recv_into(self, buffer: WriteableBuffer, nbytes: int = 0, flags: int = 0) -> int:
        """Receive at most `nbytes` bytes (0: what fits) into `buffer`; their number, 0 at the end.

        Switches: if it must wait. Call from: hub. Raises: OSError; TimeoutError; BlockingIOError if
        the socket must not wait; Closed; Busy; Cancelled.
        """
        if flags:
            return self._recv_into_with_flags(buffer, nbytes, flags)
        if latched and self._timeout != 0.0:
            deliver_latched()
        size = nbytes or memoryview(buffer).nbytes
        deadline = None
        while (record := self._record) is not None:
            if record.readable or not size:
                try:
                    record.readable = False
                    received = _recv_into(self, buffer, nbytes, DONTWAIT)
                    if not 0 < received < size or not record.short_reads or record.hung_up:
                        record.readable = True
                    return received
                except BlockingIOError:
                    pass
                except BaseException:
                    record.readable = True
                    raise
            deadline = self._wait(READ, deadline)
        return self._retry(READ, 0, _recv_into, buffer, nbytes, DONTWAIT, deadline=deadline)

    def _recv_into_with_flags(self, buffer: WriteableBuffer, nbytes: int, flags: int) -> int:
        if self._fills(flags):
            with memoryview(buffer) as view, view.cast("B") as octets:
                return self._fill(octets[: nbytes or len(octets)], flags)
        return self._retry(READ, flags, _recv_into, buffer, nbytes, flags | DONTWAIT)

    def _fills(self, flags: int) -> bool:
        """Whether MSG_WAITALL counts: the standard socket heeds it without a timeout only."""
        heeded = flags & WAITALL and not flags & (PEEK | DONTWAIT) and self._timeout is None
        return bool(heeded) and self._is_stream()

    def _fill(self, octets: memoryview, flags: int) -> int:
        filled = 0
        while filled < len(octets):
            received = self._retry(READ, flags, _recv_into, octets[filled:], 0, flags | DONTWAIT)
            if not received:
                break
            filled += received
        return filled

    def recvfrom(self, bufsize: int, flags: int = 0, /) -> tuple[bytes, Address]:
        """Receive at most `bufsize` bytes, and their sender's address; datagrams one at a time.

        Switches: if it must wait. Call from: hub. Raises: OSError; TimeoutError; BlockingIOError if
        the socket must not wait; Closed; Busy; Cancelled.
        """
        return self._retry(READ, flags, _recvfrom, bufsize, flags | DONTWAIT)

    def recvfrom_into(self, buffer: WriteableBuffer, nbytes: int = 0, flags: int = 0) -> tuple[int, Address]:
        """Receive at most `nbytes` bytes (0: what fits) into `buffer`; their number and sender.

        Switches: if it must wait. Call from: hub. Raises: OSError; TimeoutError; BlockingIOError if
        the socket must not wait; Closed; Busy; Cancelled.
        """
        return self._retry(READ, flags, _recvfrom_into, buffer, nbytes, flags | DONTWAIT)

    def recvmsg(
        self, bufsize: int, ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[bytes, list[tuple[int, int, bytes]], int, Address]:
        """Receive data and ancillary data: (data, ancillary data, flags, address).

        Switches: if it must wait. Call from: hub. Raises: OSError; TimeoutError; BlockingIOError if
        the socket must not wait; Closed; Busy; Cancelled.
        """
        return self._retry(READ, flags, _recvmsg, bufsize, ancbufsize, flags | DONTWAIT)

    def recvmsg_into(
        self, buffers: Iterable[WriteableBuffer], ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[int, list[tuple[int, int, bytes]], int, Address]:
        """Receive into several buffers in turn: (bytes, ancillary data, flags, address).

        Switches: if it must wait. Call from: hub. Raises: OSError; TimeoutError; BlockingIOError if
        the socket must not wait; Closed; Busy; Cancelled.
        """
        # A list, as it may take more than one try.
        return self._retry(READ, flags, _recvmsg_into, list(buffers), ancbufsize, flags | DONTWAIT)

    # -- sending ----------------------------------------------------------------------------------

    def send(self, data: ReadableBuffer, flags: int = 0, /) -> int:
        """Send as much of `data` as there is room for, at least one byte; how many bytes that were.

        Switches: if it must wait. Call from: hub. Raises: OSError; TimeoutError; BlockingIOError if
        the socket must not wait; Closed; Busy; Cancelled.
        """
        if latched and self._timeout != 0.0:
            deliver_latched()
        try:
            return _send(self, data, flags | DONTWAIT)
        except BlockingIOError:
            if self._timeout == 0.0:
                raise
        return self._retry(WRITE, flags, _send, data, flags | DONTWAIT)

    def sendall(self, data: ReadableBuffer, flags: int = 0, /) -> None:
        """Send the whole of `data`. The timeout is for all of it.

        If it ends by an error, a timeout or a cancel, the first bytes of `data` may have been sent, and
        nobody knows how many: then close the socket. A cancel that was due at the call sends nothing.

        Switches: if it must wait. Call from: hub. Raises: OSError; TimeoutError; BlockingIOError if
        the socket must not wait; Closed; Busy; Cancelled.
        """
        if latched and self._timeout != 0.0:
            deliver_latched()
        try:
            sent = _send(self, data, flags | DONTWAIT)
        except BlockingIOError:
            if self._timeout == 0.0:
                raise
            sent = 0
        if sent != (len(data) if type(data) is bytes else memoryview(data).nbytes):
            self._send_rest(data, sent, flags)

    def _send_rest(self, data: ReadableBuffer, sent: int, flags: int) -> None:
        timeout = self._timeout
        deadline = None if timeout is None else current_hub().now() + timeout
        with memoryview(data) as view, view.cast("B") as octets:
            while sent < len(octets):
                with octets[sent:] as rest:
                    sent += self._retry(WRITE, flags, _send, rest, flags | DONTWAIT, deadline=deadline)

    def sendto(self, data: ReadableBuffer, *args: Any) -> int:
        """`sendto(data, address)` or `sendto(data, flags, address)`: send one datagram; its length.

        A host's name is looked up first, off the hub.

        Switches: if it must wait. Call from: hub. Raises: OSError; TimeoutError; BlockingIOError if
        the socket must not wait; Closed; Cancelled.
        """
        if not 1 <= len(args) <= 2:
            raise TypeError(f"sendto() takes 2 or 3 arguments ({1 + len(args)} given)")
        flags = args[0] if len(args) == 2 else 0
        address = resolved(self, args[-1])
        return self._retry(WRITE, flags, _sendto, data, flags | DONTWAIT, address)

    def sendmsg(
        self,
        buffers: Iterable[ReadableBuffer],
        ancdata: Iterable[tuple[int, int, ReadableBuffer]] = (),
        flags: int = 0,
        address: Address = None,
        /,
    ) -> int:
        """Send several buffers as one, with ancillary data; how many bytes were sent.

        Switches: if it must wait. Call from: hub. Raises: OSError; TimeoutError; BlockingIOError if
        the socket must not wait; Closed; Busy; Cancelled.
        """
        if address is not None:
            address = resolved(self, address)
        # Lists, as it may take more than one try.
        return self._retry(WRITE, flags, _sendmsg, list(buffers), list(ancdata), flags | DONTWAIT, address)

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Send the file from `offset` to its end, or `count` bytes of it; how many bytes were sent.

        The file's position tells how far it came, also after an error.

        Switches: if it must wait. Call from: hub. Raises: OSError; TimeoutError; ValueError if the socket
        must not wait; Closed; Busy; Cancelled.
        """
        self._check_sendfile_params(file, offset, count)  # type: ignore[attr-defined]
        if self._timeout == 0.0:
            raise ValueError("sendfile() may have to wait, and this socket must not: see settimeout()")
        if offset:
            file.seek(offset)
        sent = 0
        try:
            while count is None or sent < count:
                block = memoryview(file.read(FILE_BLOCK if count is None else min(FILE_BLOCK, count - sent)))
                if not block:
                    break
                while block:
                    just_sent = self.send(block)
                    sent += just_sent
                    block = block[just_sent:]
            return sent
        finally:
            if sent and hasattr(file, "seek"):
                file.seek(offset + sent)
