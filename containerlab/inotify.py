"""Waiting for a file to grow or to be rotated, in asyncio (inotify(7)).

The watch is on the file's folder, because a rotation renames the file and makes another of its name. An event loop
has one inotify instance for all of them: closing one waits 10 to 20 ms for an SRCU grace period, which would be a
third of a short container's whole run, and a user has 128 of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import struct
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Watch"]

_IN_MODIFY, _IN_MOVED_FROM, _IN_MOVED_TO, _IN_CREATE, _IN_DELETE = 0x2, 0x40, 0x80, 0x100, 0x200
_IN_Q_OVERFLOW, _IN_IGNORED = 0x4000, 0x8000
_MASK = _IN_MODIFY | _IN_MOVED_FROM | _IN_MOVED_TO | _IN_CREATE | _IN_DELETE
_HEADER = struct.Struct("iIII")

_libc = ctypes.CDLL(None, use_errno=True)


class Watch:
    """``async with Watch(path) as watch``: ``await watch.changed()`` returns once the file of that name was written
    to, made, renamed or removed since the watch began or since the last ``changed``.

    The folder must exist, the file need not. Raises OSError on entering (ENOSPC: too many watches of this user).
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self.name = os.fsencode(self._path.name)
        self.event = asyncio.Event()

    async def __aenter__(self) -> Watch:
        self._instance = _instance()
        self._descriptor = self._instance.add(self._path.parent, self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._instance.remove(self._descriptor, self)

    async def changed(self, timeout: float | None = None) -> bool:
        """Waits for a change, ``timeout`` seconds at most; whether there was one. Call it after reading to the end:
        what was written meanwhile makes it return at once."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self.event.wait()
        changed = self.event.is_set()
        self.event.clear()
        return changed


class _Instance:
    """An inotify descriptor that lives as long as its event loop; several watches of one folder share the kernel's."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._fd = _checked(_libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK), None)
        weakref.finalize(self, os.close, self._fd)
        self._watches: dict[int, list[Watch]] = {}
        loop.add_reader(self._fd, self._receive)

    def add(self, folder: Path, watch: Watch) -> int:
        descriptor = _checked(_libc.inotify_add_watch(self._fd, os.fsencode(folder), _MASK), folder)
        self._watches.setdefault(descriptor, []).append(watch)
        return descriptor

    def remove(self, descriptor: int, watch: Watch) -> None:
        watches = self._watches.get(descriptor)
        if watches is None:
            return  # the folder is gone, and the kernel's watch with it
        watches.remove(watch)
        if not watches:
            del self._watches[descriptor]
            _libc.inotify_rm_watch(self._fd, descriptor)

    def _receive(self) -> None:
        try:
            data = os.read(self._fd, 65536)
        except BlockingIOError:
            return
        offset = 0
        while offset < len(data):
            descriptor, mask, _, length = _HEADER.unpack_from(data, offset)
            offset += _HEADER.size
            self._tell(descriptor, mask, data[offset : offset + length].rstrip(b"\0"))
            offset += length

    def _tell(self, descriptor: int, mask: int, name: bytes) -> None:
        if mask & _IN_Q_OVERFLOW:  # anything may have happened
            for watches in self._watches.values():
                for watch in watches:
                    watch.event.set()
            return
        gone = mask & _IN_IGNORED
        for watch in self._watches.get(descriptor, ()):
            if gone or name == watch.name:
                watch.event.set()
        if gone:
            self._watches.pop(descriptor, None)


_instances: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Instance] = weakref.WeakKeyDictionary()


def _instance() -> _Instance:
    """The running loop's."""
    loop = asyncio.get_running_loop()
    found = _instances.get(loop)
    if found is None:
        found = _instances[loop] = _Instance(loop)
    return found


def _checked(result: int, path: Path | None) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), None if path is None else str(path))
    return result
