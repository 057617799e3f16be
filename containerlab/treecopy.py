"""A directory tree copied: by reflink where the file system can, else byte by byte in the kernel.

No file of the copy shares an inode with its source, because a container writes into the copy and the source is a layer
that others stand on; symbolic links do, which nobody can write into. Modes, times, links among the files, and the
attributes of ``user`` are kept.
"""

# The supervisor imports this module, and does without pathlib, which alone is 1.5 MB of its memory.
# ruff: noqa: PTH102
from __future__ import annotations

import errno
import os
import stat

from containerlab import reflink

__all__ = ["copy_file", "copy_tree"]

_NO_LINK = (errno.EXDEV, errno.EMLINK, errno.EPERM, errno.EOPNOTSUPP)
_NO_RANGE = (errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS, errno.EPERM)
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PIECE = 1 << 30
_BUFFER = 1 << 20


def copy_tree(source: str, target: str) -> dict[str, int]:
    """Copies what is in the directory ``source`` into ``target``, which is made.

    Gives the inode of each directory of the copy by its path from the top on, which is the empty string. Sockets and
    device nodes are left out: nobody here can make them. Raises OSError.
    """
    os.mkdir(target, 0o700)
    tops = os.open(source, _DIRECTORY), os.open(target, _DIRECTORY)
    try:
        return _Copy(*tops).run()
    finally:
        for fd in tops:
            os.close(fd)


def copy_file(source: int, target: int, name: str, status: os.stat_result) -> None:
    """Copies one file, link or FIFO ``name`` from one open directory to another. Raises OSError."""
    _Copy(source, target).file(source, target, name, status)


class _Copy:
    """One directory of each tree is open at a time, however deep they are."""

    def __init__(self, source: int, target: int) -> None:
        self._source, self._target = source, target
        self._clones = True
        self._first: dict[tuple[int, int], str] = {}

    def run(self) -> dict[str, int]:
        directories: dict[str, int] = {}
        pending = [""]
        while pending:
            path = pending.pop()
            from_fd = os.open(path or ".", _DIRECTORY, dir_fd=self._source)
            to_fd = os.open(path or ".", _DIRECTORY, dir_fd=self._target)
            try:
                directories[path] = os.fstat(to_fd).st_ino
                pending += self._directory(from_fd, to_fd, path)
            finally:
                os.close(from_fd)
                os.close(to_fd)
        return directories

    def _directory(self, source: int, target: int, path: str) -> list[str]:
        """Its files, its directories still empty, its own mode and time; the paths of those directories."""
        inner = []
        with os.scandir(source) as entries:
            # A link is told by its directory alone, and a small image is mostly links.
            listing = [(entry.name, entry.is_symlink()) for entry in entries]
        for name, is_link in listing:
            if is_link and self._link(source, target, name):
                continue
            here = f"{path}/{name}" if path else name
            entry = os.stat(name, dir_fd=source, follow_symlinks=False)
            if stat.S_ISDIR(entry.st_mode):
                os.mkdir(name, 0o700, dir_fd=target)
                inner.append(here)
            elif not self._linked(target, name, here, entry):
                self.file(source, target, name, entry)
        status = os.fstat(source)
        os.fchmod(target, stat.S_IMODE(status.st_mode))
        os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
        return inner

    def _linked(self, target: int, name: str, path: str, entry: os.stat_result) -> bool:
        """Another name of a file that is copied already is a link to the copy."""
        if entry.st_nlink < 2 or stat.S_ISLNK(entry.st_mode):
            return False
        key = (entry.st_dev, entry.st_ino)
        if key not in self._first:
            self._first[key] = path
            return False
        os.link(self._first[key], name, src_dir_fd=self._target, dst_dir_fd=target, follow_symlinks=False)
        return True

    def file(self, source: int, target: int, name: str, entry: os.stat_result) -> None:
        kind = stat.S_IFMT(entry.st_mode)
        if kind == stat.S_IFLNK:
            os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
        elif kind == stat.S_IFIFO:
            os.mkfifo(name, stat.S_IMODE(entry.st_mode), dir_fd=target)
        elif kind == stat.S_IFREG:
            self._regular(source, target, name, entry)
            return
        else:
            return
        os.utime(name, ns=(entry.st_atime_ns, entry.st_mtime_ns), dir_fd=target, follow_symlinks=False)

    @staticmethod
    def _link(source: int, target: int, name: str) -> bool:
        """A symbolic link is the one thing that can be shared: nobody can write into it."""
        try:
            os.link(name, name, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
            return False
        return True

    def _regular(self, source: int, target: int, name: str, entry: os.stat_result) -> None:
        from_fd = os.open(name, _READ, dir_fd=source)
        try:
            to_fd = os.open(name, _WRITE, 0o600, dir_fd=target)
            try:
                if entry.st_size:
                    self._content(from_fd, to_fd)
                _copy_attributes(from_fd, to_fd)
                os.fchmod(to_fd, stat.S_IMODE(entry.st_mode))
                os.utime(to_fd, ns=(entry.st_atime_ns, entry.st_mtime_ns))
            finally:
                os.close(to_fd)
        finally:
            os.close(from_fd)

    def _content(self, source: int, target: int) -> None:
        if self._clones:
            if reflink.clone(source, target):
                return
            self._clones = False
        try:
            while os.copy_file_range(source, target, _PIECE):
                pass
        except OSError as error:
            if error.errno not in _NO_RANGE:
                raise
            os.lseek(source, 0, os.SEEK_SET)
            os.lseek(target, 0, os.SEEK_SET)
            while piece := os.read(source, _BUFFER):
                view = memoryview(piece)
                while view:
                    view = view[os.write(target, view) :]


def _copy_attributes(source: int, target: int) -> None:
    """Those of ``user``: no others are a plain user's to give, and overlayfs's own mean nothing in a copy."""
    try:
        names = os.listxattr(source)
    except OSError:
        return
    for name in names:
        if name.startswith("user.") and ".overlay." not in name:
            try:
                os.setxattr(target, name, os.getxattr(source, name))
            except OSError as error:
                if error.errno not in (errno.EOPNOTSUPP, errno.EPERM, errno.ENODATA, errno.ENOSPC):
                    raise
