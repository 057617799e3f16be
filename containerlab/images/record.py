"""How a layer's own tar is made again, byte for byte: every byte of it that isn't a file's content is kept.

Two tools seldom write one tree the same way, and a layer's name is the digest of its tar. So beside the unpacked
files lies a record of the headers, the padding and the end, with a mark wherever a file's bytes belong (the idea is
tar-split's, which Docker uses). An archive may replace what it brought before: then the first file is set aside in
the folder ``replaced``, never deleted, so that its bytes are still there and its inode is nobody else's.

    8 bytes       the magic
    8 bytes       the tar's size, little-endian
    zstd          frames: L length bytes | F size path (below diff/) | R size path (below replaced/)
"""

from __future__ import annotations

import contextlib
import os
import stat
import struct
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import zstandard

from containerlab.errors import BadArchive, NotFound
from containerlab.images import trees
from containerlab.images._syscalls import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, openat2
from containerlab.images.compression import CHUNK, Writable

__all__ = ["NAME", "Recorder", "replay", "size_of"]

NAME = "tar-record"
"""The record's file in a layer's folder; ``REPLACED`` is the folder beside it."""

REPLACED = "replaced"

_MAGIC = b"CLTAR\0\0\1"
_HEAD = struct.Struct("<8sQ")
_LITERAL = struct.Struct("<cI")
_FILE = struct.Struct("<cQH")
_LEVEL = 1  # headers shrink to a twentieth at any level
_MOST_LITERAL = 1 << 20
_MOST_MOVED = 100_000
_INSIDE = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK


class Recorder:
    """Writes a layer's record into its half-made folder; ``close`` whatever happens, ``finish`` when all went well."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._inodes = array("Q")
        self._kept = 0
        self._replaced = -1
        self._writer = _Writer(folder / NAME)

    def literal(self, data: bytes) -> None:
        """Bytes of the tar that are in no file."""
        self._writer.literal(data)

    def file(self, path: bytes, size: int, inode: int) -> None:
        """Here the tar has a file's ``size`` bytes; ``path`` leads to it below the layer's files."""
        self._writer.file(b"F", path, size)
        self._inodes.append(inode)

    def set_aside(self, parent: int, name: bytes) -> None:
        """Take ``name`` out of the open directory ``parent``, for a later entry that has the same name."""
        if self._replaced < 0:
            (self._folder / REPLACED).mkdir(mode=0o700)
            self._replaced = os.open(self._folder / REPLACED, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        os.rename(name, b"%d" % self._kept, src_dir_fd=parent, dst_dir_fd=self._replaced)
        self._kept += 1

    def finish(self, diff_fd: int) -> int:
        """Write the record's end; gives the tar's size in bytes. ``diff_fd`` is the open directory of the files."""
        size = self._writer.finish()
        if self._kept:
            self._follow(diff_fd)
        return size

    def close(self) -> None:
        """Let go of the files."""
        self._writer.close()
        if self._replaced >= 0:
            os.close(self._replaced)
            self._replaced = -1

    def _follow(self, diff_fd: int) -> None:
        """Find again by its inode what moved since it was recorded: an archive replaced what it had brought."""
        path = self._folder / NAME
        moved = self._moved(path, diff_fd)
        places = _places(moved, {b"F": diff_fd, b"R": self._replaced})
        if len(places) < len(moved):
            raise BadArchive("the archive replaces its own files in a way that can't be kept")
        changed = path.with_name(f"{NAME}.new")
        writer = _Writer(changed)
        try:
            index = 0
            for frame in _frames(path):
                if isinstance(frame, bytes):
                    writer.literal(frame)
                    continue
                kind, name, size = frame
                writer.file(*places.get(self._inodes[index], (kind, name)), size)
                index += 1
            writer.finish()
        finally:
            writer.close()
        changed.rename(path)

    def _moved(self, path: Path, diff_fd: int) -> set[int]:
        moved: set[int] = set()
        index = 0
        for frame in _frames(path):
            if isinstance(frame, bytes):
                continue
            if _inode(diff_fd, frame[1]) != self._inodes[index]:
                moved.add(self._inodes[index])
                if len(moved) > _MOST_MOVED:
                    raise BadArchive(f"the archive replaces more than {_MOST_MOVED} of its own files")
            index += 1
        return moved


def size_of(folder: Path) -> int:
    """The size in bytes of the tar that the record in a layer's ``folder`` makes. Raises ``NotFound``."""
    with _opened(folder / NAME) as file:
        return _head(file)


def replay(folder: Path, diff_fd: int, out: Writable) -> None:
    """Write the tar of the layer in ``folder`` to ``out``; ``diff_fd`` is the open directory of its files.

    Raises ``NotFound`` when there is no record, ``BadArchive`` when a file isn't there as it was.
    """
    with contextlib.ExitStack() as stack:
        roots = {b"F": diff_fd}
        if (folder / REPLACED).is_dir():
            roots[b"R"] = stack.enter_context(trees.directory(folder / REPLACED))
        for frame in _frames(folder / NAME):
            if isinstance(frame, bytes):
                out.write(frame)
            else:
                kind, path, size = frame
                _content(roots.get(kind, diff_fd), path, size, out)


class _Writer:
    """Frames on their way into a file; literals one behind another are one frame."""

    def __init__(self, path: Path) -> None:
        self._file = open(path, "xb")
        self._file.write(_HEAD.pack(_MAGIC, 0))
        self._packed = zstandard.ZstdCompressor(level=_LEVEL).stream_writer(self._file, closefd=False)
        self._literal = bytearray()
        self._size = 0

    def literal(self, data: bytes) -> None:
        self._size += len(data)
        self._literal += data
        if len(self._literal) >= _MOST_LITERAL:
            self._flush()

    def file(self, kind: bytes, path: bytes, size: int) -> None:
        self._flush()
        self._size += size
        self._packed.write(_FILE.pack(kind, size, len(path)) + path)

    def finish(self) -> int:
        self._flush()
        self._packed.flush(zstandard.FLUSH_FRAME)
        self._file.seek(0)
        self._file.write(_HEAD.pack(_MAGIC, self._size))
        self._file.flush()
        return self._size

    def close(self) -> None:
        with contextlib.suppress(OSError):  # a full disk, which has been said already
            self._file.close()

    def _flush(self) -> None:
        for start in range(0, len(self._literal), _MOST_LITERAL):
            part = self._literal[start : start + _MOST_LITERAL]
            self._packed.write(_LITERAL.pack(b"L", len(part)) + part)
        self._literal.clear()


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        file = open(path, "rb")
    except FileNotFoundError:
        raise NotFound(f"the layer {path.parent.name} has no record of its tar") from None
    with file:
        yield file


def _head(file: BinaryIO) -> int:
    data = file.read(_HEAD.size)
    if len(data) < _HEAD.size or data[:8] != _MAGIC:
        raise BadArchive("the record of a layer's tar is damaged")
    return int(_HEAD.unpack(data)[1])


def _frames(path: Path) -> Iterator[bytes | tuple[bytes, bytes, int]]:
    """Literal bytes, or ``(kind, path, size)`` of a file."""
    with _opened(path) as file:
        _head(file)
        packed = zstandard.ZstdDecompressor().stream_reader(file, read_size=CHUNK // 4)
        while kind := packed.read(1):
            if kind == b"L":
                yield _exactly(packed, int.from_bytes(_exactly(packed, 4), "little"))
            elif kind in (b"F", b"R"):
                _, size, length = _FILE.unpack(kind + _exactly(packed, _FILE.size - 1))
                yield kind, _exactly(packed, length), size
            else:
                raise BadArchive("the record of a layer's tar is damaged")


def _exactly(packed: zstandard.ZstdDecompressionReader, count: int) -> bytes:
    data: bytes = packed.read(count)
    while len(data) < count:
        more = packed.read(count - len(data))
        if not more:
            raise BadArchive("the record of a layer's tar is cut off")
        data += more
    return data


def _content(root_fd: int, path: bytes, size: int, out: Writable) -> None:
    changed = f"the layer's file {os.fsdecode(path)!r} isn't as it was unpacked"
    try:
        fd = openat2(root_fd, path, _READ, _INSIDE)
    except OSError as error:
        raise BadArchive(f"{changed}: {error.strerror}") from error
    try:
        if os.fstat(fd).st_size != size:
            raise BadArchive(changed)
        left = size
        while left:
            data = os.read(fd, min(left, CHUNK))
            if not data:
                raise BadArchive(changed)
            out.write(data)
            left -= len(data)
    finally:
        os.close(fd)


def _inode(root_fd: int, path: bytes) -> int:
    """The inode that a path leads to now; 0 when it leads nowhere."""
    try:
        fd = openat2(root_fd, path, os.O_PATH | os.O_NOFOLLOW, _INSIDE)
    except OSError:
        return 0
    try:
        return os.fstat(fd).st_ino
    finally:
        os.close(fd)


def _places(wanted: set[int], roots: dict[bytes, int]) -> dict[int, tuple[bytes, bytes]]:
    """Where the files with these inodes lie: the kind of their root, and the path below it."""
    found: dict[int, tuple[bytes, bytes]] = {}
    if not wanted:
        return found
    for kind, root_fd in roots.items():
        pending = [b""]
        while pending:
            path = pending.pop()
            try:
                fd = openat2(root_fd, path or b".", os.O_RDONLY | os.O_DIRECTORY, _INSIDE | RESOLVE_NO_SYMLINKS)
            except OSError:  # a path that became too long: what is below isn't found
                continue
            try:
                for name in os.listdir(fd):  # noqa: PTH208  a descriptor, no path
                    here = (path + b"/" if path else b"") + os.fsencode(name)
                    status = os.stat(name, dir_fd=fd, follow_symlinks=False)
                    if stat.S_ISDIR(status.st_mode):
                        pending.append(here)
                    elif status.st_ino in wanted:
                        found[status.st_ino] = (kind, here)
            finally:
                os.close(fd)
    return found
