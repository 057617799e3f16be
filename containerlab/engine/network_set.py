"""Which networks there are: the three that every engine has, and those that users made."""

from __future__ import annotations

import hashlib
import ipaddress
import time
from collections.abc import Iterator

from containerlab.engine.names import near
from containerlab.engine.parts import Parts
from containerlab.errors import Conflict, InvalidParameter, NoSuchNetwork
from containerlab.network.model import Network, Subnet
from containerlab.network.table import NetworkTable
from containerlab.network.way_out import RESERVED

__all__ = ["PREDEFINED", "NetworkSet", "driver_of"]

PREDEFINED = ("bridge", "host", "none")
_NO_NET = ("host", "none")
_DEFAULT_SUBNET = Subnet(subnet="172.17.0.0/16", gateway="172.17.0.1")


def driver_of(network: Network) -> str:
    """Docker's word for what carries it."""
    return {"host": "host", "none": "null"}.get(network.name, "bridge")


class NetworkSet:
    """Found by id, name or unique prefix of an id, in this order, as Docker."""

    def __init__(self, parts: Parts) -> None:
        self._table = NetworkTable(parts.database)
        now = time.time_ns()
        self._known: dict[str, Network] = {}
        for name in PREDEFINED:
            number = hashlib.sha256(f"{parts.engine_id}/{name}".encode()).hexdigest()
            subnets = [_DEFAULT_SUBNET] if name == "bridge" else []
            self._known[number] = Network(id=number, name=name, created=now, subnets=subnets, names=False)
        self.default = next(network for network in self if network.name == "bridge")
        for network in self._table.load():
            self._known[network.id] = network

    def __iter__(self) -> Iterator[Network]:
        return iter(tuple(self._known.values()))

    def by_id(self, network_id: str) -> Network | None:
        """None for one that is gone."""
        return self._known.get(network_id)

    def get(self, ref: str) -> Network:
        """Raises NoSuchNetwork with near names, InvalidParameter for a prefix of several ids."""
        if ref in self._known:
            return self._known[ref]
        named = [network for network in self if network.name == ref]
        found = named or [network for network in self if ref and network.id.startswith(ref)]
        if not found:
            # Nobody who types a network's name wrongly means the one that leads nowhere, or the host's.
            raise NoSuchNetwork(ref, hint=near(ref, [network.name for network in self if network.name not in _NO_NET]))
        if len(found) > 1:
            raise InvalidParameter(f"network {ref} is ambiguous ({len(found)} matches found based on ID prefix)")
        return found[0]

    def subnets(self) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        """What is taken, the way out's own among it."""
        taken = [ipaddress.ip_network(subnet.subnet) for network in self for subnet in network.subnets]
        return [*taken, *RESERVED]

    def add(self, network: Network) -> None:
        """Raises Conflict for a name that is taken."""
        if any(network.name == other.name for other in self):
            raise Conflict(f"network with name {network.name} already exists")
        self._table.insert(network)
        self._known[network.id] = network

    def discard(self, network: Network) -> None:
        """It is no more."""
        self._table.delete(network.id)
        self._known.pop(network.id, None)
