"""What every open panel is told: one watch of the engine and of the course for all of them, none while none is open.

A message is a JSON object with some of these keys, each whole and each sent again once it changed:

    {"engine": {"running": bool, "reason": text, "can_start": bool}, "containers": […], "images": […], "lessons": […],
     "language": code, "words": {English: its translation}}
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import requests
from docker.errors import DockerException

from containerlab.errors import ContainerlabError
from containerlab.lab.progress import progress_file
from containerlab.labserver import engine
from containerlab.labserver.lessons import Lessons
from containerlab.labserver.waiting import differs, stamp
from containerlab.labserver.words import spoken

__all__ = ["Feed"]

_SETTLES = 0.2  # seconds in which what happens together is told together
_LISTENS = 10  # tries at a socket that was just made: it is bound before it listens

Message = dict[str, Any]

_log = logging.getLogger(__name__)


class Feed:
    """Used from the server's event loop alone. ``extras`` is sent to a panel once, when it comes."""

    def __init__(self, lessons: Lessons, extras: Message) -> None:
        self._lessons, self._extras = lessons, extras
        self._panels: set[Callable[[Message], None]] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._known: Message = {}
        self._again = asyncio.Event()

    def join(self, tell: Callable[[Message], None]) -> None:
        """Tell a panel what is known, and from now on what changes."""
        tell({**self._extras, **self._known})
        self._panels.add(tell)
        if not self._tasks:
            self._tasks = [asyncio.ensure_future(_logged(job)) for job in (self._watch_engine, self._watch_lessons)]

    def leave(self, tell: Callable[[Message], None]) -> None:
        """With the last panel the watch ends, and what was known is forgotten: it would age."""
        self._panels.discard(tell)
        if not self._panels:
            for task in self._tasks:
                task.cancel()
            self._tasks = []
            self._known = {}

    def look_again(self) -> None:
        """Try the engine anew, where nothing says by itself that it has come."""
        self._again.set()

    def _tell(self, message: Message) -> None:
        changed = {key: value for key, value in message.items() if self._known.get(key) != value}
        if changed:
            self._known |= changed
            for tell in tuple(self._panels):
                tell(changed)

    async def _watch_lessons(self) -> None:
        while True:
            file = progress_file()
            before = stamp(file)
            self._tell({"lessons": await asyncio.to_thread(self._lessons.rows), **await asyncio.to_thread(spoken)})
            await differs(file, before)

    async def _watch_engine(self) -> None:
        while True:
            path = engine.socket_path()
            before = stamp(path) if path else None
            reason = f"The engine at {engine.address()} has ended."
            try:
                await self._follow(await _reach())
            except (ContainerlabError, DockerException, requests.RequestException, OSError) as error:
                reason = str(error)
            self._tell(_stopped(reason))
            await self._comes(before)

    async def _comes(self, before: object) -> None:
        """Returns when an engine may answer that did not."""
        self._again.clear()
        path = engine.socket_path()
        waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._again.wait())]
        if path is not None:
            waits.append(asyncio.ensure_future(_listens(path, before)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _follow(self, watched: engine.Watched) -> None:
        """Tell the lists, and again after each change, until the engine has gone."""
        loop = asyncio.get_running_loop()
        changed, gone = asyncio.Event(), asyncio.Event()
        arguments = (watched, loop, changed, gone)
        reader = threading.Thread(target=_read, args=arguments, name="containerlab-feed", daemon=True)
        reader.start()
        try:
            while not gone.is_set():
                changed.clear()
                self._tell({"engine": {"running": True}, **await asyncio.to_thread(watched.lists)})
                await changed.wait()
                await asyncio.sleep(_SETTLES)
        finally:
            watched.close()


async def _reach() -> engine.Watched:
    """The engine that runs; one that is reached after the last panel has gone is let go of."""
    reaching = asyncio.ensure_future(asyncio.to_thread(engine.Watched))
    try:
        return await asyncio.shield(reaching)
    except asyncio.CancelledError:
        reaching.add_done_callback(lambda done: None if done.cancelled() or done.exception() else done.result().close())
        raise


def _stopped(reason: str) -> Message:
    state = {"running": False, "reason": reason, "can_start": engine.can_start()}
    return {"engine": state, "containers": [], "images": []}


async def _listens(path: Any, before: Any) -> None:
    """Waits until the socket is another one than ``before``, and takes connections or won't."""
    while await differs(path, before) is None:
        before = None
    for _ in range(_LISTENS):
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_unix_connection(path)
            writer.close()
            return
        await asyncio.sleep(_SETTLES)


def _read(
    watched: engine.Watched, loop: asyncio.AbstractEventLoop, changed: asyncio.Event, gone: asyncio.Event
) -> None:
    """The thread that reads the stream of events; it blocks, and costs nothing while nothing happens."""
    try:
        for _ in watched.changes():
            loop.call_soon_threadsafe(changed.set)
    except Exception as error:  # however the stream ends, it has ended
        _log.debug("the stream of events ended: %s", error)
    with contextlib.suppress(RuntimeError):  # the server's loop may have ended first
        loop.call_soon_threadsafe(gone.set)
        loop.call_soon_threadsafe(changed.set)


async def _logged(job: Callable[[], Coroutine[Any, Any, None]]) -> None:
    try:
        await job()
    except Exception:
        _log.exception("the panel's watch ended")
