"""Volumes with options (``type=tmpfs``, ``o=bind``): mounted at their folder while somebody uses them, as Docker does.

The mount lies in the supervisor's mount namespace, of which a container's begins as a copy: so two that run at once
share one tmpfs, and an engine that comes after one that was killed finds it there. It goes with the last container that
runs, and with the supervisor at the latest.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from containerlab.engine.state import MountPoint
from containerlab.engine.volume_table import Volume
from containerlab.errors import ContainerlabError
from containerlab.runtime.host_mounts import mounts_below
from containerlab.runtime.volume_mount import described, mount_volume, unmount_volume

__all__ = ["VolumeMounts"]


class VolumeMounts:
    """``find(name)`` is the volume, or None; ``running(name)`` whether a container that runs uses it."""

    def __init__(self, folder: Path, find: Callable[[str], Volume | None], running: Callable[[str], bool]) -> None:
        self._folder, self._find, self._running = folder, find, running
        self._lock = asyncio.Lock()
        self._held: Counter[str] = Counter()
        self._settling = False
        self._mounted = self._found()

    def data(self, name: str) -> Path:
        """A volume's own folder, where it is mounted."""
        return self._folder / name / "_data"

    @asynccontextmanager
    async def mounted(self, points: Iterable[MountPoint]) -> AsyncIterator[None]:
        """The volumes among ``points`` are mounted in the block, and stay so where a container that runs uses them.

        Raises ContainerlabError, in Docker's words, for what the kernel doesn't mount.
        """
        names = [point.name for point in points if point.type == "volume" and self._needs(point.name)]
        if not names:
            yield
            return
        async with self._lock:
            self._held.update(names)
        try:
            async with self._lock:
                for name in names:
                    await self._mount(name)
            yield
        finally:
            async with self._lock:
                self._held.subtract(names)
                await self._settle(names)

    async def ended(self, points: Iterable[MountPoint]) -> None:
        """A container with these mounts runs no more."""
        names = [point.name for point in points if point.type == "volume" and point.name in self._mounted]
        if names:
            async with self._lock:
                await self._settle(names)

    async def reconcile(self) -> None:
        """Every container's state is known from here on: let go of what a former engine had mounted for nobody."""
        async with self._lock:
            self._settling = True
            await self._settle(tuple(self._mounted))

    def mounted_now(self) -> list[str]:
        """The volumes that the kernel says are mounted, but for those in use at this moment."""
        return sorted(name for name in self._found() if not self._held[name])

    def _found(self) -> set[str]:
        """By the kernel's own paths, in which no link is; what is mounted below a volume's folder came with it."""
        folder = os.path.realpath(self._folder)
        parts = [point.removeprefix(f"{folder}/").split("/") for point in mounts_below(folder)]
        return {part[0] for part in parts if part[1:] == ["_data"]}

    def drop(self, name: str) -> None:
        """Let go of whatever is mounted at a volume."""
        self._mounted.discard(name)
        with suppress(OSError):
            while True:
                unmount_volume(str(self.data(name)))

    def drop_to_delete(self, name: str) -> None:
        """The same, before its folder is deleted. Raises ContainerlabError if the mount stayed: those files are
        somebody else's."""
        self.drop(name)
        if name in self._found():
            raise ContainerlabError(f"remove {name}: what is mounted at it can't be unmounted, so nothing is deleted")

    def _needs(self, name: str) -> bool:
        volume = self._find(name)
        return volume is not None and bool(volume.options.get("type"))

    async def _mount(self, name: str) -> None:
        volume = self._find(name)
        if volume is None or name in self._mounted:
            return
        options = volume.options
        place, device, words = str(self.data(name)), options.get("device", ""), options.get("o", "")
        try:
            await asyncio.to_thread(mount_volume, place, options["type"], device, words)
        except OSError as error:
            raise ContainerlabError(
                f"error while mounting volume '{place}': failed to mount local volume: "
                f"mount {described(place, device, words)}: {(error.strerror or str(error)).lower()}"
            ) from error
        self._mounted.add(name)

    async def _settle(self, names: Iterable[str]) -> None:
        if not self._settling:
            return
        for name in names:
            if name in self._mounted and not self._held[name] and not self._running(name):
                await asyncio.to_thread(self.drop, name)
