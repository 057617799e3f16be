"""Pictures of structure: layers that images share, and the stacks of a container and a virtual machine."""

from __future__ import annotations

import math
from typing import Any

from matplotlib.axes import Axes

from containerlab.lab.draw import bare_axes, box, canvas, cut, extent, label, megabytes
from containerlab.lab.figure import Figure, Table
from containerlab.lab.sharing import ImageLayers, Layer, Sharing, read_sharing
from containerlab.lab.words import Words, say

__all__ = ["layer_sharing", "stacks"]

_GAP = 0.08
_TOTALS = 2.9


def layer_sharing(client: Any, *names: str) -> Figure:
    """The layers of the images ``names``, each drawn once, as wide as the images that stand on it.

    Raises docker's ``ImageNotFound`` for a name that isn't there.
    """
    sharing = read_sharing(client, names)
    images = _by_common_base(sharing.images)
    tallest = max((sum(_height(layer) + _GAP for layer in image.layers) for image in images), default=1.0)
    # As wide as a page at most, so that its letters aren't made small there, unless the names need more.
    column = max(1.25, min(2.6, 7.6 / max(1, len(images))))
    figure = canvas(column * len(images) + _TOTALS, max(3.6, 0.62 * tallest + 1.5))
    split = 1 - (_TOTALS - 0.1) / figure.get_figwidth()
    tips = _draw_layers(bare_axes(figure, (0.01, 0.02, split, 0.96)), images, tallest, column)
    tips |= _draw_totals(bare_axes(figure, (split + 0.02, 0.02, 0.97 - split, 0.96)), sharing)
    return Figure(
        title=say("Layers that the images share")
        if len(images) > 1
        else say("The layers of {name}", name=images[0].name),
        summary=_sharing_sentence(sharing),
        canvas=figure,
        table=_sharing_table(images, sharing),
        tips=tips,
        data=sharing.to_dict(),
    )


def _height(layer: Layer) -> float:
    return 0.62 + 0.3 * math.log10(1 + layer.size / 10_000)


def _by_common_base(images: tuple[ImageLayers, ...]) -> list[ImageLayers]:
    """Images on one base side by side, so that a shared layer is one unbroken box."""
    first_seen: dict[str, int] = {}
    for image in images:
        for layer in image.layers:
            first_seen.setdefault(layer.chain_id, len(first_seen))
    return sorted(images, key=lambda image: [first_seen[layer.chain_id] for layer in image.layers])


def _draw_layers(axes: Axes, images: list[ImageLayers], tallest: float, width: float) -> dict[str, str]:
    """``width`` is a column's, in inches."""
    tips: dict[str, str] = {}
    drawn: set[str] = set()
    for column, image in enumerate(images):
        bottom = 0.0
        for layer in image.layers:
            height = _height(layer)
            if layer.chain_id not in drawn:
                drawn.add(layer.chain_id)
                span = _span(images, column, layer.chain_id)
                _draw_layer(axes, layer, column, span, bottom, height, width, gid=f"layer-{len(drawn)}")
                used = say("used by {users} of {all} images", users=span, all=len(images))
                tips[f"layer-{len(drawn)}"] = f"{layer.created_by or say('base')}: {megabytes(layer.size)}, {used}"
            bottom += height + _GAP
        label(axes, column + 0.5, bottom + 0.5, image.name, size=12, weight="bold")
        label(axes, column + 0.5, bottom + 0.14, megabytes(image.size), size=9.5, tone="soft")
    axes.set_xlim(-0.02, len(images) + 0.02)
    axes.set_ylim(-0.1, tallest + 0.8)
    return tips


def _span(images: list[ImageLayers], column: int, chain_id: str) -> int:
    span = 0
    for image in images[column:]:
        if not any(layer.chain_id == chain_id for layer in image.layers):
            break
        span += 1
    return span


def _draw_layer(
    axes: Axes, layer: Layer, column: int, span: int, bottom: float, height: float, width: float, gid: str
) -> None:
    shared = span > 1
    box(axes, column + 0.04, bottom, span - 0.08, height, "blue" if shared else "orange", gid=gid)
    middle, room = column + span / 2, span * width - 0.3
    words, amount = layer.created_by or say("base"), megabytes(layer.size)
    if height > 0.8:
        label(axes, middle, bottom + height * 0.62, cut(words, room, 10), size=10)
        about = say("{size}, kept once for {users} images", size=amount, users=span) if shared else amount
        label(axes, middle, bottom + height * 0.28, about, size=9, tone="soft")
    else:
        words = cut(words, room - extent(f"{amount}  ", 9.5), 9.5)
        label(axes, middle, bottom + height / 2, f"{words}  {amount}", size=9.5)


def _draw_totals(axes: Axes, sharing: Sharing) -> dict[str, str]:
    copied, kept = sharing.bytes_if_copied, sharing.bytes_on_disk
    top = max(copied, 1)
    bars = ((copied, "orange", say("if each\nhad a copy")), (kept, "blue", say("on disk")))
    for place, (size, hue, words) in enumerate(bars):
        height = max(0.02, 3.0 * size / top)
        box(axes, place + 0.12, 0.7, 0.76, height, hue, gid=f"total-{place}", hatch=hue == "orange")
        label(axes, place + 0.5, 0.34, words, size=10)
        label(axes, place + 0.5, 0.7 + height + 0.16, megabytes(size), size=11, weight="bold")
    axes.set_xlim(0, 2)
    axes.set_ylim(0, 4.4)
    return {
        "total-0": say("{size} if each image had a copy", size=megabytes(copied)),
        "total-1": say("{size} on disk", size=megabytes(kept)),
    }


def _sharing_sentence(sharing: Sharing) -> str:
    count = len(sharing.images)
    if count == 1:
        image = sharing.images[0]
        about = say(
            "{name} is a stack of {count} read-only layers, {size} in all.",
            name=image.name,
            count=len(image.layers),
            size=megabytes(image.size),
        )
        return about + _waste_sentence(sharing)
    shared = sum(1 for chain_id in sharing.layers if len(sharing.users(chain_id)) > 1)
    about = say(
        "{images} images, {layers} layers, {shared} of them shared: {kept} on disk in place of {copied}, "
        "so sharing saves {saved}.",
        images=count,
        layers=len(sharing.layers),
        shared=shared,
        kept=megabytes(sharing.bytes_on_disk),
        copied=megabytes(sharing.bytes_if_copied),
        saved=megabytes(sharing.bytes_saved),
    )
    return about + _waste_sentence(sharing)


def _waste_sentence(sharing: Sharing) -> str:
    """Nothing where nothing is wasted."""
    return "".join(
        " "
        + say(
            "{name} wastes {size}: written in one layer, removed or written again in a later one.",
            name=name,
            size=megabytes(size),
        )
        for name, size in sharing.wasted.items()
    )


def _sharing_table(images: list[ImageLayers], sharing: Sharing) -> Table:
    rows = [
        (layer.chain_id.removeprefix("sha256:")[:12], layer.created_by, megabytes(layer.size), ", ".join(users))
        for layer, users in ((layer, sharing.users(chain_id)) for chain_id, layer in sharing.layers.items())
    ]
    rows.append(
        (say("total"), say("each layer once"), megabytes(sharing.bytes_on_disk), ", ".join(i.name for i in images))
    )
    rows += [
        (say("wasted"), say("written, then removed or written again"), megabytes(size), name)
        for name, size in sharing.wasted.items()
    ]
    return Table((say("layer"), say("made by"), say("size"), say("used by")), rows)


_HOST = (("gold", Words("Hardware")), ("green", Words("The host's kernel")))


def stacks() -> Figure:
    """What stands on what: two applications in containers, and the same two in virtual machines.

    The engine is drawn beside its containers, not below them: it starts them, and then they are processes of the
    host's kernel like any other. That is why they outlive it.
    """
    figure = canvas(10.5, 5.0)
    axes = bare_axes(figure, (0.01, 0.02, 0.98, 0.96))
    for left, title in ((0.0, say("Containers")), (5.1, say("Virtual machines"))):
        for level, (hue, words) in enumerate(_HOST):
            box(axes, left, level * 0.8, 4.6, 0.7, hue)
            label(axes, left + 2.3, level * 0.8 + 0.35, say(words))
        label(axes, left + 2.3, 5.75, title, size=14, weight="bold")
    for column in (0, 1):
        _draw_container(axes, column * 1.6, say("App {letter}", letter="AB"[column]))
        _draw_machine(axes, 5.1 + column * 2.35, say("App {letter}", letter="AB"[column]))
    box(axes, 3.3, 1.75, 1.3, 0.9, "purple")
    label(axes, 3.95, 2.3, say("Engine"), size=10.5)
    label(axes, 3.95, 1.98, say("starts them"), size=9, tone="soft")
    axes.set_xlim(-0.05, 9.8)
    axes.set_ylim(-0.1, 6.0)
    return Figure(
        title=say("Where a container ends, and where a virtual machine does"),
        summary=say("Containers are processes on one shared kernel; every virtual machine boots a kernel of its own."),
        canvas=figure,
        table=Table(("", say("Container"), say("Virtual machine")), [tuple(map(say, row)) for row in _STACK_ROWS]),
    )


_STACK_ROWS = (
    (Words("Application and its files"), Words("one set each"), Words("one set each")),
    (Words("Kernel"), Words("the host's, shared by all"), Words("one each, booted for it")),
    (Words("Hardware that it sees"), Words("the host's, limited by cgroups"), Words("a virtual machine's")),
    (
        Words("What keeps them apart"),
        Words("namespaces, capabilities, seccomp"),
        Words("the processor's virtualization and the hypervisor"),
    ),
)


def _draw_container(axes: Axes, left: float, name: str) -> None:
    box(axes, left, 1.75, 1.5, 2.15, "blue", dashed=True)
    for level, (hue, words) in enumerate((("orange", say("Libraries, files")), ("blue", name))):
        box(axes, left + 0.1, 1.85 + level * 0.8, 1.3, 0.7, hue)
        label(axes, left + 0.75, 2.2 + level * 0.8, words, size=10)
    label(axes, left + 0.75, 3.66, say("namespaces, cgroup"), size=8.5, tone="soft")


def _draw_machine(axes: Axes, left: float, name: str) -> None:
    box(axes, left, 1.75, 2.25, 3.65, "purple", dashed=True)
    floors = (
        ("gold", say("Virtual hardware")),
        ("green", say("Guest kernel")),
        ("orange", say("Libraries, files")),
        ("blue", name),
    )
    for level, (hue, words) in enumerate(floors):
        box(axes, left + 0.1, 1.85 + level * 0.8, 2.05, 0.7, hue)
        label(axes, left + 1.125, 2.2 + level * 0.8, words, size=10)
    label(axes, left + 1.125, 5.2, say("hypervisor (QEMU)"), size=8.5, tone="soft")
