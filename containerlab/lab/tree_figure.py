"""Images as the tree that their layers make: what stands on what, how large each layer is, and what of it is wasted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from containerlab.lab.draw import bare_axes, canvas, cut, ink, label, megabytes, wash
from containerlab.lab.figure import Figure, Table
from containerlab.lab.sharing import Layer, Sharing
from containerlab.lab.theme import HATCHES
from containerlab.lab.words import say

__all__ = ["draw_tree"]

_ROW, _INDENT, _WORDS, _BAR = 0.4, 0.28, 4.3, 2.2  # inches
_WASTE, _NAMES = 1.25, 2.8


@dataclass(eq=False)
class _Node:
    """A layer in its place: ``images`` end here, ``wasted`` is what the most wasteful image above it hides of it."""

    layer: Layer
    wasted: int = 0
    images: list[str] = field(default_factory=list)
    above: dict[str, _Node] = field(default_factory=dict)


def draw_tree(sharing: Sharing) -> Figure:
    """A line a layer, its children below it; only where images part is a line moved in."""
    rows = [row for node in _grow(sharing).values() for row in _lines(node, 0)]
    deepest = max((depth for depth, _ in rows), default=0)
    width = _WORDS + _INDENT * deepest + _BAR + _WASTE + _NAMES
    figure = canvas(width, _ROW * max(1, len(rows)) + 0.3)
    axes = bare_axes(figure, (0.0, 0.0, 1.0, 1.0))
    largest = max((node.layer.size for _, node in rows), default=0) or 1
    edge = _WORDS + _INDENT * deepest
    for line, (depth, node) in enumerate(rows):
        bottom = _ROW * (len(rows) - line - 1)
        _row(axes, bottom, depth, node, edge, largest)
        _branches(
            axes, bottom, depth, [below for below, (_, other) in enumerate(rows[line:]) if other in _parting(node)]
        )
    axes.set_xlim(0, width)
    axes.set_ylim(-0.1, _ROW * max(1, len(rows)) + 0.2)
    return Figure(
        title=say("Images, and what they stand on"),
        summary=_summary(sharing),
        canvas=figure,
        table=Table(
            (say("layer"), say("made by"), say("size"), say("wasted"), say("image")),
            [_cells(depth, node) for depth, node in rows],
        ),
        data={
            "layers": [
                {"layer": node.layer.chain_id, "depth": depth, "wasted": node.wasted, "images": node.images}
                for depth, node in rows
            ]
        },
    )


def _grow(sharing: Sharing) -> dict[str, _Node]:
    """The bases, by chain ID; a chain ID stands for all that is below it, so no layer has two places."""
    bases: dict[str, _Node] = {}
    for image in sharing.images:
        ground, node = bases, None
        for layer in image.layers:
            node = ground.setdefault(layer.chain_id, _Node(layer))
            node.wasted = max(node.wasted, image.wasted_in.get(layer.chain_id, 0))
            ground = node.above
        if node is not None:
            node.images.append(image.name)
    return bases


def _lines(node: _Node, depth: int) -> list[tuple[int, _Node]]:
    """A layer that one other stands on isn't moved in: a stack is read straight down."""
    parts = bool(_parting(node))
    return [
        (depth, node),
        *(row for child in node.above.values() for row in _lines(child, depth + parts)),
    ]


def _parting(node: _Node) -> list[_Node]:
    """The layers that are moved in below this one."""
    return list(node.above.values()) if len(node.above) > 1 else []


def _branches(axes: Axes, bottom: float, depth: int, lines: Sequence[int]) -> None:
    """From a layer down to those that part on it; ``lines`` is how many lines below it each of them stands."""
    left = 0.15 + _INDENT * depth + 0.1
    for below in lines:
        middle = bottom + _ROW / 2 - _ROW * below
        axes.plot([left, left, left + 0.14], [bottom + 0.06, middle, middle], color=ink("soft"), linewidth=1.2)


def _row(axes: Axes, bottom: float, depth: int, node: _Node, edge: float, largest: int) -> None:
    middle, left = bottom + _ROW / 2, 0.15 + _INDENT * depth
    size = megabytes(node.layer.size)
    label(axes, left, middle, cut(node.layer.created_by or say("base"), edge - left - 0.95, 10), size=10, ha="left")
    label(axes, edge - 0.1, middle, size, size=10, ha="right", tone="soft")
    width = max(0.03, _BAR * node.layer.size / largest)
    _bar(axes, edge, bottom, width, "blue", "")
    if node.wasted:
        _bar(axes, edge, bottom, width * min(1.0, node.wasted / max(1, node.layer.size)), "orange", HATCHES["orange"])
    words = ", ".join(node.images)
    if node.wasted:
        about = say("{size} wasted", size=megabytes(node.wasted))
        label(axes, edge + width + 0.12, middle, about, size=9.5, ha="left", tone="soft")
    label(axes, edge + _BAR + _WASTE, middle, cut(words, _NAMES - 0.1, 10.5), size=10.5, ha="left", weight="bold")


def _bar(axes: Axes, left: float, bottom: float, width: float, hue: str, hatch: str) -> None:
    axes.add_artist(
        Rectangle(
            (left, bottom + 0.08), width, _ROW - 0.16, facecolor=wash(hue), edgecolor=ink(hue), linewidth=1.4,
            hatch=hatch,
        )
    )  # fmt: skip


def _cells(depth: int, node: _Node) -> Sequence[str]:
    return (
        node.layer.chain_id.removeprefix("sha256:")[:12],
        "  " * depth + (node.layer.created_by or say("base")),
        megabytes(node.layer.size),
        megabytes(node.wasted) if node.wasted else "",
        ", ".join(node.images),
    )


def _summary(sharing: Sharing) -> str:
    about = say(
        "{images} images on {layers} layers, {size} on disk.",
        images=len(sharing.images),
        layers=len(sharing.layers),
        size=megabytes(sharing.bytes_on_disk),
    )
    wasted = [say("{name} wastes {size}", name=name, size=megabytes(size)) for name, size in sharing.wasted.items()]
    return about + (f" {'; '.join(wasted)}." if wasted else "")
