"""Limits in the OCI runtime spec's words: memory, CPU, processes, rlimits, devices.

Source: moby daemon/oci_linux.go, daemon/daemon_unix.go (``getMemoryResources``, ``getCPUResources``).
"""

from __future__ import annotations

import os
import re
import resource
import stat
from pathlib import Path
from typing import Any

from containerlab.engine.models import DeviceMapping, HostConfig, Ulimit
from containerlab.errors import InvalidParameter

__all__ = ["VM_OVERHEAD", "device_rules", "devices", "limits", "process_bound", "rlimits"]

_RLIMITS = frozenset(
    {"as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss"}
    | {"rtprio", "rttime", "sigpending", "stack"}
)
_CPU_PERIOD = 100_000
VM_OVERHEAD = 256 << 20
"""Bytes that QEMU may take beside a machine's own memory: its program, translated code and devices."""
_RULE = re.compile(r"(?P<type>[acb]) (?P<major>\d+|\*):(?P<minor>\d+|\*) (?P<access>[rwm]{1,3})")


def limits(host: HostConfig, default_pids: int) -> dict[str, Any]:
    """``linux.resources`` without the device rules; ``default_pids`` 0 for no limit."""
    resources: dict[str, Any] = {}
    pids = host.pids_limit or default_pids
    if pids > 0:
        resources["pids"] = {"limit": pids}
    if host.memory or host.memory_reservation or host.memory_swappiness not in (None, -1) or host.oom_kill_disable:
        resources["memory"] = _memory(host)
    cpu = _cpu(host)
    if cpu:
        resources["cpu"] = cpu
    return resources


def _memory(host: HostConfig) -> dict[str, Any]:
    memory: dict[str, Any] = {}
    if host.memory:
        # -m is what the machine's kernel finds; held to the same number, QEMU is killed before the guest is full.
        beside = VM_OVERHEAD if host.runtime == "vm" else 0
        memory["limit"] = host.memory + beside
        # Docker's default lets as much again be swapped.
        swap = host.memory_swap or host.memory * 2
        memory["swap"] = swap + beside if swap > 0 else swap
    if host.memory_reservation:
        memory["reservation"] = host.memory_reservation
    if host.memory_swappiness not in (None, -1):
        memory["swappiness"] = host.memory_swappiness
    if host.oom_kill_disable:
        memory["disableOOMKiller"] = True
    return memory


def _cpu(host: HostConfig) -> dict[str, Any]:
    cpu: dict[str, Any] = {}
    if host.nano_cpus:
        cpu["period"] = _CPU_PERIOD
        cpu["quota"] = host.nano_cpus * _CPU_PERIOD // 1_000_000_000
    for field, key in (
        ("cpu_shares", "shares"),
        ("cpu_period", "period"),
        ("cpu_quota", "quota"),
        ("cpuset_cpus", "cpus"),
        ("cpuset_mems", "mems"),
    ):
        value = getattr(host, field)
        if value:
            cpu[key] = value
    return cpu


def rlimits(ulimits: list[Ulimit]) -> list[dict[str, Any]]:
    """``process.rlimits``; -1 is no limit. Raises InvalidParameter in Docker's words."""
    result = []
    for ulimit in ulimits:
        if ulimit.name not in _RLIMITS:
            raise InvalidParameter(f"invalid ulimit type: {ulimit.name}")
        soft, hard = (value if value >= 0 else (1 << 64) - 1 for value in (ulimit.soft, ulimit.hard))
        if soft > hard:
            raise InvalidParameter(
                f"ulimit soft limit must be less than or equal to hard limit: {ulimit.soft} > {ulimit.hard}"
            )
        result.append({"type": f"RLIMIT_{ulimit.name.upper()}", "soft": soft, "hard": hard})
    return result


def process_bound(limit: int) -> dict[str, Any]:
    """``limit`` processes as an rlimit, for a host without the pids controller; never above what the caller may set."""
    hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    bound = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    return {"type": "RLIMIT_NPROC", "soft": bound, "hard": bound}


def devices(mapping: DeviceMapping) -> list[dict[str, Any]]:
    """``linux.devices`` for one ``--device``; a folder gives every node in it. Raises InvalidParameter."""
    if not mapping.cgroup_permissions or set(mapping.cgroup_permissions) - set("rwm"):
        raise InvalidParameter(f"invalid device mode: {mapping.cgroup_permissions}")
    source = Path(mapping.path_on_host)
    found = _nodes(source, Path(mapping.path_in_container or mapping.path_on_host))
    if not found:
        raise InvalidParameter(
            f'error gathering device information while adding custom device "{source}": no such device'
        )
    return found


def device_rules(nodes: list[dict[str, Any]], access: str) -> list[dict[str, Any]]:
    """Device-cgroup rules that let these nodes be used."""
    return [
        {"allow": True, "type": node["type"], "major": node["major"], "minor": node["minor"], "access": access}
        for node in nodes
    ]


def parse_device_rule(rule: str) -> dict[str, Any]:
    """One ``--device-cgroup-rule`` such as ``c 42:* rmw``. Raises InvalidParameter in Docker's words."""
    match = _RULE.fullmatch(rule)
    if match is None:
        raise InvalidParameter(f"invalid device cgroup rule format: '{rule}'")
    numbers = {key: int(match[key]) for key in ("major", "minor") if match[key] != "*"}
    return {"allow": True, "type": match["type"], "access": match["access"], **numbers}


def _nodes(source: Path, target: Path) -> list[dict[str, Any]]:
    try:
        status = source.stat()
        if stat.S_ISDIR(status.st_mode):
            return [
                node
                for name in sorted(os.listdir(source))  # noqa: PTH208
                if not (source / name).is_symlink()
                for node in _nodes(source / name, target / name)
            ]
    except OSError:
        return []
    kind = "c" if stat.S_ISCHR(status.st_mode) else "b" if stat.S_ISBLK(status.st_mode) else ""
    if not kind:
        return []
    return [
        {
            "path": str(target),
            "type": kind,
            "major": os.major(status.st_rdev),
            "minor": os.minor(status.st_rdev),
            "fileMode": stat.S_IMODE(status.st_mode),
            "uid": status.st_uid,
            "gid": status.st_gid,
        }
    ]
