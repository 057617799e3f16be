"""Containers on their networks: before a start, while they run, after their end.

A container's network namespace is made here, before its process, and joined by it at the path ``netns`` of its folder.
The engine may be killed at any step: the kernel takes a namespace down with its last process or descriptor, and what it
leaves on a bridge is swept at the next start.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from containerlab.engine.addressing import Addressing
from containerlab.engine.container import Container
from containerlab.engine.container_links import hosts_lines, link_names, resolve_links
from containerlab.engine.link_words import parse_link
from containerlab.engine.models import ContainerConfig, HostConfig, NetworkingConfig
from containerlab.engine.network_files import has_names, write_network_files
from containerlab.engine.network_plan import endpoints, settle, wanted_ports
from containerlab.engine.network_set import NetworkSet
from containerlab.engine.network_views import container_names
from containerlab.engine.network_worker import Others, Use, Worker
from containerlab.engine.options import network_mode
from containerlab.engine.parts import Parts
from containerlab.engine.port_refusal import port_refused
from containerlab.engine.respawn import Respawn
from containerlab.errors import (
    Conflict,
    ContainerlabError,
    HostLacks,
    InvalidParameter,
)
from containerlab.network.lab import Prepared
from containerlab.network.model import Endpoint, Network, Port
from containerlab.network.ports import Bound
from containerlab.network.way_out import NAME_SERVER

__all__ = ["Attachments"]

LOOPBACK_ALONE = "The default network has loopback alone here: {}."
_Result = TypeVar("_Result")
# The network thread asks the event loop; one that has ended must not hold it for ever.
_LOOP_SECONDS = 30.0


class Attachments:
    """The event loop decides, one thread carries out."""

    def __init__(self, parts: Parts, known: NetworkSet) -> None:
        self._parts = parts
        self.known = known
        self._worker = Worker(parts.settings.run, self._hold, self._opened)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="networks")
        self._refused: str | None = None
        self._addressing = Addressing(parts, lambda links: self.run(self._worker.sweep, links))
        self._prepared: dict[str, Prepared] = {}
        self._helper = Respawn(parts.background, lambda: bool(self._uses()), self._restore)
        self._way_out = Respawn(parts.background, self._needs_way_out, self._reopen)
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self, work: Callable[..., _Result], *arguments: Any) -> _Result:
        """``work`` in the network thread."""
        self._loop = asyncio.get_running_loop()
        return await self._loop.run_in_executor(self._thread, work, *arguments)

    def _hold(self, descriptor: int) -> None:
        """In the network thread: the way out lives as long as the supervisor, whose end is the lab's."""
        self._parts.supervisor.call_threadsafe("hold", [descriptor], name="way-out")

    def _opened(self, pidfd: int) -> None:
        """In the network thread: there is a way out whose end is to be noticed."""
        assert self._loop is not None  # ``run`` has brought us here
        self._loop.call_soon_threadsafe(self._way_out.follow, pidfd)

    def _needs_way_out(self) -> bool:
        """Whether somebody runs on a network that leads out; without it the next start opens one."""
        running = [container.state for container in self._parts.registry if container.state.running]
        ends = [end for state in running for end in state.endpoints]
        return any(end.gateway for end in (*ends, *self._addressing.guests))

    async def _reopen(self) -> None:
        await self.run(self._worker.open_way_out)

    @property
    def worker(self) -> Worker:
        """For ``run`` alone."""
        return self._worker

    @property
    def leads_out(self) -> bool:
        """Whether there was a way out when it was last needed."""
        return self._worker.leads_out

    async def refused(self) -> str:
        """Why this host gives no bridges; empty where it does. Tried once."""
        if self._refused is None:
            try:
                await self.run(self._worker.prove, self.known.default)
                self._refused = ""
            except OSError as error:
                self._refused = f"this host gives no network of bridges ({error.strerror or error})"
        return self._refused

    async def require(self) -> None:
        """Raises HostLacks where this host gives no bridges."""
        if await self.refused():
            raise HostLacks(
                f"user networks and published ports can't be had: {self._refused}",
                hint="They need network namespaces, veth and bridge of the kernel: containerlab doctor tells more.",
            )

    async def plan(
        self, config: ContainerConfig, host: HostConfig, networking: NetworkingConfig
    ) -> tuple[list[Endpoint], list[str]]:
        """A new container's ends and the warnings. Raises NoSuchNetwork, InvalidParameter, HostLacks."""
        if host.links:
            resolve_links(self._parts.registry, host)
        ends = endpoints(self.known, config, host, networking)
        wanted = wanted_ports(config, host, self._parts.settings.publish_ip)
        mode = network_mode(host)
        if not ends:
            lost = bool(wanted) and mode in ("host", "none")
            return [], [f"Published ports are discarded when using {mode} network mode"] if lost else []
        default_alone = [end.network for end in ends] == ["bridge"] and not wanted and not config.mac_address
        if host.runtime == "vm":
            if default_alone:
                return [], [LOOPBACK_ALONE.format("a virtual machine isn't attached to bridges")]
            raise InvalidParameter("a virtual machine isn't attached to bridges, and none of its ports is published.")
        if default_alone and await self.refused():
            return [], [LOOPBACK_ALONE.format(self._refused)]
        await self.require()
        return ends, []

    async def prepare(self, container: Container) -> None:
        """Before its start: addresses, namespace, names, ports; written into its state. Raises ContainerlabError."""
        state = container.state
        if not state.networked:
            return
        await self.release(container)
        networks = [settle(self.known, end) for end in state.endpoints]
        for at, (network, end) in enumerate(zip(networks, state.endpoints, strict=True)):
            await self._addressing.assign(network, end, f"eth{at}")
        bound: list[Bound] = []
        try:
            bound = await self._bind(container)
            names = has_names(self.known, container)
            ends = list(zip(networks, state.endpoints, strict=True))
            prepared = await self.run(lambda: self._worker.prepare(ends, names=names))
            self._prepared[container.id] = prepared
            self._write_files(container)
            use = self._use(container)
            if use.served:
                await self._serve(use, prepared, bound)
            link = container.folder / "netns"
            link.unlink(missing_ok=True)
            link.symlink_to(prepared.path)
            # A process that this engine won't live to hear of has its addresses on record.
            self._parts.save(container)
        except BaseException as error:
            for each in bound:
                each.socket.close()
            await self.release(container)
            if isinstance(error, OSError):
                raise ContainerlabError(f"failed to set up container networking: {error.strerror or error}") from error
            raise

    def _write_files(self, container: Container) -> None:
        lines = hosts_lines(self._parts.registry, container)
        write_network_files(self.known, container, lines, leads_out=self._worker.leads_out)

    async def _serve(self, use: Use, prepared: Prepared | None, bound: list[Bound]) -> None:
        sockets = prepared.sockets if prepared is not None else []
        pid = await self.run(self._worker.serve, use, sockets, bound, self._others(use.container))
        self._helper.follow_pid(pid)

    def started(self, container: Container) -> None:
        """Its process runs, or won't: the namespace is its own from here on."""
        prepared = self._prepared.pop(container.id, None)
        if prepared is not None:
            prepared.close()
            (container.folder / "netns").unlink(missing_ok=True)
        if container.state.running:
            self._relink(container)
        if container.state.running and self._use(container).served:
            work = self.run(self._worker.watch, container.id, container.state.pid)
            self._parts.background.spawn(work)

    def _relink(self, container: Container) -> None:
        """Its address may be another one than those have on record who link to it on the default network."""
        for other in self._parts.registry:
            linked = {parse_link(text)[0] for text in other.record.host_config.links}
            if not linked.isdisjoint((container.id, container.name)):
                self.relinked(other)

    def relinked(self, container: Container) -> None:
        """What it links to has changed: /etc/hosts of one that runs says so."""
        if container.state.running and container.state.networked:
            with contextlib.suppress(Conflict):
                self._write_files(container)

    async def release(self, container: Container) -> None:
        """It has ended: names and ports go at once, links with its namespace; addresses are free after that."""
        state = container.state
        served = self._use(container).served
        left = [end for end in state.endpoints if end.id]
        self.started_no_more(container)
        state.endpoints = [end.cleared() for end in state.endpoints]
        state.ports = []
        if served:
            await self.run(self._worker.forget, container.id)
        if left:
            self._addressing.leave(left)

    def started_no_more(self, container: Container) -> None:
        """Let go of a namespace that no process has joined."""
        prepared = self._prepared.pop(container.id, None)
        if prepared is not None:
            prepared.close()

    async def lodge(self, guest: str) -> tuple[Prepared, Endpoint]:
        """A place on the default network for what is no container of the registry, until ``dislodge``."""
        network = self.known.default
        end = await self._addressing.lodge(guest, network)
        try:
            return await self.run(lambda: self._worker.prepare([(network, end)], names=False)), end
        except BaseException as error:
            self.dislodge(guest)
            if isinstance(error, OSError):
                raise ContainerlabError(f"failed to set up container networking: {error.strerror or error}") from error
            raise

    def dislodge(self, guest: str) -> None:
        """Its namespace has ended, or will."""
        self._addressing.dislodge(guest)

    async def _bind(self, container: Container) -> list[Bound]:
        """Its ports, on the host. Raises Conflict in Docker's words, with who has the port."""
        state = container.state
        record = container.record
        wanted = wanted_ports(record.config, record.host_config, self._parts.settings.publish_ip)
        target = next((end.address for end in state.endpoints if end.gateway), "")
        if not wanted or not target:
            return []  # as in Docker, nothing is published into an internal network
        try:
            bound = await self.run(self._worker.bind, wanted)
        except OSError as error:
            raise port_refused(self._parts.registry, container, error) from error
        state.ports = [
            Port(inside=each.wanted.inside, host_ip=each.wanted.host_ip, host_port=each.port, target=target)
            for each in bound
        ]
        return bound

    def _use(self, container: Container) -> Use:
        state = container.state
        named = [
            (end, network.name)
            for end in state.endpoints
            if end.id and (network := self.known.by_id(end.network_id)) is not None and network.names
        ]
        zones = {
            end.network_id: {
                "title": title,
                "names": container_names(container, end),
                "addresses": [address for address in (end.address, end.address6) if address],
            }
            for end, title in named
        }
        asked = container.record.host_config.dns or [NAME_SERVER]
        outward = self._worker.leads_out and any(end.gateway for end in state.endpoints)
        return Use(
            container.id,
            state.pid,
            bool(zones),
            zones,
            upstreams=tuple(asked) if outward else (),
            links=link_names(self._parts.registry, state.endpoints),
            ports=tuple(state.ports),
        )

    def _uses(self) -> list[Use]:
        running = (self._use(container) for container in self._parts.registry if container.state.running)
        return [use for use in running if use.served]

    def _others(self, container: str = "") -> Others:
        """Those that run, but for ``container``; called in the network thread, copied in the event loop."""
        loop = asyncio.get_running_loop()

        async def copied() -> list[Use]:
            return [use for use in self._uses() if use.container != container]

        return lambda: asyncio.run_coroutine_threadsafe(copied(), loop).result(_LOOP_SECONDS)

    def renamed(self, container: Container) -> None:
        """Others find it by its new name."""
        use = self._use(container)
        if container.state.running and use.has_names:
            self._parts.background.spawn(self.run(self._worker.rename, use, self._others()))

    async def connect(self, container: Container, network: Network, end: Endpoint) -> None:
        """Attach a running container to one more network. Raises ContainerlabError; its lock is held."""
        state = container.state
        had_names = self._use(container).has_names
        taken = {other.interface for other in state.endpoints}
        await self._addressing.assign(
            network, end, next(name for name in map("eth{}".format, range(1000)) if name not in taken)
        )
        route = not any(other.gateway for other in state.endpoints)
        state.endpoints = [*state.endpoints, end]
        names = network.names and not had_names
        sockets: Sequence[socket.socket] = ()
        try:
            sockets = await self.run(
                lambda: self._worker.connect(state.pid, network, end, route=route, names=names),
            )
            self._write_files(container)
            use = self._use(container)
            if use.has_names:
                told = dataclasses.replace(use, ports=())
                self._helper.follow_pid(
                    await self.run(self._worker.serve, told, sockets, [], self._others(container.id))
                )
                await self.run(self._worker.watch, container.id, state.pid)
        except OSError as error:
            state.endpoints = [other for other in state.endpoints if other is not end]
            raise ContainerlabError(f"failed to set up container networking: {error.strerror or error}") from error
        finally:
            for each in sockets:
                each.close()

    async def disconnect(self, container: Container, end: Endpoint) -> None:
        """Take a running container off a network; its lock is held."""
        state = container.state
        state.endpoints = [other for other in state.endpoints if other is not end]
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            await self.run(self._worker.disconnect, state.pid, end, list(state.endpoints))
        self._write_files(container)
        if end.network != "bridge":
            await self.run(self._worker.rename, self._use(container), self._others())

    async def reconcile(self) -> None:
        """An engine's start: sweep what nobody needs, and have what runs served again."""
        running = [container.state for container in self._parts.registry if container.state.running]
        ends = [end for state in running for end in state.endpoints]
        if not await self.run(self._worker.exists):
            return
        try:
            await self.run(lambda: self._worker.lab.reconcile(self.known, ends))
            if any(end.gateway for end in ends):
                await self._reopen()
            uses = self._uses()
            if uses:
                self._helper.follow_pid(await self.run(self._worker.restore, uses))
            else:
                await self.run(self._worker.forget_stale)
        except OSError as error:
            self._refused = f"the lab network can't be used ({error.strerror or error})"

    async def _restore(self) -> None:
        self._helper.follow_pid(await self.run(self._worker.restore, self._uses()))

    async def close(self) -> None:
        """After background work: nothing of the lab is taken down."""
        self._addressing.close()
        self._helper.close()
        self._way_out.close()
        for prepared in self._prepared.values():
            prepared.close()
        await self.run(self._worker.close)
        self._thread.shutdown()
