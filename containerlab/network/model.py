"""Networks and a container's ends on them, as they are kept in the database."""

from __future__ import annotations

import msgspec

__all__ = ["Endpoint", "Network", "Port", "Subnet"]


class Subnet(msgspec.Struct, kw_only=True):
    """One subnet of a network, with its bridge's address; ``asked`` by the user rather than from a default pool."""

    subnet: str
    gateway: str
    ip_range: str = ""
    auxiliary: dict[str, str] = {}
    asked: bool = False


class Network(msgspec.Struct, kw_only=True):
    """A bridge with its subnets; ``created`` in nanoseconds since 1970."""

    id: str
    name: str
    created: int
    subnets: list[Subnet] = []
    internal: bool = False
    attachable: bool = False
    ipv6: bool = False
    options: dict[str, str] = {}
    labels: dict[str, str] = {}
    names: bool = True
    """Whether containers find each other by name: on every network but the default one."""

    @property
    def bridge(self) -> str:
        """Its link's name in the lab's namespace; fifteen characters at most."""
        return f"br-{self.id[:12]}" if self.names else "docker0"

    @property
    def mtu(self) -> int:
        """0 for the kernel's own."""
        return int(self.options.get("com.docker.network.driver.mtu", "0"))


class Endpoint(msgspec.Struct, kw_only=True):
    """A container's end on a network: what was asked for, and, while it runs, what it has.

    ``id`` is empty while it isn't attached. ``interface`` is the name inside the container.
    """

    network_id: str
    network: str
    aliases: list[str] = []
    links: list[str] = []
    """``CONTAINER:ALIAS``: names of other containers that this one alone knows."""
    asked_address: str = ""
    asked_address6: str = ""
    asked_mac: str = ""
    id: str = ""
    interface: str = ""
    address: str = ""
    prefix: int = 0
    gateway: str = ""
    address6: str = ""
    prefix6: int = 0
    gateway6: str = ""
    mac: str = ""

    @property
    def link(self) -> str:
        """The name of the bridge's end of its veth pair."""
        return f"veth{self.id[:11]}"

    def cleared(self) -> Endpoint:
        """What is left of it when its container ends."""
        return Endpoint(
            network_id=self.network_id,
            network=self.network,
            aliases=self.aliases,
            links=self.links,
            asked_address=self.asked_address,
            asked_address6=self.asked_address6,
            asked_mac=self.asked_mac,
        )


class Port(msgspec.Struct, kw_only=True):
    """A published port: where it listens on the host, and where its connections go. ``inside`` is ``80/tcp``."""

    inside: str
    host_ip: str
    host_port: int
    target: str
