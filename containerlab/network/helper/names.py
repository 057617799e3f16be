"""Answers of the name service (RFC 1035): names of containers, in the networks that the asker is on.

A name that isn't known is NXDOMAIN at once, or, where there is a way out of the lab, another server's to answer.
"""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Mapping

from dnslib import AAAA, PTR, QTYPE, RCODE, RR, A, DNSError, DNSRecord

__all__ = ["Elsewhere", "Zone", "Zones", "answer"]

_TTL = 600
_NO_LINKS: Mapping[str, str] = {}
# What a client that says nothing takes in one datagram (RFC 1035, section 4.2.1).
_DATAGRAM = 512

Zone = dict[str, tuple[list[str], list[str]]]
"""A container's end on a network: its container's id, with its names there and its addresses."""
Zones = dict[str, Zone]
"""By network: its id."""


class Elsewhere(Exception):
    """The lab doesn't know the name."""


def answer(
    request: bytes,
    zones: list[tuple[str, Zone]],
    links: Mapping[str, str] = _NO_LINKS,
    *,
    datagram: bool,
    outward: bool = False,
) -> bytes | None:
    """The answer to one query; ``zones`` are (network's name, its ends) of the asker's networks, first asked first.

    ``links`` are names that the asker alone has for others' names, both in small letters.

    None for what isn't a query. A long answer to a datagram is cut off with the bit that says so. Raises Elsewhere for
    a name that the lab doesn't know, where others may be asked (``outward``).
    """
    try:
        query = DNSRecord.parse(request)
        if query.header.qr or len(query.questions) != 1:
            return None
        kind, name = query.q.qtype, str(query.q.qname).rstrip(".").lower()
    except (DNSError, ValueError, UnicodeError, IndexError):
        return None
    reply = query.reply(ra=1, aa=0)
    if query.header.opcode:
        reply.header.rcode = RCODE.NOTIMP
        return bytes(reply.pack())
    if kind == QTYPE.PTR:
        found = _reverse(name, zones)
        records = [PTR(f"{host}.{network}") for host, network in found]
        known = bool(found)
    else:
        addresses = _addresses(links.get(name, name), zones)
        known = bool(addresses)
        wanted = {QTYPE.A: 4, QTYPE.AAAA: 6}.get(kind)
        chosen = [address for address in addresses if ipaddress.ip_address(address).version == wanted]
        random.shuffle(chosen)
        records = [A(address) if wanted == 4 else AAAA(address) for address in chosen]
    if not known and outward:
        raise Elsewhere
    for record in records:
        reply.add_answer(RR(query.q.qname, kind, ttl=_TTL, rdata=record))
    if not known:
        reply.header.rcode = RCODE.NXDOMAIN
    packed = bytes(reply.pack())
    return bytes(reply.truncate().pack()) if datagram and len(packed) > _DATAGRAM else packed


def _addresses(name: str, zones: list[tuple[str, Zone]]) -> list[str]:
    """Of the first network that knows the name, which may carry the network's own behind a dot."""
    for network, zone in zones:
        bare = name.removesuffix(f".{network.lower()}")
        found = [
            address
            for names, addresses in zone.values()
            if any(candidate.lower() in (name, bare) for candidate in names)
            for address in addresses
        ]
        if found:
            return found
    return []


def _reverse(name: str, zones: list[tuple[str, Zone]]) -> list[tuple[str, str]]:
    """(container's name, network's name) of an address that is written backwards (RFC 1035, 3.5; RFC 3596, 2.5)."""
    digits = name.split(".")
    try:
        if name.endswith(".in-addr.arpa") and len(digits) == 6:
            address = str(ipaddress.ip_address(".".join(reversed(digits[:4]))))
        elif name.endswith(".ip6.arpa") and len(digits) == 34:
            address = str(ipaddress.IPv6Address(bytes.fromhex("".join(reversed(digits[:32])))))
        else:
            return []
    except ValueError:
        return []
    return [
        (names[0], network)
        for network, zone in zones
        for names, addresses in zone.values()
        if names and address in addresses
    ]
