"""An application of several services: who needs whom, who is on which network, and whose data lies in which volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch

from containerlab.lab.draw import bare_axes, box, canvas, extent, ink, label
from containerlab.lab.figure import Figure, Table
from containerlab.lab.words import Words, say

__all__ = ["ServiceNode", "services_graph"]

_STEP = 2.2
_WIDTH = 1.76
_HEIGHT = 1.15
_BAR = 0.34
_ROW = 0.6
_KINDS = {"network": Words("network"), "volume": Words("volume")}
_CONDITIONS = {
    "service_started": ("solid", Words("once it is started")),
    "service_healthy": ((0, (5, 2)), Words("once it is healthy")),
    "service_completed_successfully": ((0, (1, 1.6)), Words("once it has ended well")),
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
    networks = _bars(nodes, [node.networks for node in nodes])
    volumes = _bars(nodes, [node.volumes for node in nodes])
    spans = [
        abs(_at(nodes, other) - at) for at, node in enumerate(nodes) for other, _ in node.needs if _has(nodes, other)
    ]
    floor = -(0.3 + 0.3 * max(spans, default=0)) if spans else -0.25
    top = _HEIGHT + 0.5 + _ROW * (1 + max((bar.row for bar in networks), default=-1))
    bottom = floor - _ROW * (1 + max((bar.row for bar in volumes), default=-1)) - (0.5 if spans else 0.1)
    columns = max(len(nodes), 2)
    figure = canvas(_STEP * columns * 0.86 + 0.3, (top - bottom) * 0.86 + 0.2)
    axes = bare_axes(figure, (0.01, 0.01, 0.98, 0.98))
    tips = _draw_bars(axes, nodes, networks, "network", "green", _HEIGHT, _HEIGHT + 0.4)
    tips |= _draw_bars(axes, nodes, volumes, "volume", "orange", 0.0, floor)
    tips |= _draw_services(axes, nodes)
    _draw_needs(axes, nodes)
    if spans:
        _draw_legend(axes, nodes, bottom + 0.12)
    axes.set_xlim(-0.1, _STEP * columns)
    axes.set_ylim(bottom, top)
    names = [[bar.name for bar in bars] for bars in (networks, volumes)]
    return Figure(
        title=say("The services of {project}", project=project),
        summary=_sentence(nodes, *names),
        canvas=figure,
        table=_table(nodes),
        tips=tips,
        data={
            "project": project,
            "services": [asdict(node) for node in nodes],
            "networks": names[0],
            "volumes": names[1],
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
        doors = f", {say('published {ports}', ports=', '.join(node.ports))}" if node.ports else ""
        tips[f"service-{at}"] = f"{title}: {node.image}, {node.state}{doors}"
    return tips


@dataclass(frozen=True)
class _Bar:
    """A network or volume: the places of the services that use it, and the row in which it has room."""

    name: str
    members: tuple[int, ...]
    row: int


def _bars(nodes: Sequence[ServiceNode], used: Sequence[Sequence[str]]) -> list[_Bar]:
    """The shortest nearest to the services; two in one row where neither is above the other."""
    members: dict[str, list[int]] = {}
    for at, names in enumerate(used):
        for name in names:
            members.setdefault(name, []).append(at)
    rows: list[list[tuple[int, int]]] = []
    found = []
    for name, places in sorted(members.items(), key=lambda item: (item[1][-1] - item[1][0], item[1], item[0])):
        first, last = places[0], places[-1]
        row = next(
            (at for at, taken in enumerate(rows) if all(last < left or first > right for left, right in taken)),
            len(rows),
        )
        if row == len(rows):
            rows.append([])
        rows[row].append((first, last))
        found.append(_Bar(name, tuple(places), row))
    return found


def _draw_bars(
    axes: Axes, nodes: Sequence[ServiceNode], bars: Sequence[_Bar], kind: str, hue: str, edge: float, first: float
) -> dict[str, str]:
    """Bars over all services that use each, and a line to each of them from ``edge``, theirs."""
    tips = {}
    up = first > edge
    for number, bar in enumerate(bars):
        bottom = first + _ROW * bar.row if up else first - _ROW * bar.row - _BAR
        end = bottom if up else bottom + _BAR
        for at in bar.members:
            # Beside each other, so that a line to a far bar doesn't hide behind the one to a near bar.
            own = [other.name for other in bars if at in other.members]
            x = _middle(at) + (own.index(bar.name) - (len(own) - 1) / 2) * 0.3 + (0 if up else -0.5)
            axes.plot([x, x], [edge + (0.09 if up and nodes[at].count > 1 else 0), end], color=ink(hue), linewidth=2)
            axes.plot([x], [end], marker="o", markersize=5, color=ink(hue))
        left, right = bar.members[0] * _STEP, bar.members[-1] * _STEP + _WIDTH
        box(axes, left, bottom, right - left, _BAR, hue, gid=f"{kind}-{number}", hatch=True)
        words = f"{say(_KINDS[kind])} {bar.name}"
        paper = {"boxstyle": "round,pad=0.18", "facecolor": ink("paper"), "edgecolor": "none"}
        label(axes, (left + right) / 2, bottom + _BAR / 2, _cut(words, int((right - left) * 11)), size=9.5, bbox=paper)
        tips[f"{kind}-{number}"] = f"{words}: {', '.join(nodes[at].name for at in bar.members)}"
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


def _draw_legend(axes: Axes, nodes: Sequence[ServiceNode], y: float) -> None:
    used = dict.fromkeys(condition for node in nodes for other, condition in node.needs if _has(nodes, other))
    x = 0.0
    for condition in used:
        style, words = _CONDITIONS.get(condition, ("solid", condition))
        axes.plot([x, x + 0.45], [y, y], color=ink("purple"), linewidth=1.6, linestyle=style)
        said = say("starts {when}", when=say(words))
        label(axes, x + 0.52, y, said, size=8.5, tone="soft", ha="left")
        x += 0.85 + 1.17 * extent(said, 8.5)


def _sentence(nodes: Sequence[ServiceNode], networks: Sequence[str], volumes: Sequence[str]) -> str:
    parts = [say("1 service") if len(nodes) == 1 else say("{count} services", count=len(nodes))]
    if networks:
        parts.append(say("on 1 network") if len(networks) == 1 else say("on {count} networks", count=len(networks)))
    if volumes:
        parts.append(say("with 1 volume") if len(volumes) == 1 else say("with {count} volumes", count=len(volumes)))
    needs = [
        say("{name} needs {others}", name=node.name, others=", ".join(other for other, _ in node.needs))
        for node in nodes
        if node.needs
    ]
    return " ".join(parts) + (f": {'; '.join(needs)}." if needs else ".")


_COLUMNS = (
    Words("service"),
    Words("containers"),
    Words("image"),
    Words("state"),
    Words("networks"),
    Words("volumes"),
    Words("starts after"),
)


def _table(nodes: Sequence[ServiceNode]) -> Table:
    rows = [
        (
            node.name, str(node.count), node.image, node.state, ", ".join(node.networks), ", ".join(node.volumes),
            "; ".join(f"{other} {say(_CONDITIONS.get(how, ('', how))[1])}" for other, how in node.needs),
        )
        for node in nodes
    ]  # fmt: skip
    return Table(tuple(map(say, _COLUMNS)), rows)
