"""One client's connection: who may make it, and how long its request head may take.

The socket's mode (0600, in a folder of mode 0700) keeps other users out; the peer's uid is checked as
well, because a mode can be changed and a descriptor passed on. See unix(7), SO_PEERCRED.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from typing import Any, cast

from aiohttp import web

__all__ = ["Connection", "connection_factory", "peer_uid"]

_HEAD_SECONDS = 30.0
_MAX_CONNECTIONS = 4096
_LINE_LIMIT = 256 * 1024
"""Bytes of the request line or of one header: a build's arguments travel in the query."""

_UCRED = struct.Struct("iII")


def peer_uid(sock: socket.socket) -> int:
    """The uid of the process that connected, as this process's user namespace shows it."""
    _pid, uid, _gid = _UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return int(uid)


class Connection(web.RequestHandler):  # type: ignore[type-arg,unused-ignore]
    """aiohttp's connection, plus the check of its peer and a deadline for each request's head.

    Inside a user namespace every uid but the owner's own shows as the overflow uid, and is refused.
    """

    _refused = False
    _busy = False
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or drop it unanswered."""
        sock = transport.get_extra_info("socket")
        crowd = self._manager is not None and len(self._manager.connections) >= _MAX_CONNECTIONS
        if crowd or peer_uid(sock) not in (0, os.geteuid()):
            self._refused = True
            cast(asyncio.Transport, transport).abort()
            return
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the deadline with the connection."""
        self.request_begins()
        if not self._refused:
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes of a request; the first of them start the clock for its head."""
        if self._refused:
            return
        if not self._busy and self._deadline is None:
            self._deadline = self._loop.call_later(_HEAD_SECONDS, self.force_close)
        super().data_received(data)

    def request_begins(self) -> None:
        """A whole head has arrived."""
        self._busy = True
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def request_ends(self) -> None:
        """The next bytes belong to a new head."""
        self._busy = False


def connection_factory(server: web.Server) -> Any:  # type: ignore[type-arg,unused-ignore]
    """A protocol factory for ``loop.create_unix_server`` that makes connections of ``server``."""
    loop = asyncio.get_running_loop()

    def make() -> Connection:
        return Connection(
            server,
            loop=loop,
            tcp_keepalive=False,
            max_line_size=_LINE_LIMIT,
            max_field_size=_LINE_LIMIT,
        )

    return make
