"""``create``: a request and an image made into a container that can be started.

Its row commits last: a folder without a row is what a crash left, and is swept at the next start.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from containerlab.engine import names
from containerlab.engine.attachments import Attachments
from containerlab.engine.bundle import BundleRequest, build_spec, hostname_of, write_files
from containerlab.engine.container import Container
from containerlab.engine.discards import discard
from containerlab.engine.joining import check_joined, network_owner
from containerlab.engine.lifecycle import Lifecycle
from containerlab.engine.merge import command_line, merge
from containerlab.engine.models import ContainerConfig, HostConfig, NetworkingConfig, decode
from containerlab.engine.mounts import MountPlan, plan_mounts
from containerlab.engine.options import check_request
from containerlab.engine.parts import Parts, delete_tree
from containerlab.engine.shortfalls import check_rung, shortfalls
from containerlab.engine.state import ContainerRecord, ContainerState, MountPoint
from containerlab.engine.volume_content import fill_volumes, with_content
from containerlab.engine.volume_table import Volume
from containerlab.engine.volumes import Volumes
from containerlab.errors import InvalidParameter
from containerlab.images import Image
from containerlab.network.model import Endpoint
from containerlab.rung import PROOT, copies_roots
from containerlab.runtime import cgroups
from containerlab.runtime.seccomp import profile_path
from containerlab.runtime.seccomp_custom import custom_profile_path

__all__ = ["Creation"]


class Creation:
    """Makes containers."""

    def __init__(self, parts: Parts, lifecycle: Lifecycle, volumes: Volumes, attachments: Attachments) -> None:
        self._parts = parts
        self._lifecycle = lifecycle
        self._attachments = attachments
        self._volumes = volumes

    async def create(
        self,
        asked: ContainerConfig,
        host: HostConfig,
        name: str | None,
        networking: NetworkingConfig,
        *,
        readonly_recursive: bool = True,
    ) -> tuple[str, list[str]]:
        """``readonly_recursive``: what is mounted below a read-only mount is read-only too.

        The id and the warnings. Raises NoSuchImage, Conflict, InvalidParameter, NoSuchNetwork, HostLacks."""
        if not asked.image:
            raise InvalidParameter("Config cannot be empty in order to create a container: no image is named")
        check_request(asked, host)
        check_rung(host)
        check_joined(self._parts, asked, host)
        host, discarded = discard(host, cgroups.driver().features)
        image = self._parts.images.lookup(asked.image)
        if image is None:  # to be made from this host, or not there
            image = await asyncio.to_thread(self._parts.images.resolve, asked.image)
        config = merge(asked, image_config(image))
        ends, warnings = await self._attachments.plan(config, host, networking)
        warnings += discarded
        container_id = names.new_id()
        taken = self._parts.registry.taken
        chosen = names.validate(name) if name else names.random_name(taken)
        inherited = inherited_mounts(self._parts, host)
        plan = plan_mounts(config, host, self._volumes.data, inherited, readonly_recursive=readonly_recursive)
        warnings = shortfalls(asked, host, plan) + warnings
        try:
            with self._volumes.held(container_id, plan.listed):
                view = (
                    await asyncio.to_thread(self._parts.images.layers.view, image.chain_id) if copies_roots() else None
                )
                self._parts.registry.reserve(chosen, container_id)
                try:
                    container = self._make(container_id, chosen, config, host, networking, image, plan, ends, view)
                    await self._establish(container, image, plan)
                except BaseException:
                    await self._undo(chosen, container_id)
                    raise
        except BaseException:
            await self._volumes.release(plan.volumes)
            raise
        return container_id, warnings

    def _make(
        self,
        container_id: str,
        name: str,
        config: ContainerConfig,
        host: HostConfig,
        networking: NetworkingConfig,
        image: Image,
        plan: MountPlan,
        ends: list[Endpoint],
        view: Path | None,
    ) -> Container:
        """Write its folder; the container in memory, known to nobody yet."""
        folder = self._parts.folder(container_id)
        other = network_owner(self._parts, host)
        hostname = other.record.config.hostname if other else hostname_of(container_id, config, host)
        config = msgspec.structs.replace(config, hostname=hostname)
        own = bool(ends) and view is None
        request = self._bundle(container_id, folder, config, host, plan, image, other, view, own_network=own)
        write_files(request, build_spec(request))
        command = command_line(config)
        record = ContainerRecord(
            id=container_id,
            created=time.time_ns(),
            image=image.id,
            config=config,
            host_config=with_defaults(host, self._parts),
            networking=networking,
            path=command[0],
            args=command[1:],
            chain_id=image.chain_id or "",
            mounts=plan.listed,
            backend="vm" if host.runtime == "vm" else PROOT if view is not None else "native",
            log_driver=host.log_config.type or "json-file",
        )
        return Container(record, name, ContainerState(networked=bool(ends), endpoints=ends), folder)

    def _bundle(
        self,
        container_id: str,
        folder: Path,
        config: ContainerConfig,
        host: HostConfig,
        plan: MountPlan,
        image: Image,
        other: Container | None,
        view: Path | None,
        *,
        own_network: bool,
    ) -> BundleRequest:
        settings = self._parts.settings
        return BundleRequest(
            container_id=container_id,
            folder=folder,
            layers=settings.store / "layers",
            lower=self._parts.images.layers.lower(image.chain_id),
            config=config,
            host=host,
            plan=plan,
            pids_limit=settings.pids_limit,
            shm_size=settings.shm_size,
            seccomp=seccomp_finder(settings.store / "seccomp"),
            own_network=own_network,
            view=view,
            names=other.folder if other else None,
        )

    async def _establish(self, container: Container, image: Image, plan: MountPlan) -> None:
        """Keep its layers, fill its volumes, tell the supervisor, commit the row, tell the world."""
        if image.chain_id is not None:
            self._parts.images.layers.pin(image.chain_id, container.id)
        if plan.volumes:
            await self._fill(image, plan.volumes, plan.asked)
        await self._lifecycle.supervise(container)
        self._parts.table.insert(container.record, container.name, container.state)
        self._parts.registry.add(container)
        self._parts.tell(container, "create")

    async def _fill(self, image: Image, points: list[MountPoint], asked: dict[str, Volume]) -> None:
        """Make the volumes that aren't there; the empty ones take what the image has at their place.

        One with options is mounted for that only where the image has something, as Docker does.
        """
        layers, chain_id = self._parts.images.layers, image.chain_id
        await self._volumes.ensure(points, asked)
        mounted = self._volumes.with_options(points)
        plain = [point for point in points if point not in mounted]
        if mounted:
            mounted = await asyncio.to_thread(with_content, layers, chain_id, mounted)
        async with self._volumes.mounts.mounted(mounted):
            await asyncio.to_thread(fill_volumes, layers, chain_id, plain + mounted)

    async def _undo(self, name: str, container_id: str) -> None:
        self._parts.registry.release(name)
        self._parts.images.layers.unpin(container_id)
        await self._lifecycle.forget_id(container_id)
        await asyncio.to_thread(delete_tree, self._parts.folder(container_id))


def image_config(image: Image) -> ContainerConfig:
    """The image's own configuration in the engine's struct."""
    return decode(ContainerConfig, msgspec.to_builtins(image.config.config))


def inherited_mounts(parts: Parts, host: HostConfig) -> list[MountPoint]:
    """The mounts of ``--volumes-from NAME[:ro|rw]``. Raises NoSuchContainer, InvalidParameter."""
    found: list[MountPoint] = []
    for word in host.volumes_from:
        ref, _, mode = word.partition(":")
        if mode not in ("", "rw", "ro", "z", "Z"):
            raise InvalidParameter(f"invalid mode: {mode}")
        for point in parts.registry.get(ref).record.mounts:
            if point.type in ("bind", "volume"):
                rw = point.rw and mode != "ro"
                found.append(msgspec.structs.replace(point, rw=rw, mode=mode, no_copy=True))
    return found


def with_defaults(host: HostConfig, parts: Parts) -> HostConfig:
    """What inspect shows of options that the request left to the engine."""
    settings = parts.settings
    log = msgspec.structs.replace(host.log_config, type=host.log_config.type or "json-file")
    return msgspec.structs.replace(
        host,
        log_config=log,
        network_mode=host.network_mode or "default",
        ipc_mode=host.ipc_mode or "private",
        shm_size=host.shm_size or settings.shm_size,
        pids_limit=host.pids_limit or settings.pids_limit or None,
        memory_swappiness=None if host.memory_swappiness == -1 else host.memory_swappiness,
        memory_swap=host.memory_swap or host.memory * 2,
        runtime=host.runtime or "native",
        restart_policy=msgspec.structs.replace(host.restart_policy, name=host.restart_policy.name or "no"),
    )


def seccomp_finder(cache: Path) -> Callable[[frozenset[str], str], Path | None]:
    """Finds (or compiles, once) the filter of a set of capabilities below ``cache``: Docker's, or a profile's text."""

    def find(granted: frozenset[str], own: str) -> Path | None:
        return custom_profile_path(cache, own, granted) if own else profile_path(cache, granted)

    return find
