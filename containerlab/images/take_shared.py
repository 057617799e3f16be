"""An image out of the shared store: each layer that isn't here is unpacked, compressed blobs stay where they are."""

from __future__ import annotations

import secrets

from containerlab.errors import BadArchive
from containerlab.images.config import Descriptor, parse_config, parse_manifest
from containerlab.images.kept import LayerBlob, Origin
from containerlab.images.layer import Provenance, chain_id
from containerlab.images.limits import CONFIG_BYTES, MANIFEST_BYTES
from containerlab.images.reference import DIGEST, Reference
from containerlab.images.shared import SharedStore
from containerlab.images.store import Image, ImageStore

__all__ = ["take"]


def take(images: ImageStore, shared: SharedStore, descriptor: Descriptor, reference: Reference) -> Image:
    """Register the image of a manifest of ``shared`` under ``reference``.

    Raises ``BadArchive`` for what isn't as its digest or the formats say, ``NotFound`` for a blob that is missing,
    ``StorageFull``; nothing of the image is kept then.
    """
    manifest_bytes = shared.read(descriptor.digest, most=MANIFEST_BYTES)
    manifest = parse_manifest(manifest_bytes)
    config_bytes = shared.read(manifest.config.digest, most=CONFIG_BYTES)
    config = parse_config(config_bytes)
    diff_ids = config.rootfs.diff_ids
    if len(diff_ids) != len(manifest.layers):
        raise BadArchive(f"the shared image's manifest has {len(manifest.layers)} layers, its config {len(diff_ids)}")
    told = iter([step.created_by for step in config.history if not step.empty_layer])
    owner = f"shared-{secrets.token_hex(16)}"
    made: list[str] = []
    chain: str | None = None
    try:
        for layer, diff_id in zip(manifest.layers, diff_ids, strict=True):
            if DIGEST.fullmatch(diff_id) is None:
                raise BadArchive(f"the shared image's config names {diff_id[:100]!r}, which is not a digest")
            parent, chain = chain, chain_id(chain, diff_id)
            created_by = next(told, "")
            if images.layers.has(chain):
                images.layers.pin(chain, owner)
                continue
            with shared.open(layer.digest) as blob, shared.bodies(diff_id) as bodies:
                provenance = Provenance(created_by)
                images.layers.unpack(blob, parent, provenance, diff_id=diff_id, owner=owner, bodies=bodies)
            made.append(chain)
        origin = _origin(manifest.layers, diff_ids, manifest_bytes, manifest.mediaType or descriptor.mediaType)
        image = images.register(config_bytes, chain, reference, origin=origin)
        made.clear()
        return image
    finally:
        images.layers.unpin(owner)
        for each in reversed(made):
            images.layers.remove(each)


def _origin(layers: list[Descriptor], diff_ids: list[str], manifest: bytes, media_type: str) -> Origin:
    """A plain tar can be made again from its layer; an image that came compressed is sent on as it came."""
    if any(layer.digest == diff_id for layer, diff_id in zip(layers, diff_ids, strict=True)):
        return Origin()
    blobs = [
        LayerBlob(diff_id, layer.digest, layer.size, layer.mediaType)
        for layer, diff_id in zip(layers, diff_ids, strict=True)
    ]
    return Origin(blobs, {}, manifest, media_type)
