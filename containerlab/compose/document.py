"""YAML text to nodes. PyYAML (libyaml where it is there) finds the events; the tree is built here, since a Compose file
needs what PyYAML's own constructor doesn't give: places, errors for keys written twice, Go's scalars, and bounds.

Bounds: ``MAX_BYTES`` of text, ``MAX_NODES`` once aliases are expanded (an alias is a copy of its anchor), ``MAX_DEPTH``
levels. So ten lines of nested aliases, the "billion laughs", end in an error and not in all of the memory.
"""

from __future__ import annotations

__all__ = ["MAX_BYTES", "MAX_DEPTH", "MAX_NODES", "is_file", "parse", "read", "trouble"]

import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import yaml

from containerlab.compose.nodes import Fields, Items, Mark, Node, Place, Scalar, Source, describe, kind
from containerlab.errors import ComposeError

MAX_BYTES = 4 << 20
MAX_NODES = 100_000
MAX_DEPTH = 64

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MARKS: dict[str, Mark] = {"!reset": "reset", "!override": "override"}
_STANDARD = "tag:yaml.org,2002:"
_STRINGS = ("str", "binary")
_PLAIN = ("int", "float", "bool", "null")


def read(path: Path, name: str | None = None) -> str:
    """A file's text; ``ComposeError`` where it can't be read, isn't a file or is too long."""
    shown = name or str(path)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                raise ComposeError(f"read {shown}: is a directory")
            content = file.read(MAX_BYTES + 1) or b""
    except OSError as error:
        raise ComposeError(f"open {shown}: {(error.strerror or str(error)).lower()}") from error
    except ValueError as error:  # a NUL byte in the name
        raise ComposeError(f"open {shown!r}: invalid argument") from error
    if len(content) > MAX_BYTES:
        raise ComposeError(f"{shown}: longer than {MAX_BYTES} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ComposeError("not UTF-8 text", file=shown, line=line, hint="Save the file as UTF-8.") from error


def trouble(path: Path) -> str:
    """Why a file can't be looked at (``no such file or directory``); nothing where it can."""
    try:
        path.stat()
    except OSError as error:
        return (error.strerror or str(error)).lower()
    except ValueError:
        return "invalid argument"
    return ""


def is_file(path: Path) -> bool:
    return not trouble(path) and path.is_file()


def parse(text: str, name: str) -> list[Fields]:
    """The documents of a YAML file, each a mapping; an empty one is left out. Raises ``ComposeError``."""
    if len(text) > MAX_BYTES:
        raise ComposeError(f"{name}: longer than {MAX_BYTES} bytes")
    source = Source(name, tuple(text.split("\n")))
    try:
        roots = list(_Composer(source).documents(yaml.parse(text, Loader=_LOADER)))
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, source) from error
    except yaml.YAMLError as error:
        at = getattr(error, "position", 0)
        place = Place(source, text.count("\n", 0, at) + 1 if isinstance(at, int) else 1, 0)
        raise place.error(f"a character that YAML doesn't allow: {getattr(error, 'reason', error)}") from error
    documents = []
    for root in roots:
        if isinstance(root, Scalar) and kind(root) is None:
            continue
        if not isinstance(root, Fields):
            raise root.place.error(f"Top-level object must be a mapping, not {describe(root)}")
        documents.append(root)
    return documents


def _syntax_error(error: yaml.MarkedYAMLError, source: Source) -> ComposeError:
    mark = error.problem_mark or error.context_mark
    place = Place(source, mark.line + 1, mark.column + 1) if mark else Place(source, 1, 1)
    if place.line > len(source.lines):  # the end of a text without a line end
        place = Place(source, len(source.lines), len(source.lines[-1]) + 1)
    line = source.lines[place.line - 1]
    hint = "YAML is indented by spaces, not by tabs." if "\t" in line[: place.column] else ""
    context = f" {error.context}" if error.context else ""
    return place.error(f"yaml: {error.problem or 'not a YAML file'}{context}", hint=hint)


class _Composer:
    """Builds nodes from PyYAML's events, counting as it goes."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._nodes = 0

    def documents(self, events: Iterator[yaml.Event]) -> Iterator[Node]:
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._anchors: dict[str, Node | None] = {}
                yield self._node(next(events), events, "", 0)

    def _node(self, event: yaml.Event, events: Iterator[yaml.Event], path: str, depth: int) -> Node:
        place = self._place(event, path)
        self._count(place)
        if depth > MAX_DEPTH:
            raise place.error(f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(str(event.anchor), place, depth)
        anchor = getattr(event, "anchor", None)
        if anchor:
            self._anchors[anchor] = None
        node: Node
        if isinstance(event, yaml.ScalarEvent):
            node = self._scalar(event, place)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._items(event, events, place, depth)
        elif isinstance(event, yaml.MappingStartEvent):
            node = self._fields(event, events, place, depth)
        else:
            raise place.error("yaml: a value is missing")
        if anchor:
            self._anchors[anchor] = node
        return node

    def _place(self, event: yaml.Event, path: str) -> Place:
        mark = event.start_mark
        return Place(self._source, mark.line + 1, mark.column + 1, path) if mark else Place(self._source, path=path)

    def _count(self, place: Place, nodes: int = 1) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise place.error(f"more than {MAX_NODES} values, aliases expanded")

    def _alias(self, anchor: str, place: Place, depth: int) -> Node:
        if anchor not in self._anchors:
            raise place.error(f'yaml: unknown anchor "{anchor}" referenced')
        node = self._anchors[anchor]
        if node is None:
            raise place.error(f'yaml: anchor "{anchor}" value contains itself')
        return self._copy(node, place.path, depth)

    def _copy(self, node: Node, path: str, depth: int) -> Node:
        """The same node under another path; its place stays where the anchor is."""
        place = replace(node.place, path=path)
        if depth > MAX_DEPTH:
            raise place.error(f"nested deeper than {MAX_DEPTH} levels")
        self._count(place)
        if isinstance(node, Scalar):
            return replace(node, place=place)
        if isinstance(node, Items):
            items = (self._copy(item, f"{path}[{number}]", depth + 1) for number, item in enumerate(node.items))
            return replace(node, items=tuple(items), place=place)
        entries = {name: self._copy(entry, _below(path, name), depth + 1) for name, entry in node.entries.items()}
        keys = {name: replace(key, path=_below(path, name)) for name, key in node.keys.items()}
        return replace(node, entries=entries, keys=keys, place=place)

    def _mark(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent, place: Place, kinds: tuple[str, ...]) -> Mark:
        tag: str | None = event.tag
        if tag is None or tag == "!" or (tag.startswith(_STANDARD) and tag.removeprefix(_STANDARD) in kinds):
            return ""
        if tag in _MARKS:
            return _MARKS[tag]
        raise place.error(f"yaml: unknown tag {tag}", hint="A Compose file knows the tags !reset and !override.")

    def _scalar(self, event: yaml.ScalarEvent, place: Place) -> Scalar:
        mark = self._mark(event, place, (*_STRINGS, *_PLAIN))
        standard = (event.tag or "").removeprefix(_STANDARD)
        plain = not event.style and standard not in _STRINGS and event.tag != "!"
        return Scalar(event.value, place, plain or standard in _PLAIN, mark)

    def _items(self, event: yaml.SequenceStartEvent, events: Iterator[yaml.Event], place: Place, depth: int) -> Items:
        mark = self._mark(event, place, ("seq",))
        items: list[Node] = []
        for inner in events:
            if isinstance(inner, yaml.SequenceEndEvent):
                break
            items.append(self._node(inner, events, f"{place.path}[{len(items)}]", depth + 1))
        return Items(tuple(items), place, mark)

    def _fields(self, event: yaml.MappingStartEvent, events: Iterator[yaml.Event], place: Place, depth: int) -> Fields:
        mark = self._mark(event, place, ("map",))
        entries: dict[str, Node] = {}
        keys: dict[str, Place] = {}
        merged: list[Fields] = []
        for inner in events:
            if isinstance(inner, yaml.MappingEndEvent):
                break
            key = self._key(self._node(inner, events, place.path, depth + 1), place.path)
            at = replace(self._place(inner, place.path), path=_below(place.path, key.text))
            if key.text in keys:
                raise at.error(f'mapping key "{key.text}" already defined at line {keys[key.text].line}')
            keys[key.text] = at
            is_merge = key.plain and key.text == "<<"
            value = self._node(next(events), events, place.path if is_merge else at.path, depth + 1)
            if is_merge:
                merged = _merged_from(value)
            else:
                entries[key.text] = value
        if merged:
            del keys["<<"]
        for other in merged:
            entries = {**other.entries, **entries}
            keys = {**other.keys, **keys}
        return Fields(entries, keys, place, mark)

    def _key(self, node: Node, path: str) -> Scalar:
        where = f"in {path}" if path else "at top level"
        if not isinstance(node, Scalar):
            raise node.place.error(f"Non-string key {where}: {describe(node)}")
        if not isinstance(kind(node), str):
            raise node.place.error(f"Non-string key {where}: {node.text or 'null'}", hint="Put the key into quotes.")
        return node


def _merged_from(node: Node) -> list[Fields]:
    """The mappings of ``<<``, the last to win first: in a list the first wins."""
    given = node.items if isinstance(node, Items) else (node,)
    for item in given:
        if not isinstance(item, Fields):
            raise item.place.error(
                f"yaml: map merge requires map or sequence of maps as the value, not {describe(item)}"
            )
    return [item for item in given if isinstance(item, Fields)]


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
