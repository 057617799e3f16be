"""The requests of rtnetlink(7) that this room makes: links, addresses, routes.

Nothing here talks to the kernel but ``exists``, ``names`` and ``allow_ipv6``; each other function gives a
:class:`Request`, so that a caller sends several in one packet.
"""

from __future__ import annotations

import errno
import ipaddress
import struct

from containerlab.network.netlink import Netlink, Request, attribute, nested, text

__all__ = [
    "Address",
    "Gateway",
    "add_address",
    "add_bridge",
    "add_default_route",
    "add_veth",
    "allow_ipv6",
    "delete",
    "delete_default_route",
    "exists",
    "names",
    "set_group",
    "set_up",
]

_NEWLINK, _DELLINK, _GETLINK, _NEWADDR, _NEWROUTE, _DELROUTE = 16, 17, 18, 20, 24, 25
_CREATE, _EXCLUSIVE, _REPLACE = 0x400, 0x200, 0x100
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_MASTER, _IFLA_LINKINFO, _IFLA_NET_NS_FD = 1, 3, 4, 10, 18, 28
_IFLA_GROUP = 27
_IFLA_INFO_KIND, _IFLA_INFO_DATA, _VETH_INFO_PEER = 1, 2, 1
_IFA_ADDRESS, _IFA_LOCAL, _IFA_BROADCAST = 1, 2, 4
_IFA_F_NODAD = 0x02
_RTA_OIF, _RTA_GATEWAY = 4, 5
_UP = 1
_INET, _INET6 = 2, 10

Address = ipaddress.IPv4Interface | ipaddress.IPv6Interface
Gateway = ipaddress.IPv4Address | ipaddress.IPv6Address


def _link(index: int = 0, flags: int = 0) -> bytes:
    """struct ifinfomsg."""
    return struct.pack("=BxHiII", 0, 0, index, flags, flags)


def add_bridge(name: str, mac: str, group: int) -> Request:
    """A bridge that is up; a MAC address of its own keeps it from taking its ports' (bridge(8))."""
    info = nested(_IFLA_LINKINFO, text(_IFLA_INFO_KIND, "bridge"))
    body = _link(flags=_UP) + text(_IFLA_IFNAME, name) + attribute(_IFLA_ADDRESS, _mac(mac)) + _group(group) + info
    return Request(_NEWLINK, _CREATE | _EXCLUSIVE, body)


def add_veth(name: str, bridge: int, *, peer: str, peer_mac: str, peer_namespace: int, mtu: int = 0) -> Request:
    """A veth pair: ``name`` a port of ``bridge`` (an index), up; ``peer`` in the namespace of a descriptor, still down.

    (veth's driver refuses ENOTCONN to bring a peer up that it is about to make.)
    """
    size = attribute(_IFLA_MTU, struct.pack("=I", mtu)) if mtu else b""
    other = (
        _link()
        + text(_IFLA_IFNAME, peer)
        + attribute(_IFLA_ADDRESS, _mac(peer_mac))
        + attribute(_IFLA_NET_NS_FD, struct.pack("=I", peer_namespace))
        + size
    )
    info = nested(
        _IFLA_LINKINFO, text(_IFLA_INFO_KIND, "veth"), nested(_IFLA_INFO_DATA, attribute(_VETH_INFO_PEER, other))
    )
    master = attribute(_IFLA_MASTER, struct.pack("=I", bridge))
    return Request(_NEWLINK, _CREATE | _EXCLUSIVE, _link(flags=_UP) + text(_IFLA_IFNAME, name) + master + info + size)


def set_up(name: str) -> Request:
    """``ip link set NAME up``."""
    return Request(_NEWLINK, 0, _link(flags=_UP) + text(_IFLA_IFNAME, name))


def set_group(name: str, group: int) -> Request:
    """``ip link set NAME up group GROUP``: a number by which a packet filter knows it."""
    return Request(_NEWLINK, 0, _link(flags=_UP) + text(_IFLA_IFNAME, name) + _group(group))


def delete(name: str) -> Request:
    """``ip link delete NAME``; a veth's other end goes too."""
    return Request(_DELLINK, 0, _link() + text(_IFLA_IFNAME, name))


def add_address(index: int, address: Address) -> Request:
    """An address with its prefix; of IPv6 one that is used at once, without asking whether somebody has it."""
    family, flags = (_INET, 0) if address.version == 4 else (_INET6, _IFA_F_NODAD)
    body = struct.pack("=BBBBI", family, address.network.prefixlen, flags, 0, index)
    body += attribute(_IFA_LOCAL, address.ip.packed) + attribute(_IFA_ADDRESS, address.ip.packed)
    if address.version == 4 and address.network.prefixlen < 31:
        body += attribute(_IFA_BROADCAST, address.network.broadcast_address.packed)
    return Request(_NEWADDR, _CREATE | _REPLACE, body)


def add_default_route(index: int, gateway: Gateway) -> Request:
    """The way to everywhere else."""
    return Request(_NEWROUTE, _CREATE | _REPLACE, _default(index, gateway))


def delete_default_route(index: int, gateway: Gateway) -> Request:
    """The same route away again."""
    return Request(_DELROUTE, 0, _default(index, gateway))


def _default(index: int, gateway: Gateway) -> bytes:
    """struct rtmsg: main table, protocol boot, universe, unicast."""
    family = _INET if gateway.version == 4 else _INET6
    body = struct.pack("=BBBBBBBBI", family, 0, 0, 0, 254, 3, 0, 1, 0)
    return body + attribute(_RTA_GATEWAY, gateway.packed) + attribute(_RTA_OIF, struct.pack("=I", index))


def allow_ipv6(interface: str) -> None:
    """In a thread of its namespace; router advertisements are never believed (CVE-2020-13401)."""
    for name, value in (("accept_ra", "0"), ("disable_ipv6", "0")):
        with open(f"/proc/sys/net/ipv6/conf/{interface}/{name}", "w", encoding="ascii") as file:
            file.write(value)


def exists(netlink: Netlink, name: str) -> bool:
    """Whether the socket's namespace has a link of that name."""
    try:
        netlink.send([Request(_GETLINK, 0, _link() + text(_IFLA_IFNAME, name))])
    except OSError as error:
        if error.errno != errno.ENODEV:
            raise
        return False
    return True


def names(netlink: Netlink) -> dict[str, int]:
    """Every link of the socket's namespace: its name and index."""
    found: dict[str, int] = {}
    for body in netlink.dump(_GETLINK, _link()):
        index = struct.unpack_from("=i", body, 4)[0]
        at = 16
        while at + 4 <= len(body):
            length, kind = struct.unpack_from("=HH", body, at)
            if length < 4:
                break
            if kind == _IFLA_IFNAME:
                found[body[at + 4 : at + length].rstrip(b"\0").decode()] = index
            at += (length + 3) & ~3
    return found


def _group(number: int) -> bytes:
    return attribute(_IFLA_GROUP, struct.pack("=I", number))


def _mac(address: str) -> bytes:
    return bytes.fromhex(address.replace(":", "").replace("-", ""))
