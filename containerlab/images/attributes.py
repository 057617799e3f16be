"""Owner, mode, times and extended attributes of what an archive brings.

A directory's mode and time are set last: a directory without the write bit couldn't be filled, and filling it
changes its time. What is to be done late is kept in a file, not in memory, because an archive of a million
directories is cheap to make.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from containerlab.images import marks
from containerlab.images._syscalls import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, openat2
from containerlab.images.headers import Entry
from containerlab.rung import copies_roots

__all__ = ["Attributes", "Extracted", "squashed_owner"]

_KEPT_NOTES = 20
_IN_MEMORY = 1 << 20
_RECORD = struct.Struct("<qIH")
_CAPABILITY = b"security.capability"
_REFUSED = (errno.EPERM, errno.EOPNOTSUPP, errno.EINVAL, errno.ERANGE, errno.E2BIG)
_ENOUGH_IDS = 65536
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def squashed_owner() -> tuple[int, int] | None:
    """Who gets everything where owners can't be kept, or None where they can.

    Root, or root of a user namespace with subordinate ids, can give files away; root of a namespace with one
    id, and a plain user, can't. See user_namespaces(7), "User and group ID mappings".
    """
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    with open("/proc/self/uid_map") as uid_map:
        mapped = sum(int(line.split()[2]) for line in uid_map)
    return None if mapped >= _ENOUGH_IDS else (0, 0)


@dataclass(slots=True)
class Extracted:
    """What an archive became. ``size`` is the bytes of its files; ``notes`` say what this host can't hold.

    ``diff_id`` is the digest of the whole plain stream; ``squashed`` tells that owners were not kept.
    """

    diff_id: str = ""
    entries: int = 0
    size: int = 0
    squashed: bool = False
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Remember it, if it is one of the first few."""
        if len(self.notes) < _KEPT_NOTES and text not in self.notes:
            self.notes.append(text)


class Attributes:
    """Sets attributes by descriptor, never by a path that could meanwhile be a link."""

    def __init__(
        self,
        owner: tuple[int, int] | None,
        umask: int,
        implied: Callable[[bytes], os.stat_result | None] | None,
    ) -> None:
        self._owner, self._mask, self._implied = owner, ~umask, implied
        # A plain user can't read what its mode forbids it; a copied root needs every file.
        self._least, self._least_directory = (stat.S_IRUSR, stat.S_IRWXU) if copies_roots() else (0, 0)
        self._late = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)
        self.result = Extracted(squashed=owner is not None)

    def file(self, fd: int, entry: Entry) -> None:
        """Of a new regular file."""
        self._chown(fd, entry)
        # After the owner: chown(2) clears the set-user-ID bits.
        os.fchmod(fd, entry.mode & self._mask | self._least)
        if entry.xattrs:
            self._set_xattrs(fd, entry)
        os.utime(fd, ns=(entry.mtime_ns, entry.mtime_ns))

    def directory(self, fd: int, path: bytes, entry: Entry) -> None:
        """Of a directory: the owner now, mode and time in ``finish``."""
        self._chown(fd, entry)
        if entry.xattrs:
            self._set_xattrs(fd, entry)
        mode = entry.mode & self._mask | self._least_directory
        os.fchmod(fd, mode | stat.S_IRWXU)
        self._late.write(_RECORD.pack(entry.mtime_ns, mode, len(path)) + path)

    def node(self, parent: int, name: bytes, entry: Entry, *, mode: bool = True) -> None:
        """Of a new link, FIFO or device; a link has no mode."""
        uid, gid = self._owner or (entry.uid, entry.gid)
        try:
            os.chown(name, uid, gid, dir_fd=parent, follow_symlinks=False)
        except OSError as error:
            self._unmapped(error, entry)
        if mode:
            fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
            try:
                Path(f"/proc/self/fd/{fd}").chmod(entry.mode & self._mask)
            finally:
                os.close(fd)
        os.utime(name, ns=(entry.mtime_ns, entry.mtime_ns), dir_fd=parent, follow_symlinks=False)

    def implied_directory(self, parent: int, name: bytes, path: bytes) -> None:
        """Of a directory that the archive uses without listing it."""
        like = self._implied(path) if self._implied is not None else None
        ours = (os.geteuid(), os.getegid())
        uid, gid = self._owner or ((like.st_uid, like.st_gid) if like is not None else ours)
        fd = os.open(name, _DIRECTORY, dir_fd=parent)
        try:
            os.fchown(fd, uid, gid)
            os.fchmod(fd, stat.S_IMODE(like.st_mode) if like is not None else 0o755)
        finally:
            os.close(fd)

    def finish(self, root_fd: int) -> None:
        """Set the directories' modes and times, those that are still there."""
        self._late.seek(0)
        while head := self._late.read(_RECORD.size):
            mtime_ns, mode, length = _RECORD.unpack(head)
            path = self._late.read(length) or b"."
            try:
                fd = openat2(root_fd, path, _DIRECTORY, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
            except OSError as error:
                # Replaced since by a later entry, or (for a plain user) below a directory that was just closed:
                # the archive's own doing.
                if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EACCES):
                    continue
                raise
            try:
                if mode & stat.S_IRWXU != stat.S_IRWXU:
                    os.fchmod(fd, mode)
                os.utime(fd, ns=(mtime_ns, mtime_ns))
            finally:
                os.close(fd)

    def close(self) -> None:
        """Drop what ``finish`` would have read."""
        self._late.close()

    def _chown(self, fd: int, entry: Entry) -> None:
        uid, gid = self._owner or (entry.uid, entry.gid)
        try:
            os.fchown(fd, uid, gid)
        except OSError as error:
            self._unmapped(error, entry)

    def _unmapped(self, error: OSError, entry: Entry) -> None:
        if error.errno != errno.EINVAL:
            raise error
        self.result.squashed = True
        self.result.note(f"the owner {entry.uid}:{entry.gid} isn't mapped here; root owns such files instead")

    def _set_xattrs(self, fd: int, entry: Entry) -> None:
        for name, value in entry.xattrs.items():
            if marks.is_private_xattr(name) or not (name == _CAPABILITY or name.startswith(b"user.")):
                self.result.note(f"the attribute {os.fsdecode(name)} was left out: it belongs to the host")
                continue
            try:
                os.setxattr(fd, name, value)
            except OSError as error:
                if error.errno not in _REFUSED:
                    raise
                self.result.note(f"the attribute {os.fsdecode(name)} was left out: {error.strerror}")
