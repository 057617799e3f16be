"""Copy-up as a picture: the image's layers below, the writable one on top, and each file where it lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from matplotlib.axes import Axes

from containerlab.lab.copies import Touch
from containerlab.lab.draw import bare_axes, box, canvas, cut, ink, label, megabytes
from containerlab.lab.figure import Figure, Table
from containerlab.lab.sharing import Layer
from containerlab.lab.words import Words, say

__all__ = ["draw_copies"]

_COLUMNS = 6  # files in the picture at most; the table has them all
_ROOM_FOR = 4  # and at least
_ROWS = 6  # image layers in the picture
_NAMES, _CELL, _STEP = 2.9, 1.35, 0.92  # inches
_WHAT = {
    "copied": Words("copied up, then changed"),
    "changed": Words("changed in its own copy of the image's files"),
    "new": Words("new"),
    "removed": Words("removed: a whiteout hides it"),
}
_LOOKS = {
    "copied": ("orange", Words("copied")),
    "changed": ("orange", Words("changed")),
    "new": ("green", Words("new")),
    "removed": ("gold", Words("removed")),
}


def draw_copies(name: str, layers: Sequence[Layer], touches: Sequence[Touch], *, copied_root: bool = False) -> Figure:
    """``layers`` base first; ``touches`` oldest first, of which the newest are drawn.

    ``copied_root``: nothing comes up from a layer, because all was copied at the start.
    """
    if copied_root:
        touches = [replace(touch, kind="changed") if touch.kind == "copied" else touch for touch in touches]
    shown = list(touches)[-_COLUMNS:]
    rows = _chosen(layers, shown)
    width = _NAMES + _CELL * max(_ROOM_FOR, len(shown))
    figure = canvas(width + 0.2, _STEP * (len(rows) + 1) + 0.25)
    axes = bare_axes(figure, (0.0, 0.0, 1.0, 1.0))
    places = {number: index for index, number in enumerate(rows)}
    tips = _ground(axes, layers, rows, width)
    for column, touch in enumerate(shown):
        tips |= _file(axes, column, touch, places.get(touch.layer or 0), len(rows))
    if not shown:
        label(axes, (_NAMES + width) / 2, _STEP * (len(rows) + 0.46), say("nothing was written yet"),
              size=11, tone="soft")  # fmt: skip
    axes.set_xlim(0, width + 0.2)
    axes.set_ylim(-0.1, _STEP * (len(rows) + 1) + 0.15)
    return Figure(
        title=say("What {name} writes over its image", name=name),
        summary=_summary(name, touches),
        canvas=figure,
        table=Table(
            (say("file"), say("what happened"), say("layer that has it"), say("size there")),
            [_row(layers, touch) for touch in touches] or [(say("nothing yet"), "", "", "")],
        ),
        tips=tips,
        data={"touched": [{"path": t.path, "kind": t.kind, "layer": t.layer, "size": t.size} for t in touches]},
    )


def _chosen(layers: Sequence[Layer], shown: Sequence[Touch]) -> list[int]:
    """The numbers of the layers that are drawn, base first: all of few; of many the base and those that gave a file."""
    if len(layers) <= _ROWS:
        return list(range(1, len(layers) + 1))
    gave = {touch.layer for touch in shown if touch.layer}
    return sorted({1, len(layers), *gave})


def _ground(axes: Axes, layers: Sequence[Layer], rows: Sequence[int], width: float) -> dict[str, str]:
    """The layers themselves, their names on the left."""
    tips = {}
    for index, number in enumerate(rows):
        layer = layers[number - 1]
        words = layer.created_by or say("base")
        _level(axes, index, width, f"{number}  {cut(words, _NAMES - 0.7, 10)}", megabytes(layer.size), "blue", number)
        tips[f"level-{number}"] = f"{words}: {megabytes(layer.size)}"
    _level(axes, len(rows), width, say("writable layer"), say("this container's alone"), "orange", 0)
    return tips


def _level(axes: Axes, index: int, width: float, words: str, about: str, hue: str, number: int) -> None:
    bottom = _STEP * index
    box(axes, 0.1, bottom, width, _STEP - 0.14, hue, gid=f"level-{number}")
    label(axes, 0.28, bottom + 0.5, words, size=10.5, ha="left", weight="bold")
    label(axes, 0.28, bottom + 0.22, about, size=9, ha="left", tone="soft")


def _file(axes: Axes, column: int, touch: Touch, below: int | None, top: int) -> dict[str, str]:
    """One file: its cell on top, its cell in the layer that it came from, and the way between them."""
    left = _NAMES + _CELL * column
    if below is not None:
        _cell(axes, left, below, touch, "blue", f"below-{column}")
    hue, state = _LOOKS[touch.kind]
    _cell(axes, left, top, touch, hue, f"above-{column}", say(state))
    if below is not None:
        taken = touch.kind == "copied"
        axes.annotate(
            "", xy=(left + _CELL / 2, _STEP * top + 0.06), xytext=(left + _CELL / 2, _STEP * below + 0.72),
            arrowprops={
                "arrowstyle": "-|>" if taken else "-", "mutation_scale": 15, "shrinkA": 0, "shrinkB": 0,
                "color": ink("orange" if taken else "gold"), "linewidth": 2.4 if taken else 1.4,
                "linestyle": "solid" if taken else (0, (3, 3)),
            },
        )  # fmt: skip
    words = f"{touch.path}: {say(_WHAT[touch.kind])}"
    return {f"above-{column}": words, f"below-{column}": touch.path}


def _cell(axes: Axes, left: float, level: int, touch: Touch, hue: str, gid: str, about: str = "") -> None:
    bottom = _STEP * level + 0.08
    box(axes, left + 0.06, bottom, _CELL - 0.12, 0.62, hue, gid=gid, dashed=hue == "gold")
    about = about or ("" if touch.size is None else megabytes(touch.size))
    name = cut(PurePosixPath(touch.path).name or "/", _CELL - 0.3, 9.5)
    label(axes, left + _CELL / 2, bottom + (0.4 if about else 0.31), name, size=9.5, weight="bold")
    label(axes, left + _CELL / 2, bottom + 0.17, about, size=8.5, tone="soft")


def _row(layers: Sequence[Layer], touch: Touch) -> tuple[str, str, str, str]:
    layer = ""
    if touch.layer:
        layer = f"{touch.layer}  {layers[touch.layer - 1].created_by or say('base')}"
    return touch.path, say(_WHAT[touch.kind]), layer, "" if touch.size is None else megabytes(touch.size)


def _summary(name: str, touches: Sequence[Touch]) -> str:
    if not touches:
        return say("{name} has written nothing: all of its files are the image's.", name=name)
    count = {kind: sum(touch.kind == kind for touch in touches) for kind in _WHAT}
    if count["changed"]:
        return say(
            "This host copies the whole image at a start. In the copy of {name}: {changed} changed, {new} new, "
            "{removed} removed.",
            name=name, changed=count["changed"], new=count["new"], removed=count["removed"],
        )  # fmt: skip
    about = say(
        "In the writable layer of {name}: {copied} copied up from the image and changed, {new} new, {removed} removed.",
        name=name,
        copied=count["copied"],
        new=count["new"],
        removed=count["removed"],
    )
    sources = sorted({touch.layer for touch in touches if touch.layer})
    if not sources:
        return about
    return about + " " + say("The layers below are as they were: {layers}.", layers=", ".join(map(str, sources)))
