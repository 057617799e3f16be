"""The kernel steps of one container's start, as the supervisor stamped them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from containerlab.client import lab_get
from containerlab.lab.draw import canvas, families, ink, label, plot_axes
from containerlab.lab.figure import Figure, Table
from containerlab.lab.theme import HATCHES, SERIES
from containerlab.lab.words import Words, say

__all__ = ["MEANINGS", "draw_timeline", "timeline"]

MEANINGS = {
    "clone": Words("a new process, born in new namespaces"),
    "cgroup": Words("the process joins its cgroup: limits hold from here on"),
    "network": Words("a network namespace, with an address of its own on a bridge"),
    "overlay": Words("the image's layers and a writable one become one file system"),
    "copy": Words("without overlayfs: the image's files are copied, for this container alone"),
    "mounts": Words("/proc, /sys, volumes; paths that must not be seen are masked"),
    "dev": Words("a /dev of its own: null, zero, random, a terminal"),
    "pivot_root": Words("the new root takes the place of the host's"),
    "user": Words("user and groups, capabilities"),
    "seccomp": Words("the filter of system calls is installed"),
    "exec": Words("the program itself replaces the set-up code"),
}


def timeline(client: Any, name: str) -> Figure:
    """Draw the start of the container ``name``; the engine must be this kit's own."""
    steps = lab_get(client, f"/containerlab/containers/{name}/timeline")["steps"]
    return draw_timeline(name, [(step["step"], float(step["at_us"])) for step in steps])


def draw_timeline(name: str, stamps: Sequence[tuple[str, float]]) -> Figure:
    """``stamps``: each step's name and the microsecond at which it was done, in order."""
    spans = [(step, before, at) for (_, before), (step, at) in pairwise(stamps) if step != "request"]
    total = stamps[-1][1] - stamps[0][1]
    figure = canvas(10.5, 0.4 * len(spans) + 0.9)
    axes = plot_axes(figure, (0.1, 0.7 / figure.get_figheight(), 0.4, 1 - 0.8 / figure.get_figheight()))
    tips = {}
    for row, (step, start, end) in enumerate(spans):
        hue = SERIES[row % len(SERIES)]
        bars = axes.barh(row, (end - start) / 1000, left=start / 1000, height=0.66, color=ink(hue))
        bars[0].set(hatch=HATCHES[hue], edgecolor=ink("paper"), gid=f"step-{row}")
        tips[f"step-{row}"] = f"{step}: {end - start:.0f} µs. {MEANINGS.get(step, '')}"
        label(axes, 1.19 * total / 1000, row, f"{end - start:.0f} µs", size=9.5, ha="right")
        label(axes, 1.21 * total / 1000, row, _meaning(step), size=9.5, tone="soft", ha="left")
    axes.set_xlim(0, 1.02 * total / 1000)
    axes.set_yticks(range(len(spans)), [step for step, _, _ in spans], color=ink("text"))
    axes.invert_yaxis()
    below = say("milliseconds since the request")
    axes.set_xlabel(below, color=ink("soft"), family=families(below))
    slowest = max(spans, key=lambda span: span[2] - span[1])
    return Figure(
        title=say("How {name} started", name=name),
        summary=say(
            "{count} kernel steps in {total} ms; the longest is {slowest}, {took} ms.",
            count=len(spans),
            total=f"{total / 1000:.1f}",
            slowest=slowest[0],
            took=f"{(slowest[2] - slowest[1]) / 1000:.2f}",
        ),
        canvas=figure,
        table=Table(
            (say("step"), say("starts at (µs)"), say("takes (µs)"), say("what it does")),
            [(step, f"{start:.0f}", f"{end - start:.0f}", _meaning(step)) for step, start, end in spans],
        ),
        tips=tips,
        data={"steps": [{"step": step, "at_us": at} for step, at in stamps], "total_us": total},
    )


def _meaning(step: str) -> str:
    return say(MEANINGS[step]) if step in MEANINGS else ""
