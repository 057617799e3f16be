"""What a running container takes, in Docker's JSON: one reading of ``stats``.

A cgroup counts; where there is none (proot, no delegation), what /proc says of the container's processes stands in its
place: the proportional set size as memory, the CPU time of those that live.
"""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime
from typing import Any

from containerlab.engine.clock import ZERO
from containerlab.engine.container import Container
from containerlab.engine.usage import pids_of
from containerlab.rung import PROOT
from containerlab.runtime import facts

__all__ = ["stats"]

_NANO = 1_000_000_000


async def stats(container: Container, previous: dict[str, Any] | None) -> dict[str, Any]:
    """One reading; a container that doesn't run has Docker's empty figures. ``previous`` becomes ``precpu_stats``."""
    figures = await _figures(container) if container.state.running else {}
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    shown = {
        "id": container.id,
        "name": f"/{container.name}",
        "read": now if figures else ZERO,
        "preread": previous["read"] if previous else ZERO,
        "num_procs": 0,
        "pids_stats": _renamed(figures.get("pids", {})),
        "blkio_stats": _blkio(figures.get("io", {})),
        "cpu_stats": _cpu(figures.get("cpu", {})) if figures else _no_cpu(),
        "precpu_stats": previous["cpu_stats"] if previous else _no_cpu(),
        "memory_stats": _memory_stats(figures.get("memory", {})),
        "storage_stats": {},
    }
    # Docker leaves the field out for a container on no network of its own; under proot all are on the host's.
    counts = bool(figures) and container.state.networked and container.record.backend != PROOT
    networks = facts.network_counters(container.state.pid) if counts else {}
    return {**shown, "networks": networks} if networks else shown


async def _figures(container: Container) -> dict[str, dict[str, int]]:
    """By controller, as ``cgroups.Cgroup.stats``; of the processes themselves where one isn't there."""
    counted = facts.cgroup_stats(container.cgroup)
    if "usage" in counted.get("memory", {}) and "usage_ns" in counted.get("cpu", {}) and counted.get("pids"):
        return counted
    pids = pids_of(container)
    seen = await asyncio.to_thread(_of_processes, pids)
    # What is counted stands; of a controller that counts in part, the rest is filled in.
    return counted | {part: values | counted.get(part, {}) for part, values in seen.items()}


def _of_processes(pids: list[int]) -> dict[str, dict[str, int]]:
    seen = facts.processes(pids)
    return {
        "memory": {"usage": sum(map(_resident, seen))},
        "cpu": {"usage_ns": int(sum(process.cpu_s for process in seen) * _NANO)},
        "pids": {"current": len(seen)},
    }


def _resident(process: facts.ProcessFacts) -> int:
    """Bytes: its share of what it has with others, or all of that where the kernel doesn't show us the shares."""
    try:
        return facts.pss([process.pid])
    except PermissionError:
        return process.rss


def _cpu(figures: dict[str, int]) -> dict[str, Any]:
    return {
        "cpu_usage": {
            "total_usage": figures.get("usage_ns", 0),
            "usage_in_kernelmode": figures.get("system_ns", 0),
            "usage_in_usermode": figures.get("user_ns", 0),
        },
        "system_cpu_usage": _host_cpu_ns(),
        "online_cpus": os.cpu_count() or 1,
        "throttling_data": {
            "periods": figures.get("periods", 0),
            "throttled_periods": figures.get("throttled_periods", 0),
            "throttled_time": figures.get("throttled_ns", 0),
        },
    }


def _no_cpu() -> dict[str, Any]:
    return {
        "cpu_usage": {"total_usage": 0, "usage_in_kernelmode": 0, "usage_in_usermode": 0},
        "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0},
    }


def _host_cpu_ns() -> int:
    """All CPUs' time since boot, idle included: the first seven columns of /proc/stat (moby daemon/stats)."""
    with open("/proc/stat", encoding="ascii") as file:
        ticks = sum(int(word) for word in file.readline().split()[1:8])
    return ticks * (_NANO // os.sysconf("SC_CLK_TCK"))


def _memory_stats(figures: dict[str, int]) -> dict[str, Any]:
    if not figures:
        return {}
    shown: dict[str, Any] = {key: figures[key] for key in ("usage", "max_usage", "failcnt") if key in figures}
    shown["limit"] = figures.get("limit") or os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGESIZE")
    shown["stats"] = {key.removeprefix("stat."): value for key, value in figures.items() if key.startswith("stat.")}
    return shown


def _blkio(figures: dict[str, int]) -> dict[str, Any]:
    entries = {
        "io_service_bytes_recursive": ("read_bytes", "write_bytes"),
        "io_serviced_recursive": ("reads", "writes"),
    }
    return {
        name: [
            {"major": 0, "minor": 0, "op": op, "value": figures[key]}
            for op, key in zip(("read", "write"), keys, strict=True)
            if key in figures
        ]
        or None
        for name, keys in entries.items()
    }


def _renamed(figures: dict[str, int]) -> dict[str, int]:
    return {key: figures[key] for key in ("current", "limit") if key in figures}
