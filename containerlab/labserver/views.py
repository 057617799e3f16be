"""What the panel shows of containers and images: few plain fields of Docker's lists, none that ages by itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["container", "image"]

_EXIT_CODE = re.compile(r"Exited \((-?\d+)\)")
_HEALTH = re.compile(r"\((healthy|unhealthy|health: starting)\)")


def container(found: Mapping[str, Any]) -> dict[str, Any]:
    """A row of ``GET /containers/json``: ``id name image state health exit_code ports``.

    ``Status`` itself ("Up 5 seconds") would be wrong a moment later; its lasting words are taken out of it.
    """
    status = found.get("Status") or ""
    exit_code = _EXIT_CODE.search(status)
    health = _HEALTH.search(status)
    names = found.get("Names") or [found["Id"][:12]]
    return {
        "id": found["Id"],
        "name": names[0].lstrip("/"),
        "image": found.get("Image", ""),
        "state": found.get("State", ""),
        "health": health[1].removeprefix("health: ") if health else None,
        "exit_code": int(exit_code[1]) if exit_code else None,
        "ports": _published(found.get("Ports") or ()),
    }


def _published(ports: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each published port once, though it is published for IPv4 and IPv6."""
    seen = {
        (port["PublicPort"], port.get("Type", "tcp")): {
            "host_ip": port.get("IP", ""),
            "port": port["PublicPort"],
            "inside": port["PrivatePort"],
            "protocol": port.get("Type", "tcp"),
        }
        for port in ports
        if port.get("PublicPort")
    }
    return [seen[key] for key in sorted(seen)]


def image(found: Mapping[str, Any]) -> dict[str, Any]:
    """A row of ``GET /images/json``: ``id tags size`` (bytes)."""
    tags = [tag for tag in found.get("RepoTags") or () if tag != "<none>:<none>"]
    return {"id": found["Id"], "tags": sorted(tags), "size": found.get("Size", 0)}
