"""The files below one directory, found and opened by descriptor and never outside it.

A path is walked part by part, links by their text and as if the directory were ``/``; what is opened then is opened by
its real path, without a link in it (openat2, RESOLVE_NO_SYMLINKS).
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from containerlab.build.scratch import keep_going
from containerlab.errors import InvalidParameter, NotFound
from containerlab.runtime import constants as c
from containerlab.runtime.syscalls import openat2

__all__ = ["Entry", "OutsideContext", "Tree", "not_found", "refuse_outside"]

_MAX_LINKS = 40  # as the kernel's MAXSYMLINKS
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
_RESOLVE = c.RESOLVE_IN_ROOT | c.RESOLVE_NO_MAGICLINKS | c.RESOLVE_NO_SYMLINKS
_CHUNK = 1 << 20


class OutsideContext(InvalidParameter):
    """A path that is, or that leads, outside the build context."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the context; ``path`` is relative to it, real, and empty for the context itself."""

    path: str
    status: os.stat_result

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def is_directory(self) -> bool:
        """A directory, not a link to one."""
        return stat.S_ISDIR(self.status.st_mode)

    @property
    def is_regular(self) -> bool:
        """A regular file."""
        return stat.S_ISREG(self.status.st_mode)

    @property
    def is_link(self) -> bool:
        """A symbolic link."""
        return stat.S_ISLNK(self.status.st_mode)


class Tree:
    """``root_fd`` stays the caller's. Paths are relative and have no link in them, except ``follow``'s.

    With ``is_root`` it is a whole root file system: ``..`` and links stop at its top, as in a chroot; else they may
    not lead out.
    """

    def __init__(self, root_fd: int, *, is_root: bool = False) -> None:
        self._root, self._is_root = root_fd, is_root

    def entry(self, path: str) -> Entry:
        """What stands at ``path``. Raises OSError, and InvalidParameter for a link on the way."""
        fd = self._open(path or ".", os.O_PATH | os.O_NOFOLLOW)
        try:
            return Entry(path, os.fstat(fd))
        finally:
            os.close(fd)

    def children(self, directory: str) -> list[Entry]:
        """What lies in ``directory``, by name."""
        fd = self._open(directory or ".", os.O_RDONLY | os.O_DIRECTORY)
        try:
            prefix = f"{directory}/" if directory else ""
            with os.scandir(fd) as listing:
                names = sorted((each.name for each in listing), key=os.fsencode)
            entries = [Entry(prefix + name, os.stat(name, dir_fd=fd, follow_symlinks=False)) for name in names]
        finally:
            os.close(fd)
        # A socket can't be copied, and no archive of a context holds one.
        return [entry for entry in entries if not stat.S_ISSOCK(entry.status.st_mode)]

    def follow(self, parts: list[str]) -> Entry:
        """The entry at a path, its links followed. Raises NotFound, and OutsideContext where they lead out."""
        asked = "/".join(parts)
        real: list[str] = []
        rest = parts[::-1]
        links: list[str] = []
        while rest:
            part = rest.pop()
            if part in ("", "."):
                continue
            if part == "..":
                if real:
                    real.pop()
                elif not self._is_root:
                    raise _leads_outside(asked, links)
                continue
            path = "/".join([*real, part])
            try:
                entry = self.entry(path)
            except (FileNotFoundError, NotADirectoryError):
                outside = _absolute(links) and not self._is_root
                raise (_leads_outside(asked, links) if outside else not_found(asked)) from None
            if not entry.is_link:
                real.append(part)
                continue
            target = self.link_target(entry)
            links.append(target)
            if len(links) > _MAX_LINKS:
                looping = InvalidParameter(f"{asked} goes through too many symbolic links")
                raise _leads_outside(asked, links) if _absolute(links) and not self._is_root else looping
            real = [] if target.startswith("/") else real
            rest.extend(reversed(target.split("/")))
        return self.entry("/".join(real))

    def open(self, entry: Entry) -> int:
        """A descriptor to read a regular file from. Raises InvalidParameter when it has become something else."""
        fd = self._open(entry.path, _READ)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise InvalidParameter(f"{entry.path} isn't a regular file any more")
        return fd

    def link_target(self, entry: Entry) -> str:
        """A symbolic link's text."""
        parent = self._open(entry.path.rpartition("/")[0] or ".", os.O_PATH | os.O_DIRECTORY)
        try:
            return os.readlink(entry.name, dir_fd=parent)
        finally:
            os.close(parent)

    def chunks(self, entry: Entry) -> Iterator[bytes]:
        """A regular file's bytes."""
        fd = self.open(entry)
        try:
            while chunk := os.read(fd, _CHUNK):
                keep_going()
                yield chunk
        finally:
            os.close(fd)

    def _open(self, path: str, flags: int) -> int:
        try:
            return openat2(self._root, os.fsencode(path), flags, resolve=_RESOLVE)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENAMETOOLONG, errno.EACCES):
                raise InvalidParameter(f"{path} in the build context can't be opened: {error.strerror}") from None
            raise


def refuse_outside(path: str) -> None:
    """Raise OutsideContext for a path whose own text leads out."""
    depth = 0
    for part in path.split("/"):
        depth += {"..": -1, ".": 0, "": 0}.get(part, 1)
        if depth < 0:
            raise OutsideContext(f"forbidden path outside the build context: {path}")


def _absolute(links: list[str]) -> bool:
    return any(link.startswith("/") for link in links)


def _leads_outside(asked: str, links: list[str]) -> OutsideContext:
    return OutsideContext(
        f"forbidden path outside the build context: {asked} is a symbolic link to {links[-1] if links else asked}"
    )


def not_found(asked: str) -> NotFound:
    """Docker's words for a source that isn't there."""
    return NotFound(f"file not found in build context or excluded by .dockerignore: stat {asked}: file does not exist")
