"""One client of the supervisor's socket: packets in, replies and events out."""

from __future__ import annotations

import array
import errno
import os
import socket
from collections import deque

from containerlab.runtime.supervisor.loop import READ, WRITE
from containerlab.runtime.supervisor.protocol import (
    MAX_FDS,
    MAX_PACKET,
    RequestError,
    decode,
    encode,
    error_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from containerlab.runtime.supervisor.loop import Loop

    Handler = Callable[["Connection", dict[str, Any], list[int]], None]

__all__ = ["Connection"]

# A client that doesn't read its events is cut off; it connects again and asks for the list.
_QUEUE_LIMIT = 4096


class Connection:
    """``handle(connection, request, fds)`` answers by ``reply`` or ``fail``, or raises OSError; it owns the descriptors
    that it takes out of ``fds``, the others are closed."""

    def __init__(
        self, loop: Loop, peer: socket.socket, handle: Handler, on_close: Callable[[Connection], None]
    ) -> None:
        self._loop, self._peer, self._handle, self._on_close = loop, peer, handle, on_close
        self._queue: deque[bytes] = deque()
        peer.setblocking(False)
        self._watch()

    def _watch(self) -> None:
        self._loop.watch(self._peer.fileno(), READ | (WRITE if self._queue else 0), self._ready)

    def _ready(self, events: int) -> None:
        if events & WRITE:
            self._flush()
        if events & ~WRITE and self._peer.fileno() >= 0:
            self._receive()

    def _receive(self) -> None:
        space = socket.CMSG_SPACE(MAX_FDS * 4)
        try:
            packet, ancillary, flags, _ = self._peer.recvmsg(MAX_PACKET, space, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return
        except OSError:
            packet, ancillary, flags = b"", [], 0
        fds = _descriptors(ancillary)
        if not packet:
            self.close()
        else:
            self._dispatch(packet, fds, flags)
        for fd in fds:
            os.close(fd)

    def _dispatch(self, packet: bytes, fds: list[int], flags: int) -> None:
        number = 0
        try:
            if flags & socket.MSG_TRUNC:
                raise RequestError("protocol", errno.EMSGSIZE, f"a packet has {MAX_PACKET} bytes at most")
            request = decode(packet)
            number = request["id"]
            if flags & socket.MSG_CTRUNC:
                raise RequestError("protocol", errno.EMFILE, "the descriptors didn't fit into this process")
            self._handle(self, request, fds)
        except OSError as error:
            self.fail(number, error)
        except Exception as error:
            self.fail(number, RequestError("protocol", errno.EIO, f"{type(error).__name__}: {error}"))
            raise

    def reply(self, number: int, result: dict[str, Any]) -> None:
        self.send(encode({"id": number, "ok": result}))

    def fail(self, number: int, error: OSError) -> None:
        self.send(encode({"id": number, "error": error_of(error)}))

    def send(self, packet: bytes) -> None:
        if self._peer.fileno() < 0:
            return
        self._queue.append(packet)
        if len(self._queue) > _QUEUE_LIMIT:
            self.close()
        elif len(self._queue) == 1:
            self._flush()

    def _flush(self) -> None:
        try:
            while self._queue:
                self._peer.send(self._queue[0])
                self._queue.popleft()
        except BlockingIOError:
            pass
        except OSError:
            self.close()
            return
        self._watch()

    def close(self) -> None:
        if self._peer.fileno() >= 0:
            self._loop.unwatch(self._peer.fileno())
            self._peer.close()
            self._queue.clear()
            self._on_close(self)


def _descriptors(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    found: array.array[int] = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            found.frombytes(data[: len(data) - len(data) % found.itemsize])
    return list(found)
