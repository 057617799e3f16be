"""The stack of what a container sees: image layers, its writable layer, and what is mounted beside them."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes

from containerlab.lab.draw import bare_axes, box, canvas, cut, extent, ink, label, megabytes
from containerlab.lab.figure import Figure, Table
from containerlab.lab.mounts import ORIGINS, Mount, Mounts, read_mounts
from containerlab.lab.words import say

__all__ = ["access", "draw_mounts", "lasts", "mounts", "origin", "what", "where"]

_HUES = {
    "layer": "blue",
    "writable": "orange",
    "volume": "green",
    "anonymous": "green",
    "bind": "purple",
    "tmpfs": "gold",
    "copy": "orange",
}
_ROW, _GAP = 0.56, 0.24
_LEFT, _RIGHT, _WIDTH = 2.1, 7.6, 10.0
_SMALL = 10.0


def mounts(client: Any, name: str) -> Figure:
    """Draw what the container ``name`` has mounted, by origin."""
    return draw_mounts(read_mounts(client, name))


def draw_mounts(found: Mounts) -> Figure:
    """The picture of :func:`mounts`, from what was read already."""
    root = found.of("layer", "writable", "copy")
    others = [mount for mount in found.mounts if mount not in root]
    height = _ROW * len(found.mounts) + _GAP + 0.3
    figure = canvas(_WIDTH, height)
    axes = bare_axes(figure, (0.0, 0.0, 1.0, 1.0))
    tips, bottom = {}, 0.1
    for number, mount in enumerate([*root, *others]):
        if number == len(root):
            _brace(axes, 0.1, bottom)
            bottom += _GAP
        _row(axes, mount, number, bottom)
        tips[f"mount-{number}"] = f"{where(mount)}: {origin(mount)} {what(mount)}. {lasts(mount)}"
        bottom += _ROW
    if not others:
        _brace(axes, 0.1, bottom)
    axes.set_xlim(0, _WIDTH)
    axes.set_ylim(0, height)
    return Figure(
        title=say("What {name} has mounted", name=found.container),
        summary=found.summary,
        canvas=figure,
        table=Table(
            (say("where"), say("origin"), say("what"), say("access"), say("lasts")),
            [
                (where(mount), origin(mount), what(mount), access(mount), lasts(mount))
                for mount in reversed([*root, *others])
            ],
        ),
        tips=tips,
        data={"container": found.container, "live": found.live, "mounts": [mount.to_dict() for mount in found.mounts]},
    )


def where(mount: Mount) -> str:
    """The places in the container; of many the outermost."""
    outer = [
        place
        for place in mount.places
        if not any(place != other and place.startswith(f"{other}/") for other in mount.places)
    ]
    return ", ".join(outer)


def origin(mount: Mount) -> str:
    """The origin's name."""
    return say(ORIGINS[mount.kind][0])


def lasts(mount: Mount) -> str:
    """How long what is written there lasts."""
    return say(ORIGINS[mount.kind][1])


def access(mount: Mount) -> str:
    """Whether the container may write there."""
    if mount.origin in ("engine", "kernel", "host"):
        return ""
    return say("read-only") if mount.read_only else say("read and write")


def what(mount: Mount) -> str:
    """A layer's instruction, a volume's name, a host's folder, an amount of memory."""
    if mount.origin == "layer":
        return f"{_short(mount.name)}, {megabytes(mount.size or 0)}" if mount.name else megabytes(mount.size or 0)
    if mount.origin in ("writable", "copy"):
        return say("{size} written", size=megabytes(mount.size or 0))
    if mount.kind == "folder":
        return say("on the disk, without a limit")
    if mount.origin == "tmpfs":
        return say("memory, {size} at most", size=_of_memory(mount.size)) if mount.size else say("memory")
    if mount.origin == "anonymous":
        return mount.name[:12]
    if mount.origin in ("engine", "kernel", "host"):
        return say("names and addresses") if mount.origin == "engine" else say("processes, devices, settings")
    return mount.name or ", ".join(mount.filesystems)


def _of_memory(size: int) -> str:
    """A tmpfs is counted in pages: powers of two."""
    for unit, amount in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size % amount == 0:
            return f"{size // amount} {unit}"
    return f"{size} B"


def _short(instruction: str) -> str:
    words = " ".join(instruction.split())
    return words if len(words) <= 45 else words[:44] + "…"


def _row(axes: Axes, mount: Mount, number: int, bottom: float) -> None:
    middle = bottom + _ROW / 2 - 0.03
    hue = _HUES.get(mount.origin)
    box(
        axes,
        _LEFT,
        bottom,
        _RIGHT - _LEFT,
        _ROW - 0.08,
        hue or "soft",
        gid=f"mount-{number}",
        dashed=hue is None,
    )
    if mount.origin not in ("layer", "writable", "copy"):
        label(axes, _LEFT - 0.15, middle, _beside(mount), size=10.5, ha="right", weight="bold")
    words = origin(mount)
    label(axes, _LEFT + 0.15, middle, words, size=10.5, ha="left", weight="bold")
    room = _RIGHT - _LEFT - 0.5 - 0.1 * len(words)
    label(axes, _RIGHT - 0.15, middle, _inside(mount, room), size=_SMALL, ha="right")
    label(axes, _RIGHT + 0.15, middle, lasts(mount), size=_SMALL, tone="soft", ha="left")


def _beside(mount: Mount) -> str:
    """The places as far as there is room; of more the first, and how many there are."""
    words = where(mount)
    short = cut(words, _LEFT - 0.2, 10.5)
    return words if words == short or len(mount.places) == 1 else f"{mount.places[0]} +{len(mount.places) - 1}"


def _inside(mount: Mount, room: float) -> str:
    """What fits into the box; of a layer's instruction as much as leaves room for its size."""
    told = what(mount)
    if mount.origin == "layer" and mount.name:
        amount = megabytes(mount.size or 0)
        told = f"{cut(_short(mount.name), room - extent(f', {amount}', _SMALL), _SMALL)}, {amount}"
    return cut(f"{told} ({say('read-only')})" if mount.read_only and mount.origin != "layer" else told, room, _SMALL)


def _brace(axes: Axes, bottom: float, top: float) -> None:
    """All of these lie on one another at ``/``."""
    axes.plot([_LEFT - 0.12] * 2, [bottom, top - 0.08], color=ink("line"), linewidth=2.5, solid_capstyle="round")
    label(axes, _LEFT - 0.25, (bottom + top) / 2, "/", size=12, ha="right", weight="bold")
