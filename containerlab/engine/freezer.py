"""``pause`` and ``unpause``: every process of a container held still by its cgroup's freezer."""

from __future__ import annotations

import asyncio

from containerlab.engine.container import Container
from containerlab.engine.parts import Parts
from containerlab.errors import Conflict, HostLacks
from containerlab.runtime import cgroups

__all__ = ["pause", "thaw", "unpause"]

_FREEZE_SECONDS = 10.0
_POLL_SECONDS = 0.002


async def pause(parts: Parts, container: Container) -> None:
    """Raises Conflict when it doesn't run or is paused, HostLacks where there is no freezer."""
    async with container.lock:
        if container.state.status == "paused":
            raise Conflict(f"Container {container.id} is already paused")
        if container.state.status == "restarting":
            raise Conflict(f"Container {container.id} is restarting, wait until the container is running")
        if not container.state.running:
            raise Conflict(f"Container {container.id} is not running")
        await _freeze(container)
        container.state.status = "paused"
        parts.save(container)
    parts.tell(container, "pause")


async def unpause(parts: Parts, container: Container) -> None:
    """Raises Conflict when it isn't paused."""
    async with container.lock:
        if container.state.status != "paused":
            raise Conflict(f"Container {container.id} is not paused")
        thaw(container)
        container.state.status = "running"
        parts.save(container)
    parts.tell(container, "unpause")


def thaw(container: Container) -> None:
    """Let its processes run again, whatever they were told meanwhile. Raises OSError."""
    group = cgroups.open_cgroup(container.cgroup)
    try:
        group.thaw()
    finally:
        group.close()


async def _freeze(container: Container) -> None:
    group = cgroups.open_cgroup(container.cgroup)
    try:
        group.freeze()
        deadline = asyncio.get_running_loop().time() + _FREEZE_SECONDS
        while not group.frozen():
            if asyncio.get_running_loop().time() > deadline:
                group.thaw()
                raise Conflict(f"cannot pause container {container.id}: a process of it doesn't come to rest")
            await asyncio.sleep(_POLL_SECONDS)
    except OSError as error:
        raise HostLacks(
            f"cannot pause container {container.name}: no freezer cgroup can be had here ({error.strerror})",
            hint="`containerlab doctor` tells why.",
        ) from error
    finally:
        group.close()
