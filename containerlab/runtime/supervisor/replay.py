"""The log so far, for whoever attaches late: read back from the json-file a piece at a time."""

from __future__ import annotations

import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from containerlab.runtime.supervisor.jsonlog import JsonLog

__all__ = ["Replay"]

_PIECE = 65536


class Replay:
    """A cursor over the log's files, oldest first, that also follows a rotation.

    A file that is rotated while it is read stays readable through its descriptor; only a log that turns over wholly
    meanwhile loses records to the reader.
    """

    def __init__(self, log: JsonLog) -> None:
        self._log = log
        self._waiting: list[int] = []
        for path in log.files():
            try:
                self._waiting.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
            except FileNotFoundError:
                continue
        self._generation = log.generation
        self._rest = b""

    def next(self) -> list[tuple[str, bytes]] | None:
        """Some more (stream, bytes), perhaps none; None when the reader has caught up with the writer."""
        if not self._waiting and not self._follow():
            return None
        piece = os.read(self._waiting[0], _PIECE)
        if not piece:
            os.close(self._waiting.pop(0))
            return [] if self._waiting or self._follow() else None
        lines = (self._rest + piece).split(b"\n")
        self._rest = lines.pop()
        entries = (_entry(line) for line in lines)
        return [entry for entry in entries if entry is not None]

    def _follow(self) -> bool:
        """Opens what the writer has begun since this reader's last file was opened."""
        behind = self._log.generation - self._generation
        self._generation = self._log.generation
        for number in range(min(behind, self._log.max_file) - 1, -1, -1):
            path = f"{self._log.path}.{number}" if number else self._log.path
            try:
                self._waiting.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
            except FileNotFoundError:
                continue
        return bool(self._waiting)

    def close(self) -> None:
        for fd in self._waiting:
            os.close(fd)
        self._waiting.clear()


def _entry(line: bytes) -> tuple[str, bytes] | None:
    """A record's stream and bytes; None for a line that is none (a crash may have cut it)."""
    try:
        record = json.loads(line)
        return str(record["stream"]), str(record["log"]).encode()
    except (ValueError, KeyError, TypeError):
        return None
