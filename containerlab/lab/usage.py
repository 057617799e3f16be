"""What a container takes of memory, processors and processes while one watches, and the limits that it meets."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import docker.errors
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from containerlab.errors import HostLacks
from containerlab.lab.draw import canvas, ink, label, megabytes, plot_axes
from containerlab.lab.figure import Figure, Table
from containerlab.lab.words import say

__all__ = [
    "Limits",
    "Sample",
    "draw_usage",
    "nobody_counts",
    "read_limits",
    "read_sample",
    "read_usage",
    "usage",
]

_INTERVAL_S = 0.1
_NANO = 1e9
_LEAST = 0.1  # MB, processors: an idle container's noise isn't drawn as if it were work


@dataclass(frozen=True)
class Sample:
    """One look: ``at`` in seconds, ``memory`` in bytes, ``cpu`` in seconds used so far, ``pids`` processes."""

    at: float
    memory: int
    cpu: float
    pids: int


@dataclass(frozen=True)
class Limits:
    """What the container may take at most: bytes, processors, processes; None: as much as there is."""

    memory: int | None = None
    cpus: float | None = None
    pids: int | None = None


def read_limits(client: Any, name: str) -> Limits:
    """The limits that the container was given."""
    host = client.api.inspect_container(name)["HostConfig"]
    cpus = host["NanoCpus"] / _NANO if host.get("NanoCpus") else None
    if cpus is None and host.get("CpuQuota"):
        cpus = host["CpuQuota"] / (host.get("CpuPeriod") or 100_000)
    pids = host.get("PidsLimit") or 0
    return Limits(host.get("Memory") or None, cpus, pids if pids > 0 else None)


def read_usage(client: Any, name: str, seconds: float) -> list[Sample]:
    """Look ten times a second, for so many seconds or until the container ends."""
    begin = time.monotonic()
    samples: list[Sample] = []
    while True:
        at = time.monotonic() - begin
        try:
            sample = read_sample(client, name, at)
        except docker.errors.NotFound:
            if not samples:
                raise
            return samples
        if sample is None:
            return samples
        samples.append(sample)
        if at >= seconds:
            return samples
        time.sleep(max(0.0, begin + at + _INTERVAL_S - time.monotonic()))


def read_sample(client: Any, name: str, at: float) -> Sample | None:
    """One look now, which is called ``at``; None where nothing is counted, because it doesn't run."""
    stats = client.api.stats(name, stream=False, one_shot=True)
    if not stats.get("memory_stats"):
        return None
    return Sample(
        at,
        stats["memory_stats"].get("usage", 0),
        stats["cpu_stats"]["cpu_usage"]["total_usage"] / _NANO,
        stats.get("pids_stats", {}).get("current", 0),
    )


def usage(client: Any, name: str, seconds: float = 3) -> Figure:
    """Watch a running container for a while, and draw memory, processor time and processes with their limits.

    Raises docker's ``NotFound`` for a name that isn't there, HostLacks where nothing is counted.
    """
    limits = read_limits(client, name)
    samples = read_usage(client, name, seconds)
    if not samples:
        raise nobody_counts(name)
    return draw_usage(name, samples, limits)


def nobody_counts(name: str) -> HostLacks:
    """The error of a container whose use can't be read."""
    return HostLacks(
        say("Nobody counts what {name} takes: it doesn't run, or this host has no cgroup for it.", name=name),
        hint=say("`containerlab doctor` tells what is missing."),
    )


def draw_usage(name: str, samples: Sequence[Sample], limits: Limits) -> Figure:
    """The picture of :func:`usage`."""
    times = [sample.at for sample in samples]
    rates = [0.0, *((b.cpu - a.cpu) / max(b.at - a.at, 1e-6) for a, b in pairwise(samples))][: len(samples)]
    figure = canvas(10.0, 5.4)
    rows = (
        (
            say("memory"),
            [sample.memory / 1e6 for sample in samples],
            limits.memory and limits.memory / 1e6,
            "MB",
            "blue",
        ),
        (say("processors"), rates, limits.cpus, "", "orange"),
        (say("processes"), [float(sample.pids) for sample in samples], limits.pids, "", "green"),
    )
    for row, (title, values, limit, unit, hue) in enumerate(rows):
        axes = plot_axes(figure, (0.17, 0.72 - 0.305 * row, 0.8, 0.23))
        _curve(axes, title, times, values, limit, unit, hue)
    label(axes, 0.5, -0.42, say("seconds"), size=10, tone="soft", transform=axes.transAxes)
    most = _most(samples, rates)
    return Figure(
        title=say("What {name} takes", name=name),
        summary=say(
            "In {seconds} seconds it took at most {memory}, {cpus} processors and {pids} processes.",
            name=name,
            seconds=f"{times[-1] - times[0]:.0f}" if times else 0,
            memory=megabytes(most.memory),
            cpus=f"{most.cpu:.1f}",
            pids=most.pids,
        ),
        canvas=figure,
        table=Table((say("what"), say("at most"), say("limit")), _rows(most, limits)),
        data={"samples": len(samples), "memory": most.memory, "cpus": most.cpu, "pids": most.pids},
    )


def _most(samples: Sequence[Sample], rates: Sequence[float]) -> Sample:
    return Sample(
        0.0,
        max((sample.memory for sample in samples), default=0),
        max(rates, default=0.0),
        max((sample.pids for sample in samples), default=0),
    )


def _rows(most: Sample, limits: Limits) -> list[tuple[str, str, str]]:
    none = say("none")
    return [
        (say("memory"), megabytes(most.memory), megabytes(limits.memory) if limits.memory else none),
        (say("processors"), f"{most.cpu:.1f}", f"{limits.cpus:g}" if limits.cpus else none),
        (say("processes"), str(most.pids), str(limits.pids) if limits.pids else none),
    ]


def _curve(
    axes: Axes, title: str, times: Sequence[float], values: Sequence[float], limit: float | None, unit: str, hue: str
) -> None:
    """One quantity over time; its limit is a line of its own, where it is near enough to be met."""
    axes.plot(times, values, color=ink(hue), linewidth=2.2)
    axes.fill_between(times, values, color=ink(f"{hue}-wash"))
    top = max([*values, _LEAST])
    if limit is not None and limit <= 20 * top:
        axes.axhline(limit, color=ink("text"), linewidth=1.6, linestyle=(0, (5, 3)))
        label(axes, 0.99, limit, say("limit {value}", value=f"{limit:.4g} {unit}".strip()), size=10,
              ha="right", va="bottom", transform=axes.get_yaxis_transform())  # fmt: skip
        top = max(top, limit)
    axes.set_ylim(0, top * 1.25)
    if all(value == int(value) for value in values):
        axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=4))
    label(axes, -0.14, 0.5, title, size=11.5, weight="bold", transform=axes.transAxes)
    label(axes, -0.14, 0.27, unit, size=10, tone="soft", transform=axes.transAxes)
