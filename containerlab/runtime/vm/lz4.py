"""LZ4's legacy frame, which Linux images are packed in: the standard library has no decoder.

Format: a magic number, then blocks of at most 8 MiB unpacked, each behind its packed size
(https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md, "Legacy frame", and lz4_Block_format.md).
"""

from __future__ import annotations

import struct

__all__ = ["MAGIC", "unpack_legacy"]

MAGIC = b"\x02\x21\x4c\x18"

_BLOCK = 8 << 20
_MIN_MATCH = 4
_MORE = 15


def unpack_legacy(data: bytes, limit: int) -> bytes:
    """What ``data`` unpacks to, at most ``limit`` bytes. Raises ValueError for anything damaged.

    Bytes behind the last block (a Linux image carries its unpacked size there) are left alone.
    """
    if not data.startswith(MAGIC):
        raise ValueError("not an LZ4 legacy frame")
    out = bytearray()
    at = len(MAGIC)
    while at + 4 <= len(data):
        (size,) = struct.unpack_from("<I", data, at)
        at += 4
        if size == 0 or at + size > len(data):
            break
        try:
            block = _unpack_block(data[at : at + size])
        except IndexError:
            raise ValueError("an LZ4 block is cut off") from None
        out += block
        at += size
        if len(out) > limit:
            raise ValueError(f"an LZ4 frame unpacks to more than {limit} bytes")
    return bytes(out)


def _unpack_block(block: bytes) -> bytearray:
    out = bytearray()
    at, end = 0, len(block)
    while True:
        token = block[at]
        at += 1
        literals = token >> 4
        if literals == _MORE:
            literals, at = _long_length(block, at, literals)
        if at + literals > end or len(out) > _BLOCK:
            raise ValueError("an LZ4 block runs past its end")
        out += block[at : at + literals]
        at += literals
        if at == end:
            return out
        distance = block[at] | block[at + 1] << 8
        at += 2
        length = token & 15
        if length == _MORE:
            length, at = _long_length(block, at, length)
        length += _MIN_MATCH
        start = len(out) - distance
        if distance == 0 or start < 0:
            raise ValueError("an LZ4 match points before its block")
        if distance >= length:
            out += out[start : start + length]
        else:
            # The match overlaps what it makes: a pattern, repeated.
            pattern = bytes(out[start:])
            out += (pattern * (length // distance + 1))[:length]


def _long_length(block: bytes, at: int, length: int) -> tuple[int, int]:
    while True:
        part = block[at]
        at += 1
        length += part
        if length > _BLOCK:
            raise ValueError("an LZ4 length is longer than its block may be")
        if part != 255:
            return length, at
