"""Memory that nobody needs, given back to the host: an engine rests most of its life, beside forty others perhaps."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc

__all__ = ["Rest", "trim"]

REST_SECONDS = 5.0
"""Long enough that who works on doesn't meet the pages that were given back."""


def trim() -> None:
    """What nobody refers to any more, then malloc_trim(3); a libc without it (musl) gives back by itself."""
    gc.collect()
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


class Rest:
    """Trims once, when nothing was asked for ``REST_SECONDS``; an engine that rests on isn't woken again."""

    def __init__(self) -> None:
        self._used = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def used(self) -> None:
        """A request came or was answered."""
        loop = asyncio.get_running_loop()
        self._used = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(REST_SECONDS, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        left = self._used + REST_SECONDS - loop.time()
        if left > 0:
            self._timer = loop.call_later(left, self._look, loop)
            return
        self._timer = None
        trim()
