"""Folders that have nothing to do with each other, each in a part of the disk of its own.

ext4 puts what is made in a folder near to it. Without a journal it also passes over every inode that was freed in the
last minutes, one by one and for each new file (fs/ext4/ialloc.c, ``recently_deleted``): where thousands of files come
and go in one place, as contexts and layers do, a file costs half a millisecond of the kernel's time. A folder that is
marked as a top of hierarchies (``chattr +T``, inode(7) ``FS_TOPDIR_FL``) has its own folders spread over the disk.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
from pathlib import Path

from containerlab.images import trees

__all__ = ["spread"]

_GETFLAGS, _SETFLAGS = 0x80086601, 0x40086602  # linux/fs.h, FS_IOC_GETFLAGS and FS_IOC_SETFLAGS on 64 bits
_TOPDIR = 0x00020000  # FS_TOPDIR_FL


def spread(folder: Path) -> None:
    """Mark ``folder`` so; a file system that knows no such mark is left as it is."""
    with contextlib.suppress(OSError), trees.directory(folder) as fd:
        flags = array.array("l", [0])
        fcntl.ioctl(fd, _GETFLAGS, flags)
        if not flags[0] & _TOPDIR:
            fcntl.ioctl(fd, _SETFLAGS, array.array("l", [flags[0] | _TOPDIR]))
