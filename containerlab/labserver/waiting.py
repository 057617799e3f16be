"""Waiting for a file to come, change or go, its folders too (inotify): nothing is polled."""

from __future__ import annotations

from pathlib import Path

from containerlab.inotify import Watch

__all__ = ["Stamp", "differs", "stamp"]

Stamp = tuple[int, int, int] | None


def stamp(path: Path) -> Stamp:
    """What tells one state of a file from another; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


async def differs(path: Path, known: Stamp) -> Stamp:
    """The file's stamp, as soon as it isn't ``known`` any more."""
    while (found := stamp(path)) == known:
        # The first thing missing on the way to the file is what will be made next.
        watched = next((part for part in [*reversed(path.parents), path] if not part.exists()), path)
        async with Watch(watched) as watch:
            if stamp(path) == known and (watched == path or not watched.exists()):
                await watch.changed()
    return found
