"""The OCI documents of an image as msgspec structs: config, manifest, descriptor, index.

Field names are those of the OCI image spec (config.md, manifest.md, descriptor.md), with Docker's additions
to the config (``Shell``, ``Healthcheck``, ``OnBuild``, …). Unknown fields are ignored when read. Encoding is
deterministic: fields in the order below, empty ones left out, so that equal images have equal ids.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, TypeVar

import msgspec

from containerlab.errors import BadArchive
from containerlab.images.limits import CONFIG_BYTES, MANIFEST_BYTES

__all__ = [
    "CachedStep",
    "ContainerConfig",
    "Descriptor",
    "HealthConfig",
    "History",
    "ImageConfig",
    "Index",
    "Manifest",
    "Rootfs",
    "encode",
    "parse_config",
    "parse_index",
    "parse_manifest",
]

T = TypeVar("T")

_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,18})?(?:Z|[+-][0-9]{2}:[0-9]{2})"
)
_LAST_MOMENT = 253402300799  # the end of the year 9999


class HealthConfig(msgspec.Struct, omit_defaults=True):
    """``HEALTHCHECK``; the durations are nanoseconds, 0 inherits."""

    Test: list[str] | None = None
    Interval: int = 0
    Timeout: int = 0
    StartPeriod: int = 0
    StartInterval: int = 0
    Retries: int = 0


class ContainerConfig(msgspec.Struct, omit_defaults=True):
    """What a container of the image starts with (config.md, "config"; Docker image spec v1.2)."""

    User: str = ""
    ExposedPorts: dict[str, dict[str, Any]] | None = None
    Env: list[str] | None = None
    Entrypoint: list[str] | None = None
    Cmd: list[str] | None = None
    Volumes: dict[str, dict[str, Any]] | None = None
    WorkingDir: str = ""
    Labels: dict[str, str] | None = None
    StopSignal: str = ""
    ArgsEscaped: bool = False
    Healthcheck: HealthConfig | None = None
    Shell: list[str] | None = None
    OnBuild: list[str] | None = None
    StopTimeout: int | None = None


class Rootfs(msgspec.Struct):
    """The layers by the digest of their plain tars, base first."""

    type: str = "layers"
    diff_ids: list[str] = []


class History(msgspec.Struct, omit_defaults=True):
    """One instruction; ``empty_layer`` tells that it made no layer."""

    created: str = ""
    created_by: str = ""
    author: str = ""
    comment: str = ""
    empty_layer: bool = False


class CachedStep(msgspec.Struct, omit_defaults=True):
    """A build step as ``--cache-from`` reads it: its key in the cache, when it ran (RFC 3339), and what came of it.

    ``layers`` counts the image's layers after it; ``made_layer`` tells whether the last of them is its own.
    """

    key: str
    created: str
    layers: Annotated[int, msgspec.Meta(ge=0)]
    made_layer: bool = False


class ImageConfig(msgspec.Struct, omit_defaults=True):
    """The config blob, whose digest is the image's id. ``created`` is RFC 3339.

    ``cache`` is what build/inline_cache.py writes and reads; no image that is made from this one inherits it.
    """

    architecture: str
    os: str = msgspec.field(default_factory=lambda: "linux")
    config: ContainerConfig = msgspec.field(default_factory=ContainerConfig)
    rootfs: Rootfs = msgspec.field(default_factory=Rootfs)
    history: list[History] = []
    created: str = ""
    author: str = ""
    variant: str = ""
    cache: list[CachedStep] = msgspec.field(default_factory=list, name="containerlab.cache.v1")


class Descriptor(msgspec.Struct, omit_defaults=True):
    """A reference to content: media type, digest, size in bytes."""

    mediaType: str
    digest: str
    size: int
    annotations: dict[str, str] | None = None
    platform: dict[str, Any] | None = None


class Manifest(msgspec.Struct, omit_defaults=True):
    """A config and its layers, base first."""

    schemaVersion: int
    config: Descriptor
    layers: list[Descriptor]
    mediaType: str = ""
    annotations: dict[str, str] | None = None


class Index(msgspec.Struct, omit_defaults=True):
    """Manifests, by platform or by name."""

    schemaVersion: int
    manifests: list[Descriptor]
    mediaType: str = ""
    annotations: dict[str, str] | None = None


def encode(document: msgspec.Struct) -> bytes:
    """Compact JSON, the same bytes for equal documents."""
    return msgspec.json.encode(document, order="deterministic")


def parse_config(data: bytes) -> ImageConfig:
    """An image's config; raises ``BadArchive`` when it isn't one or is larger than 4 MiB."""
    try:
        config = _parse(data, ImageConfig, CONFIG_BYTES, "image config")
    except BadArchive:
        # Go's tools write null for what is empty.
        config = _parse(_without_nulls(data), ImageConfig, CONFIG_BYTES, "image config")
    cached = [step.created for step in config.cache]
    for moment in (config.created, *cached, *(step.created for step in config.history)):
        _check_moment(moment)
    if config.rootfs.type != "layers":
        raise BadArchive(f"the image config has a root file system of type {config.rootfs.type!r}, not layers")
    return config


def parse_manifest(data: bytes) -> Manifest:
    """A manifest; raises ``BadArchive``, also for a document that is manifest and index at once (CVE-2021-41190)."""
    manifest = _parse(data, Manifest, MANIFEST_BYTES, "manifest")
    _refuse_keys(data, ("manifests", "fsLayers"), "manifest")
    return manifest


def parse_index(data: bytes) -> Index:
    """An index; raises ``BadArchive``, also for a document that is manifest and index at once (CVE-2021-41190)."""
    index = _parse(data, Index, MANIFEST_BYTES, "index")
    _refuse_keys(data, ("config", "layers", "fsLayers"), "index")
    return index


def _parse(data: bytes, kind: type[T], most: int, what: str) -> T:
    if len(data) > most:
        raise BadArchive(f"the {what} is larger than {most} bytes")
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadArchive(f"the {what} can't be read: {error}") from error


def _without_nulls(data: bytes) -> bytes:
    """The document without fields that are null; a null port or volume is an empty object."""

    def clean(value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            if name in ("ExposedPorts", "Volumes"):
                return {key: {} if each is None else each for key, each in value.items()}
            return {key: clean(each, key) for key, each in value.items() if each is not None}
        return [clean(each) for each in value] if isinstance(value, list) else value

    if len(data) > CONFIG_BYTES:
        return data
    try:
        return msgspec.json.encode(clean(msgspec.json.decode(data)))
    except (msgspec.DecodeError, RecursionError):
        return data


def _check_moment(text: str) -> None:
    """Everybody who lists images reads it: one that is no time would stand in their way for good."""
    try:
        if text and (_MOMENT.fullmatch(text) is None or datetime.fromisoformat(text).timestamp() > _LAST_MOMENT):
            raise ValueError
    except (ValueError, OverflowError):
        raise BadArchive(f"the image config's {text[:60]!r} is no time of RFC 3339") from None


def _refuse_keys(data: bytes, keys: tuple[str, ...], what: str) -> None:
    present = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    wrong = [key for key in keys if key in present]
    if wrong:
        raise BadArchive(f"the {what} also holds {', '.join(wrong)}: it could be taken for another document")
