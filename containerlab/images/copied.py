"""Layers without overlayfs: put together into one tree, and told apart again after somebody wrote into a copy of it.

``merge`` makes a tree of links to the layers' own files, which is only ever read. A container or a build's step works
in a copy (``treecopy``); ``gather`` compares that with the tree and makes what an overlay's upper directory would be.

What changed is known by mode, size, time and, for links, target. A file whose inode was changed since the copy was made
(ctime, which nobody can set), or that lies in another directory than was copied to its path, is read and compared.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from containerlab.images import marks, trees
from containerlab.treecopy import copy_file

__all__ = ["Copied", "gather", "merge"]

_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NO_LINK = (errno.EXDEV, errno.EMLINK, errno.EPERM, errno.EOPNOTSUPP)
_PIECE = 1 << 20


class _Record(msgspec.Struct):
    made: list[str] = []
    directories: dict[str, int] = {}


@dataclass(frozen=True, slots=True)
class Copied:
    """How a copy was when it was made: when, the inodes of its directories, and ``made``, what mounts needed in it."""

    at_ns: int
    directories: Mapping[str, int]
    made: Collection[bytes] = field(default_factory=frozenset)

    @classmethod
    def read(cls, bundle: Path) -> Copied | None:
        """The record that ``runtime.proot`` has left in a bundle; None where nothing was copied yet."""
        try:
            with open(bundle / "copied.json", "rb") as file:
                record = msgspec.json.decode(file.read(), type=_Record)
                at_ns = os.fstat(file.fileno()).st_ctime_ns
        except FileNotFoundError:
            return None
        return cls(at_ns, record.directories, frozenset(os.fsencode(path) for path in record.made))


# -- putting together --------------------------------------------------------------------------------------


def merge(layers: Sequence[Path], target: Path) -> None:
    """Make in the empty directory ``target`` what ``layers``, base first, show together. Raises OSError."""
    looks: dict[bytes, os.stat_result] = {}
    with trees.directory(target) as top:
        for layer in layers:
            with trees.directory(layer) as root:
                _lay_over(root, top, looks)
        for path in sorted(looks, reverse=True):
            with trees.directory_below(top, path) as fd:
                if fd is not None:
                    os.fchmod(fd, stat.S_IMODE(looks[path].st_mode))
                    os.utime(fd, ns=(looks[path].st_atime_ns, looks[path].st_mtime_ns))


def _lay_over(root: int, top: int, looks: dict[bytes, os.stat_result]) -> None:
    pending = [b""]
    while pending:
        path = pending.pop()
        with trees.directory_below(root, path) as source, trees.directory_below(top, path) as target:
            if source is None or target is None:
                continue
            looks[path] = os.fstat(source)
            if path and marks.is_opaque(source):
                for hidden in os.listdir(target):  # noqa: PTH208
                    trees.remove_at(target, hidden)
            for name in map(os.fsencode, os.listdir(source)):  # noqa: PTH208
                if _lay(source, target, name):
                    pending.append(path + b"/" + name if path else name)


def _lay(source: int, target: int, name: bytes) -> bool:
    """One entry over whatever has its name; whether it is a directory, to be filled."""
    status = os.stat(name, dir_fd=source, follow_symlinks=False)
    try:
        there = os.stat(name, dir_fd=target, follow_symlinks=False)
    except FileNotFoundError:
        there = None
    if stat.S_ISDIR(status.st_mode) and there is not None and stat.S_ISDIR(there.st_mode):
        return True
    if there is not None:
        trees.remove_at(target, name)
    if marks.is_whiteout(status):
        return False
    if stat.S_ISDIR(status.st_mode):
        os.mkdir(name, 0o700, dir_fd=target)
        return True
    _link(source, target, name, status)
    return False


def _link(source: int, target: int, name: bytes, status: os.stat_result) -> None:
    try:
        os.link(name, name, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        copy_file(source, target, os.fsdecode(name), status)


# -- telling apart -----------------------------------------------------------------------------------------


def gather(root: int, base: int, copied: Copied, into: Path) -> None:
    """Make in the empty directory ``into`` the upper directory that turns the tree ``base`` into the copy ``root``.

    Its files are links to the copy's: whoever goes on writing there takes a copy first. Sockets and device nodes are
    left out. What a running program removes meanwhile is left out, too. Raises OSError.
    """
    with trees.directory(into) as upper:
        gathering = _Gathering(root, base, copied, upper)
        gathering.run()
        gathering.finish()


class _Gathering:
    def __init__(self, root: int, base: int, copied: Copied, upper: int) -> None:
        self._root, self._base, self._copied, self._upper = root, base, copied, upper
        self._looks: dict[bytes, os.stat_result] = {}

    def run(self) -> None:
        pending = [(b"", False)]
        while pending:
            path, moved = pending.pop()
            with trees.directory_below(self._root, path) as fd, trees.directory_below(self._base, path) as below:
                if fd is not None:
                    inode = self._copied.directories.get(os.fsdecode(path))
                    moved = moved or inode != os.fstat(fd).st_ino
                    pending += [(inner, moved) for inner in self._directory(fd, below, path, moved)]

    def finish(self) -> None:
        """Directories get their modes and times last."""
        for path in sorted(self._looks, reverse=True):
            status = self._looks[path]
            with trees.directory_below(self._upper, path) as fd:
                if fd is not None:
                    os.fchmod(fd, stat.S_IMODE(status.st_mode))
                    os.utime(fd, ns=(status.st_atime_ns, status.st_mtime_ns))

    def _directory(self, fd: int, below: int | None, path: bytes, moved: bool) -> list[bytes]:
        """Compare one directory's entries; the paths of its directories."""
        inner: list[bytes] = []
        names = [os.fsencode(name) for name in os.listdir(fd)]
        for name in names:
            here = path + b"/" + name if path else name
            try:
                status = os.stat(name, dir_fd=fd, follow_symlinks=False)
                before = _status(below, name)
                if stat.S_ISDIR(status.st_mode):
                    inner.append(here)
                    if before is None or stat.S_IMODE(before.st_mode) != stat.S_IMODE(status.st_mode):
                        self._changed_directory(here, status, before)
                elif self._differs(fd, below, name, status, before, moved) and not self._is_scaffold(here, status):
                    self._changed(here, fd, name, status)
            except FileNotFoundError:
                continue
        if below is not None:
            there = set(names)
            for name in map(os.fsencode, os.listdir(below)):  # noqa: PTH208
                if name not in there:
                    with self._place(path) as place:
                        marks.mark_whiteout(place, name)
        return inner

    def _is_scaffold(self, path: bytes, status: os.stat_result) -> bool:
        """A place that was made for a mount, and that nobody has touched."""
        return path in self._copied.made and stat.S_ISREG(status.st_mode) and not status.st_size

    def _changed_directory(self, path: bytes, status: os.stat_result, before: os.stat_result | None) -> None:
        if before is None and path in self._copied.made:
            return  # made only if something else is found in it
        with self._place(path.rpartition(b"/")[0]) as place:
            self._make(place, path, status)

    def _differs(
        self,
        fd: int,
        below: int | None,
        name: bytes,
        status: os.stat_result,
        before: os.stat_result | None,
        moved: bool,
    ) -> bool:
        if stat.S_ISSOCK(status.st_mode) or stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
            return False
        if before is None or below is None or before.st_mode != status.st_mode:
            return True
        if stat.S_ISLNK(status.st_mode):
            return os.readlink(name, dir_fd=fd) != os.readlink(name, dir_fd=below)
        if not stat.S_ISREG(status.st_mode):
            return False
        if before.st_size != status.st_size or before.st_mtime_ns != status.st_mtime_ns:
            return True
        return (moved or status.st_ctime_ns >= self._copied.at_ns) and not _same_content(fd, below, name)

    def _changed(self, path: bytes, fd: int, name: bytes, status: os.stat_result) -> None:
        with self._place(path.rpartition(b"/")[0]) as place:
            _link(fd, place, name, status)

    def _place(self, path: bytes) -> AbstractContextManager[int]:
        """The directory at ``path`` in the upper one, made with all above it."""
        parts = path.split(b"/") if path else []
        for depth in range(len(parts)):
            here = b"/".join(parts[: depth + 1])
            if here not in self._looks:
                with trees.directory_below(self._root, here) as there:
                    status = os.fstat(there) if there is not None else None
                if status is None:
                    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fsdecode(here))
                with trees.directory_below(self._upper, b"/".join(parts[:depth])) as place:
                    if place is not None:
                        self._make(place, here, status)
        return trees.directory(path or b".", dir_fd=self._upper)

    def _make(self, place: int, path: bytes, status: os.stat_result) -> None:
        if path not in self._looks:
            os.mkdir(path.rpartition(b"/")[2], 0o700, dir_fd=place)
            self._looks[path] = status


def _status(fd: int | None, name: bytes) -> os.stat_result | None:
    if fd is None:
        return None
    try:
        return os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _same_content(fd: int, below: int, name: bytes) -> bool:
    ours = os.open(name, _FILE, dir_fd=fd)
    try:
        theirs = os.open(name, _FILE, dir_fd=below)
        try:
            while True:
                piece = os.read(ours, _PIECE)
                if piece != os.read(theirs, _PIECE):
                    return False
                if not piece:
                    return True
        finally:
            os.close(theirs)
    finally:
        os.close(ours)
