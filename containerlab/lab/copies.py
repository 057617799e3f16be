"""What a container writes over its image: which file came up from which layer, as it happens.

overlayfs copies a file whole into the writable layer before the first byte of it is changed (kernel documentation,
filesystems/overlayfs.rst, "Non-directories"). Docker's API tells the outcome alone (``GET /containers/ID/changes``);
which layer had the file is told by the kit's own engine.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import docker.errors

from containerlab.client import lab_get
from containerlab.lab.sharing import Layer, read_sharing

__all__ = ["CopyWatch", "Touch"]

_KINDS = ("copied", "new", "removed")  # by Docker's number: changed, added, deleted
_MOST = 500  # paths that are asked after; a package manager touches thousands


@dataclass(frozen=True)
class Touch:
    """One path that the container touched, ``at`` seconds after the watch began.

    ``kind`` is ``copied`` (up from the image, then changed), ``new`` or ``removed``. ``layer`` counts the image's
    layers from 1, the base: the one that has the file; None where there is none, or nobody tells. ``size`` is the
    file's size there, in bytes.
    """

    path: str
    kind: str
    layer: int | None
    size: int | None
    at: float


class CopyWatch:
    """``look()`` gives all that was touched so far, in the order in which it was seen; ``layers`` base first.

    ``copied_root``: this host has no overlayfs for it, and all files were copied before the start.
    Raises docker's ``NotFound`` for a container that isn't there.
    """

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        details = client.api.inspect_container(name)
        self._id, self._image = details["Id"], details["Image"]
        self.layers: tuple[Layer, ...] = read_sharing(client, [self._image]).images[0].layers
        self.copied_root = self._without_overlay()
        self._began = time.monotonic()
        self._seen: dict[str, Touch] = {}

    def look(self) -> list[Touch]:
        """Ask anew. A path whose change was taken back (its file is the image's again) is forgotten."""
        at = time.monotonic() - self._began
        now = {change["Path"]: _KINDS[change["Kind"]] for change in self._client.api.diff(self._id) or []}
        for path, kind in _leaves(now)[:_MOST]:
            known = self._seen.get(path)
            if known is None or known.kind != kind:
                layer, size = (None, None) if kind == "new" else self._below(path)
                self._seen[path] = Touch(path, kind, layer, size, at)
        self._seen = {path: touch for path, touch in self._seen.items() if path in now}
        return list(self._seen.values())

    def _without_overlay(self) -> bool:
        try:
            steps = lab_get(self._client, f"/containerlab/containers/{self._id}/timeline")["steps"]
        except docker.errors.NotFound:
            return False  # Docker's own engine
        return any(step["step"] == "copy" for step in steps)

    def _below(self, path: str) -> tuple[int | None, int | None]:
        """The number of the layer that has the file, and its size there."""
        try:
            facts = lab_get(self._client, "/containerlab/where", image=self._image, path=path)
        except docker.errors.NotFound:
            return None, None  # Docker's own engine, or a file that no layer has
        made = facts["made_by"]
        if made is None:
            return None, None
        return made["number"], made["size"] if made["kind"] == "file" else None


def _leaves(changes: dict[str, str]) -> list[tuple[str, str]]:
    """Without the folders that count as changed because something in them is."""
    above = {path[:at] for path in changes for at, letter in enumerate(path) if letter == "/" and at}
    return [(path, kind) for path, kind in changes.items() if path not in above or kind == "removed"]
