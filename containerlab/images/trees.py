"""Directory trees: opened without following a link, removed with few descriptors and no recursion."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from containerlab.images._syscalls import RESOLVE_IN_ROOT, RESOLVE_NO_SYMLINKS, openat2

__all__ = ["ABSENT", "directory", "directory_below", "remove_at", "remove_below"]

ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
"""What a path gives that isn't there, or leads through something that is no directory."""

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextlib.contextmanager
def directory(name: bytes | str | os.PathLike[str], *, dir_fd: int | None = None) -> Iterator[int]:
    """An open directory; the last component isn't followed when it is a link."""
    fd = os.open(name, _DIRECTORY, dir_fd=dir_fd)
    try:
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def directory_below(root: int, path: bytes) -> Iterator[int | None]:
    """The directory at ``path`` from ``root`` on, no link followed; None for what isn't there or is none."""
    try:
        fd = openat2(root, path or b".", _DIRECTORY, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS)
    except OSError as error:
        if error.errno not in ABSENT:
            raise
        yield None
        return
    try:
        yield fd
    finally:
        os.close(fd)


def remove_at(dir_fd: int, name: bytes | str) -> None:
    """Remove ``name`` below ``dir_fd`` with everything in it; a name that isn't there is no error.

    Each subdirectory is first lifted to the top, so that a tree deeper than PATH_MAX takes few descriptors.
    Nothing is allocated on the disk but a directory entry, so this works on a full one.
    """
    try:
        os.unlink(name, dir_fd=dir_fd)
        return
    except FileNotFoundError:
        return
    except (IsADirectoryError, PermissionError):  # of a directory Linux says EISDIR, POSIX EPERM
        pass
    with _opened_up(name, dir_fd) as top:
        token = secrets.token_hex(8)
        pending = _clear(top, top, token, 0)
        count = 0
        while pending:
            lifted = pending.pop()
            count += 1
            with _opened_up(lifted, top) as fd:
                pending += _clear(fd, top, token, count)
            os.rmdir(lifted, dir_fd=top)
    os.rmdir(name, dir_fd=dir_fd)


def remove_below(top: int, parent: bytes, name: bytes) -> None:
    """``remove_at`` in the directory ``parent`` somewhere below ``top``, no link followed on the way."""
    fd = openat2(top, parent or b".", os.O_PATH | os.O_DIRECTORY, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS)
    try:
        remove_at(fd, name)
    finally:
        os.close(fd)


def _clear(fd: int, top: int, token: str, count: int) -> list[str]:
    """Unlink the files of ``fd``, lift its directories to ``top``; gives their names there."""
    with os.scandir(fd) as entries:
        listing = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    lifted: list[str] = []
    for index, (name, is_directory) in enumerate(listing):
        if not is_directory:
            os.unlink(name, dir_fd=fd)
            continue
        if fd != top:
            fresh = f".{token}-{count}-{index}"
            _lift(name, fd, fresh, top)
            name = fresh
        lifted.append(name)
    return lifted


def _lift(name: str, fd: int, fresh: str, top: int) -> None:
    try:
        os.rename(name, fresh, src_dir_fd=fd, dst_dir_fd=top)
    except PermissionError:  # a plain user's: a directory must be writable for its ".." to change
        with _opened_up(name, fd):
            os.rename(name, fresh, src_dir_fd=fd, dst_dir_fd=top)


@contextlib.contextmanager
def _opened_up(name: bytes | str, dir_fd: int) -> Iterator[int]:
    """An open directory that its owner may read and change; the mode is set by descriptor, never through a link."""
    handle = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=dir_fd)
    try:
        with contextlib.suppress(PermissionError):
            Path(f"/proc/self/fd/{handle}").chmod(0o700)
        with directory(".", dir_fd=handle) as fd:
            yield fd
    finally:
        os.close(handle)
