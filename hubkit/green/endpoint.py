"""Endpoint: a socket's descriptor, how one waits for it, and how it ends.

What must live here: whose descriptor it is, its timeout, the wait that every verb shares, closing. What
this file must not know: what is sent or received (see verbs.py).

The C socket below never waits: a descriptor that we made has O_NONBLOCK, and every call that takes flags
gets MSG_DONTWAIT. For an adopted one (`fileno=`) that is all, as O_NONBLOCK belongs to the open
description and would change it for other processes too; only `accept` and `connect`, which take no flags,
must set it.

On a hub that owns streams (see poller.py) a stream of ours is registered once, and a *hint* tells whether
a call is worth a try. The hint is cleared before the call, and looked at again after the ticket is
published; so no event is lost, whichever thread polls and whoever else uses the socket.
"""

from __future__ import annotations

import _socket
import socket as standard
from collections.abc import Callable
from errno import EBADF
from typing import TYPE_CHECKING, Any, TypeVar

from .. import fds
from ..contract import READ, WRITE, Hub
from ..locks import Lock
from ..registry import current_hub
from ..waiting import CLOSED, TIMED_OUT, WOKEN, deliver_latched, latched, own_ticket, wait

if TYPE_CHECKING:
    from ..poller import StreamRecord

    StandardSocket = standard.socket
else:
    # Found by what it is and not by its name, which a monkey patcher may have given to something else.
    StandardSocket = next(
        found
        for found in _socket.socket.__subclasses__()
        if (found.__module__, found.__qualname__) == ("socket", "socket")
    )

T = TypeVar("T")
S = TypeVar("S", bound="Endpoint")

DONTWAIT = _socket.MSG_DONTWAIT
SOCK_STREAM = _socket.SOCK_STREAM
SOCK_NONBLOCK = getattr(_socket, "SOCK_NONBLOCK", 0)
AF_INET = _socket.AF_INET
INET = (AF_INET, getattr(_socket, "AF_INET6", AF_INET))
STREAMS = (*INET, getattr(_socket, "AF_UNIX", AF_INET))

_family_of = _socket.socket.family.__get__
_type_of = _socket.socket.type.__get__
_set_blocking = _socket.socket.setblocking

#: Seconds: the C socket's own limit.
LONGEST = float(2**63 // 10**9)


class Endpoint(StandardSocket):
    """What all verbs of a socket share. Used as `hubkit.green.socket.socket`.

    Switches: never. Call from: any thread. Raises: what the standard library's socket raises.
    """

    # _lines: by direction, where those queue up who may wait at the same time.
    # _made: by us, so it has O_NONBLOCK.  _owned: a stream that we made and that no one else closes.
    # _record: the hints of the hub that waited last; None if it keeps none, or has not been asked.
    __slots__ = ("_lines", "_made", "_open", "_owned", "_record", "_timeout")

    _lines: dict[str, Lock]
    _record: StreamRecord | None
    _timeout: float | None

    def __init__(self, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None) -> None:
        if fileno is None:
            family = AF_INET if family == -1 else family
            type = SOCK_STREAM if type == -1 else type
            super().__init__(family, type | SOCK_NONBLOCK, proto)
            self._prepare(made=True)
            if not SOCK_NONBLOCK:
                _set_blocking(self, False)
        else:
            super().__init__(family, type, proto, fileno)
            self._prepare(made=False)
            if self._timeout is not None:  # then the C socket has set O_NONBLOCK and would itself wait
                _set_blocking(self, False)
        if type != -1 and type & SOCK_NONBLOCK:
            self._timeout = 0.0

    @classmethod
    def _wrap(cls: type[S], family: int, type: int, proto: int, fd: int) -> S:
        """A socket on a descriptor that was made for it."""
        sock = cls.__new__(cls)
        StandardSocket.__init__(sock, family, type, proto, fd)
        sock._prepare(made=True)
        _set_blocking(sock, False)
        return sock

    def _prepare(self, made: bool) -> None:
        self._made = made
        self._owned = False
        self._record = None
        self._lines = {}
        self._timeout = _socket.getdefaulttimeout()
        if _type_of(self) != SOCK_STREAM:
            self._lines = {READ: Lock(), WRITE: Lock()}
        elif made:
            self._owned = _family_of(self) in STREAMS
        elif _listens(self):
            self._lines[READ] = Lock()
        self._open = True

    # -- timeouts ---------------------------------------------------------------------------------

    @property
    def timeout(self) -> float | None:
        """Seconds that a verb may take; None: for ever; 0.0: none may wait."""
        return self._timeout

    def gettimeout(self) -> float | None:
        """Seconds that a verb may take; None: for ever; 0.0: none may wait.

        Switches: never. Call from: any thread. Raises: nothing.
        """
        return self._timeout

    def settimeout(self, value: float | None, /) -> None:
        """Give each verb `value` seconds; None: for ever; 0: it raises BlockingIOError if it must wait.

        O_NONBLOCK is not touched.

        Switches: never. Call from: any thread. Raises: TypeError, ValueError, OverflowError; OSError if it
        is closed.
        """
        seconds = None if value is None else _checked_seconds(value)
        if self.fileno() < 0:
            raise OSError(EBADF, "the socket is closed")
        self._timeout = seconds
        self._record = None  # a socket that never waits has no use for hints

    def setblocking(self, flag: bool, /) -> None:
        """`settimeout(None)` if `flag` is true, else `settimeout(0)`.

        Switches: never. Call from: any thread. Raises: OSError if closed.
        """
        self.settimeout(None if flag else 0.0)

    def getblocking(self) -> bool:
        """Whether verbs may wait: `gettimeout() != 0`.

        Switches: never. Call from: any thread. Raises: nothing.
        """
        return self._timeout != 0.0

    # -- waiting ----------------------------------------------------------------------------------

    def _retry(
        self, direction: str, flags: int, call: Callable[..., T], *args: Any, deadline: float | None = None
    ) -> T:
        """`call(self, *args)` as soon as it need not wait; in line, where several may wait for that.

        `flags` are the caller's, and `args` forbid the call itself to wait.
        """
        if self._timeout == 0.0 or flags & DONTWAIT:
            return call(self, *args)
        if latched:
            deliver_latched()
        line = self._lines.get(direction)
        if line is None:
            return self._repeat(direction, deadline, call, args)
        queued = not line.acquire(blocking=False)
        if queued:
            deadline = self._stand_in(line, deadline)
        try:
            if queued and not self._open:
                raise self._was_closed()
            return self._repeat(direction, deadline, call, args)
        finally:
            line.release()

    def _stand_in(self, line: Lock, deadline: float | None) -> float | None:
        """Wait until it is the caller's turn; the time by which this verb must be done."""
        timeout = self._timeout
        if timeout is None:
            line.acquire()
            return None
        now = current_hub().now()
        if deadline is None:
            deadline = now + timeout
        if not line.acquire(timeout=max(0.0, deadline - now)):
            raise _timed_out()
        return deadline

    def _repeat(
        self, direction: str, deadline: float | None, call: Callable[..., T], args: tuple[Any, ...]
    ) -> T:
        fruitless = 0
        while True:
            try:
                return call(self, *args)
            except BlockingIOError:
                record = self._record
            if record is not None and _hint(record, direction):
                if direction == READ:
                    record.readable = False
                else:
                    record.writable = False
                continue
            deadline = self._wait(direction, deadline)
            fruitless += 1
            if fruitless > fds.PATIENCE:
                self._pause(fruitless)

    def _wait(self, direction: str, deadline: float | None) -> float | None:
        """Wait for the hub's hint, once; the time by which this verb must be done.

        Returns at once if the caller should look again first, as the hints it looked at are another hub's.
        """
        ticket = own_ticket()
        hub = ticket.task.hub
        fd = self.fileno()
        if fd < 0:
            raise self._was_closed()
        record = self._record
        if self._owned and (record is None or record.poller is not hub.poller):
            record = hub.own_stream(fd)
            if record is not self._record:
                self._use_hints(hub, fd, record)
                return deadline
        left = timeout = self._timeout
        if timeout is not None:
            now = hub.now()
            if deadline is None:
                deadline = now + timeout
            elif (left := deadline - now) <= 0.0:
                raise _timed_out()  # whatever the hub would say: there was news, and it was no use
        try:
            hub.arm_fd(fd, direction, ticket)
            if not self._open:
                hub.forget_fd(fd)
            elif record is not None and (record.readable if direction == READ else record.writable):
                hub.fire(ticket, WOKEN)
            outcome = wait(ticket, left)
        except BaseException:
            ticket.claim()  # or its place would be taken, if a signal handler raised before the wait
            raise
        if outcome is TIMED_OUT:
            raise _timed_out()
        if outcome is CLOSED or not self._open:
            raise self._was_closed()
        return deadline

    def _pause(self, fruitless: int) -> None:
        """Between two tries where the hub's hints are no help."""
        fds.pause(fruitless)
        if not self._open:
            raise self._was_closed()

    def _use_hints(self, hub: Hub, fd: int, record: StreamRecord | None) -> None:
        """From now on look at the hints of `hub`."""
        if record is not None and not record.mask:  # no event can have told otherwise yet
            record.short_reads = _family_of(self) in INET
        self._record = record
        if not self._open:  # closed by another thread, after the number was read: it may be another's now
            self._record = None
            hub.forget_fd(fd)
            raise self._was_closed()

    def _is_stream(self) -> bool:
        return bool(_type_of(self) == SOCK_STREAM)

    def _queue_acceptors(self) -> None:
        """It will be a listener: several may wait for a connection."""
        if READ not in self._lines:
            self._lines[READ] = Lock()

    def _set_nonblocking(self) -> None:
        """Before a verb that takes no flags."""
        if not self._made:
            _set_blocking(self, False)
            self._made = True

    # -- the end ----------------------------------------------------------------------------------

    def detach(self) -> int:
        """Give the descriptor away without closing it, and return its number; whoever waits gets Closed.

        Switches: never. Call from: any thread. Raises: nothing.
        """
        self._leave()
        return super().detach()

    def _real_close(self) -> None:
        # Called by close() once no file object made by makefile() is left.
        self._leave()
        super()._real_close()  # type: ignore[misc]

    def _leave(self) -> None:
        """Before the descriptor is closed or given away: it is nobody's any more."""
        fd = self.fileno()
        self._open = False
        self._record = None
        if fd >= 0:
            fds.forget_fd(fd)

    def __del__(self) -> None:
        fd = self.fileno()
        if fd >= 0:
            fds.forget_fd(fd)
        super().__del__()  # type: ignore[misc] # it closes the descriptor, with a ResourceWarning

    def _was_closed(self) -> Exception:
        return fds.was_closed("the socket was closed while this call waited")


def _hint(record: StreamRecord, direction: str) -> bool:
    return record.readable if direction == READ else record.writable


def _checked_seconds(value: Any) -> float:
    if not isinstance(value, float) and not hasattr(value, "__index__"):
        raise TypeError(f"a socket's timeout is a number of seconds or None, not {value!r}")
    seconds = float(value)
    if not seconds >= 0.0:
        raise ValueError(f"Timeout value out of range: {value!r} is not 0 or more seconds")
    if seconds > LONGEST:
        raise OverflowError(f"a socket's timeout is at most {LONGEST:.0f} seconds, not {value!r}")
    return seconds


def _timed_out() -> TimeoutError:
    return TimeoutError("timed out")


def _listens(sock: _socket.socket) -> bool:
    try:
        return bool(sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_ACCEPTCONN))
    except (AttributeError, OSError):  # this platform or family cannot tell
        return False
