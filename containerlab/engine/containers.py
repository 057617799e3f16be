"""Containers: every verb of Docker's ``/containers`` routes."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import AsyncIterator
from typing import Any

from containerlab.engine import filters as container_filters
from containerlab.engine import freezer, names, updating, usage
from containerlab.engine.attachments import Attachments
from containerlab.engine.container import Container
from containerlab.engine.container_links import linked_names, shown_links, without_link
from containerlab.engine.creation import Creation
from containerlab.engine.follow import follow_log
from containerlab.engine.lifecycle import Lifecycle
from containerlab.engine.logs import Selection
from containerlab.engine.models import ContainerConfig, HostConfig, NetworkingConfig
from containerlab.engine.mount_table import mount_table
from containerlab.engine.parts import Parts
from containerlab.engine.signals import parse_signal
from containerlab.engine.sizes import sizes_of
from containerlab.engine.stats import stats
from containerlab.engine.views import inspect_view, list_view
from containerlab.engine.volumes import Volumes
from containerlab.engine.waiters import Waiter
from containerlab.errors import Conflict, InvalidParameter, NotModified

__all__ = ["Containers", "Waiter"]


class Containers:
    """``ref`` is a name, a full id or a unique prefix of one; NoSuchContainer with near names otherwise."""

    def __init__(self, parts: Parts, lifecycle: Lifecycle, volumes: Volumes, attachments: Attachments) -> None:
        self._parts = parts
        self._lifecycle = lifecycle
        self._attachments = attachments
        self._creation = Creation(parts, lifecycle, volumes, attachments)
        self._layers = str(parts.settings.store / "layers")

    async def create(
        self,
        config: ContainerConfig,
        host_config: HostConfig,
        name: str | None = None,
        networking: NetworkingConfig | None = None,
        *,
        readonly_recursive: bool = True,
    ) -> tuple[str, builtins.list[str]]:
        """A new container's id, and warnings for the caller. Raises NoSuchImage, Conflict, InvalidParameter."""
        return await self._creation.create(
            config, host_config, name, networking or NetworkingConfig(), readonly_recursive=readonly_recursive
        )

    async def start(self, ref: str, detach_keys: str = "") -> None:
        """Raises NotModified when it runs already, StartFailed when its process can't be started.

        ``detach_keys`` belong to an attach; a start attaches nothing.
        """
        await self._lifecycle.start(self._get(ref))

    async def stop(self, ref: str, timeout: int | None = None, signal: str | None = None) -> None:
        """Signal, then SIGKILL after ``timeout`` seconds (-1: never). Raises NotModified when it doesn't run."""
        container = self._get(ref)
        await self._stop(container, timeout, signal)

    async def _stop(self, container: Container, timeout: int | None, signal: str | None) -> None:
        config = container.record.config
        seconds = config.stop_timeout if timeout is None else timeout
        await self._lifecycle.stop(container, seconds, parse_signal(signal or config.stop_signal))

    async def restart(self, ref: str, timeout: int | None = None, signal: str | None = None) -> None:
        """Stop where it runs, then start; an AutoRemove container lives through it."""
        container = self._get(ref)
        keep, container.remove_at_exit = container.remove_at_exit, False
        try:
            try:
                await self._stop(container, timeout, signal)
            except NotModified:
                pass
            await self._lifecycle.start(container)
        finally:
            container.remove_at_exit = keep
        self._parts.tell(container, "restart")

    async def kill(self, ref: str, signal: str = "SIGKILL") -> None:
        """Raises Conflict when it doesn't run."""
        container, number = self._get(ref), parse_signal(signal, default=9)
        if not container.state.running:
            raise Conflict(f"cannot kill container: {ref}: container {container.id} is not running")
        await self._lifecycle.kill(container, number)

    async def pause(self, ref: str) -> None:
        """Hold every process still. Raises Conflict when it doesn't run, HostLacks where there is no freezer."""
        await freezer.pause(self._parts, self._get(ref))

    async def unpause(self, ref: str) -> None:
        """Raises Conflict when it isn't paused."""
        await freezer.unpause(self._parts, self._get(ref))

    async def update(self, ref: str, body: dict[str, Any]) -> builtins.list[str]:
        """Other limits, another restart policy; ``body`` is Docker's UpdateConfig. Gives warnings."""
        return await updating.update(self._parts, self._get(ref), body)

    async def rename(self, ref: str, name: str) -> None:
        """Raises Conflict when the name is taken, InvalidParameter when it isn't a name."""
        container = self._get(ref)
        try:
            new = names.validate(name)
        except InvalidParameter as error:
            raise InvalidParameter(f"Error when allocating new name: {error}") from None
        async with container.lock:
            old = container.name
            if new == old:
                raise InvalidParameter("Renaming a container with the same name as its current name")
            registry = self._parts.registry
            registry.reserve(new, container.id)
            try:
                self._parts.table.rename(container.id, new)
            except BaseException:
                registry.release(new)
                raise
            registry.release(old)
            container.name = new
        self._attachments.renamed(container)
        self._parts.tell(container, "rename", oldName=f"/{old}")

    async def remove(self, ref: str, *, force: bool = False, volumes: bool = False) -> None:
        """With ``volumes`` its anonymous volumes go too. Raises Conflict when it runs and ``force`` isn't given."""
        container = self._get(ref)
        async with container.lock:
            if container.state.status == "removing":
                raise Conflict(f"removal of container {ref} is already in progress")
            container.remove_volumes = volumes
            if not container.active:
                await self._lifecycle.remove_locked(container)
                return
            if not force:
                raise Conflict(
                    f'cannot remove container "/{container.name}": container is {container.state.status}: '
                    "stop the container before removing or force remove"
                )
            waiter = await self._lifecycle.end_for_removal(container)
        await waiter.result()

    async def unlink(self, ref: str) -> None:
        """``rm --link OTHER/ALIAS``: the name goes, the container stays. Raises NoSuchContainer, Conflict."""
        container = without_link(self._parts.registry, ref)
        self._parts.table.save_record(container.record)
        self._attachments.relinked(container)

    async def prune(self, filters: dict[str, builtins.list[str]] | None = None) -> dict[str, Any]:
        """Docker's ``{"ContainersDeleted": [...], "SpaceReclaimed": N}``."""
        deleted, reclaimed = [], 0
        for container in container_filters.prunable(self._parts.registry, filters or {}):
            size, _ = await asyncio.to_thread(sizes_of, self._parts, container)
            async with container.lock:
                if container.active or container.state.status == "removing":
                    continue
                await self._lifecycle.remove_locked(container)
            deleted.append(container.id)
            reclaimed += size
        self._parts.tell_prune("container", reclaimed)
        return {"ContainersDeleted": deleted or None, "SpaceReclaimed": reclaimed}

    async def resize(self, ref: str, height: int, width: int) -> None:
        """The size of its terminal, in characters. Raises Conflict when it doesn't run."""
        container = self._running(ref)
        await self._parts.supervisor.call("resize", container=container.id, exec=None, height=height, width=width)
        self._parts.tell(container, "resize", height=str(height), width=str(width))

    async def inspect(self, ref: str, *, size: bool = False) -> dict[str, Any]:
        """Docker's inspect; with ``size`` also ``SizeRw`` and ``SizeRootFs``, in bytes."""
        container = self._get(ref)
        if container.lower is None:
            container.lower = self._parts.images.layers.lower(container.record.chain_id or None)
        view = inspect_view(container, self._layers, container.lower)
        view["HostConfig"]["Links"] = shown_links(self._parts.registry, container)
        if size:
            view["SizeRw"], view["SizeRootFs"] = await asyncio.to_thread(sizes_of, self._parts, container)
        return view

    async def list(
        self,
        *,
        all: bool = False,
        limit: int | None = None,
        size: bool = False,
        filters: dict[str, builtins.list[str]] | None = None,
    ) -> builtins.list[dict[str, Any]]:
        """Newest first. ``filters`` is name to values; see ``containerlab.engine.filters``."""
        wanted = filters or {}
        found = container_filters.pick(self._parts.registry, wanted, self._ancestors(wanted))
        if not (all or limit or {"status", "exited"} & set(wanted)):
            found = [container for container in found if container.active]
        if limit is not None and limit > 0:
            found = found[:limit]
        linked = linked_names(self._parts.registry)
        views = [list_view(container, linked.get(container.id, [])) for container in found]
        if size:
            for container, view in zip(found, views, strict=True):
                view["SizeRw"], view["SizeRootFs"] = await asyncio.to_thread(sizes_of, self._parts, container)
        return views

    def _ancestors(self, filters: dict[str, builtins.list[str]]) -> dict[str, set[str]]:
        """For each ``ancestor`` value the images that are it, or are made on top of it."""
        values = filters.get("ancestor", [])
        return {value: usage.descendants(self._parts.images, value) for value in values}

    async def top(self, ref: str, ps_args: str = "-ef") -> dict[str, Any]:
        """Docker's ``{"Titles": [...], "Processes": [[...]]}``."""
        container = self._running(ref)
        told = await usage.top(container, ps_args)
        self._parts.tell(container, "top")
        return told

    async def stats(self, ref: str, previous: dict[str, Any] | None = None) -> dict[str, Any]:
        """One reading in Docker's JSON; ``previous`` is the one before, and becomes ``precpu_stats``."""
        return await stats(self._get(ref), previous)

    def wait(self, ref: str, condition: str = "not-running") -> Waiter:
        """``not-running``, ``next-exit`` or ``removed``; registered when this returns."""
        container = self._get(ref)
        running, code = container.state.running, container.state.exit_code
        return container.waiters.add(condition, running=running, exit_code=code)

    async def attach(
        self,
        ref: str,
        fd: int,
        *,
        stdin: bool,
        stdout: bool,
        stderr: bool,
        logs: bool = False,
        stream: bool = True,
        detach_keys: str = "",
    ) -> None:
        """Hand the socket ``fd`` (the response head is written to it already) to the supervisor.

        The descriptor stays the caller's to close.
        """
        container = self._get(ref)
        wanted = (("stdin", stdin and container.record.config.open_stdin), ("stdout", stdout), ("stderr", stderr))
        streams = [name for name, flag in wanted if flag]
        async with container.lock:
            await self._lifecycle.supervise(container)
            await self._parts.supervisor.call(
                "attach",
                fds=(fd,),
                container=container.id,
                exec=None,
                streams=streams if stream else [],
                multiplexed=not container.record.config.tty,
                replay=logs,
                detach_keys=detach_keys,
            )
        self._parts.tell(container, "attach")

    def logs(
        self,
        ref: str,
        *,
        stdout: bool = True,
        stderr: bool = True,
        since: float = 0.0,
        until: float = 0.0,
        tail: int | None = None,
        follow: bool = False,
        timestamps: bool = False,
        details: bool = False,
    ) -> AsyncIterator[tuple[int, bytes]]:
        """Pairs of stream (1 stdout, 2 stderr) and bytes; times in seconds since 1970, ``tail`` None for all.

        NoSuchContainer is raised by the call, not by the first step.
        """
        container = self._get(ref)
        if container.record.log_driver == "none":
            raise InvalidParameter("configured logging driver does not support reading")
        selection = Selection(stdout, stderr, since, until, tail, timestamps, details)
        return follow_log(container, selection, follow=follow and container.state.running)

    def tty(self, ref: str) -> bool:
        """Whether its stdio is one terminal: attach and logs are then not multiplexed."""
        return self._get(ref).record.config.tty

    async def timeline(self, ref: str) -> dict[str, Any]:
        """``{"steps": [{"step", "at_us"}]}`` of the last start, microseconds since ``request``."""
        steps = self._get(ref).state.timeline
        first = steps[0][1] if steps else 0
        return {"steps": [{"step": step, "at_us": (at - first) / 1000} for step, at in steps]}

    async def mounts(self, ref: str) -> dict[str, Any]:
        """Its mount table by origin: what the kernel tells of one that runs, what a start would mount of another."""
        return await asyncio.to_thread(mount_table, self._get(ref))

    async def memory(self, ref: str) -> dict[str, Any]:
        """What the host pays for it. Raises Conflict when it doesn't run."""
        return await usage.memory(self._running(ref))

    def _get(self, ref: str) -> Container:
        return self._parts.registry.get(ref)

    def _running(self, ref: str) -> Container:
        container = self._get(ref)
        if container.state.status == "restarting":
            raise Conflict(f"Container {container.id} is restarting, wait until the container is running")
        if not container.state.running:
            raise Conflict(f"container {container.id} is not running")
        return container
