"""Answers that aren't one JSON object: hijacked connections, frames, and streams of JSON messages.

A hijacked connection leaves the engine: its descriptor goes to the supervisor, which joins it to the
container's stdio. See https://docs.docker.com/reference/api/engine/version/v1.43/#tag/Container/operation/ContainerAttach
for the two forms of the answer's head and the frames.
"""

from __future__ import annotations

import array
import asyncio
import fcntl
import json
import os
import socket
import struct
import termios
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import web

from containerlab.api import versions
from containerlab.api.errors import status_and_message
from containerlab.api.memory import trim
from containerlab.errors import BuildFailed

__all__ = [
    "Emit",
    "Hijacked",
    "begin",
    "content_type",
    "frame",
    "hijack",
    "json_answer",
    "message_stream",
    "report_in_stream",
]

Emit = Callable[[dict[str, Any]], None]

RAW_STREAM = "application/vnd.docker.raw-stream"
MULTIPLEXED_STREAM = "application/vnd.docker.multiplexed-stream"

_FRAME_HEAD = struct.Struct(">BxxxL")
_PENDING_LIMIT = 64 * 1024 * 1024
_HEAD_READ_SECONDS = 0.2
_TRIM_SECONDS = 1.0


class Hijacked(web.StreamResponse):
    """Stands for an answer that was written by hand; aiohttp has nothing left to send."""

    async def prepare(self, request: web.BaseRequest) -> None:
        """The head is written already."""

    async def write_eof(self, data: bytes = b"") -> None:
        """The end comes from whoever owns the descriptor now."""


def json_answer(data: object, *, status: int = 200) -> web.Response:
    """``data`` as a JSON answer."""
    return web.Response(body=msgspec.json.encode(data) + b"\n", status=status, content_type="application/json")


def frame(stream: int, payload: bytes) -> bytes:
    """Docker's frame: stream (1 stdout, 2 stderr), three zero bytes, big-endian length, payload."""
    return _FRAME_HEAD.pack(stream, len(payload)) + payload


def content_type(request: web.Request, *, tty: bool) -> str:
    """What a container's output is called; frames have a name of their own since API 1.42."""
    return RAW_STREAM if tty or not versions.at_least(request, "1.42") else MULTIPLEXED_STREAM


async def begin(request: web.Request, kind: str) -> web.StreamResponse:
    """A chunked answer whose head is sent at once: some clients block until they have it."""
    response = web.StreamResponse(headers={"Content-Type": kind})
    response.enable_chunked_encoding()
    await response.prepare(request)
    return response


@asynccontextmanager
async def hijack(request: web.Request, *, tty: bool) -> AsyncIterator[int]:
    """Take the connection from aiohttp and write the head; yields its descriptor, closed at the end.

    With ``Upgrade`` in the request the head is ``101 UPGRADED``, else ``200 OK`` and the bare stream.
    Whoever writes next waits until the client has read the head (see ``report_in_stream``).
    """
    transport = request.transport
    if transport is None:
        raise ConnectionResetError("the client has left")
    transport.pause_reading()
    descriptor = os.dup(transport.get_extra_info("socket").fileno())
    try:
        # The duplicate keeps the connection open; abort() only takes aiohttp's own descriptor off the loop.
        transport.abort()
        os.write(descriptor, _head(request, tty=tty))
        yield descriptor
    finally:
        os.close(descriptor)


def _head(request: web.Request, *, tty: bool) -> bytes:
    if "Upgrade" not in request.headers:
        return f"HTTP/1.1 200 OK\r\nContent-Type: {RAW_STREAM}\r\n\r\n".encode()
    kind = content_type(request, tty=tty)
    return (f"HTTP/1.1 101 UPGRADED\r\nContent-Type: {kind}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n").encode()


async def report_in_stream(descriptor: int, error: Exception, *, tty: bool) -> None:
    """Tell an error that came after the head; the client shows it like output (moby does so for exec)."""
    deadline = asyncio.get_running_loop().time() + _HEAD_READ_SECONDS
    while _unread(descriptor) and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.001)
    text = status_and_message(error)[1].encode() + b"\r\n"
    with socket.socket(fileno=os.dup(descriptor)) as sock:
        try:
            sock.send(text if tty else frame(1, text), socket.MSG_NOSIGNAL)
        except OSError:
            return  # the client left, so nobody is there to be told


def _unread(descriptor: int) -> int:
    """Bytes that the peer hasn't read yet (unix(7), SIOCOUTQ, which has TIOCOUTQ's number)."""
    count = array.array("i", [0])
    fcntl.ioctl(descriptor, termios.TIOCOUTQ, count)
    return count[0]


async def message_stream(
    request: web.Request, work: Callable[[Emit], Awaitable[object]], *, quiet: bool = False
) -> web.StreamResponse:
    """Run ``work`` and send the messages it emits, one JSON object a line.

    An error before the first message is an ordinary error answer; after it, the last message. When the
    client leaves, or lets 64 MiB of messages pile up, ``work`` is cancelled.
    """
    stream = _MessageStream(request)
    task = asyncio.ensure_future(work(stream.emit))
    task.add_done_callback(lambda _: stream.end())
    try:
        await stream.send_all()
        return await _close(stream, task)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        # Layers pass by in megabytes; libc keeps what was freed, unless it is asked for it.
        asyncio.get_running_loop().call_later(_TRIM_SECONDS, trim)


class _MessageStream:
    """Messages on their way to the client; the answer begins with the first of them."""

    def __init__(self, request: web.Request) -> None:
        self.response: web.StreamResponse | None = None
        self.failed = False
        self._request = request
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._pending = 0

    def emit(self, message: dict[str, Any]) -> None:
        """Queue a message; may be called from any thread."""
        self.failed = self.failed or "error" in message
        self._loop.call_soon_threadsafe(self._put, msgspec.json.encode(message) + b"\r\n")

    def end(self) -> None:
        """No message comes after those emitted so far."""
        self._loop.call_soon_threadsafe(self._queue.put_nowait, None)

    async def send_all(self) -> None:
        """Write messages until the end. Raises ConnectionResetError for a client that left or doesn't read."""
        while True:
            line = await self._queue.get()
            if line is None:
                return
            if self._pending > _PENDING_LIMIT:
                raise ConnectionResetError("the client does not read its answer")
            self._pending -= len(line)
            await self.write(line)

    async def write(self, line: bytes) -> None:
        """Send one line, after the head if that is still to come."""
        if self.response is None:
            self.response = await begin(self._request, "application/json")
        await self.response.write(line)

    def _put(self, line: bytes) -> None:
        self._pending += len(line)
        self._queue.put_nowait(line)


async def _close(stream: _MessageStream, task: asyncio.Future[object]) -> web.StreamResponse:
    error = task.exception()
    if error is not None and (stream.response is None or not isinstance(error, Exception)):
        raise error
    if isinstance(error, Exception) and not stream.failed:
        await stream.write(json.dumps(_error_message(error)).encode() + b"\r\n")
    return stream.response or await begin(stream._request, "application/json")


def _error_message(error: Exception) -> dict[str, Any]:
    text = status_and_message(error)[1]
    detail: dict[str, Any] = {"message": text}
    if isinstance(error, BuildFailed) and error.exit_code:
        detail["code"] = error.exit_code
    return {"errorDetail": detail, "error": text}
