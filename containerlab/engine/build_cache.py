"""What builds have left to be used again: layers that no image needs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from containerlab.images import ImageStore, Layer

if TYPE_CHECKING:
    from containerlab.build import Builder

__all__ = ["cache_view", "prune_cache"]


def cache_view(images: ImageStore, mounts: Path) -> list[dict[str, Any]]:
    """``BuildCache`` of ``GET /system/df``; ``mounts`` is the folder of the cache mounts. For a thread."""
    return [*_layers_view(images), *_mounts_view(mounts)]


def _layers_view(images: ImageStore) -> Iterator[dict[str, Any]]:
    yield from (
        {
            "ID": layer.chain_id.removeprefix("sha256:"),
            "Type": "regular",
            "Description": layer.provenance.created_by,
            "InUse": False,
            "Shared": False,
            "Size": layer.size,
        }
        for layer in _unneeded(images)
    )


def _mounts_view(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        yield {
            "ID": path.name,
            "Type": "exec.cachemount",
            "Description": "a cache of RUN --mount=type=cache",
            "InUse": False,
            "Shared": False,
            "Size": _size_of(path),
        }


def prune_cache(
    images: ImageStore, builder: Builder, bound: tuple[int, float | None] | None, mounts: list[Path]
) -> dict[str, Any]:
    """Docker's ``{"CachesDeleted": [...], "SpaceReclaimed": N}``; for a thread.

    ``bound`` is the bytes to keep, and the moment before which a layer must have been used last to go; None takes
    every unneeded layer. ``mounts`` are cache mounts to remove.
    """
    if bound is None:
        sizes = {layer.chain_id: layer.size for layer in images.layers.all()}
        gone = {chain: sizes.get(chain, 0) for chain in images.prune_layers()}
    else:
        gone = {layer.chain_id: layer.size for layer in builder.cache.collect(bound[0], unused_since=bound[1])}
    for path in mounts:
        gone[path.name] = _size_of(path)
        builder.mounts.remove(path)
    return {
        "CachesDeleted": [name.removeprefix("sha256:") for name in gone] or None,
        "SpaceReclaimed": sum(gone.values()),
    }


def _size_of(folder: Path) -> int:
    """The bytes of the files in a folder; what goes meanwhile isn't counted."""
    size = 0
    for _, _, files, fd in os.fwalk(folder, onerror=None):
        for name in files:
            try:
                size += os.stat(name, dir_fd=fd, follow_symlinks=False).st_size
            except FileNotFoundError:
                continue
    return size


def _unneeded(images: ImageStore) -> list[Layer]:
    needed = {chain for image in images.list() for chain in image.chain_ids}
    return [layer for layer in images.layers.all() if layer.chain_id not in needed]
