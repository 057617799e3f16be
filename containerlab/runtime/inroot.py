"""Paths that an image chose, resolved by the kernel inside the container's root and nowhere else.

``openat2(2)`` with RESOLVE_IN_ROOT takes the root's descriptor for ``/``: absolute links and ``..`` stay
inside, magic links of /proc are refused. Everything is opened O_PATH first, which neither blocks on a FIFO
nor wakes a device, and looked at before it is used.
"""

from __future__ import annotations

import errno
import os
import stat

from containerlab.runtime import constants as c
from containerlab.runtime import syscalls

__all__ = ["Root"]

# The kernel's own bound on links in one path (path_resolution(7)).
_MAX_LINKS = 40
_RESOLVE = c.RESOLVE_IN_ROOT | c.RESOLVE_NO_MAGICLINKS
# As many times as runc and crun try again when somebody renames below us at that moment.
_TRIES = 32


class Root:
    """The root of a container, as seen from outside; ``fd`` is an O_PATH descriptor of it."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def open(self, path: str, flags: int = os.O_PATH) -> int:
        """A descriptor of ``path``, links followed inside the root. ``OSError`` as openat2(2)."""
        for _ in range(_TRIES):
            try:
                return syscalls.openat2(self.fd, path.lstrip("/") or ".", flags, resolve=_RESOLVE)
            except OSError as error:
                if error.errno != errno.EAGAIN:
                    error.filename = path
                    raise
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN), path)

    def ensure_directory(self, path: str, mode: int = 0o755) -> int:
        """An O_PATH descriptor of the directory ``path``; it and its parents are made when missing."""
        return self._ensure(path, mode, directory=True, links=_MAX_LINKS)

    def ensure_file(self, path: str, mode: int = 0o644) -> int:
        """An O_PATH descriptor of ``path``, an empty regular file when there was nothing."""
        return self._ensure(path, mode, directory=False, links=_MAX_LINKS)

    def read(self, path: str, limit: int) -> bytes | None:
        """The regular file's bytes, or None when there is no such file.

        Anything but a regular file is EINVAL and more than ``limit`` bytes EFBIG: an image decides what lies there.
        """
        try:
            found = self.open(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            _check_regular(found, path)
        finally:
            os.close(found)
        reader = self.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        try:
            _check_regular(reader, path)
            return _read_bounded(reader, path, limit)
        finally:
            os.close(reader)

    def _ensure(self, path: str, mode: int, *, directory: bool, links: int) -> int:
        flags = os.O_PATH | (os.O_DIRECTORY if directory else 0)
        try:
            return self.open(path, flags)
        except FileNotFoundError:
            pass
        parent_path, name = os.path.split(path.rstrip("/"))
        if name in {"", ".", ".."}:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        parent = self._ensure(parent_path, 0o755, directory=True, links=links)
        try:
            return self._make(parent, parent_path, name, mode, directory=directory, links=links)
        finally:
            os.close(parent)

    def _make(self, parent: int, parent_path: str, name: str, mode: int, *, directory: bool, links: int) -> int:
        try:
            if directory:
                os.mkdir(name, mode, dir_fd=parent)
                return syscalls.openat2(parent, name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, resolve=_RESOLVE)
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
            return os.open(name, flags, mode, dir_fd=parent)
        except FileExistsError:
            # A link to a place that doesn't exist yet (/var/run -> /run): make what it points to, in the root.
            if links == 0:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name) from None
            target = os.readlink(name, dir_fd=parent)
            return self._ensure(
                os.path.join(parent_path, target),  # noqa: PTH118  resolved inside the root by open()
                mode,
                directory=directory,
                links=links - 1,
            )


def _check_regular(fd: int, path: str) -> None:
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        raise OSError(errno.EINVAL, "not a regular file", path)


def _read_bounded(fd: int, path: str, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        chunk = os.read(fd, 65536)
        if not chunk:
            return b"".join(chunks)
        size += len(chunk)
        if size > limit:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)
        chunks.append(chunk)
