"""``[[ADDRESS:]PUBLISHED:]TARGET[/PROTOCOL]`` to the long form. Either port may be a range.

As go-connections' ``nat.ParsePortSpec`` reads it, which docker and docker compose share: a range of as many published
ports as targets is paired off; several published ports for one target are a choice (``8000-8010:80`` takes a free one
of them).
"""

from __future__ import annotations

__all__ = ["parse", "port_range"]

import ipaddress
import re

_PORT = re.compile(r"[0-9]{1,5}")
_PROTOCOLS = ("tcp", "udp", "sctp")
_MOST = 65536


def parse(text: str) -> list[dict[str, str]]:
    """The ports of one short form, as fields of the long one. Raises ``ValueError`` with docker's sentence."""
    rest, _, protocol = text.partition("/")
    protocol = protocol.lower() or "tcp"
    host_ip, published, target = _split(rest)
    if not target:
        raise ValueError(f"no port specified: {text}<empty>")
    if protocol not in _PROTOCOLS:
        raise ValueError(f"invalid proto: {protocol}")
    if host_ip:
        _check_address(host_ip)
    first, last = port_range(target, "containerPort")
    if not published:
        return [_long(port, "", host_ip, protocol) for port in range(first, last + 1)]
    start, end = port_range(published, "hostPort")
    if end - start == last - first:
        return [_long(first + step, str(start + step), host_ip, protocol) for step in range(last - first + 1)]
    if first == last:
        return [_long(first, f"{start}-{end}", host_ip, protocol)]
    raise ValueError(f"invalid ranges specified for container and host Ports: {target} and {published}")


def _split(text: str) -> tuple[str, str, str]:
    """``(address, published, target)``; an IPv6 address stands in brackets, or has more colons than the rest needs."""
    head, _, target = text.rpartition(":")
    address, _, published = head.rpartition(":")
    if address.startswith("[") and address.endswith("]"):
        address = address[1:-1]
    return address, published, target


def _check_address(text: str) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(f"invalid IP address: {text}") from None


def port_range(text: str, what: str = "port") -> tuple[int, int]:
    """``80`` or ``80-90``; ``ValueError`` names ``what``."""
    first, dash, last = text.partition("-")
    if not _PORT.fullmatch(first) or (dash and not _PORT.fullmatch(last)):
        raise ValueError(f"invalid {what}: {text}")
    start, end = int(first), int(last or first)
    if end < start or end >= _MOST:
        raise ValueError(f"invalid {what}: {text}")
    return start, end


def _long(target: int, published: str, host_ip: str, protocol: str) -> dict[str, str]:
    port = {"target": str(target), "published": published, "host_ip": host_ip, "protocol": protocol}
    return {name: value for name, value in port.items() if value}
