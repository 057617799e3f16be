"""What Docker's API tells of networks and of who is on them, for the map: the fields that it reads."""

from __future__ import annotations

import hashlib
from typing import Any

__all__ = ["CROWD", "NETWORKS", "TEA", "box", "network"]


def network(name: str, subnet: str = "", gateway: str = "", **more: Any) -> dict[str, Any]:
    """As ``GET /networks`` lists it."""
    pools = [{"Subnet": subnet, "Gateway": gateway}] if subnet else []
    return {"Name": name, "Driver": "bridge", "Internal": False, "IPAM": {"Config": pools}, "Options": {}, **more}


def box(
    name: str,
    ends: dict[str, str],
    *,
    aliases: dict[str, list[str]] | None = None,
    ports: dict[str, list[tuple[str, str]] | None] | None = None,
    **host: Any,
) -> dict[str, Any]:
    """As ``inspect`` shows it; ``ends`` are addresses by network."""
    identifier = hashlib.sha256(name.encode()).hexdigest()
    shown = {
        inside: [{"HostIp": address, "HostPort": port} for address, port in doors] if doors else None
        for inside, doors in (ports or {}).items()
    }
    return {
        "Id": identifier,
        "Name": f"/{name}",
        "Config": {"Image": "lab/busybox"},
        "HostConfig": {"NetworkMode": next(iter(ends), "default"), **host},
        "NetworkSettings": {
            "Ports": shown,
            "Networks": {
                on: {
                    "IPAddress": address,
                    "GlobalIPv6Address": "",
                    "Aliases": [*(aliases or {}).get(on, []), identifier[:12]] if on != "bridge" else None,
                    "Links": None,
                }
                for on, address in ends.items()
            },
        },
    }


NETWORKS = [
    network("none", Driver="null"),
    network("bridge", "172.17.0.0/16", "172.17.0.1"),
    network("tea", "172.18.0.0/16", "172.18.0.1"),
    network("coffee", "172.19.0.0/16", "172.19.0.1"),
    network("vault", "172.20.0.0/16", "172.20.0.1", Internal=True),
    network("host", Driver="host"),
    network("idle", "172.21.0.0/16", "172.21.0.1"),
]
TEA = [
    box("kettle", {"tea": "172.18.0.2", "coffee": "172.19.0.3"}),
    box("shop", {"tea": "172.18.0.3"}, ports={"80/tcp": [("127.0.0.1", "32768")], "443/tcp": None}),
    box("cup-1", {"tea": "172.18.0.4"}, aliases={"tea": ["cup"]}),
    box("cup-2", {"tea": "172.18.0.5"}, aliases={"tea": ["cup"]}),
    box("grinder", {"coffee": "172.19.0.2"}),
    box("safe", {"vault": "172.20.0.2"}),
    box("clerk", {"vault": "172.20.0.3", "coffee": "172.19.0.4"}),
    box("old", {"bridge": "172.17.0.2"}),
    box("older", {"bridge": "172.17.0.3"}, Links=["/old:/older/friend"]),
    box("bare", {"host": ""}),
    box("hermit", {"none": ""}),
]
CROWD = [
    box(f"worker-{number}", {"tea" if number % 2 else "coffee": f"172.18.1.{number}"}, aliases={"tea": ["worker"]})
    for number in range(45)
] + [
    box(f"both-{number}", {"tea": f"172.18.2.{number}", "coffee": f"172.19.2.{number}"}, ports={"80/tcp": [("", "1")]})
    for number in range(5)
]
