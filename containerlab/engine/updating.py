"""``update``: other limits and another restart policy for a container that exists.

Source: moby daemon/update_linux.go, container/container_unix.go (``UpdateContainer``).
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from containerlab.engine import resources
from containerlab.engine.container import Container
from containerlab.engine.discards import discard
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


async def update(parts: Parts, container: Container, body: dict[str, Any]) -> list[str]:
    """Change what ``body`` (Docker's UpdateConfig) names, also in the running container.

    Gives warnings of what the host can't limit, as a create does.

    Raises InvalidParameter for a value that can't be, Conflict while it is being removed or when the kernel refuses.
    """
    features = cgroups.driver().features
    wanted = decode(HostConfig, {key: value for key, value in body.items() if key != "RestartPolicy"})
    check_not_carried_out(wanted)
    check_limits(HostConfig(memory=wanted.memory))  # too little is refused also where it would be discarded
    asked, warnings = discard(wanted, features)
    policy = decode(RestartPolicy, body["RestartPolicy"]) if body.get("RestartPolicy") else None
    async with container.lock:
        if container.state.status in ("removing", "dead"):
            raise Conflict(f'{_cannot(container)}: container is marked for removal and cannot be "update"')
        before = container.record.host_config
        after = _merged(container, asked)
        if policy is not None and policy.name:
            if before.auto_remove:
                raise InvalidParameter(
                    f"{_cannot(container)}: Restart policy cannot be updated because AutoRemove is enabled for the "
                    "container"
                )
            check_policy(policy, auto_remove=False)
            after = msgspec.structs.replace(after, restart_policy=policy)
        _check(asked, after)
        limits = resources.limits(after, parts.settings.pids_limit)
        if (after.pids_limit or 0) < 0:
            limits["pids"] = {"limit": -1}
        if not features.get("pids"):
            limits.pop("pids", None)  # the store's own bound: there a limit of the processes' user keeps it (bundle.py)
        if container.supervised:
            await _apply(parts, container, limits)
        _rewrite_bundle(container, limits)
        container.record = msgspec.structs.replace(container.record, host_config=after)
        parts.table.save_record(container.record)
    parts.tell(container, "update")
    return warnings


def _merged(container: Container, asked: HostConfig) -> HostConfig:
    before = container.record.host_config
    changes = {name: getattr(asked, name) for name in _LIMITS if getattr(asked, name)}
    for field, name in (("cpu_period", "Period"), ("cpu_quota", "Quota")):
        if "nano_cpus" in changes and getattr(before, field):
            raise Conflict(f"{_conflict(container)}: Nano CPUs cannot be updated as CPU {name} has already been set")
        if before.nano_cpus and field in changes:
            raise Conflict(f"{_conflict(container)}: CPU {name} cannot be updated as NanoCPUs has already been set")
    if "memory" in changes and "memory_swap" not in changes and -1 < before.memory_swap < changes["memory"]:
        raise Conflict(
            f"{_cannot(container)}: Memory limit should be smaller than already set memoryswap limit, "
            "update the memoryswap at the same time"
        )
    return msgspec.structs.replace(before, **changes)


def _conflict(container: Container) -> str:
    return f"{_cannot(container)}: Conflicting options"


def _check(asked: HostConfig, after: HostConfig) -> None:
    """Docker weighs the reservation against a limit of the same request alone."""
    reservation = asked.memory_reservation
    check_limits(HostConfig(memory_reservation=reservation))
    check_limits(msgspec.structs.replace(after, memory_reservation=reservation if asked.memory else 0))


async def _apply(parts: Parts, container: Container, limits: dict[str, Any]) -> None:
    if limits.get("cpu", {}).keys() & {"cpus", "mems"} and "cpuset" not in container.cgroup:
        widened = await parts.supervisor.call("widen", container=container.id)
        container.cgroup = widened["cgroup"]
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
