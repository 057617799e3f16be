"""The map of networks: each a band, plugged into by containers; the host's doors on the left, the way out right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from containerlab.lab.draw import bare_axes, box, canvas, cut, ink, label, wash
from containerlab.lab.figure import Figure, Table
from containerlab.lab.reach import End, Guest, Place, Reach, read_reach
from containerlab.lab.reach_words import TITLES, about, names_there, rows, summary
from containerlab.lab.theme import HATCHES
from containerlab.lab.words import say

__all__ = ["draw_reach", "network_map"]

# In inches; y grows downwards.
_ROW, _HEAD, _BOX_HEIGHT, _HEAD_HEIGHT = 0.62, 1.06, 0.5, 0.86
_SIDE, _DOORS, _BOX, _COLUMN = 0.4, 2.2, 1.9, 2.15
_BOX_LEFT = 0.1 + _SIDE + _DOORS
_BANDS_LEFT = _BOX_LEFT + _BOX + 0.3
_HUES = ("green", "purple", "gold", "orange")


@dataclass(frozen=True)
class _Band:
    """A network in the picture: its column, its rows from ``first`` to ``last`` (none: last < first), its colour."""

    place: Place
    column: int
    first: int
    last: int
    hue: str

    @property
    def left(self) -> float:
        return _BANDS_LEFT + self.column * _COLUMN


def network_map(client: Any, *names: str) -> Figure:
    """Draw who can reach whom, on all networks in use or on those that are named."""
    return draw_reach(read_reach(client, names))


def draw_reach(found: Reach) -> Figure:
    """The picture of :func:`network_map`, from what was read already."""
    bands = _bands(found)
    tops, height = _heights(len(found.guests), bands)
    right = _BANDS_LEFT + _COLUMN * (1 + max((band.column for band in bands), default=0)) + 0.15
    width = right + _SIDE + 0.1
    # Without a published port the host's side stays out of the picture.
    has_doors = any(guest.published for guest in found.guests)
    left = 0.0 if has_doors else _BOX_LEFT - 0.1
    figure = canvas(width - left, height)
    axes = bare_axes(figure, (0.0, 0.0, 1.0, 1.0))
    tips: dict[str, str] = {}
    for number, band in enumerate(bands):
        _band(axes, band, number, tops, right)
        tips[f"network-{number}"] = about(band.place)
    for row, guest in enumerate(found.guests):
        _guest(axes, guest, row, tops[row], [band for band in bands if guest.on(band.place.name)])
        tips[f"container-{row}"] = f"{guest.name}: {guest.image}"
    if has_doors:
        _side(axes, 0.1, height, say("this host"))
    if any(band.place.leads_out for band in bands):
        _side(axes, right, height, say("beyond, as far as the host leads"))
    axes.set_xlim(left, width)
    axes.set_ylim(height, 0)
    return Figure(
        title=say("Who can reach whom"),
        summary=summary(found),
        canvas=figure,
        table=Table(
            [say(title) for title in TITLES.values()], [tuple(row[key] for key in TITLES) for row in rows(found)]
        ),
        tips=tips,
        data=found.to_dict(),
    )


def _bands(found: Reach) -> list[_Band]:
    """Two networks stand in one column where the rows of one end before those of the other begin."""
    spans = []
    for place in found.places:
        at = [row for row, guest in enumerate(found.guests) if guest.on(place.name)]
        first = at[0] if at else len(found.guests)
        spans.append((first, at[-1] if at else first - 1, place))
    free: list[int] = []
    bands = []
    for number, (first, last, place) in enumerate(sorted(spans, key=lambda span: span[:2])):
        column = next((at for at, row in enumerate(free) if row <= first), len(free))
        if column == len(free):
            free.append(0)
        free[column] = max(last, first) + 1
        bands.append(_Band(place, column, first, last, _HUES[number % len(_HUES)]))
    return bands


def _heights(count: int, bands: Sequence[_Band]) -> tuple[list[float], float]:
    """The top of each row, one beyond the last too, and the whole; where a network begins its head stands above."""
    starts = {band.first for band in bands}
    tops, y = [], 0.1
    for row in range(count + 1):
        y += _HEAD if row in starts else 0.0
        tops.append(y)
        y += _ROW if row < count else 0.0
    return tops, y + 0.1


def _band(axes: Axes, band: _Band, number: int, tops: Sequence[float], right: float) -> None:
    """The band, its head, and its way out."""
    place, wide = band.place, _COLUMN - 0.15
    top = tops[band.first] - _HEAD + 0.1
    style = (0, (4, 2)) if place.internal else "solid"
    if band.last >= band.first:
        bottom = tops[band.last] + _ROW - 0.06
        body = Rectangle(
            (band.left + 0.08, top + _HEAD_HEIGHT / 2), wide - 0.16, bottom - top - _HEAD_HEIGHT / 2,
            facecolor=wash(band.hue), edgecolor=ink(band.hue), linewidth=1.0, linestyle=style, zorder=1,
        )  # fmt: skip
        body.set_hatch(HATCHES[band.hue])
        axes.add_artist(body)
    head = Rectangle(
        (band.left, top), wide, _HEAD_HEIGHT, facecolor=ink("paper"), edgecolor=ink(band.hue), linewidth=2.0,
        linestyle=style, zorder=2, gid=f"network-{number}",
    )  # fmt: skip
    axes.add_artist(head)
    middle = band.left + wide / 2
    first, second = _told(place)
    label(axes, middle, top + 0.2, cut(place.name, wide - 0.2, 12), size=12, weight="bold", zorder=4)
    label(axes, middle, top + 0.45, cut(first, wide - 0.1, 9.5), size=9.5, zorder=4)
    label(axes, middle, top + 0.67, cut(second, wide - 0.1, 9.5), size=9.5, tone="soft", zorder=4)
    if place.leads_out:
        # Behind the heads of other networks, and no two at one height.
        y = top + 0.12 + 0.14 * (band.column % 5)
        axes.annotate(
            "", xy=(right, y), xytext=(band.left + wide, y), zorder=0.5,
            arrowprops={"arrowstyle": "-|>", "color": ink(band.hue), "linewidth": 1.6, "shrinkA": 0, "shrinkB": 0},
        )  # fmt: skip


def _told(place: Place) -> tuple[str, str]:
    if place.names_alone:
        return say("the host's own network"), say("names alone") if place.has_names else say("no names")
    if place.kind == "host":
        return say("the host's own network"), say("no port to publish")
    if place.kind == "null":
        return say("the loopback alone"), say("reaches nobody")
    subnets = ", ".join(subnet for subnet, _ in place.subnets)
    if place.internal:
        return subnets, say("internal: no way out")
    return subnets, say("gateway {address}", address=", ".join(filter(None, (gate for _, gate in place.subnets))))


def _guest(axes: Axes, guest: Guest, row: int, top: float, bands: Sequence[_Band]) -> None:
    """A container, its wire with a plug in each of its networks, its doors on the host."""
    middle = top + _BOX_HEIGHT / 2
    if bands:
        end = max(band.left for band in bands) + 0.2
        axes.plot([_BOX_LEFT + _BOX, end], [middle, middle], color=ink("blue"), linewidth=2.0, zorder=0.6)
    box(axes, _BOX_LEFT, top, _BOX, _BOX_HEIGHT, "blue", gid=f"container-{row}")
    label(axes, _BOX_LEFT + _BOX / 2, top + 0.17, cut(guest.name, _BOX - 0.15, 11.5), size=11.5, weight="bold")
    told = say("in the network of {name}", name=guest.lodges_with) if guest.lodges_with else guest.image
    label(axes, _BOX_LEFT + _BOX / 2, top + 0.37, cut(told, _BOX - 0.15, 8.5), size=8.5, tone="soft")
    for band in bands:
        on = guest.on(band.place.name)
        assert on is not None
        _plug(axes, on, band, top)
    _doors(axes, guest, middle)


def _plug(axes: Axes, end: End, band: _Band, top: float) -> None:
    left, wide = band.left + 0.18, _COLUMN - 0.51
    plug = Rectangle(
        (left, top), wide, _BOX_HEIGHT, facecolor=ink("paper"), edgecolor=ink(band.hue), linewidth=1.4, zorder=2
    )
    axes.add_artist(plug)
    address = end.addresses[0] if end.addresses else {"host": say("all of the host's")}.get(end.network, "127.0.0.1")
    label(axes, left + wide / 2, top + 0.17, cut(address, wide - 0.05, 10), size=10, zorder=4)
    names = cut(names_there(end, band.place), wide - 0.05, 8.5)
    label(axes, left + wide / 2, top + 0.37, names, size=8.5, tone="soft", zorder=4)


def _doors(axes: Axes, guest: Guest, middle: float) -> None:
    """An arrow from the host; of many ports the first, and how many more."""
    if not guest.published:
        return
    start = 0.1 + _SIDE
    axes.annotate(
        "", xy=(_BOX_LEFT, middle), xytext=(start, middle),
        arrowprops={"arrowstyle": "-|>", "color": ink("blue"), "linewidth": 1.8, "shrinkA": 0, "shrinkB": 0},
    )  # fmt: skip
    room = _DOORS - 0.25
    words = [f"{port.host} → {port.inside}" for port in guest.published]
    label(axes, start + _DOORS / 2 - 0.05, middle - 0.13, cut(words[0], room, 8.5), size=8.5)
    if len(words) > 1:
        more = words[1] if len(words) == 2 else say("and {count} more", count=len(words) - 1)
        label(axes, start + _DOORS / 2 - 0.05, middle + 0.13, cut(more, room, 8.5), size=8.5)


def _side(axes: Axes, left: float, height: float, words: str) -> None:
    """What lies on one side of all networks."""
    box(axes, left, 0.1, _SIDE, height - 0.2, "blue", dashed=True)
    label(axes, left + _SIDE / 2, height / 2, cut(words, height - 0.3, 10.5), size=10.5, rotation=90, weight="bold")
