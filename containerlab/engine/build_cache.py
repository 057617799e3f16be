"""What builds have left to be used again: layers that no image needs."""

from __future__ import annotations

from typing import Any

from containerlab.images import ImageStore, Layer

__all__ = ["cache_view", "prune_cache"]


def cache_view(images: ImageStore) -> list[dict[str, Any]]:
    """``BuildCache`` of ``GET /system/df``; for a thread."""
    return [
        {
            "ID": layer.chain_id.removeprefix("sha256:"),
            "Type": "regular",
            "Description": layer.provenance.created_by,
            "InUse": False,
            "Shared": False,
            "Size": layer.size,
        }
        for layer in _unneeded(images)
    ]


def prune_cache(images: ImageStore) -> dict[str, Any]:
    """Docker's ``{"CachesDeleted": [...], "SpaceReclaimed": N}``; for a thread."""
    sizes = {layer.chain_id: layer.size for layer in images.layers.all()}
    gone = images.prune_layers()
    return {
        "CachesDeleted": [chain.removeprefix("sha256:") for chain in gone] or None,
        "SpaceReclaimed": sum(sizes.get(chain, 0) for chain in gone),
    }


def _unneeded(images: ImageStore) -> list[Layer]:
    needed = {chain for image in images.list() for chain in image.chain_ids}
    return [layer for layer in images.layers.all() if layer.chain_id not in needed]
