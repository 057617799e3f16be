"""The lab's namespace with its bridges, and the ends of containers in it. For one thread at a time; it blocks."""

from __future__ import annotations

import errno
import hashlib
import ipaddress
import os
import socket
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from subprocess import Popen

from containerlab.network import links
from containerlab.network.filter import LEADS_OUT
from containerlab.network.model import Endpoint, Network
from containerlab.network.namespace import inside, inside_new, keep, kept
from containerlab.network.netlink import Netlink, Request
from containerlab.network.way_out import TAP, lead_out, open_way_out
from containerlab.network.way_out_record import recall, remember

__all__ = ["Lab", "Prepared"]

_NAME_SERVER = ("127.0.0.11", 53)


class Prepared:
    """A network namespace that waits for its container; closed once the container's process is in it."""

    def __init__(self, namespace: int, sockets: list[socket.socket]) -> None:
        self.namespace = namespace
        self.sockets = sockets
        """The name service's, UDP and TCP, bound inside; empty where no network has names."""

    @property
    def path(self) -> str:
        """A path of the namespace for another process, as long as this isn't closed."""
        return f"/proc/{os.getpid()}/fd/{self.namespace}"

    def close(self) -> None:
        """Let go of it; without a process in it the kernel takes all of it down."""
        if self.namespace >= 0:
            os.close(self.namespace)
            self.namespace = -1
        for each in self.sockets:
            each.close()
        self.sockets = []


class Lab:
    """The namespace bound at ``path``, found or made. Raises OSError where the host doesn't give one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._way_out: Popen[bytes] | None = None
        self._led = False
        found = kept(path)
        self.namespace = keep(path) if found is None else found
        try:
            self._netlink = inside(self.namespace, Netlink)
            self._netlink.send([links.set_up("lo")])
            self._links = links.names(self._netlink)
        except BaseException:
            os.close(self.namespace)
            raise

    @property
    def inode(self) -> int:
        """What tells this namespace from another one."""
        return os.fstat(self.namespace).st_ino

    def close(self) -> None:
        """Let go of the descriptors; the namespace stays."""
        self._netlink.close()
        os.close(self.namespace)

    def links(self) -> set[str]:
        """The bridges and the bridges' ends of veth pairs that are there now."""
        self._links = links.names(self._netlink)
        return {name for name in self._links if name not in ("lo", TAP)}

    def reconcile(self, networks: Iterable[Network], endpoints: Iterable[Endpoint]) -> list[str]:
        """Delete every link that is none of theirs; their names."""
        wanted = {network.bridge for network in networks} | {endpoint.link for endpoint in endpoints if endpoint.id}
        strays = sorted(self.links() - wanted)
        for name in strays:
            self.delete(name)
        return strays

    def ensure_way_out(self, hold: Callable[[int], None]) -> int:
        """As ``open_way_out``, unless it is there already. Raises WayOutError.

        A pidfd, the caller's, of one that wasn't there when this was last asked; else -1.
        """
        if self._way_out is not None and self._way_out.poll() is not None:
            self._way_out = None  # reaped
        record, pidfd = self.path.with_name("way-out.json"), -1
        if not links.exists(self._netlink, TAP):
            self._way_out = open_way_out(self.namespace, self._netlink, hold)
            pidfd = remember(record, self._way_out.pid)
        elif not self._led:
            # An engine before this one started it, and may not have come further than that.
            lead_out(self.namespace, self._netlink)
            pidfd = recall(record)
        self._led = True
        return pidfd

    def ensure_bridge(self, network: Network) -> int:
        """Its bridge, made where it isn't there; the link's index."""
        index = self._links.get(network.bridge)
        if index is not None:
            return index
        mac = "02:42:" + ":".join(f"{byte:02x}" for byte in hashlib.sha256(network.id.encode()).digest()[:4])
        # An internal network's bridge is of no group that the packet filter lets out.
        self._netlink.send([links.add_bridge(network.bridge, mac, 0 if network.internal else LEADS_OUT)])
        try:
            return inside(self.namespace, lambda: self._address_bridge(network))
        except BaseException:
            self.delete(network.bridge)
            raise

    def _address_bridge(self, network: Network) -> int:
        index = socket.if_nametoindex(network.bridge)
        if network.ipv6:
            links.allow_ipv6(network.bridge)
        requests: list[Request] = []
        for subnet in network.subnets:
            prefix = ipaddress.ip_network(subnet.subnet).prefixlen
            requests.append(links.add_address(index, ipaddress.ip_interface(f"{subnet.gateway}/{prefix}")))
        if requests:
            self._netlink.send(requests)
        self._links[network.bridge] = index
        return index

    def delete(self, name: str) -> None:
        """Delete a link; one that is gone is no error."""
        self._links.pop(name, None)
        try:
            self._netlink.send([links.delete(name)])
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise

    def prepare(self, ends: Sequence[tuple[Network, Endpoint]], *, names: bool) -> Prepared:
        """A new namespace with every end in it, and, with ``names``, the sockets of its name service."""

        def build(namespace: int) -> Prepared:
            with suppress(FileNotFoundError), open("/proc/sys/net/ipv6/conf/default/disable_ipv6", "w") as file:
                file.write("1")
            with Netlink() as own:
                own.send([links.set_up("lo")])
                self._attach(own, namespace, ends)
                _route(own, [endpoint for network, endpoint in ends if not network.internal])
            return Prepared(namespace, name_sockets() if names else [])

        return inside_new(build)

    def connect(self, namespace: int, network: Network, endpoint: Endpoint, *, route: bool) -> None:
        """One more end in the namespace of a container that runs; the default route too, with ``route``."""

        def build() -> None:
            with Netlink() as own:
                self._attach(own, namespace, [(network, endpoint)])
                if route and not network.internal:
                    _route(own, [endpoint])

        inside(namespace, build)

    def disconnect(self, namespace: int, endpoint: Endpoint, routed: Sequence[Endpoint]) -> None:
        """Take an end away; the default route goes to the first of ``routed``, the ends that are left and lead on."""
        self.delete(endpoint.link)

        def build() -> None:
            with Netlink() as own:
                _route(own, routed)

        inside(namespace, build)

    def _attach(self, own: Netlink, namespace: int, ends: Sequence[tuple[Network, Endpoint]]) -> None:
        """In a thread of that namespace, of which ``own`` is a socket."""
        for network, endpoint in ends:
            veth = links.add_veth(
                endpoint.link,
                self.ensure_bridge(network),
                peer=endpoint.interface,
                peer_mac=endpoint.mac,
                peer_namespace=namespace,
                mtu=network.mtu,
            )
            self._netlink.send([veth])
            index = socket.if_nametoindex(endpoint.interface)
            address = ipaddress.ip_interface(f"{endpoint.address}/{endpoint.prefix}")
            requests = [links.set_up(endpoint.interface), links.add_address(index, address)]
            if endpoint.address6:
                links.allow_ipv6(endpoint.interface)
                address6 = ipaddress.ip_interface(f"{endpoint.address6}/{endpoint.prefix6}")
                requests.append(links.add_address(index, address6))
            own.send(requests)


def name_sockets() -> list[socket.socket]:
    """UDP and TCP at 127.0.0.11:53 of the calling thread's namespace."""
    made: list[socket.socket] = []
    try:
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            each = socket.socket(socket.AF_INET, kind | socket.SOCK_CLOEXEC)
            made.append(each)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            each.bind(_NAME_SERVER)
        made[1].listen(16)
    except BaseException:
        for each in made:
            each.close()
        raise
    return made


def _route(own: Netlink, routed: Sequence[Endpoint]) -> None:
    """The default route by the first end that leads on, of each kind of address."""
    first = next((end for end in routed if end.gateway), None)
    first6 = next((end for end in routed if end.gateway6), None)
    requests = []
    if first is not None:
        index = socket.if_nametoindex(first.interface)
        requests.append(links.add_default_route(index, ipaddress.ip_address(first.gateway)))
    if first6 is not None:
        index = socket.if_nametoindex(first6.interface)
        requests.append(links.add_default_route(index, ipaddress.ip_address(first6.gateway6)))
    if requests:
        own.send(requests)
