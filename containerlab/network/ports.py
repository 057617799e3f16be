"""Published ports: a request's words made into listening sockets on the host. It runs in the host's namespace."""

from __future__ import annotations

import errno
import ipaddress
import os
import re
import socket
from typing import NamedTuple

from containerlab.errors import InvalidParameter

__all__ = ["Bound", "Wanted", "bind", "check", "port_range", "split_port"]

_PORT = re.compile(r"([0-9]{1,5})(?:/(tcp|udp))?")
_RANGE = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")
_BACKLOG = 128


class Wanted(NamedTuple):
    """``inside`` is ``80/tcp``; ``host_ip`` an address; the first port from ``first`` to ``last`` that is free, of all
    with 0."""

    inside: str
    host_ip: str
    first: int
    last: int


class Bound(NamedTuple):
    """A socket that listens (TCP) or is bound (UDP) on the host."""

    wanted: Wanted
    port: int
    socket: socket.socket


def split_port(inside: str) -> tuple[int, str]:
    """``80/tcp`` as 80 and ``tcp``. Raises InvalidParameter."""
    match = _PORT.fullmatch(inside)
    if match is None or not 0 < int(match[1]) < 65536:
        raise InvalidParameter(f'invalid port specification: "{inside}"', hint="tcp and udp are published here.")
    return int(match[1]), match[2] or "tcp"


def port_range(text: str) -> tuple[int, int]:
    """``8080`` or ``8000-8010``; (0, 0) for nothing. Raises InvalidParameter."""
    if not text:
        return 0, 0
    match = _RANGE.fullmatch(text)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (-1, -1)
    if not 0 <= first <= last < 65536:
        raise InvalidParameter(f'invalid port specification: "{text}"')
    return first, last


def check(inside: str, host_ip: str, host_port: str) -> None:
    """Raises InvalidParameter for what can't be published."""
    split_port(inside)
    port_range(host_port)
    if host_ip:
        try:
            ipaddress.ip_address(host_ip)
        except ValueError:
            raise InvalidParameter(f"invalid IP address: {host_ip}") from None


def bind(wanted: Wanted) -> Bound:
    """Raises OSError(EADDRINUSE) where every port of the range is taken, or what else bind(2) refuses."""
    _, protocol = split_port(wanted.inside)
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    family = socket.AF_INET6 if ":" in wanted.host_ip else socket.AF_INET
    refused = OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
    for port in range(wanted.first, wanted.last + 1):
        made = socket.socket(family, kind | socket.SOCK_CLOEXEC)
        try:
            if protocol == "tcp":
                # Without it a port is taken for minutes by connections that have ended (tcp(7), TIME_WAIT).
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            made.bind((wanted.host_ip, port))
            if protocol == "tcp":
                made.listen(_BACKLOG)
        except OSError as error:
            made.close()
            refused = error
            if error.errno != errno.EADDRINUSE:
                break
            continue
        return Bound(wanted, made.getsockname()[1], made)
    raise refused
