"""Address management: which subnet a network gets, and which address of it an endpoint.

Source: Docker's default pools (moby libnetwork/ipamutils) and its words for what can't be had.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable

from containerlab.errors import Forbidden, InvalidParameter
from containerlab.network.model import Network, Subnet

__all__ = ["choose", "derived_mac", "free_subnet", "parse_subnet"]

_Pool = ipaddress.IPv4Network | ipaddress.IPv6Network
_IP = ipaddress.IPv4Address | ipaddress.IPv6Address

_POOLS = [
    *(f"172.{second}.0.0/16" for second in range(17, 32)),
    *(f"192.168.{third}.0/20" for third in range(0, 256, 16)),
]


def free_subnet(taken: Iterable[_Pool], *, version: int, seed: str) -> Subnet:
    """The first default pool that overlaps nothing; of IPv6 one below a unique local prefix made of ``seed``."""
    used = [network for network in taken if network.version == version]
    pools: Iterable[str] = _POOLS
    if version == 6:
        prefix = hashlib.sha256(seed.encode()).hexdigest()[:10]
        pools = (f"fd{prefix[:2]}:{prefix[2:6]}:{prefix[6:10]}:{number:x}::/64" for number in range(1 << 12))
    for text in pools:
        pool = ipaddress.ip_network(text)
        if not any(pool.overlaps(network) for network in used):
            return Subnet(subnet=str(pool), gateway=str(pool.network_address + 1))
    raise Forbidden("all predefined address pools have been fully subnetted")


def parse_subnet(subnet: str, gateway: str, ip_range: str, taken: Iterable[_Pool]) -> Subnet:
    """What ``--subnet``, ``--gateway`` and ``--ip-range`` ask for. Raises InvalidParameter, Forbidden."""
    try:
        network = ipaddress.ip_network(subnet, strict=False)
    except ValueError:
        raise InvalidParameter(f"invalid subnet {subnet}: invalid CIDR address: {subnet}") from None
    if ipaddress.ip_address(subnet.partition("/")[0]) != network.network_address:
        raise InvalidParameter(f"invalid subnet {subnet}: it should be {network}")
    if network.num_addresses < 4:
        raise InvalidParameter(f"invalid subnet {subnet}: it has no room for a gateway and a container")
    if any(network.version == other.version and network.overlaps(other) for other in taken):
        raise Forbidden("invalid pool request: Pool overlaps with other one on this address space")
    first = network.network_address + 1
    chosen = _inside(gateway, network, "gateway") if gateway else first
    if chosen == network.network_address:
        raise InvalidParameter(f"invalid gateway {gateway}: It does not belong to any of this network's subnets")
    if ip_range:
        try:
            part = ipaddress.ip_network(ip_range)
        except ValueError as error:
            raise InvalidParameter(f"invalid ip-range {ip_range}: {error}") from None
        if part.version != network.version or part[0] not in network or part[-1] not in network:
            raise InvalidParameter(f"invalid ip-range {ip_range}: it lies outside of the subnet {subnet}")
    return Subnet(subnet=str(network), gateway=str(chosen), ip_range=ip_range, asked=True)


def choose(subnet: Subnet, asked: str, taken: set[str], of: Network | None = None) -> str:
    """An address for an endpoint: the asked one, else the lowest that is free. Raises InvalidParameter, Forbidden.

    ``of`` is the network, for the message.
    """
    network = ipaddress.ip_network(subnet.subnet)
    reserved = {subnet.gateway, *subnet.auxiliary.values()}
    last = network[-1] if network.version == 4 else None
    if asked:
        chosen = _inside(asked, network, "address")
        address = str(chosen)
        if address in taken or address in reserved or chosen in (network[0], last):
            raise Forbidden("Address already in use", hint=f"It is {address}, of the subnet {subnet.subnet}.")
        return address
    pool = ipaddress.ip_network(subnet.ip_range or subnet.subnet)
    for candidate in pool:
        text = str(candidate)
        if candidate not in (network[0], last) and text not in taken and text not in reserved:
            return text
    where = f"{of.name} ({of.id})" if of is not None else subnet.subnet
    raise Forbidden(f"no available IPv{network.version} addresses on this network's address pools: {where}")


def derived_mac(address: str) -> str:
    """Docker's MAC address of an IPv4 address: 02:42 and its four bytes."""
    return ":".join(f"{byte:02x}" for byte in b"\x02\x42" + ipaddress.ip_address(address).packed[:4])


def _inside(text: str, network: _Pool, what: str) -> _IP:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise InvalidParameter(f"invalid {what} {text}: it is no IP address") from None
    if address not in network:
        raise InvalidParameter(f"invalid {what} {text}: It does not belong to any of this network's subnets")
    return address
