"""Small files written so that they are whole or absent, also after a power cut."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from containerlab.errors import StorageFull

__all__ = ["Reserve", "no_room", "write_durably"]


@contextlib.contextmanager
def no_room(what: str) -> Iterator[None]:
    """Turn the kernel's "no space" and "no quota" into ``StorageFull``."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(f"no space left on device for {what}") from error
        raise


class Reserve:
    """A file that keeps some space, so that things can still be removed when there is no other."""

    def __init__(self, path: Path, size: int) -> None:
        self._path, self._size = path, size
        self.refill()

    def refill(self) -> None:
        """Take the space, if there is that much."""
        try:
            with open(self._path, "wb") as file:
                os.posix_fallocate(file.fileno(), 0, self._size)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise

    def release(self) -> None:
        """Give the space back."""
        os.truncate(self._path, 0)


def write_durably(path: Path, data: bytes, *, scratch: Path | None = None) -> None:
    """Write to a temporary file in ``scratch`` (or beside ``path``), fsync, rename, fsync the folder."""
    half = (scratch or path.parent) / f"{path.name[:40]}.{secrets.token_hex(4)}.tmp"
    try:
        with no_room(path.name), open(half, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        half.rename(path)
    finally:
        half.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
