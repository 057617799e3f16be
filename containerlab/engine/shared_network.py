"""Networks where there are no network namespaces (the rung proot): every container is on the host's.

A network then is a set of names. Everybody's address is 127.0.0.1, and each container's /etc/hosts has the names of all
that share a network with it. A port that is published under its own number is simply there, once the program listens;
under another number the network helper listens there and passes on, as it does on every rung.
"""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from containerlab.engine.attachments import Attachments
from containerlab.engine.bundle import hosts_text
from containerlab.engine.container import Container
from containerlab.engine.models import ContainerConfig, HostConfig, NetworkingConfig
from containerlab.engine.names import new_id
from containerlab.engine.network_plan import endpoints, settle, wanted_ports
from containerlab.engine.network_set import NetworkSet
from containerlab.engine.network_views import container_names
from containerlab.engine.network_worker import Use, Worker
from containerlab.engine.options import network_mode
from containerlab.engine.parts import Parts
from containerlab.engine.port_refusal import port_refused
from containerlab.errors import ContainerlabError
from containerlab.network.model import Endpoint, Network, Port
from containerlab.network.ports import Bound, Wanted, split_port

__all__ = ["SharedAttachments", "overwrite"]

_IN_PLACE = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
_ADDRESS = "127.0.0.1"
# ip_unprivileged_port_start's default; below it a port needs CAP_NET_BIND_SERVICE.
_PRIVILEGED = 1024


class SharedAttachments(Attachments):
    """The same calls, with nothing made in the kernel but listening sockets."""

    def __init__(self, parts: Parts, known: NetworkSet) -> None:
        super().__init__(parts, known)
        self._worker = _SharedWorker(parts.settings.run, self._hold, self._opened)

    async def refused(self) -> str:
        """Nothing is refused for want of bridges."""
        return ""

    async def plan(
        self, config: ContainerConfig, host: HostConfig, networking: NetworkingConfig
    ) -> tuple[list[Endpoint], list[str]]:
        """As above; the warnings say what isn't kept apart."""
        ends = endpoints(self.known, config, host, networking)
        wanted = wanted_ports(config, host, self._parts.settings.publish_ip)
        mode = network_mode(host)
        warnings = []
        if mode == "none":
            warnings.append("--network none can't be had under proot: the container is on the host's network.")
        if not ends:
            if wanted and mode in ("host", "none"):
                warnings.append(f"Published ports are discarded when using {mode} network mode")
            return [], warnings
        if any(end.asked_address or end.asked_address6 or end.asked_mac for end in ends):
            warnings.append("--ip and --mac-address can't be had under proot: every container is at 127.0.0.1.")
        if host.links or any(end.links for end in ends):
            warnings.append("--link can't be had under proot: containers know each other by their names.")
        floor = _unprivileged_from()
        low = sorted({number for each in wanted if (number := split_port(each.inside)[0]) < floor})
        if low and os.geteuid() != 0:
            ports = " and ".join(map(str, low))
            warnings.append(
                f"Port {ports} is the host's own under proot, and this user may listen from {floor} on only: have the "
                "program listen on a higher one."
            )
        return ends, warnings

    async def prepare(self, container: Container) -> None:
        """Ports that have another number outside; names."""
        state = container.state
        if state.networked:
            await self.release(container)
            for at, end in enumerate(state.endpoints):
                self.assign(settle(self.known, end), end, f"eth{at}")
            bound = await self._bind(container)
            try:
                use = self._use(container)
                if use.served:
                    await self._serve(use, None, [each for each in bound if each.socket.fileno() >= 0])
            except OSError as error:
                for each in bound:
                    each.socket.close()
                await self.release(container)
                raise ContainerlabError(f"failed to set up container networking: {error.strerror or error}") from error
            self._parts.save(container)
        self._write_names(container)

    def assign(self, network: Network, end: Endpoint, interface: str) -> None:
        """Everybody has the same address."""
        end.interface, end.address, end.prefix, end.id = interface, _ADDRESS, 8, new_id()

    async def _bind(self, container: Container) -> list[Bound]:
        """Of the ports, those that have another number outside; all are told."""
        record, state = container.record, container.state
        wanted = wanted_ports(record.config, record.host_config, self._parts.settings.publish_ip)
        bound: list[Bound] = []
        try:
            for each in wanted:
                if not _is_same(each):
                    bound += await self.run(self._worker.bind, [each])
        except OSError as error:
            for made in bound:
                made.socket.close()
            raise port_refused(self._parts.registry, container, error) from error
        passed = [_port(each.wanted, each.port) for each in bound]
        there = [_port(each, each.first) for each in wanted if _is_same(each)]
        state.ports = passed + there
        return bound

    def _use(self, container: Container) -> Use:
        """Only what the helper has to pass on: names are in hosts files."""
        passed = [port for port in container.state.ports if split_port(port.inside)[0] != port.host_port]
        return Use(container.id, container.state.pid, ports=tuple(passed))

    def started(self, container: Container) -> None:
        """The others learn its names, too."""
        super().started(container)
        self._write_all()

    def renamed(self, container: Container) -> None:
        """Others find it by its new name."""
        self._write_all()

    async def connect(self, container: Container, network: Network, end: Endpoint) -> None:
        """One more network: more names."""
        self.assign(network, end, f"eth{len(container.state.endpoints)}")
        container.state.endpoints = [*container.state.endpoints, end]
        self._write_all()

    async def disconnect(self, container: Container, end: Endpoint) -> None:
        """One network less."""
        container.state.endpoints = [other for other in container.state.endpoints if other is not end]
        self._write_all()

    async def reconcile(self) -> None:
        """An engine's start: what runs is served again."""
        uses = self._uses()
        with contextlib.suppress(OSError):
            if uses:
                self._helper.follow_pid(await self.run(self._worker.restore, uses))
            else:
                await self.run(self._worker.forget_stale)

    def _write_all(self) -> None:
        for container in self._parts.registry:
            if container.state.running:
                self._write_names(container)

    def _write_names(self, container: Container) -> None:
        """In place, because a program may have the very file open."""
        path = container.folder / "hosts"
        if not path.exists():
            return  # another container's is shown
        lines = []
        for other in [container, *(each for each in self._parts.registry if each is not container)]:
            names = self._names(container, other)
            if names:
                lines.append(f"{_ADDRESS}\t{' '.join(names)}\n")
        text = (hosts_text(container.record.host_config) + "".join(lines)).encode()
        overwrite(path, text)

    def _names(self, container: Container, other: Container) -> list[str]:
        """What ``container`` may call ``other``: itself by its hostname, others by the networks that both are on."""
        if other is container:
            return [container.record.config.hostname] if container.record.config.hostname else []
        if not other.state.running:
            return []
        own = {end.network_id for end in container.state.endpoints}
        found = []
        for end in other.state.endpoints:
            network = self.known.by_id(end.network_id)
            if end.network_id in own and network is not None and network.names:
                found += container_names(other, end)
        return list(dict.fromkeys(found))


class _SharedWorker(Worker):
    """The helper lives in the namespace that everybody is in."""

    @property
    def inode(self) -> int:
        """Of that namespace."""
        return os.stat("/proc/self/ns/net").st_ino  # noqa: PTH116


def overwrite(path: Path, text: bytes) -> None:
    """A plain file's content, in place; a program that proot runs can put a link there instead, which is left alone."""
    try:
        file = open(os.open(path, _IN_PLACE), "r+b", buffering=0)
    except OSError as error:
        if error.errno == errno.ELOOP:
            return
        raise
    with file:
        file.write(text)
        file.truncate(len(text))


def _port(wanted: Wanted, number: int) -> Port:
    return Port(inside=wanted.inside, host_ip=wanted.host_ip, host_port=number, target=_ADDRESS)


def _is_same(wanted: Wanted) -> bool:
    """Whether the port has the same number outside: then the program itself listens there."""
    number, _ = split_port(wanted.inside)
    return wanted.first == number


def _unprivileged_from() -> int:
    try:
        with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", encoding="ascii") as file:
            return int(file.read())
    except OSError:
        return _PRIVILEGED
