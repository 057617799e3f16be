"""The static init that ``--init`` binds into a container: Debian's tini, or docker-init, which is tini too.

It runs inside the container with none of the host's libraries, so a dynamically linked one is of no use.
"""

from __future__ import annotations

import functools
import os
import struct

from containerlab.errors import HostLacks

__all__ = ["find", "is_static"]

_CANDIDATES = (
    "/usr/bin/tini-static",
    "/usr/local/bin/tini-static",
    "/usr/libexec/docker/docker-init",
    "/usr/bin/docker-init",
    "/usr/local/bin/docker-init",
    "/usr/bin/tini",
    "/sbin/tini",
)
_PT_INTERP = 3


@functools.cache
def find() -> str:
    """The first static tini of this host. ``HostLacks`` when there is none."""
    for path in _CANDIDATES:
        if os.access(path, os.X_OK) and is_static(path):
            return path
    raise HostLacks("--init: no static tini on this host", hint="Install it (Debian: the package tini).")


def is_static(path: str) -> bool:
    """True for a 64-bit ELF program without an interpreter (elf(5), PT_INTERP)."""
    with open(path, "rb") as file:
        header = file.read(64)
        if len(header) < 64 or header[:5] != b"\x7fELF\x02":
            return False
        (offset,) = struct.unpack_from("=Q", header, 32)
        size, count = struct.unpack_from("=HH", header, 54)
        file.seek(offset)
        table = file.read(size * count)
    return all(struct.unpack_from("=I", table, index * size)[0] != _PT_INTERP for index in range(len(table) // size))
