"""``--cidfile`` and ``--iidfile``: an id for whoever comes after, in a file."""

from __future__ import annotations

__all__ = ["IdFile"]

from pathlib import Path

from containerlab.errors import Conflict


class IdFile:
    """A new file that is taken before the engine is asked, and removed again when nothing was made.

    As docker/cli ``container/create.go``. Without a path it does nothing. Raises Conflict for a path that is taken.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._written = False

    def __enter__(self) -> IdFile:
        if self._path is not None:
            try:
                self._path.touch(exist_ok=False)
            except FileExistsError:
                raise Conflict(
                    f"container ID file found, make sure the other container isn't running or delete {self._path}"
                ) from None
        return self

    def __exit__(self, *failure: object) -> None:
        if self._path is not None and not self._written:
            self._path.unlink(missing_ok=True)

    def write(self, identifier: str) -> None:
        if self._path is not None:
            self._path.write_text(identifier, encoding="ascii")
            self._written = True
