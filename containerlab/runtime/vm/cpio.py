"""A cpio archive in the "newc" form, which Linux unpacks as its initial RAM file system.

The form: Documentation/driver-api/early-userspace/buffer-format.rst of the kernel.
"""

from __future__ import annotations

import os
import stat

__all__ = ["Archive"]

_TRAILER = "TRAILER!!!"


class Archive:
    """Entries in the order given; a directory has to come before what is in it. All belong to root."""

    def __init__(self) -> None:
        self._out = bytearray()
        self._inode = 0

    def directory(self, path: str) -> None:
        """An empty directory, mode 0755."""
        self._entry(path, stat.S_IFDIR | 0o755)

    def file(self, path: str, content: bytes, mode: int = 0o644) -> None:
        """A regular file."""
        self._entry(path, stat.S_IFREG | mode, content)

    def symlink(self, path: str, target: str) -> None:
        """A symbolic link."""
        self._entry(path, stat.S_IFLNK | 0o777, target.encode())

    def character_device(self, path: str, major: int, minor: int) -> None:
        """A device node: the kernel makes it, so writing one takes no privilege here."""
        self._entry(path, stat.S_IFCHR | 0o600, device=os.makedev(major, minor))

    def finish(self) -> bytes:
        """The whole archive, its end marked."""
        self._entry(_TRAILER, 0)
        return bytes(self._out)

    def _entry(self, path: str, mode: int, content: bytes = b"", device: int = 0) -> None:
        self._inode += 1
        name = path.encode() + b"\0"
        fields = (
            *(self._inode, mode, 0, 0, 1, 0, len(content), 0, 0),
            *(os.major(device), os.minor(device), len(name), 0),
        )
        self._out += b"070701" + b"".join(b"%08x" % value for value in fields) + name
        self._out += bytes(-len(self._out) % 4)
        self._out += content
        self._out += bytes(-len(self._out) % 4)
