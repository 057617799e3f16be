"""Bytes that a thread makes, taken piece by piece in the event loop: a bounded stretch ahead, and an end either way."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Protocol

__all__ = ["Sink", "byte_stream"]

_PIECE = 1 << 20
_AHEAD = 4


class Sink(Protocol):
    """What the work is given to write to."""

    def write(self, data: bytes, /) -> object: ...


class _Gone(Exception):
    """Raised in the thread: nobody takes its bytes any more."""


@asynccontextmanager
async def byte_stream(work: Callable[[Sink], object]) -> AsyncIterator[AsyncIterator[bytes]]:
    """Run ``work(sink)`` in a thread; what it writes comes in pieces of about 1 MiB, at most five in memory.

    The first piece is there (or ``work`` has ended) when the block begins, so that what ``work`` raises before it is
    raised here; later errors are raised by the iteration. The block's end ends the work, and waits for it.
    """
    pipe = _Pipe()
    thread = asyncio.ensure_future(asyncio.to_thread(pipe.run, work))
    try:
        pieces = pipe.pieces(thread)
        first = await anext(pieces, b"")
        async with aclosing(pieces):
            yield _after(first, pieces)
    finally:
        pipe.close()
        while not thread.done():
            try:
                await asyncio.wait([thread])
            except asyncio.CancelledError:
                continue
        if not thread.cancelled():
            thread.exception()


async def _after(first: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if first:
        yield first
    async for piece in pieces:
        yield piece


class _Pipe:
    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ready = asyncio.Event()
        self._changed = threading.Condition()
        self._pieces: deque[bytes] = deque()
        self._batch: list[bytes] = []
        self._waiting = 0
        self._closed = False
        self._ended = False

    def run(self, work: Callable[[Sink], object]) -> None:
        try:
            work(self)
            self._flush()
        except _Gone:
            return
        finally:
            self._ended = True
            self._loop.call_soon_threadsafe(self._ready.set)

    def write(self, data: bytes, /) -> None:
        self._batch.append(data)
        self._waiting += len(data)
        if self._waiting >= _PIECE:
            self._flush()

    def _flush(self) -> None:
        piece, self._batch, self._waiting = b"".join(self._batch), [], 0
        if not piece:
            return
        with self._changed:
            while len(self._pieces) >= _AHEAD and not self._closed:
                self._changed.wait()
            if self._closed:
                raise _Gone
            self._pieces.append(piece)
        self._loop.call_soon_threadsafe(self._ready.set)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    async def pieces(self, thread: asyncio.Future[None]) -> AsyncGenerator[bytes, None]:
        while True:
            with self._changed:
                ended = self._ended  # looked at first: what was written before the end is there
                piece = self._pieces.popleft() if self._pieces else b""
                self._ready.clear()
                self._changed.notify_all()
            if piece:
                yield piece
            elif ended:
                await thread
                return
            else:
                await self._ready.wait()
