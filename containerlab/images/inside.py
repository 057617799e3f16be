"""Paths that somebody else chose, resolved inside one directory and never outside it.

Everything goes through ``openat2`` with ``RESOLVE_IN_ROOT``: the kernel follows symbolic links and ``..`` as
if the directory were ``/``. No path is ever joined as text and handed to the host's own resolution.
"""

from __future__ import annotations

import os
import stat
from collections import OrderedDict
from collections.abc import Callable

from containerlab.errors import BadArchive
from containerlab.images._syscalls import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, openat2

__all__ = ["Root", "components"]

_RESOLVE = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
_CACHED = 64
_MAX_LINKS = 40  # as the kernel's MAXSYMLINKS
_MAX_COMPONENT = 255


def components(name: bytes, *, clamp: bool = False) -> list[bytes]:
    """The parts of ``name`` after lexical cleaning; ``..`` above the root raises ``BadArchive``, or stops at it."""
    parts: list[bytes] = []
    for part in name.split(b"/"):
        if part in (b"", b"."):
            continue
        if part == b"..":
            if parts:
                parts.pop()
            elif not clamp:
                raise BadArchive(f"the archive's {name!r} would be written outside its root")
            continue
        if len(part) > _MAX_COMPONENT:
            raise BadArchive(f"a name in the archive is longer than {_MAX_COMPONENT} bytes")
        parts.append(part)
    return parts


class Root:
    """One directory tree; keeps the directories that were used last open.

    ``created(parent_fd, name, path)`` is called for every parent directory that had to be made.
    """

    def __init__(self, fd: int, created: Callable[[int, bytes, bytes], None] | None = None) -> None:
        self._fd = fd
        self._created = created
        self._open: OrderedDict[bytes, int] = OrderedDict()

    def close(self) -> None:
        """Close the directories that were kept open; ``fd`` itself stays the caller's."""
        self.forget()

    def forget(self) -> None:
        """To be called whenever something that existed went away: a kept directory may no longer be there."""
        for fd in self._open.values():
            os.close(fd)
        self._open.clear()

    def directory(self, path: list[bytes], *, create: bool) -> int:
        """A descriptor (O_PATH, kept by this object) of the directory at ``path``, links followed inside the root.

        Raises ``FileNotFoundError`` unless ``create``, and ``BadArchive`` when a part of it isn't a
        directory.
        """
        key = b"/".join(path)
        fd = self._open.get(key)
        if fd is not None:
            self._open.move_to_end(key)
            return fd
        try:
            fd = self._openat2(key or b".")
        except FileNotFoundError:
            if not create:
                raise
            fd = self._openat2(self._make(path) or b".")
        self._open[key] = fd
        if len(self._open) > _CACHED:
            os.close(self._open.popitem(last=False)[1])
        return fd

    def _openat2(self, path: bytes, flags: int = os.O_PATH | os.O_DIRECTORY) -> int:
        try:
            return openat2(self._fd, path, flags, _RESOLVE)
        except NotADirectoryError as error:
            raise BadArchive(f"{path!r} in the archive lies below something that isn't a directory") from error
        except OSError as error:
            if isinstance(error, FileNotFoundError):
                raise
            raise BadArchive(f"{path!r} in the archive can't be resolved: {error.strerror}") from error

    def _make(self, path: list[bytes]) -> bytes:
        """Make what is missing of ``path``, following links even when they dangle; gives the real path."""
        real: list[bytes] = []
        rest = list(reversed(path))
        links = 0
        while rest:
            part = rest.pop()
            if part in (b"", b"."):
                continue
            if part == b"..":
                if real:
                    real.pop()
                continue
            target = self._step(real, part)
            if target is None:
                real.append(part)
                continue
            links += 1
            if links > _MAX_LINKS:
                raise BadArchive(f"{b'/'.join(path)!r} in the archive goes through too many symbolic links")
            if target.startswith(b"/"):
                real = []
            rest.extend(reversed(target.split(b"/")))
        return b"/".join(real)

    def _step(self, real: list[bytes], part: bytes) -> bytes | None:
        """Enter or make ``part`` below ``real``; gives the target when it is a symbolic link."""
        parent = self._openat2(b"/".join(real) or b".")
        try:
            try:
                mode = os.stat(part, dir_fd=parent, follow_symlinks=False).st_mode
            except FileNotFoundError:
                os.mkdir(part, 0o755, dir_fd=parent)
                if self._created is not None:
                    self._created(parent, part, b"/".join([*real, part]))
                return None
            if stat.S_ISLNK(mode):
                return os.readlink(part, dir_fd=parent)
            if not stat.S_ISDIR(mode):
                raise BadArchive(f"{b'/'.join([*real, part])!r} in the archive isn't a directory")
            return None
        finally:
            os.close(parent)
