"""The networking part of a create request: published ports, and how a container joins its networks.

Source: docker/cli ``container/opts.go`` and ``opts/network.go``; docker/go-connections ``nat`` for a port's grammar.
Whether the engine can carry it out is the engine's to say.
"""

from __future__ import annotations

__all__ = ["endpoints", "network_mode", "ports"]

import ipaddress
import re
from typing import Any

from containerlab.commands.run_options import RunOptions
from containerlab.errors import UsageError

_PROTOCOLS = ("tcp", "udp", "sctp")
_PUBLISH_KEYS = ("target", "published", "protocol", "mode")
_NETWORK_KEYS = ("name", "alias", "ip", "ip6", "mac-address", "link-local-ip", "driver-opt", "gw-priority")
_ENGINES_OWN = ("none", "host", "default", "bridge", "")
Bindings = dict[str, list[dict[str, str]]]


def ports(options: RunOptions) -> tuple[dict[str, dict[str, str]], Bindings]:
    """``ExposedPorts`` and ``PortBindings``. Raises UsageError in Docker's words."""
    bindings: Bindings = {}
    for word in options.publish:
        for port, binding in _published(_standard(word)):
            bindings.setdefault(port, []).append(binding)
    exposed: dict[str, dict[str, str]] = {port: {} for port in bindings}
    for word in options.expose:
        exposed.update((port, {}) for port in _exposed(word))
    return exposed, bindings


def network_mode(options: RunOptions) -> str | None:
    """``NetworkMode``: the first ``--network``."""
    return _network(options.network[0])["name"] if options.network else None


def endpoints(options: RunOptions) -> dict[str, dict[str, Any]]:
    """``EndpointsConfig``, empty where nothing but one network's name was said. Raises UsageError."""
    joined: dict[str, dict[str, Any]] = {}
    asked = [_network(word) for word in options.network] or [_network("default")]
    for at, network in enumerate(asked):
        name = network.pop("name")
        if name in joined:
            raise UsageError(f'network "{name}" is specified multiple times')
        joined[name] = _endpoint(name, {**network, **_flags(options, network)} if at == 0 else network)
    return joined if len(joined) > 1 or any(joined.values()) else {}


def _flags(options: RunOptions, network: dict[str, Any]) -> dict[str, Any]:
    """What ``--ip``, ``--network-alias`` and such say of the first network."""
    said = {
        "alias": list(options.network_alias), "ip": options.ip, "ip6": options.ip6,
        "link-local-ip": list(options.link_local_ip), "mac-address": options.mac_address,
    }  # fmt: skip
    said = {key: value for key, value in said.items() if value}
    for key in said.keys() & network.keys():
        option = "--network-alias" if key == "alias" else f"--{key}"
        raise UsageError(f"conflicting options: cannot specify both {option} and per-network {key}")
    return said


def _endpoint(name: str, said: dict[str, Any]) -> dict[str, Any]:
    if said.get("alias") and (name in _ENGINES_OWN or name.startswith("container:")):
        raise UsageError("network-scoped aliases are only supported for user-defined networks")
    addresses = {
        "IPv4Address": said.get("ip"),
        "IPv6Address": said.get("ip6"),
        "LinkLocalIPs": said.get("link-local-ip"),
    }
    endpoint = {
        "IPAMConfig": {key: value for key, value in addresses.items() if value},
        "Aliases": said.get("alias"),
        "MacAddress": said.get("mac-address"),
    }
    return {key: value for key, value in endpoint.items() if value}


def _network(word: str) -> dict[str, Any]:
    """``NAME``, or ``name=NAME,alias=…,ip=…``."""
    if "=" not in word:
        return {"name": word}
    found: dict[str, Any] = {}
    for part in word.split(","):
        key, equals, value = part.partition("=")
        key = key.strip().lower()
        if not equals:
            raise UsageError(f"--network {word}: invalid field {part}")
        if key not in _NETWORK_KEYS:
            raise UsageError(f"--network {word}: invalid field key {key}")
        if key in ("driver-opt", "gw-priority"):
            raise UsageError(f"--network {word}: {key} isn't carried out yet.")
        if key in ("alias", "link-local-ip"):
            found.setdefault(key, []).append(value)
        else:
            found[key] = value
    if not found.get("name"):
        raise UsageError(f"--network {word}: network name/id is not specified")
    return found


def _standard(word: str) -> str:
    """``target=80,published=8080`` as ``8080:80/tcp``."""
    if "=" not in word:
        return word
    found = {"protocol": "tcp", "published": ""}
    for part in word.split(","):
        key, equals, value = part.partition("=")
        if not equals:
            raise UsageError(f"invalid publish opts format (should be name=value but got '{part}')")
        if key not in _PUBLISH_KEYS:
            raise UsageError(f"-p {word}: invalid field key {key}")
        found[key] = value
    if not found.get("target"):
        raise UsageError(f'-p {word}: missing mandatory field "target"')
    return f"{found['published']}:{found['target']}/{found['protocol']}"


def _published(word: str) -> list[tuple[str, dict[str, str]]]:
    """``[[IP:]HOST_PORT:]PORT[/PROTOCOL]``; ports may be ranges."""
    outside, _, inside = word.rpartition(":")
    address, _, host_port = outside.rpartition(":")
    port, _, protocol = inside.partition("/")
    address = _address(address)
    if not port:
        raise UsageError(f"no port specified: {word}<empty>")
    first, last = _range(port, f"invalid containerPort: {port}")
    host_first, host_last = _range(host_port, f"invalid hostPort: {host_port}") if host_port else (0, 0)
    if host_port and last - first != host_last - host_first and first != last:
        raise UsageError(f"invalid ranges specified for container and host Ports: {port} and {host_port}")
    protocol = _protocol(protocol)
    if first == last and host_first != host_last:
        return [(f"{first}/{protocol}", {"HostIp": address, "HostPort": f"{host_first}-{host_last}"})]
    return [
        (f"{first + at}/{protocol}", {"HostIp": address, "HostPort": str(host_first + at) if host_port else ""})
        for at in range(last - first + 1)
    ]


def _exposed(word: str) -> list[str]:
    if ":" in word:
        raise UsageError(f"invalid port format for --expose: {word}")
    port, _, protocol = word.partition("/")
    first, last = _range(port, f"invalid range format for --expose: {word}")
    return [f"{number}/{_protocol(protocol)}" for number in range(first, last + 1)]


def _address(text: str) -> str:
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return bare if not bare else str(ipaddress.ip_address(bare)) and bare
    except ValueError:
        raise UsageError(f"invalid IP address: {bare}") from None


def _protocol(text: str) -> str:
    if text and text.lower() not in _PROTOCOLS:
        raise UsageError(f"invalid proto: {text}")
    return text.lower() or "tcp"


def _range(text: str, message: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", text)
    if match is None:
        raise UsageError(message)
    first, last = int(match[1]), int(match[2] or match[1])
    if not first <= last <= 65535:
        raise UsageError(message)
    return first, last
