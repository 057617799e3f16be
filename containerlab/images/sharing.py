"""Which layers several images share, and what that saves."""

from __future__ import annotations

from typing import Any

from containerlab.images.store import Image, ImageStore
from containerlab.images.waste import wasted

__all__ = ["sharing"]


def sharing(store: ImageStore, images: list[Image]) -> dict[str, Any]:
    """The answer of ``GET /containerlab/layers`` (docs/interfaces.md), sizes in bytes.

    ``bytes_if_copied`` is what the images would take if each had its layers for itself, ``bytes_on_disk``
    what they take: every layer once. An image that is named twice counts once.
    """
    images = list({image.id: image for image in images}.values())
    layers: dict[str, dict[str, Any]] = {}
    copied = 0
    for image in images:
        told = [step.created_by for step in image.config.history if not step.empty_layer]
        for number, layer in enumerate(store.layers.chain(image.chain_id)):
            copied += layer.size
            known = layers.setdefault(
                layer.chain_id,
                {
                    "size": layer.size,
                    "created_by": layer.provenance.created_by or "".join(told[number : number + 1]),
                    "dockerfile": layer.provenance.dockerfile,
                    "line": layer.provenance.line,
                    "images": [],
                },
            )
            known["images"].append(image.id)
    return {
        "images": [
            {
                "id": image.id,
                "tags": [tag.familiar() for tag in image.tags],
                "layers": image.chain_ids,
                "wasted": wasted(store.layers, image.chain_id),
            }
            for image in images
        ],
        "layers": layers,
        "bytes_if_copied": copied,
        "bytes_on_disk": sum(layer["size"] for layer in layers.values()),
    }
