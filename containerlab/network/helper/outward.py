"""Names that nobody in the lab has, asked of the servers outside that a container was given.

A server that keeps silent is not asked again for a while: where the host itself has no way out, a name doesn't resolve
at once, and not after the seconds of a resolver's patience. Whether it answers is found out before the first name.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import secrets
import socket

from dnslib import RCODE, DNSError, DNSRecord

__all__ = ["Outward"]

_PORT = 53
# A resolver that works answers within a second or so, also when it has to ask around.
_SECONDS = 2.0
_FIRST_SECONDS = 1.0
# So long a server that kept silent is taken to be out of reach.
_SILENT_SECONDS = 10.0
_AT_ONCE = 256
_DATAGRAM = 4096


class Outward:
    """Asks from the calling process's network namespace."""

    def __init__(self) -> None:
        self._silent_until: dict[str, float] = {}
        self._trials: dict[str, asyncio.Task[None]] = {}
        self._asking = 0

    def meet(self, servers: list[str]) -> None:
        """Find out whether these answer at all."""
        for server in servers:
            if server not in self._trials:
                self._trials[server] = asyncio.create_task(self._try(server))

    async def _try(self, server: str) -> None:
        query = DNSRecord.question(".", "NS").pack()
        if await _ask(server, bytes(query), _FIRST_SECONDS, stream=False) is None:
            self._is_silent(server)

    def _is_silent(self, server: str) -> None:
        self._silent_until[server] = asyncio.get_running_loop().time() + _SILENT_SECONDS

    async def ask(self, request: bytes, servers: list[str], *, stream: bool) -> bytes:
        """The first server's answer, else SERVFAIL. ``request`` is a query that parses; the servers were met."""
        if self._asking >= _AT_ONCE:
            return _failure(request)
        self._asking += 1
        try:
            for server in servers:
                await asyncio.shield(self._trials[server])
                if self._silent_until.get(server, 0.0) > asyncio.get_running_loop().time():
                    continue
                reply = await _ask(server, request, _SECONDS, stream=stream)
                if reply is not None:
                    return reply
                self._is_silent(server)
        finally:
            self._asking -= 1
        return _failure(request)


async def _ask(server: str, request: bytes, seconds: float, *, stream: bool) -> bytes | None:
    """One exchange under a number and from a port that nobody can guess (RFC 5452); None for silence or a refusal."""
    number = secrets.token_bytes(2)
    with contextlib.suppress(OSError, TimeoutError, ValueError):
        family = socket.AF_INET6 if ipaddress.ip_address(server).version == 6 else socket.AF_INET
        kind = socket.SOCK_STREAM if stream else socket.SOCK_DGRAM
        with socket.socket(family, kind | socket.SOCK_CLOEXEC) as outside:
            outside.setblocking(False)
            async with asyncio.timeout(seconds):
                await asyncio.get_running_loop().sock_connect(outside, (server, _PORT))
                exchange = _over_stream if stream else _over_datagrams
                reply = await exchange(outside, number + request[2:])
            return request[:2] + reply[2:]
    return None


async def _over_datagrams(outside: socket.socket, request: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(outside, request)
    while True:
        reply = await loop.sock_recv(outside, _DATAGRAM)
        if _belongs(reply, request):
            return reply


async def _over_stream(outside: socket.socket, request: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(outside, len(request).to_bytes(2, "big") + request)
    received = b""
    while len(received) < 2 or len(received) < 2 + int.from_bytes(received[:2], "big"):
        piece = await loop.sock_recv(outside, 1 << 16)
        if not piece:
            raise ConnectionResetError
        received += piece
    if not _belongs(received[2:], request):
        raise ConnectionResetError
    return received[2:]


def _belongs(reply: bytes, request: bytes) -> bool:
    """Whether it is an answer to that question."""
    try:
        said, asked = DNSRecord.parse(reply), DNSRecord.parse(request)
    except (DNSError, ValueError, UnicodeError, IndexError):
        return False
    if said.header.id != asked.header.id or not said.header.qr:
        return False
    same = [(str(q.qname).lower(), q.qtype) for q in said.questions] == [
        (str(q.qname).lower(), q.qtype) for q in asked.questions
    ]
    # A server that can't read a query repeats none of it.
    return same or (not said.questions and said.header.rcode != RCODE.NOERROR)


def _failure(request: bytes) -> bytes:
    reply = DNSRecord.parse(request).reply(ra=1, aa=0)
    reply.header.rcode = RCODE.SERVFAIL
    return bytes(reply.pack())
