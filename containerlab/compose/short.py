"""Short forms to long ones, and relative paths to absolute ones, before files are merged: merging then knows one form
of each field. What a value means is left to the readers; here only its shape matters.
"""

from __future__ import annotations

__all__ = ["Folder", "long_forms"]

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from containerlab.compose import mounts, ports
from containerlab.compose.nodes import Fields, Items, Node, Place, Scalar, describe, fields_of, kind, text_of
from containerlab.compose.service import SERVICE_FIELDS

_MOST_PORTS = 70_000  # of one file: every port of one service, and a few


@dataclass(frozen=True)
class Folder:
    """What relative paths of a file start from, and ``~``. Where values aren't ``filled``, one that still has
    variables in it keeps its short form."""

    path: Path
    home: str = ""
    filled: bool = True

    def leaves(self, node: Node) -> bool:
        return not self.filled and isinstance(node, Scalar) and "$" in node.text

    def absolute(self, text: str) -> str:
        """An absolute path without ``.`` and ``..``; links are not followed."""
        if text == "~" or text.startswith("~/"):
            text = self.home + text[1:] if self.home else text
        path = self.path / text
        parts: list[str] = []
        for part in path.parts[1:]:
            if part == "..":
                parts[-1:] = []
            else:
                parts.append(part)
        return str(Path("/", *parts))


Shape = Callable[[Node, Folder], Node]


def long_forms(document: Fields, folder: Folder) -> Fields:
    """A whole file in long forms. Raises ``ComposeError`` where a field has no shape that it may have."""
    for section, shape in _SECTIONS.items():
        node = document.entries.get(section)
        if node is None or node.mark == "reset":
            continue
        given = fields_of(node)
        entries: dict[str, Node] = {}
        ports_so_far = 0
        for name, entry in given.entries.items():
            if section == "services" and name in SERVICE_FIELDS and not (isinstance(entry, Fields) or entry.mark):
                hint = f'"{name}" belongs to a service: indent it below the service\'s name.'
                raise given.key(name).error(f"must be a mapping, not {describe(entry)}", hint=hint)
            entries[name] = _shaped(entry, shape, folder)
            ports_so_far += _count(entries[name], "ports")
            if ports_so_far > _MOST_PORTS:
                raise given.key(name).error(f"more than {_MOST_PORTS} ports, ranges expanded")
        document = document.with_(section, replace(given, entries=entries))
    return document


def _count(node: Node, name: str) -> int:
    items = node.entries.get(name) if isinstance(node, Fields) else None
    return len(items.items) if isinstance(items, Items) else 0


def _shaped(node: Node, shape: Shape, folder: Folder) -> Node:
    if node.mark == "reset" or folder.leaves(node) or (isinstance(node, Scalar) and kind(node) is None):
        return node
    return replace(shape(node, folder), mark=node.mark)


def _each(shapes: Mapping[str, Shape]) -> Shape:
    """A mapping, the named fields of it in their shapes."""

    def shape(node: Node, folder: Folder) -> Node:
        fields = fields_of(node)
        entries = {
            name: _shaped(entry, shapes[name], folder) if name in shapes else entry
            for name, entry in fields.entries.items()
        }
        return replace(fields, entries=entries)

    return shape


def _list(item: Shape | None = None) -> Shape:
    """A list, or one value that stands for a list of it."""

    def shape(node: Node, folder: Folder) -> Node:
        given = node if isinstance(node, Items) else Items((node,), node.place)
        return replace(given, items=tuple(_shaped(entry, item, folder) for entry in given.items)) if item else given

    return shape


def _strict_list(item: Shape) -> Shape:
    def shape(node: Node, folder: Folder) -> Node:
        if not isinstance(node, Items):
            raise node.place.error(f"must be a list, not {describe(node)}")
        return replace(node, items=tuple(_shaped(entry, item, folder) for entry in node.items))

    return shape


def pairs(node: Node, folder: Folder) -> Node:
    """``[A=1, B]`` to ``{A: 1, B: null}``."""
    if isinstance(node, Fields):
        return node
    if not isinstance(node, Items):
        raise node.place.error(f"must be a mapping or a list of NAME=VALUE, not {describe(node)}")
    entries: dict[str, Node] = {}
    keys: dict[str, Place] = {}
    for item in node.items:
        if item.mark == "reset":
            continue
        name, equals, value = _text(item, "In a list write NAME=VALUE.").partition("=")
        entries[name] = Scalar(value, item.place) if equals else Scalar("", item.place, plain=True)
        keys[name] = item.place
    return Fields(entries, keys, node.place)


def _names(default: Mapping[str, str]) -> Shape:
    """``[a, b]`` to ``{a: default, b: default}``."""

    def shape(node: Node, folder: Folder) -> Node:
        if not isinstance(node, Items):
            return fields_of(node, "a mapping or a list of names")
        places = {_text(item): item.place for item in node.items if item.mark != "reset"}
        return Fields({name: _made(default, place) for name, place in places.items()}, places, node.place)

    return shape


def _made(value: Any, place: Place) -> Node:
    """Nodes of plain data, all at one place."""
    if isinstance(value, Mapping):
        return Fields({name: _made(entry, place) for name, entry in value.items()}, dict.fromkeys(value, place), place)
    return Scalar(value, place)


def _named(field: str) -> Shape:
    """A string that stands for one field of a mapping."""

    def shape(node: Node, folder: Folder) -> Node:
        if isinstance(node, Scalar):
            return Fields({field: node}, {field: node.place}, node.place)
        return fields_of(node, "a string or a mapping")

    return shape


def _then(first: Shape, second: Shape) -> Shape:
    return lambda node, folder: second(first(node, folder), folder)


def _path(node: Node, folder: Folder) -> Node:
    return replace(node, text=folder.absolute(node.text), plain=False) if isinstance(node, Scalar) else node


def _context(node: Node, folder: Folder) -> Node:
    """A build's context: a folder, unless it is an address (which the reader refuses by its name)."""
    remote = isinstance(node, Scalar) and ("://" in node.text or node.text.startswith(("git@", "github.com/")))
    return node if remote else _path(node, folder)


def _ports(node: Node, folder: Folder) -> Node:
    if not isinstance(node, Items):
        raise node.place.error(f"must be a list, not {describe(node)}")
    found: list[Node] = []
    for item in node.items:
        if isinstance(item, Fields) or item.mark == "reset" or folder.leaves(item):
            found.append(item)
            continue
        try:
            found += [_made(port, item.place) for port in ports.parse(_text(item))]
            if len(found) > _MOST_PORTS:
                raise ValueError(f"more than {_MOST_PORTS} ports, ranges expanded")
        except ValueError as error:
            raise item.place.error(str(error), hint="A port is [[ADDRESS:]PUBLISHED:]TARGET[/PROTOCOL].") from error
    return replace(node, items=tuple(found))


def _mount(node: Node, folder: Folder) -> Node:
    if isinstance(node, Scalar):
        try:
            made = _made({**mounts.parse(_text(node)), "short": "true"}, node.place)
        except ValueError as error:
            raise node.place.error(str(error), hint="A volume is [SOURCE:]TARGET[:MODE].") from error
    else:
        made = fields_of(node, "a string or a mapping")
        if "short" in made.entries:
            raise made.key("short").error("additional properties 'short' not allowed")
    assert isinstance(made, Fields)
    source, sort = made.entries.get("source"), made.entries.get("type")
    if isinstance(source, Scalar) and isinstance(sort, Scalar) and sort.text == "bind":
        return made.with_("source", _path(source, folder))
    return made


def _device(node: Node, folder: Folder) -> Node:
    if not isinstance(node, Scalar):
        return fields_of(node, "a string or a mapping")
    parts = _text(node).split(":")
    if len(parts) > 3 or not all(parts):
        raise node.place.error(f"confusing device mapping, please use long syntax: {node.text}")
    source, target, permissions = (*parts, *[parts[0], "rwm"][len(parts) - 1 :])
    return _made({"source": source, "target": target, "permissions": permissions}, node.place)


def _ulimit(node: Node, folder: Folder) -> Node:
    if isinstance(node, Scalar):
        return Fields({"soft": node, "hard": node}, {"soft": node.place, "hard": node.place}, node.place)
    return fields_of(node, "an integer or a mapping")


def _every(shape: Shape) -> Shape:
    """A mapping, each of its values in the shape."""

    def shaped(node: Node, folder: Folder) -> Node:
        fields = fields_of(node)
        entries = {name: _shaped(entry, shape, folder) for name, entry in fields.entries.items()}
        return replace(fields, entries=entries)

    return shaped


def _hosts(node: Node, folder: Folder) -> Node:
    """``{host: address}`` or ``[host=address]`` to a list of ``host:address``."""
    if isinstance(node, Fields):
        found: list[Node] = []
        for name, value in node.entries.items():
            addresses = value.items if isinstance(value, Items) else (value,)
            found += [Scalar(f"{name}:{_bare(_text(address))}", address.place) for address in addresses]
        return Items(tuple(found), node.place)
    if not isinstance(node, Items):
        raise node.place.error(f"must be a mapping or a list of HOST:ADDRESS, not {describe(node)}")
    return replace(node, items=tuple(_host(item) for item in node.items))


def _host(node: Node) -> Node:
    text = _text(node)
    separator = "=" if "=" in text else ":"
    name, found, address = text.partition(separator)
    if not found or not name or not address:
        raise node.place.error(f'invalid additional host, missing IP: "{text}"', hint="Write HOST:ADDRESS.")
    return Scalar(f"{name}:{_bare(address)}", node.place, mark=node.mark)


def _bare(address: str) -> str:
    return address[1:-1] if address.startswith("[") and address.endswith("]") else address


def _text(node: Node, hint: str = "") -> str:
    text = text_of(node) if isinstance(node, Scalar) else None
    if text is None:
        raise node.place.error(f"must be a string, not {describe(node)}", hint=hint)
    return text


def _external(node: Node, folder: Folder) -> Node:
    """``external: {name: X}``, as files of version 2 have it, to ``external: true`` and ``name: X``."""
    fields = fields_of(node)
    external = fields.entries.get("external")
    if not isinstance(external, Fields):
        return fields
    name = external.entries.get("name")
    own = fields.entries.get("name")
    if isinstance(name, Scalar) and isinstance(own, Scalar) and name.text != own.text:
        raise own.place.error("name and external.name conflict; only use name")
    fields = fields.with_("external", Scalar("true", external.place, plain=True, mark=external.mark))
    return fields.with_("name", name) if name is not None and own is None else fields


def _device_path(node: Node, folder: Folder) -> Node:
    """A volume of the local driver that binds a folder: its ``device`` is a path like any other."""
    fields = fields_of(node)
    options = fields.entries.get("driver_opts")
    if not isinstance(options, Fields):
        return fields
    bind, device = options.entries.get("o"), options.entries.get("device")
    if isinstance(bind, Scalar) and isinstance(device, Scalar) and "bind" in bind.text.split(","):
        return fields.with_("driver_opts", options.with_("device", _path(device, folder)))
    return fields


_BLOB_USE = _strict_list(_named("source"))
_BUILD = _then(
    _named("context"),
    _each(
        {
            "context": _context,
            "args": pairs,
            "labels": pairs,
            "extra_hosts": _hosts,
            "secrets": _BLOB_USE,
            "cache_from": _list(),
        }
    ),
)
_SERVICE = _each(
    {
        "annotations": pairs,
        "build": _BUILD,
        "configs": _BLOB_USE,
        "depends_on": _names({"condition": "service_started"}),
        "deploy": _each({"labels": pairs}),
        "devices": _strict_list(_device),
        "dns": _list(),
        "dns_search": _list(),
        "env_file": _list(_then(_named("path"), _each({"path": _path}))),
        "environment": pairs,
        "extends": _then(_named("service"), _each({"file": _path})),
        "extra_hosts": _hosts,
        "label_file": _list(_path),
        "labels": pairs,
        "networks": _names({}),
        "ports": _ports,
        "secrets": _BLOB_USE,
        "sysctls": pairs,
        "tmpfs": _list(),
        "ulimits": _every(_ulimit),
        "volumes": _strict_list(_mount),
    }
)
_RESOURCE = _then(_external, _each({"labels": pairs}))
_BLOB = _then(_RESOURCE, _each({"file": _path}))
_SECTIONS: dict[str, Shape] = {
    "services": _SERVICE,
    "networks": _RESOURCE,
    "volumes": _then(_RESOURCE, _device_path),
    "secrets": _BLOB,
    "configs": _BLOB,
}
