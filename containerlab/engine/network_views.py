"""Networks, and a container's place on them, as Docker's JSON shows them."""

from __future__ import annotations

from typing import Any

from containerlab.engine.clock import rfc3339
from containerlab.engine.container import Container
from containerlab.engine.network_set import driver_of
from containerlab.engine.options import network_mode
from containerlab.network.model import Endpoint, Network

__all__ = ["container_names", "network_settings", "network_view", "networks", "port_list"]


def network_view(network: Network, containers: list[Container]) -> dict[str, Any]:
    """``GET /networks/NAME``; ``containers`` are those that run on it."""
    return {
        "Name": network.name,
        "Id": network.id,
        "Created": rfc3339(network.created),
        "Scope": "local",
        "Driver": driver_of(network),
        "EnableIPv4": True,
        "EnableIPv6": network.ipv6,
        "IPAM": {"Driver": "default", "Options": None if not network.names else {}, "Config": _ipam(network)},
        "Internal": network.internal,
        "Attachable": network.attachable,
        "Ingress": False,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Containers": {
            container.id: _on_network(container, end)
            for container in containers
            for end in container.state.endpoints
            if end.network_id == network.id and end.id
        },
        "Options": network.options,
        "Labels": network.labels,
    }


def _ipam(network: Network) -> list[dict[str, Any]]:
    shown = []
    for subnet in network.subnets:
        entry: dict[str, Any] = {"Subnet": subnet.subnet, "Gateway": subnet.gateway}
        if subnet.ip_range:
            entry["IPRange"] = subnet.ip_range
        if subnet.auxiliary:
            entry["AuxiliaryAddresses"] = subnet.auxiliary
        shown.append(entry)
    return shown


def _on_network(container: Container, end: Endpoint) -> dict[str, str]:
    return {
        "Name": container.name,
        "EndpointID": end.id,
        "MacAddress": end.mac,
        "IPv4Address": f"{end.address}/{end.prefix}",
        "IPv6Address": f"{end.address6}/{end.prefix6}" if end.address6 else "",
    }


def container_names(container: Container, end: Endpoint) -> list[str]:
    """What a container is called on a network with names: its name, its aliases, its short id."""
    return list(dict.fromkeys([container.name, *end.aliases, container.id[:12]]))


def networks(container: Container) -> dict[str, Any]:
    """``NetworkSettings.Networks``."""
    if container.state.networked:
        return {end.network: _endpoint(container, end) for end in container.state.endpoints}
    mode = network_mode(container.record.host_config)
    name = "bridge" if mode == "default" else mode
    return {name: _endpoint(container, Endpoint(network_id="", network=name))}


def _endpoint(container: Container, end: Endpoint) -> dict[str, Any]:
    asked = {"IPv4Address": end.asked_address, "IPv6Address": end.asked_address6}
    named = end.network_id and end.network != "bridge"
    return {
        "IPAMConfig": {key: value for key, value in asked.items() if value} or None,
        "Links": end.links or None,
        "Aliases": end.aliases or None,
        "MacAddress": end.mac,
        "DriverOpts": None,
        "GwPriority": 0,
        "NetworkID": end.network_id,
        "EndpointID": end.id,
        "Gateway": end.gateway,
        "IPAddress": end.address,
        "IPPrefixLen": end.prefix,
        "IPv6Gateway": end.gateway6,
        "GlobalIPv6Address": end.address6,
        "GlobalIPv6PrefixLen": end.prefix6,
        "DNSNames": container_names(container, end) if named else None,
    }


def network_settings(container: Container) -> dict[str, Any]:
    """``NetworkSettings`` of inspect; the fields of one network are the default one's."""
    state = container.state
    shown = networks(container)
    first = shown.get("bridge", {})
    own = ("EndpointID", "Gateway", "IPAddress", "IPPrefixLen", "IPv6Gateway", "MacAddress")
    ipv6 = ("GlobalIPv6Address", "GlobalIPv6PrefixLen")
    return {
        "Bridge": "",
        "SandboxID": state.endpoints[0].id if state.endpoints else "",
        "HairpinMode": False,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "Ports": _ports(container),
        "SandboxKey": f"/proc/{state.pid}/ns/net" if state.pid else "",
        **{name: first.get(name, 0 if name.endswith("Len") else "") for name in (*own, *ipv6)},
        "Networks": shown,
    }


def _ports(container: Container) -> dict[str, list[dict[str, str]] | None]:
    """While it runs: each exposed port, with where it is published, or null."""
    if not (container.state.running and container.state.networked):
        return {}
    shown: dict[str, list[dict[str, str]] | None] = dict.fromkeys(container.record.config.exposed_ports)
    for port in container.state.ports:
        bindings = shown.get(port.inside) or []
        shown[port.inside] = [*bindings, {"HostIp": port.host_ip, "HostPort": str(port.host_port)}]
    return shown


def port_list(container: Container) -> list[dict[str, Any]]:
    """``Ports`` of one entry of the list."""
    found: list[dict[str, Any]] = []
    bindings: list[dict[str, str]] | None
    for inside, bindings in _ports(container).items():
        number, _, protocol = inside.partition("/")
        entry = {"PrivatePort": int(number), "Type": protocol or "tcp"}
        found += [{"IP": each["HostIp"], **entry, "PublicPort": int(each["HostPort"])} for each in bindings or []] or [
            entry
        ]
    return found
