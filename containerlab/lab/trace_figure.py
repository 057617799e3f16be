"""A conversation between a client and the engine, as a sequence of calls and answers down the page."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from containerlab.lab.draw import bare_axes, box, canvas, ink, label
from containerlab.lab.figure import Figure, Table
from containerlab.lab.tracer import Call
from containerlab.lab.words import say

__all__ = ["draw_trace"]

_LEFT, _RIGHT = 1.6, 9.2
_LONGEST_PATH = 62


def draw_trace(calls: Sequence[Call], client: str = "", *, first: int = 1) -> Figure:
    """Each call is an arrow to the right, each answer one to the left; a stream is a band that stays open.

    ``client`` is the name over the left line, ``first`` the number of the first call that is drawn.
    """
    who = client or say("the client")
    height = 0.62 * max(len(calls), 1) + 1.0
    figure = canvas(11.0, height)
    axes = bare_axes(figure, (0.0, 0.0, 1.0, 1.0))
    top = 0.62 * len(calls) + 0.3
    for x, words, hue in ((_LEFT, who, "purple"), (_RIGHT, say("the engine"), "blue")):
        box(axes, x - 1.1, top - 0.05, 2.2, 0.5, hue)
        label(axes, x, top + 0.2, words, size=12, weight="bold")
        axes.plot([x, x], [0.0, top - 0.05], color=ink("line"), linewidth=1.6)
    for number, call in enumerate(calls):
        _call(axes, top - 0.5 - 0.62 * number, first + number, call)
    axes.set_xlim(0.2, 10.6)
    axes.set_ylim(-0.05, top + 0.55)
    return Figure(
        title=say("What {client} asked of the engine", client=who),
        summary=say(
            "In all {count}, in this order: {list}.",
            count=first + len(calls) - 1,
            list=("…, " if first > 1 else "") + ", ".join(_short(call) for call in calls),
        )
        if calls
        else say("Nothing was asked yet."),
        canvas=figure,
        table=Table(
            (say("number"), say("request"), say("answer"), say("after")),
            [
                (str(number), f"{call.method} {call.path}", str(call.status or "…"), f"{call.took_ms:.1f} ms")
                for number, call in enumerate(calls, first)
            ],
        ),
        data={"calls": [f"{call.method} {call.path.partition('?')[0]}" for call in calls]},
    )


def _short(call: Call) -> str:
    return f"{call.method} {call.path.partition('?')[0]}"


def _call(axes: Axes, y: float, number: int, call: Call) -> None:
    path = call.path.partition("?")[0]
    words = f"{number}  {call.method} {path}"
    words = words if len(words) <= _LONGEST_PATH else f"{words[: _LONGEST_PATH - 1]}…"
    hue = "gold" if call.status >= 400 else "green" if call.upgraded else "orange"
    axes.annotate(
        "", xy=(_RIGHT - 0.05, y), xytext=(_LEFT + 0.05, y),
        arrowprops={
            "arrowstyle": "-|>", "mutation_scale": 13, "color": ink(hue), "linewidth": 2, "shrinkA": 0, "shrinkB": 0
        },
    )  # fmt: skip
    label(axes, _LEFT + 0.3, y + 0.16, words, size=10.5, ha="left")
    stream = say("101: from here on a stream in both directions")
    answer = stream if call.upgraded else f"{call.status or '…'}"
    axes.annotate(
        "", xy=(_LEFT + 0.05, y - 0.2), xytext=(_RIGHT - 0.05, y - 0.2),
        arrowprops={
            "arrowstyle": "<|-|>" if call.upgraded else "-|>", "mutation_scale": 10,
            "color": ink(hue), "linewidth": 1.2,
            "linestyle": "solid" if call.upgraded else (0, (4, 3)), "shrinkA": 0, "shrinkB": 0,
        },
    )  # fmt: skip
    label(axes, _RIGHT - 0.3, y + 0.16, answer, size=10.5, ha="right", tone="soft")
