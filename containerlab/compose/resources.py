"""The top level of a file: networks, volumes, secrets and configs, each with its readers."""

from __future__ import annotations

__all__ = ["TOP_LEVEL", "config", "network", "secret", "volume"]

import ipaddress
from collections.abc import Callable
from typing import Any

from containerlab.compose import model
from containerlab.compose.nodes import Fields, Node, fields_of
from containerlab.compose.reading import boolean, listing, string, struct, table, word, words_by_name

TOP_LEVEL = ("configs", "include", "name", "networks", "secrets", "services", "version", "volumes")
_SWARM = "it is a swarm's, and this is one host"


def _subnet(node: Node) -> str:
    value = string(node)
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise node.place.error(f"invalid subnet {value}: invalid CIDR block notation") from None
    return value


_POOL = struct(
    model.IpamPool,
    {"subnet": _subnet, "ip_range": _subnet, "gateway": string, "aux_addresses": words_by_name},
)
_NETWORK = table(
    {
        "name": string,
        "driver": string,
        "driver_opts": words_by_name,
        "external": boolean,
        "internal": boolean,
        "attachable": boolean,
        "enable_ipv4": boolean,
        "enable_ipv6": boolean,
        "labels": words_by_name,
        "ipam": table({"driver": string, "config": listing(_POOL), "options": words_by_name}),
    }
)
_VOLUME = table(
    {"name": string, "driver": string, "driver_opts": words_by_name, "external": boolean, "labels": words_by_name}
)
_BLOB = {"name": string, "file": string, "environment": string, "external": boolean, "labels": words_by_name}
_REFUSED = dict.fromkeys(("driver", "driver_opts", "template_driver"), _SWARM)
_SECRET = table(_BLOB, _REFUSED)
_CONFIG = table({**_BLOB, "content": word}, _REFUSED)


def network(key: str, node: Node, project: str) -> model.Network:
    found = _named(key, node, project, _NETWORK)
    ipam = found.pop("ipam", {})
    return model.Network(
        **found,
        ipam_driver=ipam.get("driver", ""),
        ipam_options=ipam.get("options", {}),
        ipam=ipam.get("config", ()),
    )


def volume(key: str, node: Node, project: str) -> model.Volume:
    return model.Volume(**_named(key, node, project, _VOLUME))


def secret(key: str, node: Node, project: str) -> model.Blob:
    return _blob(key, node, project, _SECRET, ("file", "environment"))


def config(key: str, node: Node, project: str) -> model.Blob:
    return _blob(key, node, project, _CONFIG, ("file", "environment", "content"))


def _blob(
    key: str, node: Node, project: str, read: Callable[[Node], dict[str, Any]], ways: tuple[str, ...]
) -> model.Blob:
    found = _named(key, node, project, read)
    given = [way for way in ways if way in found]
    if len(given) > 1:
        raise node.place.error(f"{'|'.join(ways)} attributes are mutually exclusive")
    if not given and not found.get("external"):
        raise node.place.error(f"one of {', '.join(ways)} must be set")
    return model.Blob(**found)


def _named(key: str, node: Node, project: str, read: Callable[[Node], dict[str, Any]]) -> dict[str, Any]:
    """A resource's fields, with the engine's name for it. Of an external one nothing but the name is said here."""
    fields = fields_of(node)
    found = read(fields)
    if found.get("external"):
        _refuse_beside_external(fields, found)
    found["name"] = found.get("name") or (key if found.get("external") else f"{project}_{key}")
    return found


def _refuse_beside_external(fields: Fields, found: dict[str, Any]) -> None:
    for name in found:
        if name not in ("external", "name"):
            raise fields.key(name).error(
                f'conflicting parameters "external" and "{name}" specified', path=fields.place.path
            )
