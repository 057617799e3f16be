"""Tar headers written: POSIX ustar, with a PAX header in front only where ustar has no room.

See pax(1), "ustar Interchange Format". Owner names stay empty: a container's names are not the host's.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

__all__ = ["header"]

_BLOCK = 512
_MAX_OCTAL_7 = 0o7777777
_MAX_OCTAL_11 = 0o77777777777
# name, mode, uid, gid, size, mtime, checksum, type, link, magic, version, (names), major, minor, (prefix)
_LAYOUT = struct.Struct("100s8s8s8s12s12s8ss100s6s2s64x8s8s155x12x")


def header(
    path: bytes,
    kind: bytes,
    *,
    mode: int = 0o644,
    uid: int = 0,
    gid: int = 0,
    size: int = 0,
    mtime: int = 0,
    link: bytes = b"",
    device: tuple[int, int] = (0, 0),
    xattrs: dict[bytes, bytes] | None = None,
) -> bytes:
    """One entry's header blocks: ustar, and before it a PAX header where ustar has no room.

    ``kind`` is the POSIX type flag, ``mtime`` whole seconds since 1970.
    """
    pax = dict(_pax_needed(path, link, uid, gid, size, mtime))
    for name, value in (xattrs or {}).items():
        pax[b"SCHILY.xattr." + name] = value
    block = _ustar(
        path[:100],
        kind,
        mode,
        uid if uid <= _MAX_OCTAL_7 else 0,
        gid if gid <= _MAX_OCTAL_7 else 0,
        size if size <= _MAX_OCTAL_11 else 0,
        mtime if 0 <= mtime <= _MAX_OCTAL_11 else 0,
        link[:100],
        device,
    )
    if not pax:
        return block
    records = b"".join(_pax_record(key, pax[key]) for key in sorted(pax))
    name = b"PaxHeaders.0/" + path.rstrip(b"/").rpartition(b"/")[2][:80]
    extended = _ustar(name, b"x", 0o644, 0, 0, len(records), 0, b"", (0, 0))
    return extended + records + bytes(-len(records) % _BLOCK) + block


def _pax_needed(path: bytes, link: bytes, uid: int, gid: int, size: int, mtime: int) -> Iterator[tuple[bytes, bytes]]:
    if len(path) > 100 or not path.isascii():
        yield b"path", path
    if len(link) > 100 or not link.isascii():
        yield b"linkpath", link
    if uid > _MAX_OCTAL_7:
        yield b"uid", b"%d" % uid
    if gid > _MAX_OCTAL_7:
        yield b"gid", b"%d" % gid
    if size > _MAX_OCTAL_11:
        yield b"size", b"%d" % size
    if not 0 <= mtime <= _MAX_OCTAL_11:
        yield b"mtime", b"%d" % mtime


def _pax_record(key: bytes, value: bytes) -> bytes:
    body = b" " + key + b"=" + value + b"\n"
    length = len(body) + 1
    while len(b"%d" % length) + len(body) != length:
        length += 1
    return b"%d" % length + body


def _ustar(
    name: bytes,
    kind: bytes,
    mode: int,
    uid: int,
    gid: int,
    size: int,
    mtime: int,
    link: bytes,
    device: tuple[int, int],
) -> bytes:
    fields = [
        name,
        b"%07o" % mode,
        b"%07o" % uid,
        b"%07o" % gid,
        b"%011o" % size,
        b"%011o" % mtime,
        b" " * 8,
        kind,
        link,
        b"ustar",
        b"00",
        b"%07o" % device[0],
        b"%07o" % device[1],
    ]
    block = _LAYOUT.pack(*fields)
    return b"%b%06o\0 %b" % (block[:148], sum(block), block[156:])
