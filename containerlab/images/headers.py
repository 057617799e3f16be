"""Tar headers: ustar, PAX and GNU long names, read and checked, never trusted.

Sources: POSIX pax(1), "ustar Interchange Format" and "pax Header Block"; GNU tar manual, "Basic Tar
Format". Written here rather than taken from ``tarfile`` because of that parser's history of endless loops
(CVE-2019-20907, CVE-2025-8194) and unbounded PAX headers; every field has a bound before it is used.
Global PAX headers are skipped, as Docker does. Sparse files are refused: no image tool writes them.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from containerlab.errors import BadArchive
from containerlab.images.compression import CHUNK
from containerlab.images.limits import Limits

__all__ = ["BLOCK", "Entry", "TarReader"]

BLOCK = 512
_ZEROS = bytes(BLOCK)
_REGULAR = b"0"
_KINDS = {b"\0": b"0", b"7": b"0", **{k: k for k in (b"0", b"1", b"2", b"3", b"4", b"5", b"6")}}
_XATTR = b"SCHILY.xattr."
_MAX_ID = 2**32 - 2
_MAX_TIME = 2**40  # year 36812; ext4 and utimensat(2) clamp far below


@dataclass(slots=True)
class Entry:
    """One member of an archive.

    ``kind`` is the POSIX type flag: 0 file, 1 hard link, 2 symbolic link, 3 and 4 device, 5 directory, 6
    FIFO. ``name`` and ``link`` are raw bytes as the archive has them; ``size`` bytes of payload follow (files
    only).
    """

    kind: bytes
    name: bytes
    link: bytes
    mode: int
    uid: int
    gid: int
    size: int
    mtime_ns: int
    major: int = 0
    minor: int = 0
    xattrs: dict[bytes, bytes] = field(default_factory=dict)


class TarReader:
    """Iterates the entries of a plain tar stream; ``payload()`` gives the current one's bytes.

    What of a payload isn't read is skipped. ``position`` counts the stream's bytes read so far. ``literal``, when
    given, is called with every byte of the stream that ``payload()`` doesn't give, in their order. Raises
    ``BadArchive`` for whatever can't be so.
    """

    def __init__(self, stream: io.RawIOBase, limits: Limits, literal: Callable[[bytes], object] | None = None) -> None:
        self._stream = io.BufferedReader(stream, CHUNK)
        self._limits = limits
        self._literal = literal
        self.position = 0
        self._left = 0
        self._padding = 0

    def __iter__(self) -> Iterator[Entry]:
        count = 0
        while (entry := self._next()) is not None:
            count += 1
            if count > self._limits.entries:
                raise BadArchive(f"the archive has more than {self._limits.entries} entries")
            yield entry

    def payload(self) -> Iterator[bytes]:
        """The current entry's bytes, 1 MiB at a time."""
        while self._left:
            yield self._take(min(self._left, CHUNK), self._payload)

    def drain(self, most: int) -> None:
        """Read what follows the archive's end; raises ``BadArchive`` when that is more than ``most`` bytes."""
        left = most
        while data := self._read(CHUNK):
            left -= len(data)
            if left < 0:
                raise BadArchive("too many bytes follow the end of the archive")

    def _read(self, count: int) -> bytes:
        data = self._payload(count)
        if self._literal is not None:
            self._literal(data)
        return data

    def _payload(self, count: int) -> bytes:
        data = self._stream.read(count)
        self.position += len(data)
        return data

    def _take(self, count: int, read: Callable[[int], bytes]) -> bytes:
        data = read(count)
        if len(data) < count:
            raise BadArchive("the archive is cut off: unexpected EOF")
        self._left -= count
        return data

    def _skip(self) -> None:
        while self._left:
            self._take(min(self._left, CHUNK), self._read)
        if self._padding:
            # Some writers leave out the padding of the very last member.
            self._read(self._padding)
            self._padding = 0

    def _expect(self, size: int) -> None:
        self._left, self._padding = size, -size % BLOCK

    def _next(self) -> Entry | None:
        pax: dict[bytes, bytes] = {}
        long_name: bytes | None = None
        long_link: bytes | None = None
        while True:
            self._skip()
            header = self._read(BLOCK)
            ends = not header or header == _ZEROS
            if ends and not (pax or long_name or long_link):
                return None
            if ends or len(header) < BLOCK:
                raise BadArchive("the archive is cut off: unexpected EOF")
            _check_sum(header)
            kind = header[156:157]
            if kind == b"x":
                pax = _pax_records(self._special(header))
            elif kind == b"g":
                self._special(header)
            elif kind == b"L":
                long_name = _until_nul(self._special(header))
            elif kind == b"K":
                long_link = _until_nul(self._special(header))
            else:
                return self._entry(header, pax, long_name, long_link)

    def _special(self, header: bytes) -> bytes:
        size = _number(header[124:136], "size")
        if size > self._limits.pax:
            raise BadArchive(f"an extended header of {size} bytes is larger than {self._limits.pax}")
        self._expect(size)
        data = self._take(size, self._read) if size else b""
        self._skip()
        return data

    def _entry(self, header: bytes, pax: dict[bytes, bytes], name: bytes | None, link: bytes | None) -> Entry:
        kind = _KINDS.get(header[156:157])
        if kind is None or any(key.startswith(b"GNU.sparse.") for key in pax):
            raise BadArchive(f"an entry of type {header[156:157]!r} or a sparse file can't be unpacked")
        entry = _plain_entry(header, kind)
        entry.name = pax.get(b"path", name if name is not None else entry.name)
        entry.link = pax.get(b"linkpath", link if link is not None else entry.link)
        _apply_pax(entry, pax)
        if entry.kind == _REGULAR and entry.name.endswith(b"/"):
            entry.kind = b"5"  # how archives older than POSIX write a directory
        if entry.kind != _REGULAR and entry.kind != b"1":
            entry.size = 0
        self._check(entry)
        # A hard link may carry its file's size; whether bytes follow, old writers disagree: as GNU tar, none do.
        self._expect(0 if entry.kind == b"1" else entry.size)
        return entry

    def _check(self, entry: Entry) -> None:
        for text, what in ((entry.name, "name"), (entry.link, "link target")):
            if b"\0" in text:
                raise BadArchive(f"a {what} in the archive holds a zero byte")
            if len(text) > self._limits.path:
                raise BadArchive(f"a {what} in the archive is longer than {self._limits.path} bytes")
        if sum(map(len, entry.xattrs.values())) > self._limits.xattr:
            raise BadArchive(f"the extended attributes of {entry.name!r} are larger than {self._limits.xattr} bytes")
        if entry.size > self._limits.total:
            raise BadArchive(f"{entry.name!r} claims {entry.size} bytes, more than {self._limits.total}")


def _check_sum(header: bytes) -> None:
    stated = _number(header[148:156], "checksum")
    blanked = header[:148] + b" " * 8 + header[156:]
    if sum(blanked) == stated:
        return
    # Early writers summed signed characters.
    if sum(byte - 256 if byte > 127 else byte for byte in blanked) != stated:
        raise BadArchive("the archive has a damaged header: wrong checksum (or it is no tar archive)")


def _plain_entry(header: bytes, kind: bytes) -> Entry:
    name = _until_nul(header[0:100])
    if header[257:263] == b"ustar\0":
        prefix = _until_nul(header[345:500])
        if prefix:
            name = prefix + b"/" + name
    is_device = kind in (b"3", b"4")
    return Entry(
        kind=kind,
        name=name,
        link=_until_nul(header[157:257]),
        mode=_number(header[100:108], "mode") & 0o7777,
        uid=_number(header[108:116], "uid"),
        gid=_number(header[116:124], "gid"),
        size=_number(header[124:136], "size"),
        mtime_ns=_number(header[136:148], "mtime", negative=True) * 10**9,
        major=_number(header[329:337], "device") if is_device else 0,
        minor=_number(header[337:345], "device") if is_device else 0,
    )


def _apply_pax(entry: Entry, pax: dict[bytes, bytes]) -> None:
    for key, value in pax.items():
        if key == b"size":
            entry.size = _decimal(value)
        elif key == b"uid":
            entry.uid = _decimal(value)
        elif key == b"gid":
            entry.gid = _decimal(value)
        elif key == b"mtime":
            entry.mtime_ns = _seconds(value)
        elif key.startswith(_XATTR):
            entry.xattrs[key[len(_XATTR) :]] = value
    if entry.uid > _MAX_ID or entry.gid > _MAX_ID:
        raise BadArchive(f"{entry.name!r} has the owner {entry.uid}:{entry.gid}, beyond 32 bits")
    if abs(entry.mtime_ns) > _MAX_TIME * 10**9:
        raise BadArchive(f"{entry.name!r} has an impossible modification time")


def _pax_records(data: bytes) -> dict[bytes, bytes]:
    """``LENGTH KEY=VALUE\\n`` records; LENGTH counts itself, so each step moves on or raises."""
    records: dict[bytes, bytes] = {}
    position = 0
    while position < len(data):
        space = data.find(b" ", position, position + 20)
        digits = data[position:space] if space > 0 else b""
        if not digits.isdigit():
            raise BadArchive("the archive has a damaged PAX header")
        end = position + int(digits)
        if end > len(data) or end <= space + 2 or data[end - 1 : end] != b"\n":
            raise BadArchive("the archive has a damaged PAX header")
        key, equals, value = data[space + 1 : end - 1].partition(b"=")
        if not equals or not key:
            raise BadArchive("the archive has a damaged PAX header")
        records[key] = value
        position = end
    return records


def _until_nul(data: bytes) -> bytes:
    return data.partition(b"\0")[0]


def _number(data: bytes, what: str, *, negative: bool = False) -> int:
    """An octal field, or GNU's base 256 when the first byte's top bit is set."""
    if data[0] & 0x80:
        value = int.from_bytes(bytes([data[0] & 0x7F]) + data[1:], "big")
        if data[0] & 0x40:
            value -= 1 << (8 * len(data) - 1)
        if value < 0 and not negative:
            raise BadArchive(f"the archive has a negative {what}")
        return value
    text = data.partition(b"\0")[0].strip()
    if not text:
        return 0
    if text.strip(b"01234567"):
        raise BadArchive(f"the archive has a damaged header: {what} is {text!r}")
    return int(text, 8)


def _decimal(value: bytes) -> int:
    if not value.isdigit() or len(value) > 19:
        raise BadArchive(f"the archive has a damaged PAX header: {value[:40]!r} is no number")
    return int(value)


def _seconds(value: bytes) -> int:
    """``[-]SECONDS[.FRACTION]`` in nanoseconds, cut off behind the ninth digit."""
    whole, _, fraction = value.removeprefix(b"-").partition(b".")
    if fraction.strip(b"0123456789") or len(fraction) > 100:
        raise BadArchive(f"the archive has a damaged PAX header: {value[:40]!r} is no time")
    nanoseconds = _decimal(whole) * 10**9 + int(fraction[:9].ljust(9, b"0"))
    return -nanoseconds if value.startswith(b"-") else nanoseconds
