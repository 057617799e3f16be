"""Reflinks: a file that shares its blocks with another one until either is written to (ioctl_ficlonerange(2)).

btrfs, XFS and bcachefs have them, ext4 and tmpfs don't; both files must lie on one file system.
"""

# The supervisor imports this module, and does without pathlib.
from __future__ import annotations

import errno
import fcntl
import os
import secrets

__all__ = ["REFUSALS", "clone", "refusal"]

_FICLONE = 0x40049409  # linux/fs.h
REFUSALS = (errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS, errno.EPERM)
"""What a file system says that can't."""


def clone(source: int, target: int) -> bool:
    """Make the open file ``target`` all that ``source`` holds; False where these two files can't share blocks.

    Raises OSError for anything else, a full disk first of all.
    """
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError as error:
        if error.errno not in REFUSALS:
            raise
        return False
    return True


def refusal(source: str, folder: str) -> str:
    """Why a file made in ``folder`` can't share the blocks of the file ``source``; empty where it can, as was tried."""
    trial = os.path.join(folder, f".reflink-{secrets.token_hex(8)}")  # noqa: PTH118
    from_fd = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        to_fd = os.open(trial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.ioctl(to_fd, _FICLONE, from_fd)
        finally:
            os.close(to_fd)
            os.unlink(trial)  # noqa: PTH108
    except OSError as error:
        if error.errno == errno.EXDEV:
            return "it lies on another file system than the store"
        if error.errno in REFUSALS:
            return "the file system has no reflinks"
        return error.strerror or str(error)
    finally:
        os.close(from_fd)
    return ""
