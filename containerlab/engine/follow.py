"""A log that is read while it grows: from the kernel's notice of a write to the container's end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from containerlab.engine.container import Container
from containerlab.engine.logs import Selection, read_log
from containerlab.inotify import Watch

__all__ = ["follow_log"]

# A long log is given in pieces, so that one reader of it doesn't hold up the engine's other work.
_PIECE = 256


async def follow_log(container: Container, selection: Selection, *, follow: bool) -> AsyncIterator[tuple[int, bytes]]:
    """Pairs of stream and bytes; with ``follow`` until the container's present run ends."""
    count = 0
    # Closed at once, files and watch, and not whenever the collector finds it.
    async with aclosing(_follow(container, selection) if follow else read_log(container.log_path, selection)) as lines:
        async for line in lines:
            yield line
            count += 1
            if count % _PIECE == 0:
                await asyncio.sleep(0)


async def _follow(container: Container, selection: Selection) -> AsyncGenerator[tuple[int, bytes], None]:
    async with Watch(container.log_path) as watch:
        ended = asyncio.ensure_future(container.ended.wait())

        async def grown() -> bool:
            changed = asyncio.ensure_future(watch.changed())
            try:
                await asyncio.wait((changed, ended), return_when=asyncio.FIRST_COMPLETED)
            finally:
                changed.cancel()
            return not ended.done()

        try:
            async with aclosing(read_log(container.log_path, selection, grown)) as lines:
                async for line in lines:
                    yield line
        finally:
            ended.cancel()
