"""``docker save``: images as one tar that Docker, skopeo, umoci and this engine read.

It is what Docker writes since version 25: an OCI layout (``oci-layout``, ``index.json``, ``blobs/``), and beside it
``manifest.json`` and ``repositories`` for readers of Docker's older format, which find their files among the blobs.
Layers are their own plain tars, byte for byte. The tar is written in one pass and is the same each time.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from containerlab.errors import InvalidParameter, InvalidReference
from containerlab.images.compression import Writable
from containerlab.images.config import Descriptor, Index, Manifest, encode
from containerlab.images.headers import BLOCK
from containerlab.images.limits import CONFIG_BYTES
from containerlab.images.reference import Reference
from containerlab.images.store import Image, ImageStore
from containerlab.images.ustar import header

__all__ = ["Chosen", "choose", "save"]

_CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
_LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
_MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
_INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
_FULL_NAME = "io.containerd.image.name"
_REF_NAME = "org.opencontainers.image.ref.name"


@dataclass
class Chosen:
    """One image to be saved, and the names that it keeps in the archive."""

    image: Image
    refs: list[Reference] = field(default_factory=list)


def choose(images: ImageStore, names: Sequence[str]) -> list[Chosen]:
    """What the words of ``docker save`` mean (moby image/tarexport, ``parseNames``).

    A repository without a tag means all its tags, a tag itself alone, an id the image without a name. Raises
    ``NoSuchImage``, ``InvalidReference``, and ``InvalidParameter`` for no name at all.
    """
    if not names:
        raise InvalidParameter("no image is named: names is needed")
    chosen: dict[str, Chosen] = {}
    for name in names:
        for image, ref in _meant(images, name):
            entry = chosen.setdefault(image.id, Chosen(image))
            if ref is not None and ref not in entry.refs:
                entry.refs.append(ref)
    return list(chosen.values())


def _meant(images: ImageStore, name: str) -> list[tuple[Image, Reference | None]]:
    try:
        bare = Reference.parse(name, default_tag="")
    except InvalidReference:
        bare = None
    if bare is not None and not bare.tag and not bare.digest:
        tagged = [(image, tag) for image in images.list() for tag in image.tags if tag.name() == bare.name()]
        if tagged:
            return sorted(tagged, key=lambda pair: str(pair[1]))
    image = images.resolve(name)
    if bare is None or bare.digest:
        return [(image, None)]
    wanted = Reference.parse(name)
    return [(image, wanted if wanted in image.tags else None)]


def save(images: ImageStore, chosen: Sequence[Chosen], out: Writable) -> None:
    """Write the archive. The images' layers can't go away meanwhile.

    Raises ``NoSuchImage`` before the first byte for one that has gone, ``BadArchive`` in the middle for a layer whose
    files were changed on the disk.
    """
    owner = f"save-{secrets.token_hex(8)}"
    try:
        for entry in chosen:
            if entry.image.chain_id is not None:
                images.layers.pin(entry.image.chain_id, owner)
        _Saving(images, out).run(chosen)
    finally:
        images.layers.unpin(owner)


class _Saving:
    def __init__(self, images: ImageStore, out: Writable) -> None:
        self._images, self._out = images, out
        self._written: set[str] = set()
        self._index: list[Descriptor] = []
        self._manifests: list[dict[str, Any]] = []
        self._repositories: dict[str, dict[str, str]] = {}

    def run(self, chosen: Sequence[Chosen]) -> None:
        configs = [self._config(entry.image) for entry in chosen]
        self._directory("blobs/")
        self._directory("blobs/sha256/")
        for entry, config in zip(chosen, configs, strict=True):
            self._image(entry, config)
        self._file("index.json", encode(Index(2, self._index, _INDEX_TYPE)))
        self._file("manifest.json", msgspec.json.encode(self._manifests))
        self._file("oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
        if self._repositories:
            self._file("repositories", msgspec.json.encode(self._repositories))
        self._out.write(bytes(2 * BLOCK))

    def _config(self, image: Image) -> bytes:
        self._images.get(image.id)
        return self._images.content.read(image.id, most=CONFIG_BYTES)

    def _image(self, entry: Chosen, config: bytes) -> None:
        image = entry.image
        layers = [
            Descriptor(_LAYER_TYPE, layer.diff_id, self._images.layers.tar_size(layer.chain_id))
            for layer in self._images.layers.chain(image.chain_id)
        ]
        self._blob(image.id, config)
        for layer, descriptor in zip(image.chain_ids, layers, strict=True):
            self._layer(layer, descriptor)
        manifest = encode(Manifest(2, Descriptor(_CONFIG_TYPE, image.id, len(config)), layers, _MANIFEST_TYPE))
        digest = "sha256:" + hashlib.sha256(manifest).hexdigest()
        self._blob(digest, manifest)
        self._name(entry.refs, Descriptor(_MANIFEST_TYPE, digest, len(manifest)), layers)
        self._manifests.append(
            {
                "Config": _path(image.id),
                "RepoTags": [ref.familiar() for ref in entry.refs] or None,
                "Layers": [_path(layer.digest) for layer in layers],
            }
        )

    def _name(self, refs: Iterable[Reference], manifest: Descriptor, layers: list[Descriptor]) -> None:
        """A descriptor for each name: the specification lets one have one."""
        named = False
        for ref in refs:
            named = True
            names = {_FULL_NAME: str(ref), _REF_NAME: ref.tag}
            self._index.append(msgspec.structs.replace(manifest, annotations=names))
            if layers:
                tags = self._repositories.setdefault(ref.familiar_name(), {})
                tags[ref.tag] = layers[-1].digest.removeprefix("sha256:")
        if not named:
            self._index.append(manifest)

    def _layer(self, chain: str, descriptor: Descriptor) -> None:
        if descriptor.digest in self._written:
            return
        self._written.add(descriptor.digest)
        self._out.write(header(_path(descriptor.digest).encode(), b"0", size=descriptor.size))
        self._images.layers.tar(chain, self._out)
        self._out.write(bytes(-descriptor.size % BLOCK))

    def _blob(self, digest: str, data: bytes) -> None:
        if digest not in self._written:
            self._written.add(digest)
            self._file(_path(digest), data)

    def _file(self, name: str, data: bytes) -> None:
        self._out.write(header(name.encode(), b"0", size=len(data)) + data + bytes(-len(data) % BLOCK))

    def _directory(self, name: str) -> None:
        self._out.write(header(name.encode(), b"5", mode=0o755))


def _path(digest: str) -> str:
    return f"blobs/sha256/{digest.removeprefix('sha256:')}"
