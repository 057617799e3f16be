"""An image archive as ``docker save`` and its kin write it: an outer tar, read by name and never unpacked.

The tar is indexed once. A member is a stretch of the file, read where it lies; links are followed among the names of
the archive alone (old Dockers wrote a repeated layer as a link), so no name can mean a file of the host. Names that are
absolute or lead out, files that are named twice and links that lead nowhere make the whole archive wrong.
"""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path
from typing import IO

from containerlab.errors import BadArchive, StorageFull
from containerlab.images.compression import CHUNK, decompressed
from containerlab.images.files import no_room
from containerlab.images.headers import BLOCK, Entry, TarReader
from containerlab.images.inside import components
from containerlab.images.limits import Limits

__all__ = ["ArchiveFile", "Stretch"]

_ENTRIES = 100_000
_MAX_LINKS = 40  # as the kernel's MAXSYMLINKS
_TAR_MAGIC = slice(257, 262)


class Stretch(io.RawIOBase):
    """``size`` bytes of ``file`` from ``start`` on; several may be read side by side, in any thread."""

    def __init__(self, file: IO[bytes], start: int, size: int) -> None:
        self._fd, self._position, self._end = file.fileno(), start, start + size
        self.size = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        want = min(len(view), self._end - self._position)
        count = os.preadv(self._fd, [view[:want]], self._position) if want else 0
        if count < want and not count:
            raise BadArchive("the archive is cut off: unexpected EOF")
        self._position += count
        return count


class ArchiveFile:
    """The members of an outer tar. ``file`` is a real file, read from its beginning; it stays the caller's to close."""

    def __init__(self, file: IO[bytes], scratch: Path, limits: Limits) -> None:
        """Raises ``BadArchive``, also for an archive of more than 100,000 entries, and ``StorageFull``."""
        self._spool: IO[bytes] | None = None
        self._file = file
        self._members: dict[bytes, tuple[int, int]] = {}
        self._links: dict[bytes, list[bytes]] = {}
        try:
            if not _is_tar(file):
                self._file = self._spool = _unpacked(file, scratch, limits)
            self._index(limits)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Drop the unpacked copy of a compressed archive."""
        if self._spool is not None:
            self._spool.close()

    def __enter__(self) -> ArchiveFile:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __contains__(self, name: str) -> bool:
        try:
            self.open(name)
        except BadArchive:
            return False
        return True

    def open(self, name: str) -> Stretch:
        """A member, links followed. Raises ``BadArchive`` when there is no such file in the archive."""
        raw = os.fsencode(name)
        key = _key(raw)
        for _ in range(_MAX_LINKS):
            found = self._members.get(key)
            if found is not None:
                return Stretch(self._file, *found)
            if key not in self._links:
                raise BadArchive(f"the archive doesn't hold the file {name[:200]!r} that it names")
            key = b"/".join(self._links[key])
        raise BadArchive(f"the archive's {name[:200]!r} goes through too many links")

    def read(self, name: str, *, most: int) -> bytes:
        """A small member's bytes. Raises ``BadArchive``, also when it is larger than ``most`` bytes."""
        member = self.open(name)
        if member.size > most:
            raise BadArchive(f"the archive's {name[:200]!r} is larger than {most} bytes")
        return member.read(member.size) or b""

    def _index(self, limits: Limits) -> None:
        size = os.fstat(self._file.fileno()).st_size
        bounds = Limits(entries=_ENTRIES, total=limits.total, pax=limits.pax, path=limits.path)
        reader = TarReader(Stretch(self._file, 0, size), bounds)
        for entry in reader:
            self._note(entry, reader.position)

    def _note(self, entry: Entry, position: int) -> None:
        if entry.kind == b"5":
            components(entry.name)
            return
        key = _key(entry.name)
        if key in self._members or key in self._links:
            raise BadArchive(f"the archive holds two files of the name {entry.name!r}")
        if entry.kind == b"0":
            self._members[key] = (position, entry.size)
        elif entry.kind == b"1":
            self._links[key] = components(_relative(entry.link))
        elif entry.kind == b"2":
            self._links[key] = components(b"/".join([*key.split(b"/")[:-1], _relative(entry.link)]))
        else:
            raise BadArchive(f"{entry.name!r} in the archive is a device or a pipe")


def _relative(name: bytes) -> bytes:
    if name.startswith(b"/"):
        raise BadArchive(f"the archive's {name[:200]!r} is an absolute path")
    return name


def _key(name: bytes) -> bytes:
    parts = components(_relative(name))
    if not parts:
        raise BadArchive("a file in the archive has no name")
    return b"/".join(parts)


def _is_tar(file: IO[bytes]) -> bool:
    """Whether it is a tar as it stands; a compressed stream has no header of one at its beginning."""
    head = os.pread(file.fileno(), BLOCK, 0)
    return head[_TAR_MAGIC] == b"ustar" or (len(head) == BLOCK and not head.strip(b"\0"))


def _unpacked(file: IO[bytes], scratch: Path, limits: Limits) -> IO[bytes]:
    """The plain bytes in a file without a name in ``scratch``."""
    size = os.fstat(file.fileno()).st_size
    plain = decompressed(Stretch(file, 0, size), limits)
    spool = tempfile.TemporaryFile(dir=scratch)
    try:
        with no_room("an archive of images"):
            while data := plain.read(CHUNK):
                if plain.size > limits.total:
                    raise BadArchive(f"the archive unpacks to more than {limits.total} bytes")
                status = os.fstatvfs(spool.fileno())
                if status.f_bavail * status.f_frsize < len(data) + limits.free:
                    raise StorageFull("no space left on device for an archive of images")
                spool.write(data)
            spool.flush()
    except BaseException:
        spool.close()
        raise
    return spool
