"""``update``: other limits and another restart policy for a container that exists.

Source: moby daemon/update_linux.go, container/container_unix.go (``UpdateContainer``).
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from containerlab.engine import resources
from containerlab.engine.container import Container
from containerlab.engine.models import HostConfig, RestartPolicy, decode
from containerlab.engine.options import check_limits, check_not_carried_out
from containerlab.engine.parts import Parts
from containerlab.engine.restart import check_policy
from containerlab.errors import Conflict, InvalidParameter
from containerlab.runtime import cgroups

__all__ = ["update"]

# What `update` may change, as HostConfig's attributes; 0 and nothing leave a limit as it is.
_LIMITS = (
    "cpu_shares",
    "memory",
    "nano_cpus",
    "cpu_period",
    "cpu_quota",
    "cpuset_cpus",
    "cpuset_mems",
    "memory_reservation",
    "memory_swap",
    "pids_limit",
)

_CONFLICTING = "Conflicting options"


async def update(parts: Parts, container: Container, body: dict[str, Any]) -> list[str]:
    """Change what ``body`` (Docker's UpdateConfig) names, also in the running container; gives warnings.

    Raises InvalidParameter for a value that can't be, Conflict while it is being removed or when the kernel refuses.
    """
    asked = decode(HostConfig, {key: value for key, value in body.items() if key != "RestartPolicy"})
    check_not_carried_out(asked)
    policy = decode(RestartPolicy, body["RestartPolicy"]) if body.get("RestartPolicy") else None
    async with container.lock:
        if container.state.status in ("removing", "dead"):
            raise Conflict(f'{_cannot(container)}: container is marked for removal and cannot be "update"')
        before = container.record.host_config
        after = _merged(before, asked)
        if policy is not None and policy.name:
            check_policy(policy, auto_remove=before.auto_remove)
            after = msgspec.structs.replace(after, restart_policy=policy)
        check_limits(after)
        limits = resources.limits(after, parts.settings.pids_limit)
        if (after.pids_limit or 0) < 0:
            limits["pids"] = {"limit": -1}
        if container.supervised:
            _apply(container, limits)
        _rewrite_bundle(container, limits)
        container.record = msgspec.structs.replace(container.record, host_config=after)
        parts.table.save_record(container.record)
    parts.tell(container, "update")
    return []


def _merged(before: HostConfig, asked: HostConfig) -> HostConfig:
    changes = {name: getattr(asked, name) for name in _LIMITS if getattr(asked, name)}
    if "nano_cpus" in changes and (before.cpu_period or before.cpu_quota):
        raise InvalidParameter(
            f"{_CONFLICTING}: Nano CPUs cannot be updated as CPU Period or Quota has already been set"
        )
    if before.nano_cpus and changes.keys() & {"cpu_period", "cpu_quota"}:
        raise InvalidParameter(
            f"{_CONFLICTING}: CPU Period or Quota cannot be updated as NanoCPUs has already been set"
        )
    if "memory" in changes and "memory_swap" not in changes and 0 < before.memory_swap < changes["memory"]:
        raise InvalidParameter(
            "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time"
        )
    return msgspec.structs.replace(before, **changes)


def _apply(container: Container, limits: dict[str, Any]) -> None:
    group = cgroups.open_cgroup(container.cgroup)
    try:
        group.update(limits)
    except OSError as error:
        raise Conflict(
            f"{_cannot(container)}: the kernel refuses {error.filename or 'a limit'} ({error.strerror})"
        ) from error
    finally:
        group.close()


def _rewrite_bundle(container: Container, limits: dict[str, Any]) -> None:
    """The next start makes its cgroup from here."""
    path = container.folder / "config.json"
    spec = json.loads(path.read_bytes())
    spec["linux"]["resources"].update(limits)
    half = path.with_suffix(".tmp")
    half.write_text(json.dumps(spec), encoding="utf-8")
    half.replace(path)


def _cannot(container: Container) -> str:
    return f"Cannot update container {container.id}"
