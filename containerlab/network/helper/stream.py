"""One connection through a published port, by splice(2): its data never comes into this process.

Each direction is a pipe, which holds what the other side hasn't taken yet. By callbacks of the loop rather than tasks,
because most connections are short, and their price is what is done before the first byte.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import socket
from collections.abc import Callable

__all__ = ["Stream"]

_PIPE, _NARROW = 1 << 20, 1 << 14
_CONNECT_SECONDS = 10.0
# Pieces that one direction moves before the other connections have their turn.
_PIECES = 16
_FLAGS = os.SPLICE_F_MOVE | os.SPLICE_F_NONBLOCK
_RESET = b"\1\0\0\0\0\0\0\0"  # struct linger: on, no second


class Stream:
    """``client``, which it owns, joined to a target.

    ``ended(stream)`` is called once, when both are closed; that may be within ``start``.
    """

    def __init__(self, client: socket.socket, family: socket.AddressFamily, ended: Callable[[Stream], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._client, self._ended = client, ended
        self._server = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._flows: list[_Flow] = []
        self._limit: asyncio.TimerHandle | None = None

    def start(self, target: tuple[str, int]) -> None:
        """Connect to an address and a port, and move what there is."""
        try:
            self._client.setblocking(False)
            self._server.setblocking(False)
            self._server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            said = self._server.connect_ex(target)
            if said == errno.EINPROGRESS:
                # To a container of this host the handshake is over by now: asked again, connect(2) says how it ended.
                said = self._server.connect_ex(target)
            if said == 0:
                self._join()
            elif said == errno.EALREADY:
                self._limit = self._loop.call_later(_CONNECT_SECONDS, self.close)
                self._loop.add_writer(self._server, self._connected)
            else:
                raise ConnectionRefusedError
        except OSError:
            self.close()

    def _connected(self) -> None:
        self._stop_waiting()
        if self._server.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.close()
            return
        self._join()

    def _stop_waiting(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
            self._loop.remove_writer(self._server)

    def _join(self) -> None:
        try:
            for source, sink in ((self._client, self._server), (self._server, self._client)):
                self._flows.append(_Flow(source, sink, self._flow_ended))
        except OSError:  # out of descriptors
            self.close()
            return
        for flow in self._flows:
            flow.pump()

    def _flow_ended(self, *, failed: bool) -> None:
        if failed:
            self.close()
        elif all(flow.done for flow in self._flows):
            self._close()

    def close(self) -> None:
        """The client sees its connection reset, as from a program that isn't there."""
        if self._client.fileno() >= 0:
            with contextlib.suppress(OSError):
                self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._close()

    def _close(self) -> None:
        if self._client.fileno() < 0:
            return
        self._stop_waiting()
        for flow in self._flows:
            flow.close()
        self._server.close()
        self._client.close()
        self._ended(self)


class _Flow:
    """One direction, until the source's end, which is passed on: the other direction may go on."""

    def __init__(self, source: socket.socket, sink: socket.socket, ended: Callable[..., None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._source, self._sink, self._ended = source, sink, ended
        self._out_of, self._into = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._held = 0
        self._wide = False
        self._reads: bool | None = None
        self.done = False

    def pump(self) -> None:
        """Move what there is."""
        if self.done:
            return
        try:
            for _ in range(_PIECES):
                if not self._fill() or not self._drain():
                    return
            self._wait(reading=not self._held)
        except OSError:
            self.close()
            self._ended(failed=True)

    def _fill(self) -> bool:
        """Whether the pipe holds something."""
        if self._held:
            return True
        try:
            self._held = os.splice(self._source.fileno(), self._into, _PIPE, flags=_FLAGS)
        except BlockingIOError:
            self._wait(reading=True)
            return False
        if not self._held:
            with contextlib.suppress(OSError):
                self._sink.shutdown(socket.SHUT_WR)
            self.close()
            self._ended(failed=False)
        if self._held >= _NARROW and not self._wide:
            self._widen()
        return bool(self._held)

    def _widen(self) -> None:
        """A stream of much data gets a pipe to match; most connections aren't."""
        self._wide = True
        with contextlib.suppress(OSError):  # beyond what one user's pipes may hold; it works with less
            fcntl.fcntl(self._into, fcntl.F_SETPIPE_SZ, _PIPE)

    def _drain(self) -> bool:
        """Whether the sink took something."""
        try:
            self._held -= os.splice(self._out_of, self._sink.fileno(), self._held, flags=_FLAGS)
        except BlockingIOError:
            self._wait(reading=False)
            return False
        return True

    def _wait(self, *, reading: bool) -> None:
        if self._reads is reading:
            return
        self._forget()
        self._reads = reading
        if reading:
            self._loop.add_reader(self._source, self.pump)
        else:
            self._loop.add_writer(self._sink, self.pump)

    def _forget(self) -> None:
        if self._reads is not None:
            (self._loop.remove_reader if self._reads else self._loop.remove_writer)(
                self._source if self._reads else self._sink
            )
            self._reads = None

    def close(self) -> None:
        """Let go of the pipe; the sockets are the stream's."""
        if not self.done:
            self.done = True
            self._forget()
            os.close(self._out_of)
            os.close(self._into)
