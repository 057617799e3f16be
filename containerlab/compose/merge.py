"""One tree over another, by the rules of the specification (13-merge.md): mappings merge by name, lists are appended
to, a few fields are replaced whole, and a few lists have one entry for each key. ``!override`` replaces whatever is
below, ``!reset`` takes it away.

Both trees are in long form (``short``).
"""

from __future__ import annotations

__all__ = ["merge", "merge_services", "settle"]

from collections.abc import Callable
from dataclasses import replace

from containerlab.compose.nodes import Fields, Items, Node, Scalar, kind

Path = tuple[str, ...]

_REPLACED = {("command",), ("entrypoint",), ("healthcheck", "test")}
_PAIRS = {
    ("annotations",), ("build", "args"), ("build", "labels"), ("deploy", "labels"), ("environment",), ("labels",),
    ("sysctls",),
}  # fmt: skip


def _field(node: Node, name: str, default: str = "") -> str:
    entry = node.entries.get(name) if isinstance(node, Fields) else None
    return entry.text if isinstance(entry, Scalar) else default


def _itself(node: Node) -> str:
    return node.text if isinstance(node, Scalar) else repr(node)


def _before(separator: str) -> Callable[[Node], str]:
    return lambda node: _itself(node).partition(separator)[0]


def _target(node: Node) -> str:
    target = _field(node, "target") or repr(node)
    return target.rstrip("/") or "/"


def _port(node: Node) -> str:
    address, protocol = _field(node, "host_ip", "0.0.0.0"), _field(node, "protocol", "tcp")
    return f"{address}:{_field(node, 'published')}:{_field(node, 'target')}/{protocol}"


def _used_blob(root: str) -> Callable[[Node], str]:
    return lambda node: _field(node, "target") or root + _field(node, "source")


# Lists with one entry for a key; the later entry takes the place of the earlier one.
_UNIQUE: dict[Path, Callable[[Node], str]] = {
    ("build", "cache_from"): _itself,
    ("build", "extra_hosts"): _itself,
    ("build", "tags"): _itself,
    ("cap_add",): _itself,
    ("cap_drop",): _itself,
    ("configs",): _used_blob("/"),
    ("devices",): _target,
    ("dns",): _itself,
    ("dns_opt",): _itself,
    ("dns_search",): _itself,
    ("env_file",): lambda node: _field(node, "path"),
    ("expose",): _itself,
    ("external_links",): _itself,
    ("extra_hosts",): _itself,
    ("label_file",): _itself,
    ("links",): _itself,
    ("ports",): _port,
    ("profiles",): _itself,
    ("secrets",): _used_blob("/run/secrets/"),
    ("security_opt",): _itself,
    ("tmpfs",): _before(":"),
    ("volumes",): _target,
    ("volumes_from",): _before(":"),
}
_UNIQUE_IN_NETWORK = ("aliases", "link_local_ips")


def merge(below: Fields, above: Fields) -> Fields:
    """A whole file over another. Raises ``ComposeError`` where a field can't take the other's place."""
    entries = dict(below.entries)
    for section, node in above.entries.items():
        entries[section] = _over(entries.get(section), node, (section,))
    return Fields(entries, {**below.keys, **above.keys}, above.place)


def merge_services(below: Fields, above: Fields) -> Fields:
    """A service over the one that it extends."""
    merged = _fields(below, above, ("services", "x"))
    return replace(merged, place=above.place)


def settle(node: Node, path: Path = ()) -> Node:
    """The tree without marks: what is reset is gone, and lists keep one entry for a key."""
    if isinstance(node, Fields):
        kept = {name: entry for name, entry in node.entries.items() if entry.mark != "reset"}
        entries = {name: settle(entry, (*path, name)) for name, entry in kept.items()}
        return replace(node, entries=entries, mark="")
    if isinstance(node, Items):
        items = tuple(settle(item, (*path, "*")) for item in node.items if item.mark != "reset")
        return replace(node, items=_unique(items, path), mark="")
    return replace(node, mark="")


def _over(below: Node | None, above: Node, path: Path) -> Node:
    if below is None or below.mark == "reset" or above.mark or _rule(path) in _REPLACED:
        return above
    if isinstance(above, Scalar) and kind(above) is None and _rule(path)[:-1] not in _PAIRS:
        return below
    if isinstance(below, Scalar) and kind(below) is None:
        return above
    if _rule(path) == ("logging",) and not _same_driver(below, above):
        return above
    if len(path) == 4 and _rule(path)[0] == "ulimits":
        return above
    if isinstance(below, Fields) and isinstance(above, Fields):
        return _fields(below, above, path)
    if isinstance(below, Items) and isinstance(above, Items):
        if path[0] == "networks" and path[2:] == ("ipam", "config"):
            return replace(above, items=_pools(below, above, path), mark=below.mark)
        return replace(above, items=_unique((*below.items, *above.items), path), mark=below.mark)
    if isinstance(below, Scalar) and isinstance(above, Scalar):
        return above
    raise above.place.error(f"cannot override {below.place.path}: it is written as {_sort(below)} at {below.place}")


def _fields(below: Fields, above: Fields, path: Path) -> Fields:
    entries = dict(below.entries)
    for name, node in above.entries.items():
        entries[name] = _over(entries.get(name), node, (*path, name))
    return Fields(entries, {**below.keys, **above.keys}, above.place, below.mark)


def _rule(path: Path) -> Path:
    """The part of the path below a service; nothing elsewhere (a rule never has that key)."""
    return path[2:] if path[:1] == ("services",) and len(path) > 2 else ("",)


def _unique(items: tuple[Node, ...], path: Path) -> tuple[Node, ...]:
    rule = _rule(path)
    key = _UNIQUE.get(rule)
    if key is None and len(rule) == 3 and rule[0] == "networks" and rule[2] in _UNIQUE_IN_NETWORK:
        key = _itself
    if key is None:
        return items
    found: dict[str, Node] = {}
    for item in items:
        found[key(item) if item.mark != "reset" else f"reset {len(found)}"] = item
    return tuple(found.values())


def _pools(below: Items, above: Items, path: Path) -> tuple[Node, ...]:
    """Address pools are told apart by their subnet."""
    found = {_field(item, "subnet"): item for item in below.items}
    for item in above.items:
        subnet = _field(item, "subnet")
        found[subnet] = _over(found.get(subnet), item, (*path, "*"))
    return tuple(found.values())


def _same_driver(below: Node, above: Node) -> bool:
    drivers = {_field(below, "driver"), _field(above, "driver")} - {""}
    return len(drivers) < 2


def _sort(node: Node) -> str:
    return "a mapping" if isinstance(node, Fields) else "a list" if isinstance(node, Items) else "a value"
