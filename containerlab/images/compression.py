"""Any compression that layers come in, as one plain byte stream that is hashed while it is read.

Magic bytes decide: gzip (isal where it is installed), bzip2, xz, zstd (RFC 8878), else the stream is
taken as it is. Memory stays bounded whatever a header asks for, everything is decompressed in this
process (never by a program found on a path), and a bomb is stopped by its ratio.
"""

from __future__ import annotations

import bz2
import hashlib
import io
import lzma
import zlib
from typing import IO, Protocol, cast

import zstandard

from containerlab.errors import BadArchive
from containerlab.images.limits import Limits

try:
    from isal import igzip as gzip
except ImportError:  # architectures without isal
    import gzip  # type: ignore[no-redef]

__all__ = ["CHUNK", "ByteSource", "Plain", "decompressed"]

CHUNK = 1 << 20
_MAGIC_BYTES = 6
_MEMORY = 128 << 20  # xz -9 takes 65 MiB to read; zstd --long=27 takes 128
_ZSTD_MAGIC = 0xFD2FB528
_DATA_ERRORS = (EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError)


class ByteSource(Protocol):
    """What this room reads from: a file, a socket's file, a spool."""

    def read(self, size: int = ..., /) -> bytes: ...


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


class _Xz(io.RawIOBase):
    """xz with a bound on memory, which ``lzma.LZMAFile`` can't be given."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._decoder = self._new()

    @staticmethod
    def _new() -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_MEMORY)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        while True:
            if self._decoder.eof:
                unused = self._decoder.unused_data or self._source.read(4)
                while unused and not unused.strip(b"\0"):  # stream padding
                    unused = self._source.read(CHUNK)
                if not unused:
                    return 0
                self._decoder = self._new()
                packed = unused
            else:
                packed = self._source.read(CHUNK // 4) if self._decoder.needs_input else b""
                if not packed and self._decoder.needs_input:
                    raise EOFError("the xz stream is cut off")
            data = self._decoder.decompress(packed, len(view))
            if data:
                view[: len(data)] = data
                return len(data)


class Plain(io.RawIOBase):
    """The unpacked bytes; ``digest()`` is that of all bytes read so far, ``size`` their number."""

    def __init__(self, packed: _Counted, opened: IO[bytes], limits: Limits) -> None:
        self._packed, self._opened, self._limits = packed, opened, limits
        self._hash = hashlib.sha256()
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
        self._hash.update(data)
        self.size += len(data)
        limits = self._limits
        if self.size > limits.ratio_from and self.size > limits.ratio * max(self._packed.taken, 1):
            raise BadArchive(f"the archive unpacks to more than {limits.ratio} times its size")
        return len(data)

    def digest(self) -> str:
        """``sha256:HEX`` of what was read."""
        return "sha256:" + self._hash.hexdigest()

    def drain(self, most: int) -> None:
        """Read what is left, so that the digest is the whole stream's; raises BadArchive beyond ``most``."""
        left = most
        scratch = bytearray(CHUNK)
        while count := self.readinto(scratch):
            left -= count
            if left < 0:
                raise BadArchive("too many bytes follow the end of the archive")


def decompressed(source: ByteSource, limits: Limits) -> Plain:
    """The plain bytes of ``source``; raises ``BadArchive`` while reading when they are damaged."""
    packed = _Counted(source)
    head = packed.head
    buffered = io.BufferedReader(packed, CHUNK // 4)
    opened: IO[bytes]
    if head.startswith(b"\x1f\x8b"):
        opened = cast(IO[bytes], gzip.GzipFile(fileobj=buffered, mode="rb"))  # type: ignore[no-untyped-call]
    elif head.startswith(b"BZh"):
        opened = cast(IO[bytes], bz2.BZ2File(buffered))
    elif head.startswith(b"\xfd7zXZ\0"):
        opened = io.BufferedReader(_Xz(buffered), CHUNK)
    elif _is_zstd(head):
        reader = zstandard.ZstdDecompressor(max_window_size=_MEMORY)
        opened = cast(IO[bytes], reader.stream_reader(buffered, read_size=CHUNK // 4, read_across_frames=True))
    else:
        opened = buffered
    return Plain(packed, opened, limits)


def _is_zstd(head: bytes) -> bool:
    magic = int.from_bytes(head[:4], "little")
    return magic == _ZSTD_MAGIC or 0x184D2A50 <= magic <= 0x184D2A5F  # the latter: skippable frames
