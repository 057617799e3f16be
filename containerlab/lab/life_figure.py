"""The states of a container's life as a picture, and in it the way that one container took."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes

from containerlab.lab.draw import bare_axes, box, canvas, ink, label
from containerlab.lab.figure import Figure, Table
from containerlab.lab.life import STATES, Turn, read_life
from containerlab.lab.words import Words, say

__all__ = ["draw_life", "life"]

_PLACES = {
    "created": (1.0, 2.4),
    "running": (4.4, 2.4),
    "paused": (4.4, 4.5),
    "exited": (7.8, 2.4),
    "removed": (10.6, 2.4),
}
_HUES = {"created": "blue", "running": "green", "paused": "purple", "exited": "gold", "removed": "orange"}
# From and to, the words, both ends of the arrow, how far it bends, and where its words stand.
_ARROWS = (
    ("created", "running", "start", (2.07, 2.4), (3.33, 2.4), 0.0, (2.7, 2.62)),
    ("running", "paused", "pause", (4.2, 3.02), (4.2, 3.88), -0.25, (3.55, 3.5)),
    ("paused", "running", "unpause", (4.6, 3.88), (4.6, 3.02), -0.25, (5.4, 3.56)),
    ("running", "exited", Words("its process ends"), (5.47, 2.52), (6.73, 2.52), -0.2, (6.1, 3.2)),
    ("exited", "running", "start", (6.73, 2.2), (5.47, 2.2), -0.2, (6.1, 1.88)),
    ("exited", "removed", "rm", (8.87, 2.4), (9.53, 2.4), 0.0, (9.2, 2.62)),
    ("created", "removed", "rm", (1.0, 1.78), (10.6, 1.78), 0.2, (5.8, 1.0)),
)
_HALF_WIDTH, _HALF_HEIGHT = 0.95, 0.5
_Point = tuple[float, float]


def life(client: Any, name: str, *, since: float = 0) -> Figure:
    """Draw the states of a container's life, and in them the way that ``name`` has taken so far."""
    return draw_life(name, read_life(client, name, since=since))


def draw_life(name: str, turns: Sequence[Turn]) -> Figure:
    """The picture of :func:`life`, from turns in their order."""
    moves = [turn for turn in turns if turn.state is not None]
    states = [turn.state for turn in moves if turn.state is not None]
    figure = canvas(11.0, 4.4)
    axes = bare_axes(figure, (0.0, 0.0, 1.0, 1.0))
    taken = _taken(states)
    for start, end, words, tail, head, bend, place in _ARROWS:
        _arrow(axes, say(words), tail, head, bend, place, taken.get((start, end), []))
    for state in _PLACES:
        _state(axes, state, here=bool(states) and states[-1] == state, met=state in states)
    if states and states[0] == "created":
        label(axes, 1.0, 3.12, "create  (1)", size=10.5, weight="bold")
    axes.set_xlim(-0.2, 11.8)
    axes.set_ylim(0.4, 5.2)
    return Figure(
        title=say("The life of {name}", name=name),
        summary=_summary(name, states),
        canvas=figure,
        table=Table(
            (say("step"), say("event"), say("state after it"), say("detail")),
            [_row(number, turn) for number, turn in _numbered(turns)],
        ),
        data={"name": name, "states": states, "events": [turn.event for turn in turns]},
    )


def _numbered(turns: Sequence[Turn]) -> list[tuple[str, Turn]]:
    """Events that change no state have no number of their own."""
    numbered, count = [], 0
    for turn in turns:
        count += turn.state is not None
        numbered.append((str(count) if turn.state is not None else "", turn))
    return numbered


def _row(number: str, turn: Turn) -> tuple[str, str, str, str]:
    state = say(STATES[turn.state][0]) if turn.state else say("the same")
    return number, turn.event, state, turn.detail


def _summary(name: str, states: Sequence[str]) -> str:
    way = ", ".join(say(STATES[state][0]) for state in states)
    return say("{name} was, one after the other: {way}.", name=name, way=way or say("nothing yet"))


def _taken(states: Sequence[str]) -> dict[tuple[str, str], list[int]]:
    """For each arrow the numbers of the steps that went along it; ``create`` is step 1."""
    taken: dict[tuple[str, str], list[int]] = {}
    for number, pair in enumerate(pairwise(states), 2):
        taken.setdefault(pair, []).append(number)
    return taken


def _state(axes: Axes, state: str, *, here: bool, met: bool) -> None:
    x, y = _PLACES[state]
    box(
        axes, x - _HALF_WIDTH, y - _HALF_HEIGHT, 2 * _HALF_WIDTH, 2 * _HALF_HEIGHT,
        _HUES[state], gid=f"state-{state}", dashed=not met,
    )  # fmt: skip
    if here:
        box(axes, x - _HALF_WIDTH - 0.1, y - _HALF_HEIGHT - 0.1, 2 * _HALF_WIDTH + 0.2, 1.2, _HUES[state], dashed=True)
    word, meaning = STATES[state]
    label(axes, x, y + 0.14, say(word), size=13, weight="bold")
    label(axes, x, y - 0.2, say(meaning), size=8.5, tone="soft")


def _arrow(
    axes: Axes, words: str, tail: _Point, head: _Point, bend: float, place: _Point, numbers: Sequence[int]
) -> None:
    """``numbers``: the steps that went this way; without any the arrow is one that could have been taken."""
    axes.annotate(
        "", xy=head, xytext=tail,
        arrowprops={
            "arrowstyle": "-|>", "mutation_scale": 14, "shrinkA": 0, "shrinkB": 0,
            "connectionstyle": f"arc3,rad={bend}",
            "color": ink("orange" if numbers else "line"), "linewidth": 2.6 if numbers else 1.4,
            "linestyle": "solid" if numbers else (0, (4, 3)),
        },
    )  # fmt: skip
    said = f"{words}  ({', '.join(map(str, numbers))})" if numbers else words
    label(axes, *place, said, size=10.5, tone="text" if numbers else "soft", weight="bold" if numbers else "normal")
