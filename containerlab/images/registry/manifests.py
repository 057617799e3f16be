"""What a registry keeps under a tag: an image's manifest, or an index of manifests by platform.

OCI image spec (manifest.md, image-index.md) and Docker's image manifest version 2, schema 2. What a document is, its
Content-Type, its own ``mediaType`` and its fields must agree on: one that could be taken for either of two is refused
(CVE-2021-41190).
"""

from __future__ import annotations

import hashlib
import platform as host
import re
from dataclasses import dataclass
from typing import Any

import msgspec

from containerlab.errors import BadArchive, InvalidParameter, NotInRegistry, RegistryError
from containerlab.images.config import Descriptor, Index, Manifest, parse_index, parse_manifest
from containerlab.images.limits import CONFIG_BYTES, Limits
from containerlab.images.reference import DIGEST

__all__ = [
    "ACCEPT",
    "DOCKER_CONFIG",
    "DOCKER_LAYER",
    "DOCKER_MANIFEST",
    "DOCKER_PLAIN_LAYER",
    "OCI_CONFIG",
    "OCI_MANIFEST",
    "Document",
    "Platform",
    "is_zstd",
]

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
DOCKER_PLAIN_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
_SCHEMA1 = "application/vnd.docker.distribution.manifest.v1"
_OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
_OCI_FOREIGN = "application/vnd.oci.image.layer.nondistributable.v1.tar"
_DOCKER_FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar"
_LAYERS = {
    *(DOCKER_LAYER, DOCKER_PLAIN_LAYER, f"{DOCKER_LAYER[:-4]}zstd", _DOCKER_FOREIGN, f"{_DOCKER_FOREIGN}.gzip"),
    *(f"{kind}{packed}" for kind in (_OCI_LAYER, _OCI_FOREIGN) for packed in ("", "+gzip", "+zstd")),
}
_MANIFESTS = (DOCKER_MANIFEST, OCI_MANIFEST)
_INDEXES = (DOCKER_INDEX, OCI_INDEX)
_GENERIC = ("application/json", "text/plain", "application/octet-stream")
_LAYER_COUNT = 500  # overlayfs stacks no more

ACCEPT = ", ".join((*_MANIFESTS, *_INDEXES))

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "armv6l": "arm", "i686": "386"}
_SPELLINGS = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "armhf": "arm", "i386": "386", "armel": "arm"}
_WORD = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}")


@dataclass(frozen=True, slots=True)
class Platform:
    """``os/architecture[/variant]`` in Go's words."""

    os: str = "linux"
    architecture: str = ""
    variant: str = ""

    @classmethod
    def own(cls) -> Platform:
        """This host's."""
        machine = host.machine()
        variant = {"armv7l": "v7", "armv6l": "v6"}.get(machine, "")
        return cls("linux", _ARCHITECTURES.get(machine, machine), variant)

    @classmethod
    def parse(cls, text: str) -> Platform:
        """``linux/arm64``, ``linux/arm/v7``, ``arm64``, ``linux``. Raises InvalidParameter in Docker's words."""
        parts = text.strip().lower().split("/")
        if not 1 <= len(parts) <= 3 or not all(_WORD.fullmatch(part) for part in parts):
            raise InvalidParameter(f'"{text[:80]}" is an invalid platform: it is not OS[/ARCHITECTURE[/VARIANT]]')
        if len(parts) == 1:
            if parts[0] == "linux":
                return cls.own()
            parts = ["linux", parts[0]]
        architecture = _SPELLINGS.get(parts[1], parts[1])
        return cls(parts[0], architecture, _variant(architecture, parts[2] if len(parts) == 3 else ""))

    def suits(self, os: str, architecture: str, variant: str) -> int:
        """How well an image of that platform suits: 0 not at all, the greatest number best."""
        if os != self.os or architecture != self.architecture:
            return 0
        wanted, has = _level(architecture, self.variant), _level(architecture, variant)
        return 0 if has > wanted else 1 + has

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


def _variant(architecture: str, variant: str) -> str:
    """``v8`` of arm64 goes without saying."""
    return "" if architecture == "arm64" and variant in ("8", "v8") else variant


def _level(architecture: str, variant: str) -> int:
    """``v7`` as 7: a processor runs what is made for its own level and those below."""
    default = {"arm64": 8, "arm": 7, "amd64": 1}.get(architecture, 0)
    digits = variant.removeprefix("v")
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 4 else default


@dataclass(frozen=True)
class Document:
    """The bytes under a tag or a digest, and what they are."""

    body: bytes
    media_type: str

    @property
    def digest(self) -> str:
        return "sha256:" + hashlib.sha256(self.body).hexdigest()

    @property
    def is_index(self) -> bool:
        return self.media_type in _INDEXES

    @classmethod
    def of(cls, body: bytes, content_type: str) -> Document:
        """From an answer. Raises RegistryError for what is no manifest, or could be two things."""
        said = _own_media_type(body)
        kind = said if content_type in _GENERIC and said else content_type
        if kind in _GENERIC:
            kind = OCI_MANIFEST
        if kind.startswith(_SCHEMA1):
            raise RegistryError("the image is kept in Docker's manifest schema 1, which is no longer supported")
        if kind not in (*_MANIFESTS, *_INDEXES):
            raise RegistryError(f"unsupported media type {kind[:100]!r}: this is no image's manifest")
        if said and said != kind:
            raise RegistryError(f"the manifest says that it is {said[:100]!r}, its registry that it is {kind!r}")
        return cls(body, kind)

    def pick(self, wanted: Platform, name: str) -> Descriptor:
        """The entry of an index for a platform. Raises NotInRegistry when it has none."""
        best: Descriptor | None = None
        score = 0
        for entry in self._index().manifests:
            if entry.mediaType not in _MANIFESTS or (entry.annotations or {}).get("vnd.docker.reference.type"):
                continue
            told = entry.platform or {}
            os, architecture = str(told.get("os", "")), str(told.get("architecture", ""))
            suits = wanted.suits(os, architecture, _variant(architecture, str(told.get("variant") or "")))
            if suits > score:
                best, score = entry, suits
        if best is None:
            raise NotInRegistry(f"no matching manifest for {wanted} in the manifest list entries")
        _check(best.digest, best.size)
        return best

    def platforms(self) -> list[dict[str, Any]]:
        """What an index's images are made for."""
        return [entry.platform for entry in self._index().manifests if entry.platform]

    def manifest(self) -> Manifest:
        """The image's own manifest, checked. Raises RegistryError."""
        try:
            manifest = parse_manifest(self.body)
        except BadArchive as error:
            raise RegistryError(error.message) from error
        if manifest.config.mediaType not in (DOCKER_CONFIG, OCI_CONFIG):
            raise RegistryError(
                f"Encountered remote {manifest.config.mediaType[:100]!r}(unknown) when fetching: this is no image"
            )
        _check(manifest.config.digest, manifest.config.size, most=CONFIG_BYTES)
        if len(manifest.layers) > _LAYER_COUNT:
            raise RegistryError(f"the image has more than {_LAYER_COUNT} layers")
        for layer in manifest.layers:
            # Addresses in a layer's ``urls`` are never fetched: whoever wrote the manifest chose them.
            if layer.mediaType not in _LAYERS:
                raise RegistryError(f"unsupported media type {layer.mediaType[:100]!r} of a layer")
            _check(layer.digest, layer.size, most=Limits().total)
        return manifest

    def _index(self) -> Index:
        try:
            return parse_index(self.body)
        except BadArchive as error:
            raise RegistryError(error.message) from error


def is_zstd(media_type: str) -> bool:
    """Whether a layer's media type says zstd, for which Docker's own manifest has no word."""
    return media_type.endswith(("+zstd", ".zstd"))


def _own_media_type(body: bytes) -> str:
    class Said(msgspec.Struct):
        mediaType: str = ""

    try:
        return msgspec.json.decode(body, type=Said).mediaType
    except (msgspec.DecodeError, RecursionError) as error:
        raise RegistryError(f"the manifest can't be read: {error}") from error


def _check(digest: str, size: int, *, most: int | None = None) -> None:
    if DIGEST.fullmatch(digest) is None:
        raise RegistryError(f"the manifest names {digest[:100]!r}, which is not a digest of the form sha256:HEX")
    if size < 0 or (most is not None and size > most):
        raise RegistryError(f"the manifest gives {digest} a size of {size} bytes, which can't be")
