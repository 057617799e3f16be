"""An image as Docker's JSON shows it: one entry of the list, ``inspect``, ``history``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from containerlab.engine.clock import ZERO
from containerlab.engine.views import GRAPH_DRIVER
from containerlab.images import Image

__all__ = ["history_view", "inspect_view", "list_view"]


def list_view(image: Image) -> dict[str, Any]:
    """One entry of ``GET /images/json``; -1 says not counted, as Docker does."""
    return {
        "Id": image.id,
        "ParentId": "",
        "RepoTags": [tag.familiar() for tag in image.tags],
        "RepoDigests": [name.familiar() for name in image.digests],
        "Created": _unix(image.created),
        "Size": image.size,
        "SharedSize": -1,
        "VirtualSize": image.size,
        "Labels": image.config.config.Labels,
        "Containers": -1,
    }


def inspect_view(image: Image, lower: list[str]) -> dict[str, Any]:
    """``GET /images/NAME/json``; ``lower`` are the layers' folders, top first."""
    config = image.config
    return {
        "Id": image.id,
        "RepoTags": [tag.familiar() for tag in image.tags],
        "RepoDigests": [name.familiar() for name in image.digests],
        "Parent": "",
        "Comment": config.history[-1].comment if config.history else "",
        "Created": image.created or ZERO,
        "Container": "",
        "ContainerConfig": _blank(),
        "DockerVersion": "",
        "Author": config.author,
        "Config": _config(image),
        "Architecture": config.architecture,
        "Variant": config.variant,
        "Os": config.os,
        "Size": image.size,
        "VirtualSize": image.size,
        "GraphDriver": {
            "Name": GRAPH_DRIVER,
            "Data": {"LowerDir": ":".join(lower[1:]), "UpperDir": lower[0]},
        },
        "RootFS": {"Type": "layers", "Layers": image.diff_ids},
        "Metadata": {"LastTagTime": ZERO},
    }


def history_view(image: Image, sizes: list[int]) -> list[dict[str, Any]]:
    """``GET /images/NAME/history``, newest first; ``sizes`` are the layers' bytes, base first."""
    left = list(reversed(sizes))
    entries = []
    for position, step in enumerate(reversed(image.config.history)):
        entries.append(
            {
                "Id": "<missing>" if position else image.id,
                "Created": _unix(step.created),
                "CreatedBy": step.created_by,
                "Tags": [tag.familiar() for tag in image.tags] or None if not position else None,
                "Size": left.pop(0) if not step.empty_layer and left else 0,
                "Comment": step.comment,
            }
        )
    return entries


def _config(image: Image) -> dict[str, Any]:
    """The image's own words, and Docker's zero values for the fields that clients read without asking."""
    return {**_blank(), **msgspec.to_builtins(image.config.config)}


def _blank() -> dict[str, Any]:
    """The zero values; docker-compose 1 reads them as ``ContainerConfig`` too, when it makes a container anew."""
    blank = {"Hostname": "", "Domainname": "", "User": "", "AttachStdin": False, "AttachStdout": False}
    blank |= {"AttachStderr": False, "Tty": False, "OpenStdin": False, "StdinOnce": False, "Image": ""}
    always: dict[str, Any] = {"Env": None, "Cmd": None, "Volumes": None, "WorkingDir": "", "Entrypoint": None}
    return {**blank, **always, "OnBuild": None, "Labels": None}


def _unix(created: str) -> int:
    return int(datetime.fromisoformat(created).timestamp()) if created else 0
