"""How a container joins its networks: what a request asks for, made into endpoints.

Source: moby daemon/container_operations.go (``updateContainerNetworkSettings``, ``validateEndpointSettings``).
"""

from __future__ import annotations

import ipaddress
import re

from containerlab.engine.link_words import parse_link
from containerlab.engine.models import ContainerConfig, EndpointConfig, HostConfig, NetworkingConfig
from containerlab.engine.network_set import NetworkSet
from containerlab.engine.options import network_mode
from containerlab.errors import Forbidden, InvalidParameter, NoSuchNetwork
from containerlab.network import ports
from containerlab.network.model import Endpoint, Network

__all__ = ["endpoint", "endpoints", "settle", "wanted_ports"]

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
    if mode in ("none", "host") or mode.startswith("container:"):
        for settings in asked.values():
            _check_empty(settings, mode)
        return []
    names = list(asked)
    if mode != "default" or not names:
        first = "bridge" if mode == "default" else mode
        same = {name for name in names if _identity(known, name) == _identity(known, first)}
        names = [*(same or [first]), *(name for name in asked if name not in same)]
    ends = [_end(known, name, asked.get(name, EndpointConfig())) for name in names]
    if config.mac_address and not ends[0].asked_mac:
        ends[0].asked_mac = _checked_mac(config.mac_address)
    return ends


def _find(known: NetworkSet, name: str) -> Network | None:
    try:
        return known.get(name)
    except NoSuchNetwork:
        return None


def _identity(known: NetworkSet, name: str) -> str:
    network = _find(known, name)
    return name if network is None else network.id


def _end(known: NetworkSet, name: str, asked: EndpointConfig) -> Endpoint:
    """On a network that isn't there, as Docker, an end without its id: the start asks for it again."""
    network = _find(known, name)
    return _noted("", name, asked) if network is None else endpoint(network, asked)


def settle(known: NetworkSet, end: Endpoint) -> Network:
    """An end's network at the start. Raises NoSuchNetwork, InvalidParameter for what it can't give."""
    network = known.by_id(end.network_id)
    if network is None:
        if end.network_id:
            raise NoSuchNetwork(end.network, hint="It was removed since this container was made.")
        network = known.get(end.network)
        for text, version in ((end.asked_address, 4), (end.asked_address6, 6)):
            if text:
                _check_address(network, text, version)
        end.network_id, end.network = network.id, network.name
    return network


def endpoint(network: Network, asked: EndpointConfig) -> Endpoint:
    """Raises InvalidParameter for what that network can't give."""
    if network.name in ("host", "none"):
        raise Forbidden(_OWN[network.name])
    ipam = asked.ipam_config or {}
    address, address6 = str(ipam.get("IPv4Address") or asked.ip_address), str(ipam.get("IPv6Address") or "")
    _check_carried_out(asked)
    if not network.names:
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
    return _noted(network.id, network.name, asked)


def _check_carried_out(asked: EndpointConfig) -> None:
    refusals = {
        "--link-local-ip": bool((asked.ipam_config or {}).get("LinkLocalIPs")),
        "--driver-opt": bool(asked.driver_opts),
        "--gw-priority": bool(asked.gw_priority),
    }
    for option, given in refusals.items():
        if given:
            raise InvalidParameter(f"{option} isn't carried out by this engine.")


def _noted(network_id: str, name: str, asked: EndpointConfig) -> Endpoint:
    """What was asked, word by word."""
    ipam = asked.ipam_config or {}
    return Endpoint(
        network_id=network_id,
        network=name,
        aliases=list(dict.fromkeys(asked.aliases)),
        links=[":".join(parse_link(link)) for link in asked.links],
        asked_address=str(ipam.get("IPv4Address") or asked.ip_address),
        asked_address6=str(ipam.get("IPv6Address") or ""),
        asked_mac=_checked_mac(asked.mac_address),
    )


def _check_empty(settings: EndpointConfig, mode: str) -> None:
    """Without an end on a bridge nothing of it can be had."""
    _check_carried_out(settings)
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
