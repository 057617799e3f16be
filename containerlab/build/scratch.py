"""Work that a build does off the event loop, and the folders that it leaves nothing in."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TypeVar

from containerlab.images import trees

__all__ = ["Removals", "in_thread", "keep_going", "remove_folder", "scratch_folder"]

T = TypeVar("T")


_stop: ContextVar[threading.Event | None] = ContextVar("stop", default=None)


class _Stopped(Exception):
    """Raised in a thread whose caller was cancelled; nobody else sees it."""


def keep_going() -> None:
    """To be called now and then by long work in a thread: ends it once its caller was cancelled."""
    stop = _stop.get()
    if stop is not None and stop.is_set():
        raise _Stopped


async def in_thread(function: Callable[[], T]) -> T:
    """Call ``function`` in a thread; when cancelled, stop it and wait until it is over: its files are to be removed."""
    stop = threading.Event()
    token = _stop.set(stop)
    work = asyncio.ensure_future(asyncio.to_thread(function))
    _stop.reset(token)
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        stop.set()
        while not work.done():
            try:
                await asyncio.wait([work])
            except asyncio.CancelledError:
                continue
        work.exception()
        raise


@contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """A new folder, removed at the end whatever a container has left in it."""
    path.mkdir(parents=True, mode=0o700)
    try:
        yield path
    finally:
        remove_folder(path)


class Removals:
    """Folders that go while the build goes on: where a disk is told of each freed block, a removal takes a while."""

    def __init__(self) -> None:
        self._under_way: set[asyncio.Task[None]] = set()

    @contextmanager
    def scratch_folder(self, path: Path) -> Iterator[Path]:
        """A new folder whose removal begins at the end; ``finish`` waits for it."""
        path.mkdir(parents=True, mode=0o700)
        try:
            yield path
        finally:
            self._under_way.add(asyncio.ensure_future(asyncio.to_thread(remove_folder, path)))

    async def finish(self) -> None:
        """Every removal is done afterwards, also when this is cancelled meanwhile. Raises OSError."""
        cancelled = False
        while pending := [task for task in self._under_way if not task.done()]:
            try:
                await asyncio.wait(pending)
            except asyncio.CancelledError:
                cancelled = True
        for task in self._under_way:
            task.result()
        if cancelled:
            raise asyncio.CancelledError


def remove_folder(path: Path) -> None:
    """Remove a folder with everything in it, by descriptor; one that isn't there is no error."""
    try:
        with trees.directory(path.parent) as parent:
            trees.remove_at(parent, path.name)
    except FileNotFoundError:
        return
