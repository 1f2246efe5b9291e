"""`hubkit.green.socket`: the standard module `socket`, waiting on whichever hub was chosen.

What must live here: the module's public names. What this file must not know: how anything waits.

Whatever is not defined below is the standard module's own: constants, errors, `inet_aton` and its like,
`setdefaulttimeout`.
"""

from __future__ import annotations

import _socket
import os
import socket as standard
import sys
from typing import TYPE_CHECKING, Any

if not TYPE_CHECKING:
    from socket import *  # noqa: F403

from .. import fds
from .names import (
    getaddrinfo,
    getfqdn,
    gethostbyaddr,
    gethostbyname,
    gethostbyname_ex,
    getnameinfo,
)
from .verbs import socket

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup

Address = Any

__all__ = [
    "close",
    "create_connection",
    "create_server",
    "fromfd",
    "getaddrinfo",
    "getfqdn",
    "gethostbyaddr",
    "gethostbyname",
    "gethostbyname_ex",
    "getnameinfo",
    "socket",
    "socketpair",
]
__all__ += [name for name in standard.__all__ if name not in __all__]

_GLOBAL_DEFAULT_TIMEOUT: Any = standard._GLOBAL_DEFAULT_TIMEOUT  # type: ignore[attr-defined]


def __getattr__(name: str) -> Any:
    # What the standard module has beside its __all__: SocketIO, MsgFlag, names that libraries borrow.
    return getattr(standard, name)


def create_connection(
    address: tuple[str | None, int],
    timeout: float | None = _GLOBAL_DEFAULT_TIMEOUT,
    source_address: tuple[str, int] | None = None,
    *,
    all_errors: bool = False,
) -> socket:
    """A TCP socket connected to `address`, a pair of host and port; all its addresses are tried in turn.

    `timeout` is set on the socket, so it is for each attempt; by default it is `getdefaulttimeout()`.
    If none succeeds the last error is raised, with `all_errors` an ExceptionGroup of them all.

    Switches: if it must wait. Call from: hub. Raises: OSError; gaierror; TimeoutError; Cancelled.
    """
    host, port = address
    errors: list[Exception] = []
    try:
        for family, type_, proto, _, target in getaddrinfo(host, port, 0, _socket.SOCK_STREAM):
            try:
                return _connected(family, type_, proto, target, timeout, source_address)
            except OSError as error:
                errors.append(error)
        if not errors:
            raise OSError(f"getaddrinfo() knows no address of {host!r}")
        if all_errors:
            raise ExceptionGroup(f"no address of {host!r} could be connected to", errors)
        raise errors[-1]
    finally:
        errors.clear()  # each holds this frame, which holds them


def _connected(
    family: int,
    type_: int,
    proto: int,
    target: Address,
    timeout: float | None,
    source: tuple[str, int] | None,
) -> socket:
    sock = socket(family, type_, proto)
    try:
        if timeout is not _GLOBAL_DEFAULT_TIMEOUT:
            sock.settimeout(timeout)
        if source:
            sock.bind(source)
        sock.connect(target)
    except BaseException:
        sock.close()
        raise
    return sock


def create_server(
    address: Address,
    *,
    family: int = _socket.AF_INET,
    backlog: int | None = None,
    reuse_port: bool = False,
    dualstack_ipv6: bool = False,
) -> socket:
    """A TCP socket that listens at `address`, a pair of host and port.

    `dualstack_ipv6` makes an AF_INET6 one accept IPv4 too; without it it does not.

    Switches: if it must wait. Call from: hub. Raises: OSError; gaierror; ValueError for what this
    platform does not have; Cancelled.
    """
    if reuse_port and not hasattr(_socket, "SO_REUSEPORT"):
        raise ValueError("SO_REUSEPORT not supported on this platform")
    if dualstack_ipv6:
        if not standard.has_dualstack_ipv6():
            raise ValueError("dualstack_ipv6 not supported on this platform")
        if family != _socket.AF_INET6:
            raise ValueError("dualstack_ipv6 requires AF_INET6 family")
    sock = socket(family, _socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEPORT, 1)
        if standard.has_ipv6 and family == _socket.AF_INET6:
            sock.setsockopt(_socket.IPPROTO_IPV6, _socket.IPV6_V6ONLY, not dualstack_ipv6)
        try:
            sock.bind(address)
        except OSError as error:
            text = f"{error.strerror} (while attempting to bind on address {address!r})"
            raise OSError(error.errno, text) from None
        sock.listen(backlog)
    except BaseException:
        sock.close()
        raise
    return sock


def socketpair(
    family: int | None = None, type: int = _socket.SOCK_STREAM, proto: int = 0
) -> tuple[socket, socket]:
    """Two sockets connected to each other; Unix ones by default.

    Switches: never. Call from: any thread. Raises: OSError.
    """
    if family is None:
        family = _socket.AF_UNIX
    first, second = _socket.socketpair(family, type, proto)
    return (
        socket._wrap(family, type, proto, first.detach()),
        socket._wrap(family, type, proto, second.detach()),
    )


def fromfd(fd: int, family: int, type: int, proto: int = 0) -> socket:
    """A socket on a duplicate of `fd`.

    Switches: never. Call from: any thread. Raises: OSError.
    """
    return socket(family, type, proto, _socket.dup(fd))


def close(fd: int, /) -> None:
    """Close a socket's descriptor, after telling whoever waits for it.

    Switches: never. Call from: any thread. Raises: OSError.
    """
    if fd >= 0:
        fds.notify_closing(fd)
    _socket.close(fd)
