"""An application of several services: who needs whom, who is on which network, and whose data lies in which volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch

from containerlab.lab.draw import bare_axes, box, canvas, ink, label
from containerlab.lab.figure import Figure, Table

__all__ = ["ServiceNode", "services_graph"]

_STEP = 2.2
_WIDTH = 1.76
_HEIGHT = 1.15
_BAR = 0.34
_CONDITIONS = {
    "service_started": ("solid", "once it is started"),
    "service_healthy": ((0, (5, 2)), "once it is healthy"),
    "service_completed_successfully": ((0, (1, 1.6)), "once it has ended well"),
}
"""Of ``depends_on``: how the arrow is drawn, and what it means."""


@dataclass(frozen=True)
class ServiceNode:
    """A service. ``needs`` pairs the services it depends on with Compose's condition; ``state`` is a word or two."""

    name: str
    image: str = ""
    state: str = ""
    count: int = 1
    ports: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    needs: tuple[tuple[str, str], ...] = ()


def services_graph(project: str, nodes: Sequence[ServiceNode]) -> Figure:
    """Services side by side, each to the left of what it needs; networks as bars above, volumes below."""
    nodes = _in_order(nodes)
    networks = list(dict.fromkeys(network for node in nodes for network in node.networks))
    volumes = list(dict.fromkeys(volume for node in nodes for volume in node.volumes))
    spans = [
        abs(_at(nodes, other) - at) for at, node in enumerate(nodes) for other, _ in node.needs if _has(nodes, other)
    ]
    depth = 0.42 + 0.22 * max(spans, default=0) if spans else 0.1
    floor = -(depth + 0.45) if volumes else -depth
    top = _HEIGHT + 0.55 + 0.62 * len(networks)
    columns = max(len(nodes), len(volumes), 2)
    legend = 0.42 if spans else 0.0
    bottom = floor - (0.75 if volumes else 0.1) - legend
    figure = canvas(_STEP * columns * 0.86 + 0.3, (top - bottom) * 0.86 + 0.2)
    axes = bare_axes(figure, (0.01, 0.01, 0.98, 0.98))
    tips = _draw_networks(axes, nodes, networks)
    tips |= _draw_services(axes, nodes)
    _draw_needs(axes, nodes)
    tips |= _draw_volumes(axes, nodes, volumes, floor)
    if spans:
        _draw_legend(axes, nodes, bottom + 0.12)
    axes.set_xlim(-0.1, _STEP * columns)
    axes.set_ylim(bottom, top)
    return Figure(
        title=f"The services of {project}",
        summary=_sentence(nodes, networks, volumes),
        canvas=figure,
        table=_table(nodes),
        tips=tips,
        data={
            "project": project,
            "services": [node.__dict__ for node in nodes],
            "networks": networks,
            "volumes": volumes,
        },
    )


def _in_order(nodes: Sequence[ServiceNode]) -> list[ServiceNode]:
    """Those that need others before those."""
    by_name = {node.name: node for node in nodes}
    found: dict[str, ServiceNode] = {}

    def visit(node: ServiceNode) -> None:
        for other, _ in node.needs:
            if other in by_name and other not in found:
                visit(by_name[other])
        found.setdefault(node.name, node)

    for node in nodes:
        visit(node)
    return list(reversed(found.values()))


def _has(nodes: Sequence[ServiceNode], name: str) -> bool:
    return any(node.name == name for node in nodes)


def _at(nodes: Sequence[ServiceNode], name: str) -> int:
    return next(at for at, node in enumerate(nodes) if node.name == name)


def _middle(at: int) -> float:
    return at * _STEP + _WIDTH / 2


def _cut(words: str, letters: int) -> str:
    return words if len(words) <= letters else f"{words[: letters - 1]}…"


def _draw_services(axes: Axes, nodes: Sequence[ServiceNode]) -> dict[str, str]:
    tips = {}
    for at, node in enumerate(nodes):
        left = at * _STEP
        if node.count > 1:
            box(axes, left + 0.09, 0.09, _WIDTH, _HEIGHT, "blue")
        box(axes, left, 0, _WIDTH, _HEIGHT, "blue", gid=f"service-{at}")
        title = node.name + (f" ×{node.count}" if node.count != 1 else "")
        label(axes, _middle(at), 0.9, _cut(title, 17), size=11.5, weight="bold")
        label(axes, _middle(at), 0.63, _cut(node.image, 24), size=8.5, tone="soft")
        label(axes, _middle(at), 0.39, _cut(node.state, 22), size=9)
        if node.ports:
            label(axes, _middle(at), 0.15, _cut(", ".join(node.ports), 28), size=8)
        tips[f"service-{at}"] = f"{title}: {node.image}, {node.state}" + (
            f", published {', '.join(node.ports)}" if node.ports else ""
        )
    return tips


def _draw_networks(axes: Axes, nodes: Sequence[ServiceNode], networks: Sequence[str]) -> dict[str, str]:
    """A bar over all services that are on it, and a line down to each."""
    tips = {}
    for row, network in enumerate(networks):
        members = [at for at, node in enumerate(nodes) if network in node.networks]
        y = _HEIGHT + 0.5 + 0.62 * row
        # Beside each other, so that a service's line to a high bar doesn't hide behind the one to a low bar.
        for at in members:
            own = [name for name in networks if name in nodes[at].networks]
            x = _middle(at) + (own.index(network) - (len(own) - 1) / 2) * 0.32
            axes.plot([x, x], [_HEIGHT + (0.09 if nodes[at].count > 1 else 0), y], color=ink("green"), linewidth=2)
            axes.plot([x], [y], marker="o", markersize=5, color=ink("green"))
        left, right = min(members) * _STEP, max(members) * _STEP + _WIDTH
        box(axes, left, y, right - left, _BAR, "green", gid=f"network-{row}", hatch=True)
        words = _cut(f"network {network}", int((right - left) * 11))
        axes.text(
            (left + right) / 2, y + _BAR / 2, words, fontsize=9.5, color=ink("text"), ha="center", va="center",
            bbox={"boxstyle": "round,pad=0.18", "facecolor": ink("paper"), "edgecolor": "none"},
        )  # fmt: skip
        tips[f"network-{row}"] = f"network {network}: {', '.join(nodes[at].name for at in members)}"
    return tips


def _draw_needs(axes: Axes, nodes: Sequence[ServiceNode]) -> None:
    """An arrow below the boxes, from who needs to who is needed."""
    for at, node in enumerate(nodes):
        for other, condition in node.needs:
            if not _has(nodes, other):
                continue
            to = _at(nodes, other)
            away = 0.16 if to > at else -0.16
            bend = 0.5 if abs(to - at) == 1 else 0.36
            axes.add_patch(
                FancyArrowPatch(
                    (_middle(at) + away, -0.02), (_middle(to) - away, -0.02), arrowstyle="-|>", mutation_scale=13,
                    connectionstyle=f"arc3,rad={bend if to > at else -bend}", color=ink("purple"), linewidth=1.6,
                    linestyle=_CONDITIONS.get(condition, ("solid", ""))[0], shrinkA=0, shrinkB=0,
                )
            )  # fmt: skip


def _draw_volumes(axes: Axes, nodes: Sequence[ServiceNode], volumes: Sequence[str], floor: float) -> dict[str, str]:
    """Each below the first service that uses it, or in the next place that is free."""
    tips, taken = {}, set[int]()
    for row, volume in enumerate(volumes):
        members = [at for at, node in enumerate(nodes) if volume in node.volumes]
        place = next(at for at in [*members, *range(len(nodes) + len(volumes))] if at not in taken)
        taken.add(place)
        left = place * _STEP
        box(axes, left + 0.1, floor - 0.5, _WIDTH - 0.2, 0.5, "orange", gid=f"volume-{row}")
        label(axes, left + _WIDTH / 2, floor - 0.25, _cut(f"volume {volume}", 22), size=9.5)
        for at in members:
            axes.plot([_middle(at) - 0.55, left + _WIDTH / 2 - 0.55], [0, floor], color=ink("orange"), linewidth=1.8)
        tips[f"volume-{row}"] = f"volume {volume}: {', '.join(nodes[at].name for at in members)}"
    return tips


def _draw_legend(axes: Axes, nodes: Sequence[ServiceNode], y: float) -> None:
    used = dict.fromkeys(condition for node in nodes for other, condition in node.needs if _has(nodes, other))
    x = 0.0
    for condition in used:
        style, words = _CONDITIONS.get(condition, ("solid", condition))
        axes.plot([x, x + 0.45], [y, y], color=ink("purple"), linewidth=1.6, linestyle=style)
        label(axes, x + 0.52, y, f"starts {words}", size=8.5, tone="soft", ha="left")
        x += 2.35


def _sentence(nodes: Sequence[ServiceNode], networks: Sequence[str], volumes: Sequence[str]) -> str:
    def counted(number: int, noun: str) -> str:
        return f"{number} {noun}{'s' * (number != 1)}"

    parts = [counted(len(nodes), "service")]
    parts += [f"on {counted(len(networks), 'network')}"] if networks else []
    parts += [f"with {counted(len(volumes), 'volume')}"] if volumes else []
    needs = [f"{node.name} needs {', '.join(other for other, _ in node.needs)}" for node in nodes if node.needs]
    return " ".join(parts) + (f": {'; '.join(needs)}." if needs else ".")


def _table(nodes: Sequence[ServiceNode]) -> Table:
    rows = [
        (
            node.name, str(node.count), node.image, node.state, ", ".join(node.networks), ", ".join(node.volumes),
            "; ".join(f"{other} {_CONDITIONS.get(how, ('', how))[1]}" for other, how in node.needs),
        )
        for node in nodes
    ]  # fmt: skip
    return Table(("service", "containers", "image", "state", "networks", "volumes", "starts after"), rows)
