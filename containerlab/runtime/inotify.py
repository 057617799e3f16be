"""Waiting for a file to grow or to be rotated, in asyncio (inotify(7)).

The watch is on the file's folder, because a rotation renames the file and makes another of its name.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Watch"]

_IN_MODIFY, _IN_MOVED_FROM, _IN_MOVED_TO, _IN_CREATE, _IN_DELETE = 0x2, 0x40, 0x80, 0x100, 0x200
_IN_Q_OVERFLOW = 0x4000
_MASK = _IN_MODIFY | _IN_MOVED_FROM | _IN_MOVED_TO | _IN_CREATE | _IN_DELETE
_HEADER = struct.Struct("iIII")

_libc = ctypes.CDLL(None, use_errno=True)


class Watch:
    """``async with Watch(path) as watch``: ``await watch.changed()`` returns once the file of that name was written
    to, made, renamed or removed since the watch began or since the last ``changed``.

    The folder must exist, the file need not. Raises OSError on entering (EMFILE: too many watches of this user).
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._name = os.fsencode(self._path.name)
        self._event = asyncio.Event()
        self._fd = -1

    async def __aenter__(self) -> Watch:
        fd = _checked(_libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK), self._path)
        try:
            _checked(_libc.inotify_add_watch(fd, os.fsencode(self._path.parent), _MASK), self._path.parent)
        except OSError:
            os.close(fd)
            raise
        self._fd = fd
        asyncio.get_running_loop().add_reader(fd, self._receive)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)

    async def changed(self, timeout: float | None = None) -> bool:
        """Waits for a change, ``timeout`` seconds at most; whether there was one. Call it after reading to the end:
        what was written meanwhile makes it return at once."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._event.wait()
        changed = self._event.is_set()
        self._event.clear()
        return changed

    def _receive(self) -> None:
        try:
            data = os.read(self._fd, 65536)
        except BlockingIOError:
            return
        offset = 0
        while offset < len(data):
            _, mask, _, length = _HEADER.unpack_from(data, offset)
            offset += _HEADER.size
            name = data[offset : offset + length].rstrip(b"\0")
            offset += length
            if name == self._name or mask & _IN_Q_OVERFLOW:
                self._event.set()


def _checked(result: int, path: Path) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(path))
    return result
