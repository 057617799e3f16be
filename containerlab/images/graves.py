"""Folders that are to go and that nobody waits for, removed in a thread one after another.

Where the disk is told of each freed block (the mount option ``discard``), a file takes some 3 ms to go, ten times what
it took to be written: a copy of 10,000 files that made a layer which is there already would be waited for half a
minute. What a killed process leaves lies in the scratch folder, which is swept when the store is opened.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from pathlib import Path

from containerlab.images import trees

__all__ = ["Graves"]


class Graves:
    """The thread lives as long as there is something to remove."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Path] = deque()
        self._digger: threading.Thread | None = None

    def add(self, folder: Path) -> None:
        """Have a folder removed; its name is nobody's from now on."""
        with self._lock:
            self._waiting.append(folder)
            if self._digger is None:
                self._digger = threading.Thread(target=self._dig, name="graves", daemon=True)
                self._digger.start()

    def finish(self) -> None:
        """Wait until all of it is gone."""
        while (digger := self._digger) is not None:
            digger.join()

    def _dig(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._digger = None
                    return
                folder = self._waiting.popleft()
            with contextlib.suppress(OSError), trees.directory(folder.parent) as parent:
                trees.remove_at(parent, folder.name)
