"""How a layer says "this was deleted", in archives and on disk.

In an archive an empty file ``.wh.NAME`` hides NAME of the layers below, and ``.wh..wh..opq`` hides everything
its directory has below (OCI image spec, layer.md, "Whiteouts"). On disk overlayfs wants a character device
0:0, and the attribute ``overlay.opaque`` in the ``trusted`` name space, or in ``user`` where a user namespace
mounts it (Documentation/filesystems/overlayfs.rst). No archive may bring overlayfs's own marks along: they
would redirect, reveal or hide paths of other layers.

Below an overlay of somebody else's (a container's own root) the kernel refuses that device. Where nothing is mounted
anyway (``rung.copies_roots``) a socket then says it: no archive can bring one, and no layer keeps one.
"""

from __future__ import annotations

import errno
import os
import stat

from containerlab.rung import copies_roots

__all__ = [
    "META_PREFIX",
    "OPAQUE_NAME",
    "PREFIX",
    "is_opaque",
    "is_private_xattr",
    "is_whiteout",
    "mark_opaque",
    "mark_whiteout",
]

PREFIX = b".wh."
META_PREFIX = b".wh..wh."
OPAQUE_NAME = b".wh..wh..opq"

_TRUSTED = b"trusted.overlay.opaque"
_USER = b"user.overlay.opaque"
_OWN = b"user.containerlab.opaque"
_PRIVATE = (
    b"trusted.",
    b"user.containerlab.",
    b"user.overlay.",
    b"user.fuseoverlayfs.",
    b"user.containers.",
)


def is_private_xattr(name: bytes) -> bool:
    """Whether an attribute belongs to a file system or an engine, so that no archive carries it."""
    return name.startswith(_PRIVATE) or b".overlay." in name


def is_whiteout(status: os.stat_result) -> bool:
    """Whether this is overlayfs's mark of a deleted name."""
    if stat.S_ISSOCK(status.st_mode):
        return copies_roots()
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def mark_whiteout(dir_fd: int, name: bytes) -> None:
    """Make the 0:0 device; unprivileged users may since Linux 5.8."""
    try:
        os.mknod(name, stat.S_IFCHR | 0o000, 0, dir_fd=dir_fd)
    except PermissionError:
        if not copies_roots():
            raise
        os.mknod(name, stat.S_IFSOCK | 0o000, dir_fd=dir_fd)


def mark_opaque(fd: int) -> None:
    """Mark an open directory, for a mount by root and for one in a user namespace."""
    try:
        os.setxattr(fd, _TRUSTED, b"y")
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP):
            raise
    try:
        os.setxattr(fd, _USER, b"y")
    except OSError as error:
        if not copies_roots() or error.errno not in (errno.EPERM, errno.EOPNOTSUPP):
            raise
        os.setxattr(fd, _OWN, b"y")


def is_opaque(fd: int) -> bool:
    """Whether an open directory hides what lies below it."""
    for name in (_TRUSTED, _USER, _OWN):
        try:
            if os.getxattr(fd, name) == b"y":
                return True
        except OSError as error:
            if error.errno not in (errno.ENODATA, errno.EOPNOTSUPP):
                raise
    return False
