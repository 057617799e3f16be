"""Any compression that layers come in, as one plain byte stream, hashed on the way for whoever wants its digest.

Magic bytes decide: gzip (isal where it is installed), bzip2, xz, zstd (RFC 8878), else the stream is
taken as it is. Memory stays bounded whatever a header asks for, everything is decompressed in this
process (never by a program found on a path), and a bomb is stopped by its ratio.
"""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from collections.abc import Callable
from typing import IO, Protocol, cast

import zstandard

from containerlab.errors import BadArchive
from containerlab.images.limits import Limits

__all__ = ["CHUNK", "ByteSource", "Plain", "Writable", "decompressed"]

CHUNK = 1 << 20
_MAGIC_BYTES = 6
_FEED = 1024
_MEMORY = 128 << 20  # xz -9 takes 65 MiB to read; zstd --long=27 takes 128
_ZSTD_MAGIC = 0xFD2FB528
_DATA_ERRORS = (EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError)


class ByteSource(Protocol):
    """What this room reads from: a file, a socket's file, a spool."""

    def read(self, size: int = ..., /) -> bytes: ...


class Writable(Protocol):
    """Where this room writes to: a file, a hasher behind a ``write``, a pipe."""

    def write(self, data: bytes, /) -> object: ...


class _Counted(io.RawIOBase):
    """The packed stream with its first bytes put back, counting what was taken."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self.taken = 0
        self.head = b""
        while len(self.head) < _MAGIC_BYTES:
            more = source.read(_MAGIC_BYTES - len(self.head))
            if not more:
                break
            self.head += more
        self._left = self.head

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        if self._left:
            data, self._left = self._left[: len(view)], self._left[len(view) :]
        else:
            data = self._source.read(len(view))
        view[: len(data)] = data
        self.taken += len(data)
        return len(data)


class _Decoder(Protocol):
    """What ``lzma.LZMADecompressor`` is: one stream, fed piece by piece."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes: ...


class _ZstdDecoder:
    """One zstd frame, fed so little at a time that even a frame of zeros gives 32 MiB at once at most.

    The library's own reader takes a stream that is cut off for one that ended.
    """

    needs_input = True

    def __init__(self) -> None:
        self._decoder = zstandard.ZstdDecompressor(max_window_size=_MEMORY).decompressobj()

    @property
    def eof(self) -> bool:
        return self._decoder.eof

    @property
    def unused_data(self) -> bytes:
        return self._decoder.unused_data

    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes:
        return self._decoder.decompress(data)


class _Streams(io.RawIOBase):
    """Compressed streams one behind another (with zeros between them, as xz allows), as one."""

    def __init__(self, source: ByteSource, new: Callable[[], _Decoder]) -> None:
        self._source, self._new = source, new
        self._decoder = new()
        self._pending = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        while not self._pending:
            packed = b""
            if self._decoder.eof:
                packed = self._next_stream()
                if not packed:
                    return 0
                self._decoder = self._new()
            elif self._decoder.needs_input:
                packed = self._source.read(_FEED)
                if not packed:
                    raise EOFError("it is cut off")
            self._pending = memoryview(self._decoder.decompress(packed, len(view)))
        data, self._pending = self._pending[: len(view)], self._pending[len(view) :]
        view[: len(data)] = data
        return len(data)

    def _next_stream(self) -> bytes:
        packed = self._decoder.unused_data.lstrip(b"\0")
        while not packed:
            packed = self._source.read(_FEED)
            if not packed:
                return b""
            packed = packed.lstrip(b"\0")
        return packed


class Plain(io.RawIOBase):
    """The unpacked bytes; ``size`` is the number of those read so far, which ``copy`` receives too."""

    def __init__(self, packed: _Counted, opened: IO[bytes], limits: Limits, copy: Writable | None) -> None:
        self._packed, self._opened, self._limits, self._copy = packed, opened, limits, copy
        self.size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        try:
            data = self._opened.read(len(view))
        except _DATA_ERRORS as error:
            raise BadArchive(f"the archive can't be decompressed: {error}") from error
        except OSError as error:
            if error.errno is not None:
                raise
            raise BadArchive(f"the archive can't be decompressed: {error}") from error
        view[: len(data)] = data
        if self._copy is not None:
            self._copy.write(data)
        self.size += len(data)
        limits = self._limits
        if self.size > limits.ratio_from and self.size > limits.ratio * max(self._packed.taken, 1):
            raise BadArchive(f"the archive unpacks to more than {limits.ratio} times its size")
        return len(data)


def decompressed(source: ByteSource, limits: Limits, copy: Writable | None = None) -> Plain:
    """The plain bytes of ``source``; raises ``BadArchive`` while reading when they are damaged."""
    packed = _Counted(source)
    head = packed.head
    buffered = io.BufferedReader(packed, CHUNK // 4)
    opened: IO[bytes]
    if head.startswith(b"\x1f\x8b"):
        opened = _gzip(buffered)
    elif head.startswith(b"BZh"):
        opened = cast(IO[bytes], bz2.BZ2File(buffered))
    elif head.startswith(b"\xfd7zXZ\0"):
        opened = io.BufferedReader(_Streams(buffered, _xz_decoder), CHUNK)
    elif _is_zstd(head):
        opened = io.BufferedReader(_Streams(buffered, _ZstdDecoder), CHUNK)
    else:
        opened = buffered
    return Plain(packed, opened, limits, copy)


def _gzip(packed: io.BufferedReader[_Counted]) -> IO[bytes]:
    # Imported for who has such a layer: an engine at rest does without.
    try:
        from isal import igzip as gzip
    except ImportError:  # architectures without isal
        import gzip  # type: ignore[no-redef]
    return cast(IO[bytes], gzip.GzipFile(fileobj=packed, mode="rb"))  # type: ignore[no-untyped-call]


def _xz_decoder() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_MEMORY)


def _is_zstd(head: bytes) -> bool:
    magic = int.from_bytes(head[:4], "little")
    return magic == _ZSTD_MAGIC or 0x184D2A50 <= magic <= 0x184D2A5F  # the latter: skippable frames
