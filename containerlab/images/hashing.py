"""SHA-256 in a thread beside the one that reads or writes: on two processors it costs a stream no time."""

from __future__ import annotations

import hashlib
import queue
import threading

__all__ = ["Hashed"]

_BATCH = 1 << 20
_AHEAD = 8


class Hashed:
    """A place to write to that keeps the digest and the size alone; the thread begins with the first large piece."""

    def __init__(self) -> None:
        self.size = 0
        self._hash = hashlib.sha256()
        self._batch: list[bytes] = []
        self._waiting = 0
        self._queue: queue.Queue[list[bytes] | None] = queue.Queue(_AHEAD)
        self._thread: threading.Thread | None = None

    def write(self, data: bytes, /) -> None:
        self.size += len(data)
        self._batch.append(data)
        self._waiting += len(data)
        if self._waiting >= _BATCH:
            self._hand_over()

    def digest(self) -> str:
        """``sha256:HEX`` of everything written; nothing may be written afterwards."""
        self.close()
        for data in self._batch:
            self._hash.update(data)
        self._batch.clear()
        return "sha256:" + self._hash.hexdigest()

    def close(self) -> None:
        """End the thread; to be called whatever happens."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def _hand_over(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="sha256", daemon=True)
            self._thread.start()
        self._queue.put(self._batch)
        self._batch, self._waiting = [], 0

    def _run(self) -> None:
        while (batch := self._queue.get()) is not None:
            for data in batch:
                self._hash.update(data)
