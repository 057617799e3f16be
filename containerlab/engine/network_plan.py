"""How a container joins its networks: what a request asks for, made into endpoints.

Source: moby daemon/container_operations.go (``updateContainerNetworkSettings``, ``validateEndpointSettings``).
"""

from __future__ import annotations

import ipaddress
import re

from containerlab.engine.container_links import parse_link
from containerlab.engine.models import ContainerConfig, EndpointConfig, HostConfig, NetworkingConfig
from containerlab.engine.network_set import NetworkSet
from containerlab.engine.options import network_mode
from containerlab.errors import Forbidden, InvalidParameter
from containerlab.network import ports
from containerlab.network.model import Endpoint, Network

__all__ = ["endpoint", "endpoints", "wanted_ports"]

_OWN = {
    "host": "container cannot be disconnected from host network or connected to host network",
    "none": "container cannot be connected to multiple networks with one of the networks in private (none) mode",
}
_MAC = re.compile(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")


def endpoints(
    known: NetworkSet, config: ContainerConfig, host: HostConfig, networking: NetworkingConfig
) -> list[Endpoint]:
    """A container's ends on bridges; none where its network is the host's, another container's or nobody's."""
    mode = network_mode(host)
    asked = {
        "bridge" if name == "default" else name: settings or EndpointConfig()
        for name, settings in networking.endpoints_config.items()
    }
    for name in asked.keys() - {mode if mode.startswith("container:") else ""}:
        known.get(name)
    if mode in ("none", "host") or mode.startswith("container:"):
        for settings in asked.values():
            _check_empty(settings, mode)
        return []
    names = list(asked)
    if mode != "default" or not names:
        first = known.get("bridge" if mode == "default" else mode)
        names = [name for name in names if known.get(name).id == first.id] or [first.name]
        names += [name for name in asked if known.get(name).id != first.id]
    ends = [endpoint(known.get(name), asked.get(name, EndpointConfig())) for name in names]
    if config.mac_address and not ends[0].asked_mac:
        ends[0].asked_mac = _checked_mac(config.mac_address)
    return ends


def endpoint(network: Network, asked: EndpointConfig) -> Endpoint:
    """Raises InvalidParameter for what that network can't give."""
    if network.name in ("host", "none"):
        raise Forbidden(_OWN[network.name])
    ipam = asked.ipam_config or {}
    address, address6 = str(ipam.get("IPv4Address") or asked.ip_address), str(ipam.get("IPv6Address") or "")
    if ipam.get("LinkLocalIPs"):
        raise InvalidParameter("--link-local-ip isn't carried out by this engine.")
    if not network.names:
        if asked.links:
            raise InvalidParameter(
                "--link isn't carried out when joining the default network: say it when the container is created."
            )
        if address or address6:
            raise InvalidParameter("user specified IP address is supported on user defined networks only")
        if asked.aliases:
            raise InvalidParameter(
                "network-scoped alias is supported only for containers in user defined networks",
                hint="containerlab network create NAME makes one.",
            )
    for text, version in ((address, 4), (address6, 6)):
        if text:
            _check_address(network, text, version)
    return Endpoint(
        network_id=network.id,
        network=network.name,
        aliases=list(dict.fromkeys(asked.aliases)),
        links=[":".join(parse_link(link)) for link in asked.links],
        asked_address=address,
        asked_address6=address6,
        asked_mac=_checked_mac(asked.mac_address),
    )


def _check_empty(settings: EndpointConfig, mode: str) -> None:
    """Without an end on a bridge nothing of it can be had."""
    if settings.ip_address or any((settings.ipam_config or {}).values()):
        raise InvalidParameter("user specified IP address is supported on user defined networks only")
    if settings.aliases or settings.links:
        raise InvalidParameter("network-scoped alias is supported only for containers in user defined networks")
    if settings.mac_address:
        raise InvalidParameter(f"conflicting options: mac-address and the network mode {mode}")


def _check_address(network: Network, text: str, version: int) -> None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise InvalidParameter(f"invalid IPv{version} address: {text}") from None
    for subnet in network.subnets:
        if address.version == version and address in ipaddress.ip_network(subnet.subnet):
            if not subnet.asked:
                raise InvalidParameter(
                    "user specified IP address is supported only when connecting to networks with user configured "
                    "subnets"
                )
            return
    raise InvalidParameter(f"invalid address {text}: It does not belong to any of this network's subnets")


def _checked_mac(text: str) -> str:
    if text and (not _MAC.fullmatch(text) or int(text[:2], 16) & 1):
        raise InvalidParameter(f"invalid MAC address: {text}")
    return text.lower()


def wanted_ports(config: ContainerConfig, host: HostConfig, publish_ip: str) -> list[ports.Wanted]:
    """What ``-p`` and ``-P`` ask for. Raises InvalidParameter."""
    found = []
    for inside, bindings in host.port_bindings.items():
        number, protocol = ports.split_port(inside)
        for binding in bindings or []:
            ports.check(inside, binding.host_ip, binding.host_port)
            first, last = ports.port_range(binding.host_port)
            found.append(ports.Wanted(f"{number}/{protocol}", binding.host_ip or publish_ip, first, last))
    if host.publish_all_ports:
        bound = {wanted.inside for wanted in found}
        for inside in config.exposed_ports:
            number, protocol = ports.split_port(inside)
            if f"{number}/{protocol}" not in bound:
                found.append(ports.Wanted(f"{number}/{protocol}", publish_ip, 0, 0))
    return found
