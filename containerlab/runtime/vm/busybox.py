"""The static busybox that the guest's first process is."""

from __future__ import annotations

import os
import shutil
import struct
from pathlib import Path

from containerlab.errors import HostLacks

__all__ = ["read_busybox"]

_PT_INTERP = 3


def read_busybox() -> bytes:
    """Its bytes. Raises HostLacks where the host has none that runs without libraries."""
    path = os.environ.get("PATH", os.defpath) + ":/usr/bin:/bin:/usr/lib/busybox"
    for name in ("busybox", "busybox.static", "busybox-static"):
        found = shutil.which(name, path=path)
        if found is not None:
            content = Path(found).read_bytes()
            if _is_static(content):
                return content
    raise HostLacks(
        "No virtual machine can be made: its first process is a static busybox, and this host has none.",
        hint="Install the package busybox-static.",
    )


def _is_static(content: bytes) -> bool:
    """A 64-bit ELF file that names no interpreter (elf(5))."""
    if content[:5] != b"\x7fELF\x02":
        return False
    try:
        (start,) = struct.unpack_from("<Q", content, 32)
        size, count = struct.unpack_from("<HH", content, 54)
        types = [struct.unpack_from("<I", content, start + index * size)[0] for index in range(count)]
    except struct.error:
        return False
    return _PT_INTERP not in types
