"""A layer that is written down rather than packed: paths, contents and links, as a tar stream.

The same tree gives the same bytes on every run: entries are sorted, owned by root, of one date, and have one
of two modes unless a mode is asked for. Nothing is staged on disk, so no privilege is needed to make a file root's.
"""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

__all__ = ["EPOCH", "Tree"]

EPOCH = 1_767_225_600
"""2026-01-01T00:00:00Z: the date of every embedded file and image, in seconds since 1970."""

_BLOCK = tarfile.BLOCKSIZE
_CHUNK = 1 << 20


@dataclass(frozen=True)
class _Entry:
    kind: bytes
    mode: int
    source: Path | bytes = b""
    target: str = ""


class Tree:
    """The files of one layer; every path is relative to the image's root and normal (no ``.``, no ``..``)."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}

    def __contains__(self, path: str) -> bool:
        return path in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._entries))

    def directory(self, path: str, mode: int = 0o755) -> None:
        """A directory; its parents come by themselves."""
        self._add(path, _Entry(tarfile.DIRTYPE, mode))

    def file(self, path: str, source: Path | bytes, mode: int | None = None) -> None:
        """A regular file with the bytes of ``source``: 0755 where the host's file is executable, else 0644."""
        if mode is None:
            executable = isinstance(source, Path) and source.stat().st_mode & 0o111
            mode = 0o755 if executable else 0o644
        self._add(path, _Entry(tarfile.REGTYPE, mode, source))

    def symlink(self, path: str, target: str) -> None:
        """A symbolic link that says ``target``."""
        self._add(path, _Entry(tarfile.SYMTYPE, 0o777, target=target))

    def stream(self) -> BinaryIO:
        """The layer as an uncompressed POSIX tar stream, made while it is read."""
        return io.BufferedReader(_Pieces(self._pieces()), _CHUNK)

    def _add(self, path: str, entry: _Entry) -> None:
        parts = path.split("/")
        if not path or any(part in ("", ".", "..") for part in parts):
            raise ValueError(f"not a path inside an image: {path!r}")
        for depth in range(1, len(parts)):
            self._entries.setdefault("/".join(parts[:depth]), _Entry(tarfile.DIRTYPE, 0o755))
        self._entries[path] = entry

    def _pieces(self) -> Iterator[bytes]:
        for path in self:
            entry = self._entries[path]
            if entry.kind != tarfile.REGTYPE:
                yield _header(path, entry, 0)
            elif isinstance(entry.source, bytes):
                yield _header(path, entry, len(entry.source)) + entry.source + _padding(len(entry.source))
            else:
                yield from _file_pieces(path, entry, entry.source)
        yield bytes(2 * _BLOCK)


def _file_pieces(path: str, entry: _Entry, source: Path) -> Iterator[bytes]:
    with source.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        yield _header(path, entry, size)
        left = size
        while left:
            chunk = file.read(min(left, _CHUNK))
            if not chunk:
                raise OSError(f"{source} became shorter while it was read")
            left -= len(chunk)
            yield chunk
        yield _padding(size)


def _header(path: str, entry: _Entry, size: int) -> bytes:
    member = tarfile.TarInfo(path)
    member.type, member.mode, member.size, member.linkname = entry.kind, entry.mode, size, entry.target
    member.uname = member.gname = "root"
    member.mtime = EPOCH
    return member.tobuf(tarfile.PAX_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK)


class _Pieces(io.RawIOBase):
    """A readable file over an iterator of pieces."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
