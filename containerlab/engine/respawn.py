"""A process beside the engine that is started again when it ends, as long as somebody needs it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable

from containerlab.engine.background import Background

__all__ = ["Respawn"]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 30.0
# One that has lived so long didn't die of how it was started.
_WELL_SECONDS = 10.0


class Respawn:
    """Known by its pidfd. In the event loop."""

    def __init__(
        self, background: Background, needed: Callable[[], bool], start: Callable[[], Awaitable[None]]
    ) -> None:
        """``start`` starts it anew, after which it is to be followed again; asked where ``needed`` says so."""
        self._background, self._needed, self._start = background, needed, start
        self._pidfd = -1
        self._since = 0.0
        self._pause = 0.0
        self._closed = False

    def follow_pid(self, pid: int) -> None:
        """As ``follow``; one that is followed already, or has ended, is left alone."""
        if self._pidfd < 0 and pid:
            try:
                self.follow(os.pidfd_open(pid))
            except ProcessLookupError:
                return

    def follow(self, pidfd: int) -> None:
        """Notice its end. The descriptor is ours from here on, and takes the place of the one before."""
        self._let_go()
        if self._closed:
            os.close(pidfd)
            return
        self._pidfd, self._since = pidfd, time.monotonic()
        asyncio.get_running_loop().add_reader(pidfd, self._ended)

    def close(self) -> None:
        """It may end unnoticed."""
        self._closed = True
        self._let_go()

    def _let_go(self) -> None:
        if self._pidfd >= 0:
            asyncio.get_running_loop().remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1

    def _ended(self) -> None:
        self._let_go()
        # The first time at once; one that dies again and again isn't started in a tight circle.
        pause = 0.0 if time.monotonic() - self._since > _WELL_SECONDS else self._pause
        self._pause = min(2 * pause or _FIRST_PAUSE, _LONGEST_PAUSE)
        asyncio.get_running_loop().call_later(pause, self._again)

    def _again(self) -> None:
        if not self._closed and self._pidfd < 0 and self._needed():
            self._background.spawn(self._spawned())

    async def _spawned(self) -> None:
        await self._start()
