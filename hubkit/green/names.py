"""Names: host names to addresses and back, without holding up the hub.

What must live here: which look-ups may wait, and the addresses that need none. What this file must not
know: sockets.

The C library's look-ups ask files and servers and cannot be made to return. They run in native threads;
only what is a number already is answered directly.
"""

from __future__ import annotations

import _socket
from collections.abc import Callable
from enum import IntEnum
from socket import AddressFamily, SocketKind
from typing import Any, TypeVar

from ..threads import to_thread

T = TypeVar("T")
E = TypeVar("E", bound=IntEnum)
AddressInfo = tuple[AddressFamily, SocketKind, int, str, tuple[Any, ...]]

INET = _socket.AF_INET
INET6 = getattr(_socket, "AF_INET6", INET)

#: What the C socket itself takes for a number, or leaves open.
_SPECIAL = ("", "<broadcast>")


def getaddrinfo(
    host: bytes | str | None,
    port: bytes | str | int | None,
    family: int = 0,
    type: int = 0,
    proto: int = 0,
    flags: int = 0,
) -> list[AddressInfo]:
    """The addresses of `host` and `port`: (family, type, protocol, canonical name, address) each.

    Switches: if it must wait. Call from: hub. Raises: gaierror; Cancelled.
    """
    arguments = (host, port, family, type, proto, flags)
    if (host is None or is_number(host)) and not _names_service(port):
        found = _socket.getaddrinfo(*arguments)
    else:
        found = to_thread(_socket.getaddrinfo, *arguments)
    return [
        (_member(AddressFamily, info[0]), _member(SocketKind, info[1]), *info[2:])  # type: ignore[misc]
        for info in found
    ]


def gethostbyname(hostname: str, /) -> str:
    """The first IPv4 address of a host.

    Switches: if it must wait. Call from: hub. Raises: gaierror; Cancelled.
    """
    direct = hostname in _SPECIAL or is_number(hostname)
    return _directly_or_not(direct, _socket.gethostbyname, hostname)


def gethostbyname_ex(hostname: str, /) -> tuple[str, list[str], list[str]]:
    """A host's proper name, its other names and its IPv4 addresses.

    Switches: if it must wait. Call from: hub. Raises: gaierror; Cancelled.
    """
    return _directly_or_not(is_number(hostname), _socket.gethostbyname_ex, hostname)


def gethostbyaddr(ip_address: str, /) -> tuple[str, list[str], list[str]]:
    """The proper name, the other names and the addresses of the host with that address.

    Switches: always. Call from: hub. Raises: herror; gaierror; Cancelled.
    """
    return to_thread(_socket.gethostbyaddr, ip_address)


def getnameinfo(sockaddr: tuple[Any, ...], flags: int, /) -> tuple[str, str]:
    """The names of the host and the service at an address.

    Switches: if it must wait. Call from: hub. Raises: gaierror; Cancelled.
    """
    numbers = _socket.NI_NUMERICHOST | _socket.NI_NUMERICSERV
    direct = flags & numbers == numbers and is_number(sockaddr[0])
    return _directly_or_not(direct, _socket.getnameinfo, sockaddr, flags)


def getfqdn(name: str = "") -> str:
    """The full name of a host, by default of this one; `name` itself if none is known.

    Switches: always. Call from: hub. Raises: Cancelled.
    """
    name = name.strip()
    if name in ("", "0.0.0.0", "::"):
        name = _socket.gethostname()
    try:
        proper, others, _ = gethostbyaddr(name)
    except OSError:
        return name
    return next((full for full in (proper, *others) if "." in full), proper)


def resolved(sock: _socket.socket, address: Any) -> Any:
    """`address` with the host's name replaced by its number; whatever else it may be is returned as is.

    Left to itself the C socket would look the name up and hold up the hub.
    """
    family = _family_of(sock)
    if family not in (INET, INET6) or not isinstance(address, tuple) or not address:
        return address
    host = address[0]
    if not isinstance(host, (str, bytes, bytearray)) or host in _SPECIAL or is_number(host):
        return address
    if isinstance(host, bytearray):
        host = bytes(host)
    found: Any = to_thread(_socket.getaddrinfo, host, None, family)[0][4]
    if family == INET6 and len(address) in (2, 3):
        return (found[0], *address[1:], *(0, found[3])[len(address) - 2 :])
    return (found[0], *address[1:])


_family_of = _socket.socket.family.__get__


def is_number(host: Any) -> bool:
    """Whether `host` is an address written in numbers."""
    if isinstance(host, (bytes, bytearray)):
        host = host.decode("ascii", "replace")
    if not isinstance(host, str):
        return False
    host, _, scope = host.partition("%")
    for family in (INET6,) if scope or ":" in host else (INET,):
        try:
            _socket.inet_pton(family, host)
        except (OSError, ValueError):  # ValueError: a character that no address has
            return False
    return True


def _names_service(port: Any) -> bool:
    return isinstance(port, (str, bytes)) and not port.isdigit()


def _directly_or_not(direct: bool, call: Callable[..., T], *args: Any) -> T:
    return call(*args) if direct else to_thread(call, *args)


def _member(enum: type[E], value: int) -> E | int:
    try:
        return enum(value)
    except ValueError:
        return value
