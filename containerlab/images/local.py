"""The client's own end of ``cp``: what of its files is sent, and where what it is sent may go.

The rules are go-archive's (``copy.go``: ``ResolveHostSourcePath``, ``CopyInfoDestinationPath``,
``PrepareArchiveCopy``), the errors' words too. An engine, or a container behind it, may send any archive it likes
(CVE-2026-17106): it is unpacked below a descriptor of the destination's directory, and nothing outside is written.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass

from containerlab.errors import InvalidParameter
from containerlab.images.compression import ByteSource, Writable
from containerlab.images.extract import Extracted
from containerlab.images.pack import Packed, pack, pack_one
from containerlab.images.places import Place, rebaser, split

__all__ = ["End", "Source", "base_of", "placed", "receive", "source"]

_MAX_LINKS = 10  # as Docker's client
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@dataclass(slots=True)
class End:
    """Where a copy ends, in a container or here: the path, and what is there already."""

    path: bytes
    exists: bool = False
    is_directory: bool = False


@dataclass(slots=True)
class Source:
    """What is sent: ``name`` in ``folder``, or the whole ``folder`` where there is no name; called ``base``."""

    folder: bytes
    name: bytes
    base: bytes

    @property
    def is_directory(self) -> bool:
        """Whether it is sent with what is in it."""
        return not self.name

    def send(self, out: Writable, base: bytes | None = None) -> Packed:
        """Write the tar, under the name ``base`` or its own. ``OSError`` for what can't be read."""
        fd = os.open(self.folder, _DIRECTORY)
        try:
            if self.is_directory:
                return pack(fd, out, prefix=(base or self.base).rstrip(b"/") + b"/", top=True)
            return pack_one(fd, self.name, out, path=base or self.base)
        finally:
            os.close(fd)


def base_of(path: bytes) -> bytes:
    """The last part of a path as Docker's clients see it: ``.`` behind ``/.``, ``/`` for the root."""
    parts, _ = split(path)
    if path.endswith(b"/.") or path == b".":
        return b"."
    return parts[-1] if parts else b"/"


def source(path: bytes, *, follow: bool) -> Source:
    """A file or folder of the client's, by its absolute path.

    Links before its last part are followed, the last one with ``follow`` or a ``/`` at the end too. Raises ``OSError``
    for one that isn't there, or is no directory though its end says so.
    """
    asserted = path.endswith((b"/", b"/."))
    above, name = os.path.split(path)
    if follow or asserted:
        real = os.path.realpath(path, strict=True)
    else:
        real = os.path.join(os.path.realpath(above, strict=True), name)  # noqa: PTH118  the client's own path
    if stat.S_ISDIR(os.lstat(real).st_mode):
        return Source(real, b"", base_of(path))
    if asserted:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), os.fsdecode(path))
    return Source(*os.path.split(real), base_of(path))


def placed(end: End, base: bytes, *, is_directory: bool) -> tuple[bytes, bytes]:
    """The directory that is unpacked into, and the name that the source (called ``base``) gets there.

    Raises InvalidParameter in Docker's words for what can't be put there.
    """
    if end.exists and end.is_directory:
        return end.path, base
    if end.exists and is_directory:
        raise InvalidParameter("cannot copy directory")
    if not end.exists and not is_directory and end.path.endswith((b"/", b"/.")):
        raise InvalidParameter("no such directory")
    parts, _ = split(end.path)
    if end.path.endswith(b"/."):
        return end.path, b"."
    return b"/" + b"/".join(parts[:-1]), parts[-1]


def receive(stream: ByteSource, path: bytes, base: bytes, *, is_directory: bool, called: bytes = b"") -> Extracted:
    """Unpack the archive of a container's ``base`` at ``path``, an absolute path of the client's.

    ``called`` is the name that was asked for, where ``base`` is what a link led to. Everything is the client's own.
    Raises InvalidParameter, Conflict, BadArchive, StorageFull, ``OSError``.
    """
    folder, name = placed(_destination(path), called or base, is_directory=is_directory)
    fd = os.open(folder, _DIRECTORY)
    try:
        return Place.at(fd, b"/").unpack(
            stream,
            owner=(os.geteuid(), os.getegid()),
            keep_kinds=True,
            rename=rebaser(base, name) if name != base else None,
        )
    finally:
        os.close(fd)


def _destination(path: bytes) -> End:
    """``path`` with its last link followed, also to a place that isn't there yet."""
    end = path
    for _ in range(_MAX_LINKS):
        try:
            mode = os.lstat(end).st_mode
        except FileNotFoundError:
            parts, _ = split(end)
            above = b"/" + b"/".join(parts if end.endswith(b"/.") else parts[:-1])
            if not os.path.isdir(above):  # noqa: PTH112
                where = os.fsdecode(above)
                raise InvalidParameter(f'invalid output path: directory "{where}" does not exist') from None
            return End(end)
        if not stat.S_ISLNK(mode):
            if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
                raise InvalidParameter(
                    f'invalid output path: "{os.fsdecode(path)}" must be a directory or a regular file'
                )
            return End(end, True, stat.S_ISDIR(mode))
        end = os.path.join(os.path.dirname(end), os.readlink(end))  # noqa: PTH115, PTH118, PTH120
    raise InvalidParameter(f"too many symlinks in {os.fsdecode(path)}")
