"""The stages of a build as a graph: boxes, and an arrow for each FROM and each COPY --from between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

from containerlab.lab.draw import bare_axes, box, canvas, ink, label
from containerlab.lab.figure import Figure, Table
from containerlab.lab.theme import HATCHES
from containerlab.lab.words import say

__all__ = ["draw_stages"]

_WIDE, _TALL, _GAP_X, _GAP_Y = 2.5, 1.28, 0.75, 0.34
_HUES = {"built": "orange", "cached": "green", "failed": "purple", "skipped": "soft", "waiting": "soft"}
_LETTERS = 27
_MOST_INCHES = 14.0
_LEGEND = 6.8
_Place = tuple[float, float]


def draw_stages(stages: Sequence[Mapping[str, Any]], summary: str) -> Figure:
    """``stages`` in the file's order, as ``StageFacts.to_dict`` of the commands room has them; ``summary`` in words."""
    places = _places(stages)
    width = max(x for x, _ in places.values()) + _WIDE
    height = max(y for _, y in places.values()) + _TALL
    scale = min(1.0, _MOST_INCHES / width)
    figure = canvas(max(_LEGEND + 0.3, width * scale + 0.4), max(2.4, height + 1.05))
    axes = bare_axes(figure, (0.01, 0.01, 0.98, 0.98))
    tips = {}
    for stage in stages:
        _draw_arrows(axes, stage, stages, places)
    for number, stage in enumerate(stages):
        _draw_stage(axes, stage, places[stage["name"]], gid=f"stage-{number}")
        tips[f"stage-{number}"] = f"{stage['name']} ({say('line')} {stage['line']}): {stage['words']}"
    _draw_legend(axes, -0.72)
    axes.set_xlim(-0.15, max(width, _LEGEND / scale) + 0.15)
    axes.set_ylim(height + 0.15, -0.9)
    return Figure(
        title=say("The stages of the build"),
        summary=summary,
        canvas=figure,
        table=_table(stages),
        tips=tips,
        data={"stages": [dict(stage) for stage in stages]},
    )


def _needs(stage: Mapping[str, Any]) -> list[str]:
    return [*([stage["starts_from"]] if stage["starts_from"] else []), *stage["copies_from"]]


def _places(stages: Sequence[Mapping[str, Any]]) -> dict[str, _Place]:
    """A stage stands to the right of all that it needs, and close to who needs it first; the top left corners."""
    column: dict[str, int] = {}
    for stage in stages:
        column[stage["name"]] = 1 + max((column[name] for name in _needs(stage)), default=-1)
    for stage in reversed(stages):
        users = [column[each["name"]] for each in stages if stage["name"] in _needs(each)]
        column[stage["name"]] = min(users) - 1 if users else column[stage["name"]]
    rows: dict[int, int] = {}
    places: dict[str, _Place] = {}
    tallest = max(list(column.values()).count(each) for each in set(column.values()))
    for stage in stages:
        at = column[stage["name"]]
        row = rows[at] = rows.get(at, -1) + 1
        # A short column stands in the middle of the tallest one.
        lead = (tallest - list(column.values()).count(at)) / 2
        places[stage["name"]] = (at * (_WIDE + _GAP_X), (row + lead) * (_TALL + _GAP_Y))
    return places


def _draw_stage(axes: Axes, stage: Mapping[str, Any], place: _Place, gid: str) -> None:
    x, y = place
    hue, skipped = _HUES[stage["state"]], stage["state"] in ("skipped", "waiting")
    if skipped:
        box(axes, x, y, _WIDE, _TALL, "soft", gid=gid, dashed=True)
    else:
        box(axes, x, y, _WIDE, _TALL, hue, gid=gid)
        _strip(axes, x + 0.08, y + 0.1, _TALL - 0.2, hue)
    if stage["on_longest_path"]:
        _outline(axes, x - 0.06, y - 0.06)
    left = x + (0.14 if skipped else 0.38)
    mark = "◆ " if stage["on_longest_path"] else ""
    target = f"  ({say('target')})" if stage["target"] else ""
    label(axes, left, y + 0.24, _cut(mark + stage["name"] + target), size=11.5, weight="bold", ha="left")
    label(axes, left, y + 0.51, _cut(f"FROM {stage['base'] or stage['starts_from']}"), size=9, tone="soft", ha="left")
    first, _, rest = stage["words"].partition(", ")
    if skipped:
        first, _, rest = stage["words"].partition(": ")
    label(axes, left, y + 0.79, first, size=10, ha="left")
    label(axes, left, y + 1.05, _cut(rest), size=9, tone="soft", ha="left")


def _outline(axes: Axes, x: float, y: float) -> None:
    style = "round,pad=0,rounding_size=0.08"
    wide, tall = _WIDE + 0.12, _TALL + 0.12
    axes.add_patch(
        FancyBboxPatch((x, y), wide, tall, boxstyle=style, facecolor="none", edgecolor=ink("text"), linewidth=2.4)
    )


def _strip(axes: Axes, x: float, y: float, height: float, hue: str) -> None:
    """The pattern that tells a state without its colour, where no letters stand on it."""
    axes.add_patch(
        Rectangle((x, y), 0.18, height, facecolor="none", edgecolor=ink(hue), hatch=HATCHES[hue], linewidth=0.8)
    )


def _cut(words: str) -> str:
    return words if len(words) <= _LETTERS else words[: _LETTERS - 1] + "…"


def _draw_arrows(
    axes: Axes, stage: Mapping[str, Any], stages: Sequence[Mapping[str, Any]], places: Mapping[str, _Place]
) -> None:
    by_name = {each["name"]: each for each in stages}
    needs = _needs(stage)
    for number, name in enumerate(needs):
        source, here = places[name], places[stage["name"]]
        longest = stage["on_longest_path"] and by_name[name]["on_longest_path"]
        copied = name in stage["copies_from"]
        start = (source[0] + _WIDE + 0.07, source[1] + _TALL / 2)
        end = (here[0] - 0.07, here[1] + _TALL * (number + 1) / (len(needs) + 1))
        axes.add_patch(
            FancyArrowPatch(
                start,
                end,
                arrowstyle="-|>",
                mutation_scale=14,
                shrinkA=0,
                shrinkB=0,
                color=ink("text" if longest else "soft"),
                linewidth=2.6 if longest else 1.3,
                linestyle=(0, (4, 2)) if copied else "solid",
                # Past a stage in between, not through it.
                connectionstyle=f"arc3,rad={0.0 if here[0] - source[0] < 2 * _WIDE else -0.3}",
                zorder=0.5,
            )
        )


def _draw_legend(axes: Axes, y: float) -> None:
    x = 0.0
    for words, hue in ((say("built"), "orange"), (say("cached"), "green")):
        _strip(axes, x, y, 0.24, hue)
        label(axes, x + 0.26, y + 0.13, words, size=9, tone="soft", ha="left")
        x += 0.92
    box(axes, x, y, 0.3, 0.24, "soft", dashed=True)
    label(axes, x + 0.38, y + 0.13, say("skipped"), size=9, tone="soft", ha="left")
    x += 1.12
    for words, style, width in (("FROM", "solid", 1.3), ("COPY --from", (0, (4, 2)), 1.3)):
        axes.plot([x, x + 0.4], [y + 0.13] * 2, color=ink("soft"), linestyle=style, linewidth=width)
        label(axes, x + 0.47, y + 0.13, words, size=9, tone="soft", ha="left")
        x += 1.05 if words == "FROM" else 1.5
    label(axes, x, y + 0.13, f"◆ {say('longest path')}", size=9, tone="soft", ha="left")


def _table(stages: Sequence[Mapping[str, Any]]) -> Table:
    rows = [
        (
            stage["name"],
            str(stage["line"]),
            stage["base"] or f"{say('stage')} {stage['starts_from']}",
            ", ".join(stage["copies_from"]) or say("nothing"),
            stage["words"],
            say("yes") if stage["on_longest_path"] else say("no"),
        )
        for stage in stages
    ]
    return Table(
        (say("stage"), say("line"), "FROM", "COPY --from", say("what became of it"), say("longest path")), rows
    )
