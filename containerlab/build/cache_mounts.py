"""The directories of ``RUN --mount=type=cache``: kept from build to build, named by a digest of their id alone.

An id is text that a Dockerfile chose; it never becomes part of a path (CVE-2024-9675).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from containerlab.build.dockerfile.mounts import Mount
from containerlab.build.scratch import remove_folder

__all__ = ["CacheMounts"]


class CacheMounts:
    """Those of one store, below ``folder``; used from the event loop alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._locks: dict[str, asyncio.Lock] = {}
        self._users: Counter[str] = Counter()

    @asynccontextmanager
    async def use(self, mount: Mount, identity: str) -> AsyncIterator[Path]:
        """The directory of ``identity`` as long as the block runs; it may not be there yet.

        ``sharing=locked`` waits for whoever has it; ``private`` takes another one while it is in use.
        """
        name = hashlib.sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()
        if mount.sharing == "locked":
            async with self._locks.setdefault(name, asyncio.Lock()), self._using(name) as path:
                yield path
            return
        if mount.sharing == "private":
            count = 0
            while self._users[f"{name}-{count}"]:
                count += 1
            name = f"{name}-{count}"
        async with self._using(name) as path:
            yield path

    @asynccontextmanager
    async def _using(self, name: str) -> AsyncIterator[Path]:
        self._users[name] += 1
        try:
            yield self._folder / name
        finally:
            self._users[name] -= 1

    def idle(self) -> list[Path]:
        """Those that no RUN uses now."""
        if not self._folder.is_dir():
            return []
        return [path for path in sorted(self._folder.iterdir()) if not self._users[path.name]]

    def remove(self, path: Path) -> None:
        """Remove one that is idle."""
        remove_folder(path)
