"""Who can reach whom: the networks, the containers that run on them, the names they answer to, the ports they publish.

All of it is told by Docker's own ``networks``, ``ps`` and ``inspect``, so that any engine will do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import docker.errors

from containerlab.lab.needs import shares_everything

__all__ = ["End", "Guest", "Place", "Published", "Reach", "gather", "read_reach"]

_OUR_OWN = ("host", "null")
_DEFAULT, _ICC = "com.docker.network.bridge.default_bridge", "com.docker.network.bridge.enable_icc"


@dataclass(frozen=True)
class Place:
    """A network. ``subnets`` pairs each range with its gateway; ``kind`` is its driver: bridge, host, null."""

    name: str
    kind: str = "bridge"
    subnets: tuple[tuple[str, str], ...] = ()
    internal: bool = False
    has_names: bool = True
    mutual: bool = True
    """Whether those on it reach each other: not where Docker's bridge was told ``enable_icc=false``."""
    names_alone: bool = False
    """Whether it is a set of names and nothing more: on a host where every container shares the host's network."""

    @property
    def leads_out(self) -> bool:
        """Whether packets may leave it by its gateway."""
        return self.kind == "host" or self.names_alone or (self.kind != "null" and not self.internal)


@dataclass(frozen=True)
class End:
    """A container's place on a network. ``links`` pairs a name that this container alone knows with the other's."""

    network: str
    addresses: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Published:
    """A port inside (``80/tcp``) and where the host has it (``127.0.0.1:8080``)."""

    inside: str
    host: str


@dataclass(frozen=True)
class Guest:
    """A container that runs; ``lodges_with`` names the one whose network namespace it is in."""

    name: str
    image: str = ""
    ends: tuple[End, ...] = ()
    published: tuple[Published, ...] = ()
    lodges_with: str = ""

    def on(self, network: str) -> End | None:
        """Its end there."""
        return next((end for end in self.ends if end.network == network), None)


@dataclass(frozen=True)
class Reach:
    """``places`` in the order they are shown in, ``guests`` so that those of one network stand together."""

    places: tuple[Place, ...]
    guests: tuple[Guest, ...]
    shared: bool = False
    """Whether there is one network for all, the host's (a host without namespaces): nobody is kept from anybody."""

    def on(self, network: str) -> list[Guest]:
        """Who is there."""
        return [guest for guest in self.guests if guest.on(network)]

    def reached(self, guest: Guest) -> dict[str, list[str]]:
        """Other containers that this one reaches: for each the names that it may use, none where by address alone."""
        found: dict[str, list[str]] = {}
        if self.shared:
            found = {other.name: [] for other in self.guests if other is not guest}
        for place in self.places:
            own = guest.on(place.name)
            if own is None or place.kind in _OUR_OWN or not place.mutual:
                continue
            for other in self.guests:
                end = other.on(place.name)
                if other is guest or end is None:
                    continue
                if (other.lodges_with or other.name) == (guest.lodges_with or guest.name):
                    found[other.name] = ["localhost"]
                    continue
                names = [alias for alias, name in own.links if name in (other.name, *end.names)]
                names += end.names if place.has_names else ()
                found[other.name] = [*dict.fromkeys([*found.get(other.name, []), *names])]
        return found

    def to_dict(self) -> dict[str, Any]:
        """For a program."""
        return {
            "networks": [
                {
                    "name": place.name,
                    "driver": place.kind,
                    "subnets": [{"subnet": subnet, "gateway": gateway} for subnet, gateway in place.subnets],
                    "internal": place.internal,
                    "names": place.has_names,
                    "leads_out": place.leads_out,
                    "names_alone": place.names_alone,
                }
                for place in self.places
            ],
            "containers": [
                {
                    "name": guest.name,
                    "image": guest.image,
                    "lodges_with": guest.lodges_with,
                    "networks": {
                        end.network: {"addresses": list(end.addresses), "names": list(end.names)} for end in guest.ends
                    },
                    "published": [{"inside": port.inside, "host": port.host} for port in guest.published],
                    "reaches": self.reached(guest),
                }
                for guest in self.guests
            ],
        }


def read_reach(client: Any, names: Sequence[str] = ()) -> Reach:
    """Read all networks that a container runs on, or those that are named. Raises docker's NotFound."""
    networks = client.api.networks()
    chosen = [client.api.inspect_network(name)["Name"] for name in names]
    shown = []
    for listed in client.api.containers():
        try:
            shown.append(client.api.inspect_container(listed["Id"]))
        except docker.errors.NotFound:  # it has ended since
            continue
    return gather(networks, shown, chosen, shared=shares_everything(client))


def gather(
    networks: Iterable[dict[str, Any]],
    containers: Sequence[dict[str, Any]],
    chosen: Sequence[str] = (),
    *,
    shared: bool = False,
) -> Reach:
    """Of what Docker's API tells: ``networks`` as listed, ``containers`` as inspected; ``shared``: see ``Reach``."""
    owners = {shown["Id"]: shown for shown in containers}
    guests = [_guest(shown, owners) for shown in containers]
    users = {end.network for guest in guests for end in guest.ends}
    known = map(_only_names if shared else _place, networks)
    places = [place for place in known if place.name in (chosen or users)]
    # What people made first, by name; then what every engine has.
    places.sort(key=lambda place: (place.kind in _OUR_OWN, not place.has_names, place.name))
    order = {place.name: number for number, place in enumerate(places)}
    seen = [guest for guest in guests if any(end.network in order for end in guest.ends)]

    def key(guest: Guest) -> tuple[object, ...]:
        """Those who lodge with another one stand below it; ``web-2`` above ``web-10``."""
        at = sorted(order[end.network] for end in guest.ends if end.network in order)
        return at, _counted(guest.lodges_with or guest.name), bool(guest.lodges_with), _counted(guest.name)

    return Reach(tuple(places), tuple(sorted(seen, key=key)), shared)


def _counted(name: str) -> list[tuple[str, int]]:
    return [(word, int(number or 0)) for word, number in re.findall(r"(\D+|^)(\d*)", name)]


def _place(network: dict[str, Any]) -> Place:
    pools = (network.get("IPAM") or {}).get("Config") or []
    kind = network["Driver"]
    options = network.get("Options") or {}
    default = network["Name"] == "bridge" or options.get(_DEFAULT) == "true"
    return Place(
        name=network["Name"],
        kind=kind,
        subnets=tuple((pool.get("Subnet", ""), pool.get("Gateway", "")) for pool in pools),
        internal=bool(network.get("Internal")),
        has_names=not default and kind not in _OUR_OWN,
        mutual=options.get(_ICC, "true") == "true",
    )


def _only_names(network: dict[str, Any]) -> Place:
    """Its range of addresses is nobody's, and it keeps nothing in or out."""
    place = _place(network)
    return replace(place, subnets=(), internal=False, mutual=True, names_alone=True)


def _guest(shown: dict[str, Any], owners: dict[str, dict[str, Any]]) -> Guest:
    """``--network container:X`` gives X's ends, without a name of its own."""
    mode = shown["HostConfig"].get("NetworkMode") or ""
    kind, _, whose = mode.partition(":")
    owner = owners.get(whose) or next((each for each in owners.values() if _name(each) == whose), None)
    name, image = _name(shown), shown["Config"].get("Image", "")
    if kind == "container":
        if owner is None:
            return Guest(name, image, lodges_with=whose)
        ends = tuple(End(end.network, end.addresses) for end in _ends(owner))
        return Guest(name, image, ends, lodges_with=_name(owner))
    return Guest(name, image, _ends(shown), _published(shown))


def _name(shown: dict[str, Any]) -> str:
    return str(shown["Name"]).lstrip("/")


def _ends(shown: dict[str, Any]) -> tuple[End, ...]:
    own = _name(shown)
    # On the default network links stand in the container's own part, /OTHER:/OWN/ALIAS.
    of_old = [_link(text) for text in shown["HostConfig"].get("Links") or []]
    found = []
    for network, settings in (shown["NetworkSettings"].get("Networks") or {}).items():
        addresses = [settings.get("IPAddress"), settings.get("GlobalIPv6Address")]
        if network == "bridge":
            names, links = [], of_old
        else:
            links = [_link(text) for text in settings.get("Links") or []]
            said = settings.get("DNSNames") or [own, *(settings.get("Aliases") or [])]
            names = [name for name in dict.fromkeys([own, *said]) if not shown["Id"].startswith(name)]
        if network in ("host", "none"):
            names = []
        found.append(End(network, tuple(filter(None, addresses)), tuple(names), tuple(links)))
    return tuple(found)


def _link(text: str) -> tuple[str, str]:
    """The alias, and whose."""
    other, _, alias = text.partition(":")
    return alias.rpartition("/")[2] or other.lstrip("/"), other.lstrip("/")


def _published(shown: dict[str, Any]) -> tuple[Published, ...]:
    return tuple(
        Published(inside, f"[{address}]:{port}" if ":" in address else f"{address}:{port}")
        for inside, doors in (shown["NetworkSettings"].get("Ports") or {}).items()
        for door in doors or []
        if (port := door["HostPort"]) and (address := door["HostIp"] or "0.0.0.0")
    )
