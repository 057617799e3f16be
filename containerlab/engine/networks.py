"""Networks: the default one, and those that users make, on which containers find each other by name.

Source of the words and of the order of checks: moby daemon/network.go, libnetwork/error.go.
"""

from __future__ import annotations

import builtins
import ipaddress
import re
import time
from typing import Any

from containerlab.engine.attachments import Attachments
from containerlab.engine.container import Container
from containerlab.engine.matching import check_names, label_matches
from containerlab.engine.models import EndpointConfig, NetworkCreate, decode
from containerlab.engine.moments import moment
from containerlab.engine.names import new_id
from containerlab.engine.network_plan import endpoint
from containerlab.engine.network_set import PREDEFINED, driver_of
from containerlab.engine.network_views import network_view
from containerlab.engine.parts import Parts
from containerlab.errors import Conflict, Forbidden, InvalidParameter, NotFound
from containerlab.network.addresses import free_subnet, parse_subnet
from containerlab.network.model import Network, Subnet

__all__ = ["Networks"]

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
_FILTERS = ("dangling", "driver", "id", "label", "name", "scope", "type")
_PRUNE = ("label", "label!", "until")
_TRUE = ("1", "true")
# Options of Docker's bridge driver that change nothing here, and the values with which they say what is so anyhow.
_HARMLESS = {
    "com.docker.network.bridge.enable_ip_masquerade": ("true", "false"),
    "com.docker.network.bridge.enable_icc": ("true",),
    "com.docker.network.bridge.default_bridge": ("false",),
}
_MTU = "com.docker.network.driver.mtu"


class Networks:
    """Raises NoSuchNetwork, with near names, for one that it doesn't know."""

    def __init__(self, parts: Parts, attachments: Attachments) -> None:
        self._parts = parts
        self._attachments = attachments
        self._known = attachments.known

    async def list(self, filters: dict[str, builtins.list[str]] | None = None) -> builtins.list[dict[str, Any]]:
        """Every network that passes, without its containers, as Docker."""
        wanted = filters or {}
        check_names(wanted, _FILTERS)
        return [network_view(network, []) for network in self._known if self._passes(network, wanted)]

    async def inspect(self, ref: str) -> dict[str, Any]:
        """Docker's network inspect."""
        network = self._known.get(ref)
        return network_view(network, self._users(network))

    async def create(self, body: dict[str, Any]) -> str:
        """The new network's id. Raises InvalidParameter, Conflict, Forbidden, HostLacks."""
        asked = decode(NetworkCreate, body)
        _check(asked)
        if any(network.name == asked.name for network in self._known):
            raise Conflict(f"network with name {asked.name} already exists")
        await self._attachments.require()
        network = Network(
            id=new_id(),
            name=asked.name,
            created=time.time_ns(),
            subnets=self._subnets(asked),
            internal=asked.internal,
            attachable=asked.attachable,
            ipv6=bool(asked.enable_ipv6),
            options=asked.options,
            labels=asked.labels,
        )
        self._known.add(network)
        self._tell(network, "create")
        return network.id

    def _subnets(self, asked: NetworkCreate) -> builtins.list[Subnet]:
        """IPv4 first; what the request leaves open comes from the default pools."""
        taken = self._known.subnets()
        found: dict[int, Subnet] = {}
        for config in asked.ipam.config if asked.ipam else []:
            if not config.subnet:
                raise InvalidParameter("invalid ipam config: a subnet is missing")
            subnet = parse_subnet(config.subnet, config.gateway, config.ip_range, taken)
            subnet.auxiliary = config.auxiliary_addresses
            version = ipaddress.ip_network(subnet.subnet).version
            if version in found:
                raise InvalidParameter(f"a network has one IPv{version} subnet here, and two were asked for")
            if version == 6 and not asked.enable_ipv6:
                raise InvalidParameter(f"subnet {config.subnet} needs --ipv6")
            found[version] = subnet
        for version in (4, 6) if asked.enable_ipv6 else (4,):
            if version not in found:
                found[version] = free_subnet(taken, version=version, seed=self._parts.engine_id)
        return [found[version] for version in sorted(found)]

    async def remove(self, ref: str) -> None:
        """Raises Forbidden for one of the engine's own, and while a container runs on it."""
        network = self._known.get(ref)
        if network.name in PREDEFINED:
            raise Forbidden(f"{network.name} is a pre-defined network and cannot be removed")
        users = self._users(network)
        if users:
            who = ", ".join(f'name:"{container.name}" id:"{container.id[:12]}"' for container in users)
            raise Forbidden(
                f"error while removing network: network {network.name} has active endpoints ({who})",
                hint="Stop them, or take them off by: docker network disconnect.",
            )
        await self._remove(network)

    async def _remove(self, network: Network) -> None:
        self._known.discard(network)
        self._tell(network, "destroy")
        await self._attachments.run(self._attachments.worker.delete, [network.bridge])

    async def prune(self, filters: dict[str, builtins.list[str]] | None = None) -> dict[str, Any]:
        """Remove the users' networks that no container runs on; one that doesn't run keeps none, as in Docker."""
        wanted = filters or {}
        check_names(wanted, _PRUNE)
        bounds = [moment(value) for value in wanted.get("until", [])]
        gone = []
        for network in self._known:
            if (
                network.name not in PREDEFINED
                and not self._users(network)
                and all(label_matches(network.labels, value) for value in wanted.get("label", []))
                and not any(label_matches(network.labels, value) for value in wanted.get("label!", []))
                and all(network.created / 1e9 < bound for bound in bounds)
            ):
                await self._remove(network)
                gone.append(network.name)
        self._parts.tell_prune("network", 0)
        return {"NetworksDeleted": gone or None}

    async def connect(self, ref: str, container_ref: str, settings: EndpointConfig) -> None:
        """Join a container, running or not, to one more network."""
        network, container = self._known.get(ref), self._parts.registry.get(container_ref)
        async with container.lock:
            state = container.state
            if not state.networked:
                raise Forbidden(
                    f"container {container.name} has no network of bridges (it was created with "
                    f"--network {container.record.host_config.network_mode}), and cannot be connected to one"
                )
            if any(end.network_id == network.id for end in state.endpoints):
                raise Forbidden(f"endpoint with name {container.name} already exists in network {network.name}")
            end = endpoint(network, settings)
            if state.running:
                await self._attachments.connect(container, network, end)
            else:
                state.endpoints = [*state.endpoints, end]
            self._parts.save(container)
            self._tell(network, "connect", container=container.id)

    async def disconnect(self, ref: str, container_ref: str, *, force: bool = False) -> None:
        """Take a container off a network; with ``force`` also one that is known no more."""
        network = self._known.get(ref)
        try:
            container = self._parts.registry.get(container_ref)
        except Exception:
            if force:
                return
            raise
        async with container.lock:
            state = container.state
            end = next((end for end in state.endpoints if end.network_id == network.id), None)
            if end is None:
                raise Forbidden(f"container {container.id} is not connected to network {network.name}")
            if state.running:
                await self._attachments.disconnect(container, end)
            else:
                state.endpoints = [other for other in state.endpoints if other is not end]
            self._parts.save(container)
            self._tell(network, "disconnect", container=container.id)

    def _users(self, network: Network) -> builtins.list[Container]:
        """Those that run on it."""
        return [
            container
            for container in self._parts.registry
            if any(end.id and end.network_id == network.id for end in container.state.endpoints)
        ]

    def _passes(self, network: Network, wanted: dict[str, builtins.list[str]]) -> bool:
        kind = "builtin" if network.name in PREDEFINED else "custom"
        for value in wanted.get("type", []):
            if value not in ("builtin", "custom"):
                raise InvalidParameter(f"invalid filter: 'type'='{value}'")
        dangling = wanted.get("dangling", [])
        if dangling and dangling[0].lower() not in (*_TRUE, "0", "false"):
            raise InvalidParameter(f"invalid filter 'dangling={dangling[0]}'")
        is_dangling = kind == "custom" and not self._users(network)
        return (
            all(label_matches(network.labels, value) for value in wanted.get("label", []))
            and (not dangling or (dangling[0].lower() in _TRUE) is is_dangling)
            and ("driver" not in wanted or driver_of(network) in wanted["driver"])
            and ("id" not in wanted or any(network.id.startswith(value) for value in wanted["id"]))
            and ("name" not in wanted or any(value in network.name for value in wanted["name"]))
            and ("scope" not in wanted or "local" in wanted["scope"])
            and ("type" not in wanted or kind in wanted["type"])
        )

    def _tell(self, network: Network, action: str, **attributes: str) -> None:
        said = {**attributes, "name": network.name, "type": driver_of(network)}
        self._parts.events.publish("network", action, network.id, said)


def _check(asked: NetworkCreate) -> None:
    """Raise for a name that can't be, and for what no network here can do."""
    if asked.name in PREDEFINED:
        raise Forbidden(f"operation is not permitted on predefined {asked.name} network")
    if not _NAME.fullmatch(asked.name):
        raise InvalidParameter(f"invalid network name {asked.name!r}: only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
    if asked.driver in ("host", "null"):
        raise Forbidden(f'only one instance of "{asked.driver}" network is allowed')
    if asked.driver not in ("", "default", "bridge"):
        raise NotFound(f'plugin "{asked.driver}" not found', hint="The one network driver here is bridge.")
    refusals = {
        "--ingress": asked.ingress,
        "--config-only": asked.config_only,
        "--config-from": bool(asked.config_from.get("Network")),
        f"--scope {asked.scope}": asked.scope not in ("", "local"),
        "--ipv4=false": asked.enable_ipv4 is False,
        "--ipam-opt": asked.ipam is not None and bool(asked.ipam.options),
        "--ipam-driver": asked.ipam is not None and asked.ipam.driver not in ("", "default"),
    }
    for option, given in refusals.items():
        if given:
            raise InvalidParameter(f"{option} isn't carried out by this engine.")
    for name, value in asked.options.items():
        if name == _MTU:
            if not value.isdecimal() or not 68 <= int(value) <= 65535:
                raise InvalidParameter(f"invalid value for {_MTU}: {value!r}")
        elif value.lower() not in _HARMLESS.get(name, ()):
            raise InvalidParameter(f"the network option {name}={value} isn't carried out by this engine.")
