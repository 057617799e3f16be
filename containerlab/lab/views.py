"""One process seen from two sides: by the host, and from inside its container."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes

from containerlab.lab.draw import bare_axes, box, canvas, ink, label
from containerlab.lab.figure import Figure, Table
from containerlab.lab.needs import shares_everything
from containerlab.lab.note import Note
from containerlab.lab.words import say

__all__ = ["two_views"]

_INSIDE = "hostname; set -- /proc/[0-9]*; echo $#"


@dataclass(frozen=True)
class _Views:
    """What both sides say of a container's first process; numbers as text."""

    name: str
    program: str
    pid: str
    parent: str
    hostname: str
    processes: int


def two_views(client: Any, name: str) -> Figure | Note:
    """Draw the first process of the running container ``name`` with what the host and what it sees itself.

    A note where this host has no second view to show, because it gives a container no namespaces.
    Raises docker's ``NotFound`` for a name that isn't there, ``APIError`` for a container that doesn't run.
    """
    seen = _look(client, name)
    if shares_everything(client):
        return Note(
            say(
                "This host gives no namespaces, so there is one view alone: process number {pid} ({program}) has that "
                "number inside {name} too, where every process of the host can be seen. On a host with namespaces it "
                "would be number 1 there, and alone.",
                pid=seen.pid,
                program=seen.program,
                name=name,
            )
        )
    figure = canvas(10.5, 4.9)
    axes = bare_axes(figure, (0.01, 0.02, 0.98, 0.96))
    _draw_host(axes, seen)
    _draw_inside(axes, seen)
    axes.annotate(
        "",
        xy=(6.15, 1.95),
        xytext=(4.55, 1.95),
        arrowprops={"arrowstyle": "<->", "color": ink("orange"), "linewidth": 2.2},
    )
    label(axes, 5.35, 2.2, say("one process"), size=10.5, weight="bold")
    label(axes, 5.35, 1.7, say("two numbers"), size=9.5, tone="soft")
    axes.set_xlim(-0.05, 10.25)
    axes.set_ylim(-0.05, 5.0)
    return Figure(
        title=say("One process, seen from two sides"),
        summary=say(
            "The host's process number {pid} is process number 1 of the container {name}.", pid=seen.pid, name=seen.name
        ),
        canvas=figure,
        table=Table(("", say("seen by the host"), say("seen from inside")), _rows(seen)),
        data={"name": name, "host_pid": int(seen.pid), "inside_pid": 1, "processes_inside": seen.processes},
    )


def _look(client: Any, name: str) -> _Views:
    answer = client.api.top(name)
    first = dict(zip(answer["Titles"], answer["Processes"][0], strict=True))
    output = client.containers.get(name).exec_run(["sh", "-c", _INSIDE]).output.decode()
    hostname, count = output.split()
    # The shell that counts is one more than the container's own.
    return _Views(name, first["CMD"], first["PID"], first["PPID"], hostname, int(count) - 1)


def _rows(seen: _Views) -> list[tuple[str, str, str]]:
    return [
        (say("program"), seen.program, seen.program),
        (say("process number"), say("process number {pid}", pid=seen.pid), "1"),
        (
            say("its parent"),
            say("the engine's supervisor, process number {pid}", pid=seen.parent),
            say("none: it is the first"),
        ),
        (say("host name"), say("the host's"), say("the container's")),
        (say("files below /"), say("the host's"), say("the image's, and a writable layer")),
        (say("kernel"), say("this one"), say("the same one")),
    ]


def _draw_host(axes: Axes, seen: _Views) -> None:
    label(axes, 2.3, 4.8, say("What the host sees"), size=14, weight="bold")
    box(axes, 0.0, 0.0, 10.2, 0.75, "green")
    label(axes, 5.1, 0.375, say("one kernel, the host's"))
    floors = (
        ("green", say("the first process"), "1"),
        ("purple", say("this notebook"), str(os.getpid())),
        ("purple", say("the engine's supervisor"), seen.parent),
    )
    for level, (hue, words, pid) in enumerate(floors):
        _process(axes, 0.1, 3.8 - level * 0.6, 4.4, hue, words, pid)
    axes.plot([0.35, 0.35, 0.6], [2.6, 1.95, 1.95], color=ink("soft"), linewidth=1.4)
    _process(axes, 0.6, 1.62, 3.9, "orange", seen.program, seen.pid)
    label(axes, 2.3, 1.2, say("… and all the others"), size=9.5, tone="soft")


def _draw_inside(axes: Axes, seen: _Views) -> None:
    label(axes, 8.2, 4.8, say("What “{name}” sees", name=seen.name), size=14, weight="bold")
    box(axes, 6.1, 0.95, 4.1, 3.5, "blue", dashed=True)
    for level, (what, value) in enumerate(((say("files"), "/bin /etc /home …"), (say("host name"), seen.hostname))):
        label(axes, 6.35, 3.95 - level * 0.5, what, size=10, tone="soft", ha="left")
        label(axes, 9.95, 3.95 - level * 0.5, value, size=10, ha="right")
    label(axes, 6.35, 2.95, say("processes"), size=10, tone="soft", ha="left")
    label(axes, 9.95, 2.95, str(seen.processes), size=10, ha="right")
    _process(axes, 6.25, 1.62, 3.8, "orange", seen.program, "1")
    others = seen.processes - 1
    few = say("and 1 other of its own") if others == 1 else say("and {others} others of its own", others=others)
    words = few if others else say("nobody else")
    label(axes, 8.15, 1.2, words, size=9.5, tone="soft")


def _process(axes: Axes, left: float, bottom: float, width: float, hue: str, words: str, pid: str) -> None:
    box(axes, left, bottom, width, 0.5 if hue != "orange" else 0.66, hue)
    middle = bottom + (0.25 if hue != "orange" else 0.33)
    label(axes, left + 0.15, middle, words if len(words) < 30 else words[:29] + "…", size=10.5, ha="left")
    label(axes, left + width - 0.15, middle, pid, size=11, ha="right", weight="bold")
