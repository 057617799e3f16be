"""Directory trees, removed with few descriptors and no recursion however deep they are."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator

__all__ = ["directory", "remove_at"]

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextlib.contextmanager
def directory(name: bytes | str | os.PathLike[str], *, dir_fd: int | None = None) -> Iterator[int]:
    """An open directory; the last component isn't followed when it is a link."""
    fd = os.open(name, _DIRECTORY, dir_fd=dir_fd)
    try:
        yield fd
    finally:
        os.close(fd)


def remove_at(dir_fd: int, name: bytes | str) -> None:
    """Remove ``name`` below ``dir_fd`` with everything in it; a name that isn't there is no error.

    Each subdirectory is first lifted to the top, so that a tree deeper than PATH_MAX takes two descriptors.
    Nothing is allocated on the disk but a directory entry, so this works on a full one.
    """
    try:
        os.unlink(name, dir_fd=dir_fd)
        return
    except FileNotFoundError:
        return
    except (IsADirectoryError, PermissionError):  # of a directory Linux says EISDIR, POSIX EPERM
        pass
    _allow(name, dir_fd)
    with directory(name, dir_fd=dir_fd) as top:
        token = secrets.token_hex(8)
        pending = _clear(top, top, token, 0)
        count = 0
        while pending:
            lifted = pending.pop()
            count += 1
            _allow(lifted, top)
            with directory(lifted, dir_fd=top) as fd:
                pending += _clear(fd, top, token, count)
            os.rmdir(lifted, dir_fd=top)
    os.rmdir(name, dir_fd=dir_fd)


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
            _allow(name, fd)  # a directory must be writable for its ".." to change
            fresh = f".{token}-{count}-{index}"
            os.rename(name, fresh, src_dir_fd=fd, dst_dir_fd=top)
            name = fresh
        lifted.append(name)
    return lifted


def _allow(name: bytes | str, dir_fd: int) -> None:
    with contextlib.suppress(PermissionError):
        os.chmod(name, 0o700, dir_fd=dir_fd)
