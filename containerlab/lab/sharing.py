"""Which layers several images have in common, read from any engine that speaks the Docker API.

A layer is known by its *chain ID* (OCI image spec, config.md, "Layer ChainID"): the digest of its own diff ID and of
all below it. Two images share a layer exactly when they share its chain ID; then the bytes are on disk once.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import docker.errors

from containerlab.client import lab_get

__all__ = ["ImageLayers", "Layer", "Sharing", "read_sharing"]

# Instructions that write to the image's configuration alone (Dockerfile reference).
_NOTING = frozenset(
    {"ARG", "CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD", "SHELL"}
    | {"STOPSIGNAL", "USER", "VOLUME"}
)
_COPIED = re.compile(r"^(ADD|COPY) (?:file|dir|multi):[0-9a-f]{64} in (.*)$")


@dataclass(frozen=True)
class Layer:
    """``size`` in bytes; ``created_by`` is the Dockerfile instruction that made it."""

    chain_id: str
    size: int
    created_by: str


@dataclass(frozen=True)
class ImageLayers:
    """One image; ``layers`` base first, ``wasted`` the bytes that a later layer hides (0 where nobody tells them), and
    ``wasted_in`` those of each layer, by its chain ID."""

    name: str
    layers: tuple[Layer, ...]
    wasted: int = 0
    wasted_in: Mapping[str, int] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes, as if the image were alone."""
        return sum(layer.size for layer in self.layers)


@dataclass(frozen=True)
class Sharing:
    """Several images over one store."""

    images: tuple[ImageLayers, ...]

    @property
    def layers(self) -> dict[str, Layer]:
        """Every distinct layer, by chain ID."""
        return {layer.chain_id: layer for image in self.images for layer in image.layers}

    @property
    def bytes_if_copied(self) -> int:
        """What the images would take if each kept its own copy of everything."""
        return sum(image.size for image in self.images)

    @property
    def bytes_on_disk(self) -> int:
        """What they take with each layer kept once."""
        return sum(layer.size for layer in self.layers.values())

    @property
    def bytes_saved(self) -> int:
        """The difference that sharing makes."""
        return self.bytes_if_copied - self.bytes_on_disk

    @property
    def wasted(self) -> dict[str, int]:
        """By image: bytes written in one layer, removed or written again in a later one; no image without any."""
        return {image.name: image.wasted for image in self.images if image.wasted}

    def users(self, chain_id: str) -> list[str]:
        """Names of the images that stand on this layer."""
        return [image.name for image in self.images if any(layer.chain_id == chain_id for layer in image.layers)]

    def to_dict(self) -> dict[str, Any]:
        """For a program, and for ``measurements.json``."""
        return {
            "images": {image.name: [layer.chain_id for layer in image.layers] for image in self.images},
            "bytes_if_copied": self.bytes_if_copied,
            "bytes_on_disk": self.bytes_on_disk,
            "bytes_saved": self.bytes_saved,
            **({"bytes_wasted": self.wasted} if self.wasted else {}),
        }


def chain_ids(diff_ids: Sequence[str]) -> list[str]:
    """The chain ID of each layer, base first."""
    chain: list[str] = []
    for diff_id in diff_ids:
        if not chain:
            chain.append(diff_id)
        else:
            chain.append("sha256:" + hashlib.sha256(f"{chain[-1]} {diff_id}".encode()).hexdigest())
    return chain


def read_sharing(client: Any, names: Iterable[str]) -> Sharing:
    """Read the layers of the images ``names`` through docker-py.

    Sizes and instructions come from the image's history. The classic API doesn't say which of its entries made a layer,
    so those are left out whose instruction only notes something (CMD, ENV, …).
    """
    chosen = list(names)
    wasted = _wasted(client, chosen)
    return Sharing(tuple(_image(client, name, wasted) for name in chosen))


def _image(client: Any, name: str, wasted: Mapping[str, Mapping[str, int]]) -> ImageLayers:
    details = client.api.inspect_image(name)
    chain = chain_ids(details["RootFS"].get("Layers") or [])
    made = _makers(list(reversed(client.api.history(name))), len(chain))
    hidden = wasted.get(details.get("Id", ""), {})
    return ImageLayers(
        name,
        tuple(
            Layer(chain_id, entry["Size"], _instruction(entry["CreatedBy"]))
            for chain_id, entry in zip(chain, made, strict=True)
        ),
        sum(hidden.values()),
        hidden,
    )


def _wasted(client: Any, names: list[str]) -> dict[str, dict[str, int]]:
    """By the image's id, asked for all at once. Docker's API has no word for it: only the kit's own engine tells it."""
    try:
        images = lab_get(client, "/containerlab/layers", image=names)["images"]
    except docker.errors.NotFound:
        return {}
    return {image["id"]: image["wasted"] for image in images}


def _makers(entries: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """The ``count`` history entries that made layers, base first."""
    making = [entry for entry in entries if _instruction(entry["CreatedBy"]).split(" ")[0] not in _NOTING]
    # WORKDIR makes a layer only where it made the folder, and then one without a size too.
    without_workdir = [entry for entry in making if not _instruction(entry["CreatedBy"]).startswith("WORKDIR")]
    sized = [entry for entry in entries if entry["Size"] > 0]
    for candidates in (entries, making, without_workdir, sized):
        if len(candidates) == count:
            return candidates
    # A history that doesn't fit its layers: the newest pair up first.
    padding: list[dict[str, Any]] = [{"Size": 0, "CreatedBy": ""}] * max(0, count - len(sized))
    return (padding + sized)[-count:] if count else []


def _instruction(created_by: str) -> str:
    """The Dockerfile's own words: without the shell and the digests that the classic builder writes."""
    words = created_by.removeprefix("/bin/sh -c ").strip()
    if words.startswith("#(nop)"):
        words = " ".join(words.removeprefix("#(nop)").split())
    elif created_by.startswith("/bin/sh -c "):
        return f"RUN {words}"
    return _COPIED.sub(r"\1 \2", words)
