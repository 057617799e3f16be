"""The attach protocol: a hijacked connection, its frames, and the pump between it and the person.

Source: Docker Engine API, ``ContainerAttach`` (stream format) and ``ExecStart``.
"""

from __future__ import annotations

__all__ = [
    "Frames",
    "Hijacked",
    "Input",
    "detach_bytes",
    "get",
    "hijack",
    "post",
    "pump",
    "request_error",
]

import os
import select
import socket
import struct
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import docker.errors
import requests

from containerlab.errors import UsageError

_CHUNK = 64 * 1024
_DETACH_KEYS = "ctrl-p,ctrl-q"
_CONTROL = "@abcdefghijklmnopqrstuvwxyz[\\]^_"


class Frames:
    """Cuts a multiplexed stream into (stream, payload): eight bytes of head, then as many bytes as it says."""

    def __init__(self, *, raw: bool = False) -> None:
        """``raw``: a terminal's stream has no frames, and everything is stdout."""
        self._raw = raw
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        if self._raw:
            yield 1, data
            return
        self._buffer += data
        while len(self._buffer) >= 8:
            stream, length = struct.unpack_from(">BxxxL", self._buffer)
            if len(self._buffer) < 8 + length:
                return
            payload = bytes(self._buffer[8 : 8 + length])
            del self._buffer[: 8 + length]
            yield stream, payload


class Hijacked:
    """A connection that is no longer HTTP. ``pending`` are bytes that came together with the response's head."""

    def __init__(self, response: requests.Response) -> None:
        self._response = response
        reader = response.raw._fp.fp
        os.set_blocking(reader.fileno(), False)
        self.pending: bytes = bytes(reader.peek() or b"")
        os.set_blocking(reader.fileno(), True)
        self.sock = socket.socket(fileno=os.dup(reader.fileno()))
        self.sock.setblocking(True)

    def end_input(self) -> None:
        """Half-close: the program reads end of file, its output still comes."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the other side has closed already, which is what the end of a program looks like

    def close(self) -> None:
        self.sock.close()
        self._response.raw._fp.close()
        self._response.close()


def request_error(response: requests.Response) -> None:
    """Raise docker-py's APIError for a status of 400 and more."""
    try:
        response.raise_for_status()
    except requests.HTTPError as error:
        docker.errors.create_api_error_from_http_exception(error)


def post(client: Any, path: str, **arguments: Any) -> requests.Response:
    """POST to the engine, for what docker-py has no call for; no time limit, and the body isn't read yet.

    Raises docker.errors.APIError.
    """
    response: requests.Response = client.api.post(_url(client, path), stream=True, timeout=None, **arguments)
    request_error(response)
    return response


def get(client: Any, path: str, **arguments: Any) -> requests.Response:
    """GET a stream from the engine; no time limit, and the body isn't read yet. Raises docker.errors.APIError."""
    response: requests.Response = client.api.get(_url(client, path), stream=True, timeout=None, **arguments)
    request_error(response)
    return response


def _url(client: Any, path: str) -> str:
    return f"{client.api.base_url}/v{client.api.api_version}{quote(path)}"


def hijack(client: Any, path: str, **arguments: Any) -> Hijacked:
    """POST ``path`` and take the connection over."""
    return Hijacked(post(client, path, headers={"Connection": "Upgrade", "Upgrade": "tcp"}, **arguments))


def detach_bytes(keys: str) -> bytes:
    """``ctrl-a,b`` as the bytes that a terminal sends (moby/term ``ToBytes``). Raises UsageError."""
    found = bytearray()
    for key in keys.split(","):
        letter = key.removeprefix("ctrl-")
        if len(letter) != 1 or not letter.isascii() or (letter != key and letter.lower() not in _CONTROL):
            raise UsageError(
                f"invalid detach keys ({keys}): {key!r} is no key.",
                hint="Keys are letters and ctrl- with a letter, as in ctrl-p,ctrl-q.",
            )
        found.append(ord(letter) if letter == key else _CONTROL.index(letter.lower()))
    return bytes(found)


class Input:
    """What goes to the program: the text of a cell, or what a descriptor has; then end of file.

    ``half_close`` False leaves the stream open after it: where a container's input outlives one client, Docker's engine
    takes the half-close for the wish to leave, and the rest of the output would be lost.
    """

    def __init__(
        self, body: bytes | None = None, fd: int | None = None, *, half_close: bool = True, keys: str | None = None
    ) -> None:
        self.half_close = half_close
        self.waiting = bytearray(body or b"")
        self.fd = None if body is not None else fd
        self.detached = False
        self._keys = detach_bytes(keys or _DETACH_KEYS)
        self._last = b""

    @property
    def done(self) -> bool:
        return not self.waiting and self.fd is None

    def read(self) -> None:
        """Take what the descriptor has; at its end there is nothing more to come."""
        if self.fd is None:
            return
        try:
            data = os.read(self.fd, _CHUNK)
        except OSError:
            data = b""  # a terminal that has gone away reads as EIO
        if not data:
            self.fd = None
        self.detached = self.detached or self._keys in self._last + data
        self._last = (self._last + data)[1 - len(self._keys) :] if len(self._keys) > 1 else b""
        self.waiting += data


def pump(
    stream: Hijacked,
    source: Input | None,
    write: Callable[[int, bytes], None],
    frames: Frames,
    *,
    on_idle: Callable[[], None] | None = None,
    until_sent: bool = False,
) -> None:
    """Move bytes both ways until the engine closes its side. ``on_idle`` is called at least every half second.

    ``until_sent``: nothing is to come back, so it is over when the input has ended. An interrupted pump may be called
    again with the same ``frames``.
    """
    pending, stream.pending = stream.pending, b""
    for number, payload in frames.feed(pending):
        write(number, payload)
    while True:
        if source is not None and source.done:
            if source.half_close:
                stream.end_input()
            source = None
        if source is None and until_sent:
            return
        ready = _wait(stream, source)
        if on_idle is not None:
            on_idle()
        if source is not None:
            if source.fd is not None and source.fd in ready:
                source.read()
            if source.waiting and ready.get(stream.sock.fileno(), 0) & select.POLLOUT:
                _send(stream, source)
        if ready.get(stream.sock.fileno(), 0) & (select.POLLIN | select.POLLHUP | select.POLLERR):
            data = _receive(stream)
            if not data:
                return
            for number, payload in frames.feed(data):
                write(number, payload)


def _wait(stream: Hijacked, source: Input | None) -> dict[int, int]:
    poll = select.poll()
    poll.register(stream.sock, select.POLLIN | (select.POLLOUT if source is not None and source.waiting else 0))
    if source is not None and source.fd is not None and len(source.waiting) < _CHUNK:
        poll.register(source.fd, select.POLLIN | select.POLLHUP)
    return dict(poll.poll(500))


def _send(stream: Hijacked, source: Input) -> None:
    try:
        sent = stream.sock.send(source.waiting[:_CHUNK], socket.MSG_DONTWAIT)
    except BlockingIOError:
        return
    except (BrokenPipeError, ConnectionResetError):
        source.waiting.clear()  # the program has ended without reading on, as `head` does
        source.fd = None
        return
    del source.waiting[:sent]


def _receive(stream: Hijacked) -> bytes:
    try:
        return stream.sock.recv(_CHUNK)
    except ConnectionResetError:
        return b""
