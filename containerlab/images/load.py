"""``docker load``: the images of an archive, all of them or none.

Read are ``manifest.json`` as every Docker since 1.10 writes it (since 25 beside an OCI layout), and a bare OCI layout
(skopeo, buildah, ``docker buildx``). Every name is looked up inside the archive alone; every layer's plain
bytes must have the diff ID that the config states, every blob the digest that names it. Layers are pinned while they
are unpacked; the images are registered when all are there, and of a load that fails every new layer goes again.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import msgspec

from containerlab.errors import BadArchive, InvalidReference, NoSuchImage
from containerlab.images.archive import ArchiveFile, Stretch
from containerlab.images.compression import CHUNK
from containerlab.images.config import Descriptor, ImageConfig, parse_config, parse_index, parse_manifest
from containerlab.images.layer import Provenance, chain_id
from containerlab.images.limits import CONFIG_BYTES, MANIFEST_BYTES, Limits
from containerlab.images.reference import DIGEST, Reference
from containerlab.images.store import Image, ImageStore

__all__ = ["Loaded", "Report", "load"]

Report = Callable[[str, int, int], None]
"""Called while a new layer is unpacked: its diff ID, the bytes read so far, and all of them."""

_MOST_IMAGES = 1000
_MOST_CONFIGS = 64 << 20
_MOST_LAYERS = 500  # overlayfs stacks no more
_MOST_NESTING = 4
_HEX = re.compile(r"[a-f0-9]{64}")
_INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_FULL_NAME = "io.containerd.image.name"
_REF_NAME = "org.opencontainers.image.ref.name"


@dataclass(frozen=True)
class Loaded:
    """One image of the archive. ``renamed`` are names that another image had, with that image's id."""

    image: Image
    refs: list[Reference]
    renamed: list[tuple[Reference, str]]


@dataclass
class _Candidate:
    """What the archive says of one image: its config's bytes, its layers' files (with the digest of each, or none)."""

    raw: bytes
    layers: list[tuple[str, str]]
    refs: list[Reference] = field(default_factory=list)
    chain: str | None = None
    made: bool = False
    """Whether a layer of its chain is new."""


class _DockerManifest(msgspec.Struct):
    """One entry of ``manifest.json``."""

    Config: str
    RepoTags: list[str] | None = None
    Layers: list[str] | None = None


def load(
    images: ImageStore, file: IO[bytes], scratch: Path, report: Report, *, limits: Limits | None = None
) -> list[Loaded]:
    """Take in the images of an archive of any compression. ``file`` is a real file, closed once all of it is read: one
    without a name is never written to the disk then, when the images' layers are.

    Raises ``BadArchive`` for whatever isn't as the formats say, ``InvalidReference`` and ``StorageFull``; nothing
    of the archive is kept then. ``report`` may raise to end it.
    """
    owner = f"load-{secrets.token_hex(8)}"
    candidates: list[_Candidate] = []
    try:
        with file, ArchiveFile(file, scratch, limits or Limits()) as archive:
            candidates = _candidates(archive)
            if not candidates:
                raise BadArchive("the archive holds no image")
            for candidate in candidates:
                _unpack(images, archive, candidate, owner, report)
        return [_register(images, candidate) for candidate in candidates]
    finally:
        images.layers.unpin(owner)
        for candidate in candidates:
            if candidate.made and candidate.chain is not None and images.layers.has(candidate.chain):
                images.layers.remove(candidate.chain)  # as far as no image needs it


def _unpack(images: ImageStore, archive: ArchiveFile, candidate: _Candidate, owner: str, report: Report) -> None:
    config = parse_config(candidate.raw)
    _check(config, candidate)
    created_by = _instructions(config)
    for (name, digest), diff_id in zip(candidate.layers, config.rootfs.diff_ids, strict=True):
        chain = chain_id(candidate.chain, diff_id)
        if images.layers.has(chain):
            images.layers.pin(chain, owner)
        else:
            blob = _Blob(archive.open(name), diff_id, digest, report)
            provenance = Provenance(next(created_by, ""))
            images.layers.unpack(blob, candidate.chain, provenance, diff_id=diff_id, owner=owner)
            candidate.chain, candidate.made = chain, True
            blob.finish()
        candidate.chain = chain


def _check(config: ImageConfig, candidate: _Candidate) -> None:
    diff_ids = config.rootfs.diff_ids
    if config.os and config.os != "linux":
        raise BadArchive(f"cannot load a {config.os[:40]} image on linux")
    if len(diff_ids) != len(candidate.layers):
        raise BadArchive(
            f"invalid manifest, layers length mismatch: expected {len(diff_ids)}, got {len(candidate.layers)}"
        )
    if len(diff_ids) > _MOST_LAYERS:
        raise BadArchive(f"the image has more than {_MOST_LAYERS} layers")
    for diff_id in diff_ids:
        if DIGEST.fullmatch(diff_id) is None:
            raise BadArchive(f"the image's {diff_id[:100]!r} is not a digest of the form sha256:HEX")


def _instructions(config: ImageConfig) -> Iterator[str]:
    """The history's lines of those instructions that made a layer."""
    return iter([step.created_by for step in config.history if not step.empty_layer])


def _register(images: ImageStore, candidate: _Candidate) -> Loaded:
    image = images.register(candidate.raw, candidate.chain)
    renamed = []
    for ref in candidate.refs:
        try:
            before = images.resolve(str(ref)).id
        except NoSuchImage:
            before = image.id
        if before != image.id:
            renamed.append((ref, before))
        images.tag(image.id, ref)
    return Loaded(images.get(image.id), candidate.refs, renamed)


class _Blob:
    """A layer's file, counted, reported, and hashed where a digest names its own bytes and not the plain ones."""

    def __init__(self, stretch: Stretch, diff_id: str, digest: str, report: Report) -> None:
        self._stretch, self._diff_id, self._digest, self._report = stretch, diff_id, digest, report
        self._hash = hashlib.sha256() if digest and digest != diff_id else None
        self._done = 0
        report(diff_id, 0, stretch.size)

    def read(self, size: int = -1, /) -> bytes:
        data = self._stretch.read(CHUNK if size < 0 else size) or b""
        if self._hash is not None:
            self._hash.update(data)
        self._done += len(data)
        if data:
            self._report(self._diff_id, self._done, self._stretch.size)
        return data

    def finish(self) -> None:
        """Raises ``BadArchive`` when it isn't the blob that it is named after."""
        while self.read():
            continue
        if self._hash is not None and f"sha256:{self._hash.hexdigest()}" != self._digest:
            raise BadArchive(f"the blob {self._digest} holds other bytes, of sha256:{self._hash.hexdigest()}")


# -- what the archive says ----------------------------------------------------------------------------------


def _candidates(archive: ArchiveFile) -> list[_Candidate]:
    if "manifest.json" in archive:
        return _docker(archive)
    if "index.json" in archive:
        return _oci(archive)
    if "repositories" in archive:
        raise BadArchive("the archive is of a Docker older than 1.10 (it has no manifest.json), which isn't read here")
    raise BadArchive("invalid archive: does not contain a manifest.json, nor an index.json")


def _docker(archive: ArchiveFile) -> list[_Candidate]:
    data = archive.read("manifest.json", most=MANIFEST_BYTES)
    try:
        entries = msgspec.json.decode(data, type=list[_DockerManifest])
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadArchive(f"the archive's manifest.json can't be read: {error}") from error
    if len(entries) > _MOST_IMAGES:
        raise BadArchive(f"the archive holds more than {_MOST_IMAGES} images")
    found = []
    left = _MOST_CONFIGS
    for entry in entries:
        raw = archive.read(entry.Config, most=min(CONFIG_BYTES, left))
        left -= len(raw)
        _check_named(entry.Config, raw)
        layers = [(name, "") for name in entry.Layers or []]
        found.append(_Candidate(raw, layers, [_tag(text) for text in entry.RepoTags or []]))
    return found


def _check_named(name: str, raw: bytes) -> None:
    """A config that is named by a digest must have it."""
    stem = name.rpartition("/")[2].removesuffix(".json")
    if _HEX.fullmatch(stem) and hashlib.sha256(raw).hexdigest() != stem:
        raise BadArchive(f"the image config {stem} holds other bytes than its name says")


def _tag(text: str) -> Reference:
    reference = Reference.parse(text)
    if reference.digest:
        raise InvalidReference(f"invalid tag {text[:200]!r}: it is a name by digest")
    return reference


def _oci(archive: ArchiveFile) -> list[_Candidate]:
    found: dict[str, _Candidate] = {}
    for descriptor in _manifests(archive):
        candidate = found.get(descriptor.digest)
        if candidate is None:
            if len(found) >= _MOST_IMAGES or sum(len(each.raw) for each in found.values()) > _MOST_CONFIGS:
                raise BadArchive("the archive holds more images than are read at once")
            candidate = found[descriptor.digest] = _oci_image(archive, descriptor)
        candidate.refs += [ref for ref in _names(descriptor) if ref not in candidate.refs]
    return list(found.values())


def _manifests(archive: ArchiveFile) -> Iterator[Descriptor]:
    """The images' own manifests; of an image for several platforms this host's, under the whole's name."""
    index = parse_index(archive.read("index.json", most=MANIFEST_BYTES))
    for descriptor in index.manifests:
        entry, depth = descriptor, 0
        while entry.mediaType in _INDEX_TYPES:
            depth += 1
            if depth > _MOST_NESTING:
                raise BadArchive("the archive's index refers to indexes too deep")
            inner = parse_index(_small(archive, entry))
            entry = msgspec.structs.replace(_own(inner.manifests), annotations=descriptor.annotations)
        yield entry


def _own(manifests: list[Descriptor]) -> Descriptor:
    from containerlab.images.registry.manifests import Platform  # late: few archives ask, and it brings HTTP along

    own, best, score = Platform.own(), None, 0
    for entry in manifests:
        told = entry.platform or {}
        suits = own.suits(*(str(told.get(key) or "") for key in ("os", "architecture", "variant")))
        if entry.mediaType in _INDEX_TYPES and not told:
            suits = 1
        if suits > score:
            best, score = entry, suits
    if best is None and len(manifests) == 1:
        return manifests[0]
    if best is None:
        raise BadArchive(f"the archive holds no image for {own}")
    return best


def _oci_image(archive: ArchiveFile, descriptor: Descriptor) -> _Candidate:
    manifest = parse_manifest(_small(archive, descriptor))
    layers = []
    for layer in manifest.layers:
        name = _path(layer)
        if archive.open(name).size != layer.size:
            raise BadArchive(f"the blob {layer.digest} isn't of the {layer.size} bytes that its manifest says")
        layers.append((name, layer.digest))
    return _Candidate(_small(archive, manifest.config, CONFIG_BYTES), layers)


def _small(archive: ArchiveFile, descriptor: Descriptor, most: int = MANIFEST_BYTES) -> bytes:
    data = archive.read(_path(descriptor), most=most)
    if f"sha256:{hashlib.sha256(data).hexdigest()}" != descriptor.digest or len(data) != descriptor.size:
        raise BadArchive(f"the blob {descriptor.digest} holds other bytes than its digest and size say")
    return data


def _path(descriptor: Descriptor) -> str:
    if DIGEST.fullmatch(descriptor.digest) is None:
        raise BadArchive(f"{descriptor.digest[:100]!r} is not a digest of the form sha256:HEX")
    return f"blobs/sha256/{descriptor.digest.removeprefix('sha256:')}"


def _names(descriptor: Descriptor) -> list[Reference]:
    """The full name; ``ref.name`` may be one too, or a bare tag, which names nothing without its repository."""
    annotations = descriptor.annotations or {}
    full, short = annotations.get(_FULL_NAME, ""), annotations.get(_REF_NAME, "")
    if full:
        return [_tag(full)]
    if "/" not in short and ":" not in short:
        return []
    try:
        return [_tag(short)]
    except InvalidReference:
        return []
