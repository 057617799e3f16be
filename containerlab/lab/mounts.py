"""Where a container's files come from: its image's layers, its writable layer, volumes, binds, memory, the kernel.

The kit's own engine tells the whole table; of another one ``inspect`` tells all but the kernel's part.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import docker.errors

from containerlab.client import lab_get
from containerlab.lab.sharing import read_sharing
from containerlab.lab.words import Words, say

__all__ = ["ORIGINS", "Mount", "Mounts", "read_mounts"]

ORIGINS = {
    "layer": (Words("image layer"), Words("as long as the image")),
    "writable": (Words("writable layer"), Words("until the container is removed")),
    "volume": (Words("volume"), Words("until `volume rm`")),
    "anonymous": (Words("anonymous volume"), Words("until `rm -v` or `volume rm`")),
    "bind": (Words("bind"), Words("as long as the host keeps it")),
    "tmpfs": (Words("tmpfs"), Words("until the container stops")),
    "engine": (Words("the engine's files"), Words("until the container is removed")),
    "kernel": (Words("the kernel's own"), Words("made anew at each start")),
    "host": (Words("the host's own"), Words("as long as the host keeps it")),
    "copy": (Words("copy of the layers"), Words("until the container is removed")),
    "folder": (Words("folder, in place of a tmpfs"), Words("until the next start")),
    "inside": (Words("mounted inside"), Words("until the container stops")),
}
"""Each origin: its name, and how long what is written there lasts."""

_ROOT = ("layer", "writable", "copy")
_ASKED = ("volume", "anonymous", "bind", "tmpfs")
_MADE_UP = re.compile("[0-9a-f]{64}")
_UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


@dataclass(frozen=True)
class Mount:
    """``places``: where it is seen in the container; ``size`` in bytes, None where nobody says."""

    places: tuple[str, ...]
    origin: str
    name: str = ""
    size: int | None = None
    read_only: bool = False
    filesystems: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """Its origin, as ``ORIGINS`` describes it: what was asked for as a tmpfs may be a folder on the disk."""
        return "folder" if self.origin == "tmpfs" and "folder" in self.filesystems else self.origin

    def to_dict(self) -> dict[str, Any]:
        """For a program."""
        return {
            "places": list(self.places),
            "origin": self.origin,
            "name": self.name,
            "size": self.size,
            "read_only": self.read_only,
            "filesystems": list(self.filesystems),
        }


@dataclass(frozen=True)
class Mounts:
    """``mounts`` from the image's base up; ``live``: the kernel was asked, else it is what a start would mount.

    ``copied``: nothing can be mounted here; / is a copy of the layers, and folders of the host are shown in it.
    """

    container: str
    mounts: tuple[Mount, ...]
    live: bool = False
    copied: bool = False
    kernel_told: bool = True

    def of(self, *origins: str) -> list[Mount]:
        """Those of the origins that are named."""
        return [mount for mount in self.mounts if mount.origin in origins]

    @property
    def summary(self) -> str:
        """One true sentence."""
        layers, asked = len(self.of("layer")), self.of(*_ASKED)
        if self.copied:
            return self._copied_summary(layers, asked)
        root = (
            say("In {name}, / is one writable layer over the image's read-only one", name=self.container)
            if layers == 1
            else say(
                "In {name}, / is one writable layer over the image's {layers} read-only ones",
                name=self.container,
                layers=layers,
            )
        )
        if not asked:
            return say("{root}; nothing else is mounted for its data.", root=root)
        places = ", ".join(f"{mount.places[0]} ({say(ORIGINS[mount.kind][0])})" for mount in asked)
        return say("{root}; mounted besides: {places}.", root=root, places=places)

    @staticmethod
    def _copied_summary(layers: int, asked: list[Mount]) -> str:
        root = say("Nothing can be mounted here: / is a copy of the image's layers ({layers})", layers=layers)
        if not asked:
            return say("{root}, and no folder is shown in it for its data.", root=root)
        places = ", ".join(f"{mount.places[0]} ({say(ORIGINS[mount.kind][0])})" for mount in asked)
        return say(
            "{root}, in which proot shows folders of the host, all of them writable: {places}.",
            root=root,
            places=places,
        )


def read_mounts(client: Any, name: str) -> Mounts:
    """Read the mounts of the container ``name`` through docker-py. Raises docker's NotFound."""
    shown = client.api.inspect_container(name)
    layers, writable = _layers(client, shown["Image"]), _writable(client, shown)
    root = [*layers, writable]
    try:
        told = lab_get(client, f"/containerlab/containers/{shown['Id']}/mounts")
    except docker.errors.NotFound:
        return Mounts(name, (*root, *_of_inspect(shown)), kernel_told=False)
    copied = bool(told.get("copied"))
    if copied:
        root = [replace(layer, filesystems=()) for layer in layers]
        root.append(replace(writable, origin="copy", read_only=False, filesystems=()))
    entries = [entry for entry in told["mounts"] if entry["origin"] != "root"]
    asked = [_asked(entry) for entry in entries if entry["origin"] in _ASKED]
    inside = [_asked(entry) for entry in entries if entry["origin"] == "inside"]
    grouped = [_group(entries, origin) for origin in ("engine", "kernel", "host")]
    found = (*root, *_sorted(asked), *_sorted(inside), *(group for group in grouped if group.places))
    return Mounts(name, found, live=told["live"], copied=copied)


def _layers(client: Any, image: str) -> list[Mount]:
    try:
        [layers] = read_sharing(client, (image,)).images
    except docker.errors.ImageNotFound:
        return []
    return [
        Mount(("/",), "layer", layer.created_by, layer.size, read_only=True, filesystems=("overlay",))
        for layer in layers.layers
    ]


def _writable(client: Any, shown: dict[str, Any]) -> Mount:
    [listed] = client.api.containers(all=True, size=True, filters={"id": shown["Id"]})
    read_only = bool(shown["HostConfig"].get("ReadonlyRootfs"))
    return Mount(("/",), "writable", "", listed.get("SizeRw", 0), read_only=read_only, filesystems=("overlay",))


def _asked(entry: dict[str, Any]) -> Mount:
    return Mount(
        (entry["destination"],),
        _origin(entry["origin"], entry["name"]),
        entry["name"] or entry["source"],
        _size(entry["options"]) if entry["origin"] == "tmpfs" else None,
        read_only=not entry["rw"],
        filesystems=(entry["filesystem"],),
    )


def _origin(kind: str, name: str) -> str:
    """A volume that nobody named has 64 hexadecimal digits for a name; only newer engines label it."""
    return "anonymous" if kind == "volume" and _MADE_UP.fullmatch(name) else kind


def _size(options: Sequence[str]) -> int | None:
    """Of tmpfs(5)'s ``size=64k``, in bytes; a share of the memory (``50%``) is no number of bytes."""
    words = [word.removeprefix("size=").lower() for word in options if word.startswith("size=")]
    if not words or words[-1].endswith("%"):
        return None
    number = words[-1].rstrip("kmg")
    return int(number) * _UNITS.get(words[-1][-1], 1) if number.isdigit() else None


def _group(entries: Iterable[dict[str, Any]], origin: str) -> Mount:
    """All mounts of an origin as one: nobody asked for them one by one."""
    chosen = [entry for entry in entries if entry["origin"] == origin]
    places = tuple(sorted(dict.fromkeys(entry["destination"] for entry in chosen)))
    kinds = tuple(sorted({entry["filesystem"] for entry in chosen}))
    return Mount(places, origin, filesystems=kinds)


def _sorted(mounts: Iterable[Mount]) -> list[Mount]:
    return sorted(mounts, key=lambda mount: mount.places)


def _of_inspect(shown: dict[str, Any]) -> list[Mount]:
    """What Docker's own inspect tells."""
    found = [
        Mount(
            (entry["Destination"],),
            _origin(entry["Type"], entry.get("Name", "")),
            entry.get("Name") or entry.get("Source") or "",
            read_only=not entry["RW"],
        )
        for entry in shown["Mounts"]
    ]
    for place, options in (shown["HostConfig"].get("Tmpfs") or {}).items():
        words = options.split(",")
        found.append(Mount((place,), "tmpfs", "", _size(words), read_only="ro" in words))
    return _sorted(found)
