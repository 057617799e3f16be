"""Measurements that lessons make: startup, memory, disk, speed of a processor loop.

Every figure says how it was made: after a warm-up, ``n`` times, as median with the tenth and ninetieth
percentile, because one run on a busy host says little. A *startup* is always the whole round: from the request until
the exit code of ``true`` is back. What can't be measured here is ``Missing`` with the reason, never a guess.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from docker.errors import APIError, ContainerError

from containerlab.client import lab_get
from containerlab.lab.words import say

__all__ = [
    "Disk",
    "Memory",
    "Missing",
    "Sample",
    "bare_runtime",
    "container_disk",
    "memory",
    "repeat",
    "slowdown",
    "startup",
    "vm_facts",
]

_LOOP = (
    "read a rest < /proc/uptime; i=0; while [ $i -lt {turns} ]; do i=$((i+1)); done;"
    " read b rest < /proc/uptime; echo $a $b"
)


@dataclass(frozen=True)
class Missing:
    """A figure that this host couldn't give; ``reason`` is a sentence."""

    reason: str


@dataclass(frozen=True)
class Sample:
    """Repeated measurements in milliseconds."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle value."""
        return statistics.median(self.values)

    @property
    def p10(self) -> float:
        """A tenth of the values are below."""
        return self._percentile(10)

    @property
    def p90(self) -> float:
        """A tenth of the values are above."""
        return self._percentile(90)

    @property
    def n(self) -> int:
        """How many runs were counted."""
        return len(self.values)

    def _percentile(self, percent: int) -> float:
        if len(self.values) == 1:
            return self.values[0]
        return statistics.quantiles(self.values, n=100, method="inclusive")[percent - 1]

    def to_dict(self) -> dict[str, float]:
        """``median``, ``p10``, ``p90`` in milliseconds, and ``n``."""
        return {
            "median": round(self.median, 3),
            "p10": round(self.p10, 3),
            "p90": round(self.p90, 3),
            "n": self.n,
        }

    def __str__(self) -> str:
        median, p10, p90 = (
            f"{value:.3g}" if value < 1000 else f"{value:.0f}" for value in (self.median, self.p10, self.p90)
        )
        return f"{median} ms ({p10} to {p90}, n={self.n})"


@dataclass(frozen=True)
class Memory:
    """What the host pays for one idle server, in bytes.

    ``assigned`` is what was set aside (None: no limit), ``used`` what the host really gave: for a container its
    cgroup's charge, or else the proportional set size of its processes; for a virtual machine that of QEMU.
    """

    assigned: int | None
    used: int
    how: str


@dataclass(frozen=True)
class Disk:
    """Bytes that one more instance needs on disk beyond its image, and the image itself."""

    image: int
    instance: int


def repeat(action: Callable[[], object], n: int, warmup: int = 1) -> Sample:
    """Time ``action`` in wall-clock milliseconds, ``n`` times after ``warmup`` uncounted runs."""
    for _ in range(warmup):
        action()
    values = []
    for _ in range(n):
        before = time.perf_counter_ns()
        action()
        values.append((time.perf_counter_ns() - before) / 1e6)
    return Sample(tuple(values))


def bare_runtime(n: int = 20) -> dict[str, Sample | Missing]:
    """``process`` and ``container`` without any engine, timed by the runtime's own benchmark."""
    command = [sys.executable, "-m", "containerlab.runtime.bench", "--json", "--n", str(n)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        reason = Missing((done.stderr.strip().splitlines() or [say("the runtime's benchmark failed")])[-1])
        return {"process": reason, "container": reason}
    figures = json.loads(done.stdout)
    return {name: Sample(tuple(figures[name])) for name in ("process", "container")}


def startup(client: Any, image: str, n: int = 20, runtime: str | None = None, warmup: int = 1) -> Sample | Missing:
    """``run --rm --network none IMAGE true`` through the API; ``runtime='vm'`` boots the image."""

    def once() -> None:
        client.containers.run(image, "true", remove=True, network_mode="none", runtime=runtime)

    try:
        return repeat(once, n, warmup)
    except (APIError, ContainerError) as failure:
        return Missing(_reason(failure))


def memory(client: Any, image: str, runtime: str | None = None) -> Memory | Missing:
    """Start one idle web server (busybox httpd) from ``image`` and ask what the host pays for it."""
    try:
        container = client.containers.run(
            image, ["sh", "-c", "echo ready; exec httpd -f -p 8080"], detach=True, network_mode="none", runtime=runtime
        )
    except APIError as failure:
        return Missing(_reason(failure))
    try:
        if not _ready(container):
            return Missing(_last_words(container, say("the server ended before it was ready")))
        return _host_cost(client, container, runtime)
    finally:
        container.remove(force=True)


def _ready(container: Any) -> bool:
    return any(line.strip() == b"ready" for line in container.logs(stream=True, follow=True))


def _last_words(container: Any, otherwise: str) -> str:
    """Why it ended: what it, or the machine's launcher, wrote to stderr."""
    said = container.logs(stdout=False, stderr=True).decode(errors="replace").split()
    return " ".join(said) or otherwise


def _host_cost(client: Any, container: Any, runtime: str | None) -> Memory:
    time.sleep(0.3)
    cost = lab_get(client, f"/containerlab/containers/{container.id}/memory")
    if runtime == "vm":
        return Memory(cost["assigned_bytes"], cost["pss_bytes"], say("QEMU's PSS, {accel}", accel=cost["accel"]))
    limit = container.attrs["HostConfig"].get("Memory") or None
    if cost.get("cgroup_bytes"):
        return Memory(limit, cost["cgroup_bytes"], say("its cgroup's charge"))
    return Memory(limit, cost["pss_bytes"], say("PSS of its processes"))


def container_disk(client: Any, image: str) -> Disk:
    """Size of the image, and of the writable layer that one more container adds (nothing, until it writes)."""
    size = client.images.get(image).attrs["Size"]
    container = client.containers.create(image, "true", network_mode="none")
    try:
        rows = client.api.containers(all=True, size=True, filters={"id": container.id})
        return Disk(size, rows[0].get("SizeRw") or 0)
    finally:
        container.remove()


def vm_facts(client: Any, image: str) -> dict[str, Any] | Missing:
    """Boot ``image`` once and tell the accelerator, memory, kernel and files of its machine."""
    try:
        container = client.containers.run(
            image, ["sh", "-c", "echo ready; sleep 60"], detach=True, network_mode="none", runtime="vm"
        )
    except APIError as failure:
        return Missing(_reason(failure))
    try:
        if not _ready(container):
            return Missing(_last_words(container, say("the virtual machine ended before its program began")))
        facts: dict[str, Any] = lab_get(client, f"/containerlab/containers/{container.id}/memory")
        return facts
    finally:
        container.remove(force=True)


def slowdown(client: Any, image: str, turns: int = 100_000) -> float | Missing:
    """How many times longer the same shell loop takes in the virtual machine than in a container."""
    try:
        machine = _loop_seconds(client, image, turns, "vm")
        return machine / max(_loop_seconds(client, image, turns, None), 0.01)
    except (APIError, ContainerError) as failure:
        return Missing(_reason(failure))


def _loop_seconds(client: Any, image: str, turns: int, runtime: str | None) -> float:
    command = ["sh", "-c", _LOOP.format(turns=turns)]
    output = client.containers.run(image, command, remove=True, network_mode="none", runtime=runtime)
    before, after = output.split()[-2:]
    return float(after) - float(before)


def _reason(failure: Exception) -> str:
    if isinstance(failure, ContainerError):
        said = (failure.stderr or b"").decode(errors="replace").split()
        return " ".join(said) or say("it ended with exit code {code}", code=failure.exit_status)
    return str(getattr(failure, "explanation", None) or failure)
