"""Limits that this host's cgroups can't give: left out, with Docker's own warning for each.

Source: moby daemon/daemon_unix.go (``verifyPlatformContainerResources``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from containerlab.engine.models import HostConfig
from containerlab.errors import InvalidParameter

__all__ = ["discard"]

_NOT_MOUNTED = "or the cgroup is not mounted"

_WITHOUT_SWAP = f"Your kernel does not support swap limit capabilities {_NOT_MOUNTED}. Memory limited without swap."

_NO_KILLER = (
    "OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out "
    "of resources."
)

# Feature of the driver: the fields that need it, and the warning.
_DISCARDS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    (
        "memory",
        ("memory", "memory_swap"),
        f"Your kernel does not support memory limit capabilities {_NOT_MOUNTED}. Limitation discarded.",
    ),
    (
        "memory_swap",
        ("memory_swap",),
        _WITHOUT_SWAP,
    ),
    (
        "swappiness",
        ("memory_swappiness",),
        f"Your kernel does not support memory swappiness capabilities {_NOT_MOUNTED}. Memory swappiness discarded.",
    ),
    (
        "memory_reservation",
        ("memory_reservation",),
        f"Your kernel does not support memory soft limit capabilities {_NOT_MOUNTED}. Limitation discarded.",
    ),
    (
        "oom_kill_disable",
        ("oom_kill_disable",),
        "Your kernel does not support OomKillDisable. OomKillDisable discarded.",
    ),
    (
        "pids",
        ("pids_limit",),
        f"Your kernel does not support PIDs limit capabilities {_NOT_MOUNTED}. PIDs limit discarded.",
    ),
    (
        "cpu_shares",
        ("cpu_shares",),
        f"Your kernel does not support CPU shares {_NOT_MOUNTED}. Shares discarded.",
    ),
    (
        "cpu_quota",
        ("cpu_period", "cpu_quota"),
        "Your kernel does not support CPU CFS scheduler. CPU period/quota discarded.",
    ),
    (
        "cpuset",
        ("cpuset_cpus", "cpuset_mems"),
        f"Your kernel does not support cpuset {_NOT_MOUNTED}. Cpuset discarded.",
    ),
)


def discard(host: HostConfig, features: Mapping[str, bool]) -> tuple[HostConfig, list[str]]:
    """``host`` without what ``features`` (``cgroups.Driver.features``) lack, and the warnings.

    Raises InvalidParameter for ``--cpus``, which Docker refuses too.
    """
    if host.nano_cpus and not features.get("cpu_quota"):
        raise InvalidParameter(
            "NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler or the cgroup is not mounted",
            hint="`containerlab doctor` tells what this host's cgroups can give.",
        )
    plain = HostConfig()
    changes: dict[str, Any] = {}
    warnings = []
    for feature, fields, warning in _DISCARDS:
        asked = [name for name in fields if _asks(host, name) and name not in changes]
        if asked and not features.get(feature):
            changes |= {name: getattr(plain, name) for name in asked}
            warnings.append(warning)
    memory = changes.get("memory", host.memory)
    if memory and not features.get("memory_swap"):
        # Docker's default would be twice the memory; -1 leaves swap without a limit.
        changes["memory_swap"] = -1
        if _WITHOUT_SWAP not in warnings:
            warnings.append(_WITHOUT_SWAP)
    if host.oom_kill_disable and "oom_kill_disable" not in changes and not memory:
        warnings.append(_NO_KILLER)
    return (msgspec.structs.replace(host, **changes) if changes else host), warnings


def _asks(host: HostConfig, name: str) -> bool:
    value = getattr(host, name)
    if name == "memory_swappiness":
        return value not in (None, -1)
    return bool(value) and not (name in ("memory_swap", "pids_limit") and value < 0)
