"""A container's mounts by where they come from: the table that the kernel tells, with the request's words beside it."""

from __future__ import annotations

import json
from typing import Any

from containerlab.engine.container import Container
from containerlab.rung import copies_roots
from containerlab.runtime.identity import starttime
from containerlab.runtime.mountinfo import Mounted, mounts_of
from containerlab.runtime.proot import guest

__all__ = ["mount_table"]

_ENGINE_FILES = frozenset({"/etc/resolv.conf", "/etc/hostname", "/etc/hosts"})
_KERNEL_PLACES = ("/proc", "/sys", "/dev")


def mount_table(container: Container) -> dict[str, Any]:
    """``{"live", "copied", "mounts"}``, see docs/interfaces.md: what is mounted now, or would be at a start. Blocks."""
    own = _asked(container)
    if copies_roots():
        return {"live": False, "copied": True, "mounts": _bound(container, own)}
    mounted = _live(container)
    live = mounted is not None
    entries = [_of_kernel(mount, own) for mount in mounted] if mounted is not None else _planned(container, own)
    return {"live": live, "copied": False, "mounts": entries}


def _live(container: Container) -> list[Mounted] | None:
    """None unless its process runs, in a mount namespace of its own: a machine mounts inside, where nobody looks."""
    state = container.state
    if not state.running or container.record.backend == "vm":
        return None
    try:
        mounted = mounts_of(state.pid)
        return mounted if starttime(state.pid) == state.starttime else None
    except (FileNotFoundError, ProcessLookupError):
        return None


def _asked(container: Container) -> dict[str, dict[str, Any]]:
    """By destination what the container's request mounts there."""
    own: dict[str, dict[str, Any]] = {}
    for destination in container.record.host_config.tmpfs:
        own[destination.rstrip("/")] = {"origin": "tmpfs", "name": "", "source": ""}
    for point in container.record.mounts:
        source = f"{point.source}/{point.subpath}" if point.subpath else point.source
        own[point.destination] = {"origin": point.type, "name": point.name, "source": source}
    return own


def _of_kernel(mount: Mounted, own: dict[str, dict[str, Any]]) -> dict[str, Any]:
    words = own.get(mount.point) or _foreign(mount.point, own)
    return {
        "destination": mount.point,
        **words,
        "filesystem": mount.filesystem,
        "rw": "rw" in mount.options and "ro" not in mount.data,
        "propagation": " ".join(word for word, is_so in (("shared", mount.shared), ("slave", mount.slave)) if is_so)
        or "private",
        "options": [word for word in mount.data if word.startswith(("size=", "mode="))]
        if mount.filesystem == "tmpfs"
        else [],
    }


def _foreign(point: str, own: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What nobody asked for: it came along with a bind, the engine or the kernel needs it, or it was mounted inside."""
    if point == "/":
        return {"origin": "root", "name": "", "source": ""}
    if point in _ENGINE_FILES:
        return {"origin": "engine", "name": "", "source": ""}
    around = [place for place in own if point.startswith(f"{place}/")]
    if around:
        outer = max(around, key=len)
        return {"origin": "inside", "name": "", "source": f"{own[outer]['source']}{point.removeprefix(outer)}"}
    kernel = any(point == place or point.startswith(f"{place}/") for place in _KERNEL_PLACES)
    return {"origin": "kernel" if kernel else "inside", "name": "", "source": ""}


def _planned(container: Container, own: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """What the bundle would mount, in its order."""
    spec = json.loads((container.folder / "config.json").read_bytes())
    entries = [
        {
            "destination": "/",
            "origin": "root",
            "name": "",
            "source": "",
            "filesystem": "overlay",
            "rw": not spec["root"].get("readonly", False),
            "propagation": "private",
            "options": [],
        }
    ]
    for mount in spec["mounts"]:
        place, options = mount["destination"], mount.get("options", [])
        propagation = next((word for word in options if word.lstrip("r") in ("shared", "slave")), "private")
        entries.append(
            {
                "destination": place,
                **(own.get(place) or _foreign(place, own)),
                "filesystem": mount.get("type", ""),
                "rw": not {"ro", "rro"} & set(options),
                "propagation": propagation.removeprefix("r"),
                "options": [word for word in options if word.startswith(("size=", "mode="))],
            }
        )
    return entries


def _bound(container: Container, own: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Where nothing can be mounted: the root is a copy, and proot shows folders of the host at places in it.

    None is read-only, whatever was asked; a tmpfs is a folder on the disk, and /proc, /dev and /sys are the host's own.
    """
    spec = json.loads((container.folder / "config.json").read_bytes())
    entries = [_shown("/", {"origin": "root", "name": "", "source": ""}, "copy")]
    for bound in guest.bounds(spec, str(container.folder)):
        words = own.get(bound.destination) or _foreign(bound.destination, own)
        if words["origin"] == "kernel":
            words = {"origin": "host", "name": "", "source": bound.source}
        entries.append(_shown(bound.destination, words, "folder" if words["origin"] == "tmpfs" else "bind"))
    return entries


def _shown(place: str, words: dict[str, Any], filesystem: str) -> dict[str, Any]:
    told = {"filesystem": filesystem, "rw": True, "propagation": "private", "options": []}
    return {"destination": place, **words, **told}
