"""The engine's one thread for networks: it holds the lab and the helper's connection, and whatever blocks on them.

What a container has on its networks comes as a :class:`Use`, copied in the event loop: nothing here reads the engine's
state.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from containerlab.network import ports
from containerlab.network.client import Helper
from containerlab.network.lab import Lab, Prepared, name_sockets
from containerlab.network.model import Endpoint, Network, Port
from containerlab.network.namespace import inside, kept

__all__ = ["Others", "Use", "Worker"]

log = logging.getLogger(__name__)
_AGAIN_SECONDS = 60.0
# Descriptors of one packet at most (SCM_MAX_FD is 253).
_AT_ONCE = 200


@dataclass(frozen=True)
class Use:
    """What the helper serves of one container. ``zones`` as its operation ``names`` takes them; ``pid`` 0 before it
    runs."""

    container: str
    pid: int = 0
    has_names: bool = False
    zones: dict[str, Any] = field(default_factory=dict)
    upstreams: tuple[str, ...] = ()
    links: dict[str, str] = field(default_factory=dict)
    ports: tuple[Port, ...] = ()

    @property
    def served(self) -> bool:
        """Whether the helper has anything to do for it."""
        return self.has_names or bool(self.ports)


Others = Callable[[], list[Use]]
"""Whom a new helper must be told of besides; asked only where there is a new one, so that a start doesn't list all."""


class Worker:
    """Each method runs in the network thread."""

    def __init__(self, run: Path, hold: Callable[[int], None], opened: Callable[[int], None]) -> None:
        """``hold`` has the supervisor keep a descriptor, whose end is the way out's; ``opened`` is given the pidfd of
        one that is new, or that an engine before this one started."""
        self._run = run
        self._hold = hold
        self._opened = opened
        self._no_way_out: tuple[str, float] = ("", 0.0)
        self._lab: Lab | None = None
        self._helper: Helper | None = None

    @property
    def lab(self) -> Lab:
        """Opened when it is first needed. Raises OSError where the host gives none."""
        if self._lab is None:
            self._lab = Lab(self._run / "netns")
        return self._lab

    @property
    def inode(self) -> int:
        """Of the network namespace in which the helper lives."""
        return self.lab.inode

    def exists(self) -> bool:
        """Whether a lab is there already, of this engine or of one before it."""
        found = kept(self._run / "netns")
        if found is not None:
            os.close(found)
        return found is not None

    def prove(self, network: Network) -> None:
        """Make the lab and put one end into it, which goes again. Raises OSError where the host doesn't let us."""
        subnet = network.subnets[0]
        trial = Endpoint(
            network_id=network.id,
            network=network.name,
            id="f" * 64,
            interface="eth0",
            address=f"{subnet.gateway.rpartition('.')[0]}.254",
            prefix=24,
            mac="02:42:00:00:00:fe",
        )
        try:
            self.lab.delete(trial.link)
            self.lab.prepare([(network, trial)], names=False).close()
            self.lab.delete(trial.link)
        except OSError:
            if self._lab is not None:
                self._lab.close()
                self._lab = None
            raise

    def prepare(self, ends: Sequence[tuple[Network, Endpoint]], *, names: bool) -> Prepared:
        """A namespace for a container."""
        if not all(network.internal for network, _ in ends):
            self.open_way_out()
        return self.lab.prepare(ends, names=names)

    def open_way_out(self) -> str:
        """See to it that there is one; why there is none, as a phrase. A failure is remembered for a while."""
        reason, since = self._no_way_out
        if not reason or time.monotonic() - since > _AGAIN_SECONDS:
            try:
                pidfd = self.lab.ensure_way_out(self._hold)
                self._no_way_out = "", 0.0
                if pidfd >= 0:
                    self._opened(pidfd)
            except OSError as error:
                self._no_way_out = str(error), time.monotonic()
                log.info("the lab has no way out: %s", error)
        return self._no_way_out[0]

    @property
    def leads_out(self) -> bool:
        """Whether there was a way out when it was last needed."""
        return self._lab is not None and not self._no_way_out[0]

    def bind(self, wanted: Sequence[ports.Wanted]) -> list[ports.Bound]:
        """Every port or none. Raises OSError with the refused one's address as its filename."""
        bound: list[ports.Bound] = []
        try:
            for each in wanted:
                try:
                    bound.append(ports.bind(each))
                except OSError as error:
                    place = f"{each.host_ip}:{each.first}/{each.inside.rpartition('/')[2]}"
                    raise OSError(error.errno, error.strerror, place) from None
        except OSError:
            for made in bound:
                made.socket.close()
            raise
        return bound

    def serve(self, use: Use, sockets: Sequence[socket.socket], bound: Sequence[ports.Bound], others: Others) -> int:
        """Have the helper serve a container; its pid. ``others`` tells whom it must know too, when it is new."""
        helper = self._connected(others)
        _tell_names(helper, use, sockets)
        self._publish(helper, use, bound)
        return helper.pid

    def rename(self, use: Use, others: Others) -> None:
        """Tell a container's names and networks that have changed; ``others`` as for ``serve``."""
        _tell_names(self._connected(others), use, [])

    def _connected(self, others: Others) -> Helper:
        if self._helper is None:
            self._helper = Helper(self._run, self.inode)
        served = self._helper.ensure()
        if served is not None:
            self._restore(self._helper, others(), served)
        return self._helper

    def restore(self, uses: list[Use]) -> int:
        """Have the helper, a new one if need be, serve these and no other; its pid, 0 where none is needed."""
        if not uses:
            self.forget(None)
            return 0
        if self._helper is not None:
            self._helper.close()
        return self._connected(lambda: uses).pid

    def _restore(self, helper: Helper, uses: list[Use], served: list[str]) -> None:
        helper.call("keep", containers=[use.container for use in uses])
        for use in uses:
            # One that has just ended is told of by its exit; the others must not wait for it.
            with contextlib.suppress(OSError):
                self._restore_one(helper, use, known=use.container in served)

    def _restore_one(self, helper: Helper, use: Use, *, known: bool) -> None:
        sockets: list[socket.socket] = []
        if use.has_names and not known:
            namespace = os.open(f"/proc/{use.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            try:
                sockets = inside(namespace, name_sockets)
            finally:
                os.close(namespace)
        _tell_names(helper, use, sockets)
        for each in sockets:
            each.close()
        if not known:
            wanted = [ports.Wanted(port.inside, port.host_ip, port.host_port, port.host_port) for port in use.ports]
            self._publish(helper, use, self.bind(wanted))
        self._watch(helper, use.container, use.pid)

    def _publish(self, helper: Helper, use: Use, bound: Sequence[ports.Bound]) -> None:
        said = []
        for port in use.ports:
            number, protocol = ports.split_port(port.inside)
            said.append({"protocol": protocol, "address": port.target, "port": number})
        try:
            for at in range(0, len(said), _AT_ONCE):
                fds = [each.socket.fileno() for each in bound[at : at + _AT_ONCE]]
                helper.call("ports", fds, container=use.container, ports=said[at : at + _AT_ONCE])
        finally:
            for each in bound:
                each.socket.close()

    def watch(self, container: str, pid: int) -> None:
        """Have the helper see the end of a container's process by itself."""
        if self._helper is not None and self._helper.connected:
            with contextlib.suppress(OSError):
                self._watch(self._helper, container, pid)

    def _watch(self, helper: Helper, container: str, pid: int) -> None:
        pidfd = os.pidfd_open(pid)
        try:
            helper.call("watch", [pidfd], container=container)
        finally:
            os.close(pidfd)

    def forget(self, container: str | None) -> None:
        """The helper serves it no more, or, with None, nothing; one that doesn't answer has nothing to forget."""
        if self._helper is not None and self._helper.connected:
            with contextlib.suppress(OSError):
                if container is None:
                    self._helper.call("keep", containers=[])
                else:
                    self._helper.call("drop", container=container)

    def forget_stale(self) -> None:
        """A helper that an engine before this one left, where no container needs one."""
        if (self._run / "network.sock").exists():
            helper = Helper(self._run, self.inode)
            if helper.find() is not None:
                with contextlib.suppress(OSError):
                    helper.call("keep", containers=[])
            helper.close()

    def delete(self, links: Sequence[str]) -> None:
        """Take links away; their namespaces are ending anyway."""
        if self._lab is not None:
            for name in links:
                self._lab.delete(name)

    def sweep(self, links: Sequence[str]) -> None:
        """Take those links away that the end of their namespaces hasn't."""
        if self._lab is not None:
            self.delete(sorted(self._lab.links().intersection(links)))

    def connect(self, pid: int, network: Network, end: Endpoint, *, route: bool, names: bool) -> list[socket.socket]:
        """One more end for one that runs; with ``names`` the sockets of its name service, unless it has them."""
        namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.lab.connect(namespace, network, end, route=route)
            return _sockets(namespace) if names else []
        except BaseException:
            with contextlib.suppress(OSError):
                self.lab.delete(end.link)
            raise
        finally:
            os.close(namespace)

    def disconnect(self, pid: int, end: Endpoint, routed: Sequence[Endpoint]) -> None:
        """Take an end of a container that runs away."""
        namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.lab.disconnect(namespace, end, routed)
        finally:
            os.close(namespace)

    def close(self) -> None:
        """Let go; the lab stays as long as the supervisor, the helper as long as it has something to serve."""
        if self._helper is not None:
            self._helper.close()
        if self._lab is not None:
            self._lab.close()


def _tell_names(helper: Helper, use: Use, sockets: Sequence[socket.socket]) -> None:
    said = {"container": use.container, "networks": use.zones, "upstreams": use.upstreams, "links": use.links}
    helper.call("names", [each.fileno() for each in sockets], **said)


def _sockets(namespace: int) -> list[socket.socket]:
    """Of a container's name service; none where the helper has them from a network that it was on before."""
    try:
        return inside(namespace, name_sockets)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return []
