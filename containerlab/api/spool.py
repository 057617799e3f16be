"""A request's body as a file: what must be read more than once, or by a thread."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

from aiohttp import web

from containerlab.errors import InvalidParameter

__all__ = ["spooled"]

_STALLED_SECONDS = 60.0
_PIECE = 1 << 20


@asynccontextmanager
async def spooled(request: web.Request, folder: Path, *, what: str, most: int) -> AsyncIterator[IO[bytes]]:
    """The body in a file without a name in ``folder``, rewound.

    Raises InvalidParameter for a client that sends nothing for a minute, or more than ``most`` bytes.
    """
    file = await asyncio.to_thread(_file, folder)
    try:
        await _fill(request, file, what, most)
        yield file
    finally:
        await asyncio.shield(asyncio.to_thread(file.close))  # a large one's blocks take a while to be freed


def _file(folder: Path) -> IO[bytes]:
    folder.mkdir(mode=0o700, exist_ok=True)
    return tempfile.TemporaryFile(dir=folder)


async def _fill(request: web.Request, file: IO[bytes], what: str, most: int) -> None:
    size, waiting = 0, 0
    pieces: list[bytes] = []
    while chunk := await _next_chunk(request, what):
        size += len(chunk)
        if size > most:
            raise InvalidParameter(f"{what} is larger than {most} bytes")
        pieces.append(chunk)
        waiting += len(chunk)
        if waiting >= _PIECE:
            await asyncio.to_thread(file.writelines, pieces)
            pieces, waiting = [], 0
    await asyncio.to_thread(_finish, file, pieces)


def _finish(file: IO[bytes], pieces: list[bytes]) -> None:
    file.writelines(pieces)
    file.seek(0)


async def _next_chunk(request: web.Request, what: str) -> bytes:
    try:
        async with asyncio.timeout(_STALLED_SECONDS):
            return await request.content.readany()
    except TimeoutError:
        raise InvalidParameter(f"no byte of {what} came for {_STALLED_SECONDS:.0f} seconds") from None
