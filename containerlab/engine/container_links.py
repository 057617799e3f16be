"""``--link NAME:ALIAS``: one container's own names for others.

On a user network the name service answers the alias to that container alone; on the default one, which has no name
service, a line of /etc/hosts does it, and ``OWN/ALIAS`` is one more name of the other for every client
(``Registry.get``). The variables that Docker set for links once (``ALIAS_PORT_…``) aren't.
Source: docker/cli opts (``ParseLink``), moby daemon/links.go.
"""

from __future__ import annotations

import contextlib

import msgspec

from containerlab.engine.container import Container, Registry
from containerlab.engine.link_words import parse_link
from containerlab.engine.models import HostConfig
from containerlab.engine.options import network_mode
from containerlab.errors import Conflict, InvalidParameter, NoSuchContainer
from containerlab.network.model import Endpoint

__all__ = ["hosts_lines", "link_names", "linked_names", "resolve_links", "shown_links", "without_link"]


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


def linked_names(registry: Registry) -> dict[str, list[str]]:
    """What others call a container, by its id: ``/OTHER/ALIAS`` for each link to it on the default network."""
    found: dict[str, list[str]] = {}
    for container in registry:
        host = container.record.host_config
        if host.links and network_mode(host) == "default":
            for name, alias in map(parse_link, host.links):
                found.setdefault(name, []).append(f"/{container.name}/{alias}")
    return found


def without_link(registry: Registry, ref: str) -> Container:
    """The container that calls another ``OWN/ALIAS``, its record without that link; the caller saves it.

    Raises NoSuchContainer, and Conflict for a name that is no link's.
    """
    other = registry.get(ref)
    own, _, alias = ref.strip("/").rpartition("/")
    if not own:
        raise Conflict("Conflict, cannot remove the default link name of the container")
    container = registry.get(own)
    host = container.record.host_config
    kept = [text for text in host.links if parse_link(text) != (other.id, alias)]
    container.record = msgspec.structs.replace(container.record, host_config=msgspec.structs.replace(host, links=kept))
    return container


def hosts_lines(registry: Registry, container: Container) -> list[str]:
    """For /etc/hosts, of the links on the default network. Raises Conflict for one that doesn't run, or is gone."""
    host = container.record.host_config
    if network_mode(host) != "default" or not any(end.network == "bridge" for end in container.state.endpoints):
        return []
    lines = []
    for text in host.links:
        name, alias = parse_link(text)
        other = registry.get(name) if name in registry else None
        if other is None or not other.state.running:
            called = name[:12] if other is None else other.name
            raise Conflict(f"Cannot link to a non running container: /{called} AS /{container.name}/{alias}")
        address = next((end.address for end in other.state.endpoints if end.network == "bridge"), "")
        if address:
            names = dict.fromkeys([alias, other.id[:12], other.name])
            lines.append(f"{address}\t{' '.join(names)}\n")
    return lines


def link_names(registry: Registry, ends: list[Endpoint]) -> dict[str, str]:
    """For the name service: each alias, and a name by which the other is known on the network that both are on.

    On the default network, which has no names, a link of an end is a note and no more, as in Docker.
    """
    found = {}
    for end in ends:
        if end.network == "bridge":
            continue
        for text in end.links:
            name, alias = parse_link(text)
            try:
                found[alias.lower()] = registry.get(name).id[:12]
            except NoSuchContainer:
                found[alias.lower()] = name.lower()  # an alias, or a container that comes later
    return found
