"""A layer's files as files of their own, whose blocks a user's file shares where the file system has reflinks.

Nothing is believed of them: what was shared is compared, byte for byte, with what the archive holds, and written
anew from the first difference on. So they save disk, and can't change what is unpacked.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import TracebackType

from containerlab.reflink import clone

__all__ = ["Bodies"]

_LEAST = 4096  # smaller files may lie in their inode, and are as quickly written


class Bodies:
    """``directory`` is an open one, with the N-th entry of the archive (from 1) in the file ``N``."""

    def __init__(self, directory: int) -> None:
        self._directory = directory

    def __enter__(self) -> Bodies:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._directory)

    def share(self, target: int, number: int, size: int, payload: Iterator[bytes]) -> Iterator[bytes]:
        """Fill the empty file ``target`` as far as entry ``number`` has the same bytes; gives what is to be written.

        The file is open for both; its position is where that belongs.
        """
        if size < _LEAST or not self._clone(target, number, size):
            return payload
        return _different(target, payload)

    def _clone(self, target: int, number: int, size: int) -> bool:
        try:
            source = os.open(
                str(number), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=self._directory
            )
        except OSError:
            return False
        try:
            return os.fstat(source).st_size == size and clone(source, target)
        finally:
            os.close(source)


def _different(target: int, payload: Iterator[bytes]) -> Iterator[bytes]:
    """What of ``payload`` isn't in the file already; it is cut off there."""
    same, position = True, 0
    for piece in payload:
        if same and os.pread(target, len(piece), position) != piece:
            same = False
            os.ftruncate(target, position)
            os.lseek(target, position, os.SEEK_SET)
        if not same:
            yield piece
        position += len(piece)
