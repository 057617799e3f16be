"""``--link NAME:ALIAS``: one container's own names for others.

On a user network the name service answers the alias to that container alone; on the default one, which has no name
service, a line of /etc/hosts does it. The variables that Docker set for links once (``ALIAS_PORT_…``) aren't.
Source: docker/cli opts (``ParseLink``), moby daemon/links.go.
"""

from __future__ import annotations

import contextlib

from containerlab.engine.container import Container, Registry
from containerlab.engine.models import HostConfig
from containerlab.engine.options import network_mode
from containerlab.errors import Conflict, InvalidParameter, NoSuchContainer
from containerlab.network.model import Endpoint

__all__ = ["hosts_lines", "link_names", "parse_link", "resolve_links", "shown_links"]


def parse_link(text: str) -> tuple[str, str]:
    """The other container, and what it is called. Raises InvalidParameter."""
    parts = text.split(":")
    if not text or not parts[0] or len(parts) > 2:
        raise InvalidParameter(f"bad format for links: {text}" if text else "empty string specified for links")
    # As inspect shows them: /NAME:/OWN/ALIAS.
    name, alias = parts[0].lstrip("/"), parts[-1].rpartition("/")[2]
    return name, alias or name


def resolve_links(registry: Registry, host: HostConfig) -> None:
    """Note whom a new container links to by id: names change. Raises InvalidParameter for one that isn't there.

    On a user network ``Links`` is a note: what holds are the links of its endpoint.
    """
    if network_mode(host) == "default":
        found = []
        for text in host.links:
            name, alias = parse_link(text)
            try:
                found.append(f"{registry.get(name).id}:{alias}")
            except NoSuchContainer:
                raise InvalidParameter(f"could not get container for {name}: No such container: {name}") from None
        host.links = found


def shown_links(registry: Registry, container: Container) -> list[str] | None:
    """As Docker's inspect: ``/OTHER:/OWN/ALIAS`` by the names of now; nothing of user networks, nor of who is gone."""
    host = container.record.host_config
    if network_mode(host) != "default":
        return None
    found = []
    for name, alias in map(parse_link, host.links):
        with contextlib.suppress(NoSuchContainer):
            found.append(f"/{registry.get(name).name}:/{container.name}/{alias}")
    return found or None


def hosts_lines(registry: Registry, container: Container) -> list[str]:
    """For /etc/hosts, of the links on the default network. Raises Conflict for one that doesn't run."""
    if not any(end.network == "bridge" for end in container.state.endpoints):
        return []
    lines = []
    for text in container.record.host_config.links:
        name, alias = parse_link(text)
        other = registry.get(name)
        if not other.state.running:
            raise Conflict(f"Cannot link to a non running container: /{other.name} AS /{container.name}/{alias}")
        address = next((end.address for end in other.state.endpoints if end.network == "bridge"), "")
        if address:
            names = dict.fromkeys([alias, other.id[:12], other.name])
            lines.append(f"{address}\t{' '.join(names)}\n")
    return lines


def link_names(registry: Registry, ends: list[Endpoint]) -> dict[str, str]:
    """For the name service: each alias, and a name by which the other is known on the network that both are on."""
    found = {}
    for end in ends:
        for text in end.links:
            name, alias = parse_link(text)
            try:
                found[alias.lower()] = registry.get(name).id[:12]
            except NoSuchContainer:
                found[alias.lower()] = name.lower()  # an alias, or a container that comes later
    return found
