"""Plots of measurements: startup and memory, each bar with its spread, its figure and how it was made."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from containerlab.lab.draw import canvas, extent, families, ink, label, megabytes, plot_axes
from containerlab.lab.figure import Figure, Table
from containerlab.lab.measure import Memory, Missing, Sample
from containerlab.lab.theme import HATCHES
from containerlab.lab.words import Words, say

__all__ = ["duration", "memory_plot", "startup_plot"]

_NAMES = {
    "process": Words("plain process"),
    "container": Words("container, bare runtime"),
    "container_api": Words("container, through the API"),
    "vm": Words("virtual machine"),
}
_HUES = {"process": "green", "container": "blue", "container_api": "purple", "vm": "orange"}


def duration(milliseconds: float) -> str:
    """``3.2 ms``, ``132 ms`` or ``1.5 s``: two digits, or all of them before the point."""
    amount, unit = (milliseconds / 1000, "s") if milliseconds >= 1000 else (milliseconds, "ms")
    return f"{amount:.2g} {unit}" if amount < 10 else f"{amount:.0f} {unit}"


def startup_plot(samples: Mapping[str, Sample | Missing], accel: str | None) -> Figure:
    """Startup on a log axis; ``samples`` by the names ``process``, ``container``, ``container_api``, ``vm``.

    ``accel`` (``kvm`` or ``tcg``) names what ran the machine; under ``tcg`` no ratio is claimed.
    """
    shown = [(name, sample) for name, sample in samples.items() if isinstance(sample, Sample)]
    figure = canvas(9.5, 0.7 * len(shown) + 0.9)
    axes = _bars(
        figure,
        [
            (_title(name, accel), sample.median, sample.p90, f"{duration(sample.median)} · n={sample.n}")
            for name, sample in shown
        ],
        [_HUES[name] for name, _ in shown],
    )
    for row, (_, sample) in enumerate(shown):
        axes.plot([sample.p10, sample.p90], [row, row], color=ink("text"), linewidth=1.4, solid_capstyle="butt")
    _say_below(axes, say("milliseconds until the exit code of ‘true’ is back (log axis; line: p10 to p90)"))
    return Figure(
        title=say("Startup"),
        summary=_sentence(
            [(_title(name, accel), duration(sample.median)) for name, sample in shown],
            samples,
            accel,
            say("Median startup"),
        ),
        canvas=figure,
        table=Table(
            (say("what"), say("median"), "p10", "p90", "n"),
            [_startup_row(_title(name, accel), sample) for name, sample in samples.items()],
        ),
        tips={f"bar-{row}": f"{_title(name, accel)}: {sample}" for row, (name, sample) in enumerate(shown)},
        data={name: sample.to_dict() for name, sample in shown},
    )


def memory_plot(costs: Mapping[str, Memory | Missing], accel: str | None) -> Figure:
    """What the host pays for the same idle server, on a log axis; by the names ``container`` and ``vm``."""
    shown = [(name, cost) for name, cost in costs.items() if isinstance(cost, Memory)]
    names = {"container": say("container"), "vm": _title("vm", accel)}
    figure = canvas(9.5, 0.7 * len(shown) + 0.9)
    axes = _bars(
        figure,
        [
            (names[name], cost.used / 1e6, cost.used / 1e6, f"{megabytes(cost.used)} · {cost.how}")
            for name, cost in shown
        ],
        [_HUES[name] for name, _ in shown],
    )
    _say_below(axes, say("megabytes of the host's memory for one idle web server (log axis)"))
    return Figure(
        title=say("Memory"),
        summary=_sentence(
            [(names[name], megabytes(cost.used)) for name, cost in shown],
            costs,
            accel,
            say("The same idle web server takes"),
        ),
        canvas=figure,
        table=Table(
            (say("what"), say("assigned"), say("used"), say("how it was measured")),
            [_memory_row(names[name], cost) for name, cost in costs.items()],
        ),
        tips={f"bar-{row}": f"{names[name]}: {megabytes(cost.used)}" for row, (name, cost) in enumerate(shown)},
        data={name: {"used": cost.used, "assigned": cost.assigned} for name, cost in shown},
    )


def _bars(figure: Canvas, bars: list[tuple[str, float, float, str]], hues: list[str]) -> Axes:
    """``bars``: name, value, the end of its spread, and the words behind that."""
    axes = plot_axes(figure, (0.24, 0.75 / figure.get_figheight(), 0.74, 1 - 0.85 / figure.get_figheight()))
    floor = min(value for _, value, _, _ in bars) / 3
    for row, ((_, value, end, words), hue) in enumerate(zip(bars, hues, strict=True)):
        patch = axes.barh(row, value - floor, left=floor, height=0.56, color=ink(hue))[0]
        patch.set(hatch=HATCHES[hue], edgecolor=ink("paper"), gid=f"bar-{row}")
        label(axes, end * 1.25, row, words, size=10.5, ha="left")
    ceiling = max(30 * floor, *(_ceiling(floor, end, words, 0.74 * figure.get_figwidth()) for _, _, end, words in bars))
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_formatter(lambda *_: "")
    axes.set_xlim(floor, ceiling)
    axes.set_ylim(len(bars) - 0.5, -0.5)
    names = [name for name, _, _, _ in bars]
    axes.set_yticks(range(len(bars)), names, color=ink("text"), fontsize=11, family=families("".join(names)))
    return axes


def _say_below(axes: Axes, words: str) -> None:
    axes.set_xlabel(words, color=ink("soft"), family=families(words))


def _ceiling(floor: float, end: float, words: str, inches: float) -> float:
    """Where a log axis of ``inches`` must end for the words behind ``end`` to have room."""
    share = min(0.6, (extent(words, 10.8) + 0.3) / inches)
    return float(floor * (end / floor) ** (1 / (1 - share)))


def _title(name: str, accel: str | None) -> str:
    return f"{say(_NAMES[name])} ({accel})" if name == "vm" and accel else say(_NAMES[name])


def _sentence(shown: list[tuple[str, str]], everything: Mapping[str, object], accel: str | None, opening: str) -> str:
    words = f"{opening}: " + "; ".join(f"{name} {value}" for name, value in shown) + "."
    if accel == "tcg" and any(say(_NAMES["vm"]) in name for name, _ in shown):
        words += " " + say(
            "The machine ran under TCG, an emulated processor, so its figure is too high to compare by ratio."
        )
    missing: dict[str, list[str]] = {}
    for name, value in everything.items():
        if isinstance(value, Missing):
            missing.setdefault(value.reason, []).append(say(_NAMES[name]))
    return words + "".join(
        " " + say("Not measured here: {names}. {reason}", names=", ".join(names), reason=reason)
        for reason, names in missing.items()
    )


def _startup_row(title: str, sample: Sample | Missing) -> tuple[str, ...]:
    if isinstance(sample, Missing):
        return (title, say("not measured"), sample.reason, "", "")
    return (title, duration(sample.median), duration(sample.p10), duration(sample.p90), str(sample.n))


def _memory_row(title: str, cost: Memory | Missing) -> tuple[str, ...]:
    if isinstance(cost, Missing):
        return (title, "", say("not measured"), cost.reason)
    return (title, megabytes(cost.assigned) if cost.assigned else say("no limit"), megabytes(cost.used), cost.how)
