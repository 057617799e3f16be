"""What the map of networks says in words: its sentence, its table, its tooltips."""

from __future__ import annotations

from collections.abc import Iterable

from containerlab.lab.reach import End, Guest, Place, Reach
from containerlab.lab.words import Words, say

__all__ = ["TITLES", "about", "names_there", "rows", "summary"]

TITLES = {
    "container": Words("container"),
    "network": Words("network"),
    "address": Words("address"),
    "names": Words("names there"),
    "published": Words("published"),
    "reaches": Words("reaches"),
}
"""The columns of the table."""

_FEW = 6


def summary(found: Reach) -> str:
    """What a reader should take home, in a sentence or two."""
    if not found.guests:
        return say("No container that runs is on a network here.")
    if found.shared:
        return _shared(found)
    told = [
        say("on {network}: {names}", network=place.name, names=_few(guest.name for guest in found.on(place.name)))
        for place in found.places
        if found.on(place.name) and place.kind not in ("host", "null") and place.mutual
    ]
    said = (
        [say("Containers reach each other where they share a network: {told}.", told="; ".join(told))] if told else []
    )
    doors = [
        f"{guest.name} ({', '.join(port.host for port in guest.published)})"
        for guest in found.guests
        if guest.published
    ]
    said.append(
        say("From the host a published port leads to {names}.", names=_few(doors))
        if doors
        else say("No port is published, so that none is reached from the host by one.")
    )
    internal = [place.name for place in found.places if place.internal]
    if internal:
        said.append(say("No way leads out of {networks}.", networks=_few(internal)))
    return " ".join(said)


def _shared(found: Reach) -> str:
    """Without namespaces: what keeps nobody apart, and the names that are left of a network."""
    said = [
        say("All containers share this host's network: each reaches every other, and whatever listens on this host.")
    ]
    told = [
        say("on {network}: {names}", network=place.name, names=_few(guest.name for guest in found.on(place.name)))
        for place in found.places
        if found.on(place.name) and place.has_names
    ]
    if told:
        said.append(say("A network is only who knows whom by name: {told}.", told="; ".join(told)))
    return " ".join(said)


def rows(found: Reach) -> list[dict[str, str]]:
    """A row for each place of each container, under the keys of ``TITLES``; networks without any have one too."""
    shown = []
    there = {place.name: {guest.name for guest in found.on(place.name)} for place in found.places}
    for guest in found.guests:
        reached = found.reached(guest)
        for number, end in enumerate(guest.ends):
            place = next((place for place in found.places if place.name == end.network), None)
            if place is None:
                continue
            others = [name for name in reached if found.shared or name in there[place.name]]
            shown.append(
                {
                    "container": guest.name,
                    "network": place.name,
                    "address": ", ".join(end.addresses),
                    "names": names_there(end, place),
                    "published": ", ".join(_door(guest)) if number == 0 else "",
                    "reaches": _few(_called(name, reached[name]) for name in others),
                }
            )
    empty = [place for place in found.places if not there[place.name]]
    return shown + [{**dict.fromkeys(TITLES, ""), "network": place.name} for place in empty]


def names_there(end: End, place: Place) -> str:
    """What it answers to; the default network knows no names."""
    if end.names:
        return ", ".join(end.names)
    return say("no name there") if place.kind not in ("host", "null") else ""


def about(place: Place) -> str:
    """The words of a network's tooltip."""
    ranges = ", ".join(
        say("{subnet} by gateway {gateway}", subnet=subnet, gateway=gateway) if gateway else subnet
        for subnet, gateway in place.subnets
    )
    if place.names_alone:
        return say("{network}: names alone, on this host's network", network=place.name)
    internal = say("internal: no way out") if place.internal else ""
    return ": ".join(filter(None, [place.name, "; ".join(filter(None, [ranges, internal]))]))


def _door(guest: Guest) -> list[str]:
    return [f"{port.host}->{port.inside}" for port in guest.published]


def _called(name: str, names: list[str]) -> str:
    if not names:
        return say("{name} (by address)", name=name)
    return name if name in names else f"{name} ({', '.join(names)})"


def _few(words: Iterable[str]) -> str:
    """All of a few, else the first and how many more there are."""
    every = list(words)
    if len(every) <= _FEW:
        return ", ".join(every)
    return say("{first} and {count} more", first=", ".join(every[: _FEW - 1]), count=len(every) - _FEW + 1)
