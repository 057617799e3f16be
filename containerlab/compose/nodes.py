"""The tree of a Compose file between its text and its model. Every node knows where it was written, and under which
path.

Nodes are never changed once a file is read: interpolation, short forms and merging make new ones, which keep the places
of the old. So what is wrong with a value that three files had a part in is still said at its own line.
"""

from __future__ import annotations

__all__ = [
    "Fields",
    "Items",
    "Mark",
    "Node",
    "Place",
    "Scalar",
    "Source",
    "Value",
    "describe",
    "fields_of",
    "kind",
    "near",
    "size",
    "text_of",
]

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from containerlab.errors import ComposeError

Mark = Literal["", "reset", "override"]
Value: TypeAlias = "str | int | float | bool | None"

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9_]*|0[0-7_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|0b[01_]+)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WIDEST = 200  # characters of a line in an error
_NULLS = ("", "~", "null", "Null", "NULL")
_TRUE, _FALSE = ("true", "True", "TRUE"), ("false", "False", "FALSE")


@dataclass(frozen=True, slots=True)
class Source:
    """One file's name, as errors show it, and its lines."""

    name: str
    lines: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is written; ``line`` and ``column`` count from 1, 0 for what no file says."""

    source: Source
    line: int = 0
    column: int = 0
    path: str = ""

    def error(self, message: str, *, hint: str = "", path: str | None = None) -> ComposeError:
        lines = self.source.lines
        return ComposeError(
            message,
            file=self.source.name,
            line=self.line,
            column=self.column,
            path=self.path if path is None else path,
            source=lines[self.line - 1][:_WIDEST] if 0 < self.line <= len(lines) else "",
            hint=hint,
        )

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Scalar:
    """``plain`` text may be a number, a boolean or null (``kind``); any other is a string."""

    text: str
    place: Place
    plain: bool = False
    mark: Mark = ""


@dataclass(frozen=True, slots=True)
class Items:
    items: tuple[Node, ...]
    place: Place
    mark: Mark = ""


@dataclass(frozen=True, slots=True)
class Fields:
    """``keys`` says where each name is written."""

    entries: dict[str, Node]
    keys: dict[str, Place]
    place: Place
    mark: Mark = ""

    def key(self, name: str) -> Place:
        return self.keys.get(name, self.place)

    def with_(self, name: str, node: Node) -> Fields:
        return replace(self, entries={**self.entries, name: node}, keys={**self.keys, name: self.key(name)})

    def without(self, names: Iterable[str]) -> Fields:
        gone = set(names)
        return replace(self, entries={name: node for name, node in self.entries.items() if name not in gone})


Node: TypeAlias = "Scalar | Items | Fields"


def kind(node: Scalar) -> Value:
    """A scalar's value by YAML 1.2's core schema, with Go's additions (``0777`` is octal, digits may be grouped by
    ``_``).

    So ``yes`` and ``on`` are strings, and ``22:22`` is no number: docker compose reads files that way.
    """
    if not node.plain:
        return node.text
    text = node.text
    if text in _NULLS:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _INTEGER.fullmatch(text) and len(text) <= 100:
        return _integer(text)
    if _FLOAT.fullmatch(text) and len(text) <= 100:
        return float(text)
    if text.lower() in (".inf", "+.inf", "-.inf", ".nan"):
        return float(text.replace(".", ""))
    return text


def _integer(text: str) -> int:
    digits = text.replace("_", "")
    sign = -1 if digits.startswith("-") else 1
    digits = digits.lstrip("+-")
    if len(digits) > 1 and digits[0] == "0" and digits[1].isdigit():
        return sign * int(digits, 8)
    return sign * int(digits, 0)


def text_of(node: Scalar) -> str | None:
    """The scalar as a program's string, None for null: ``1.10`` is ``1.1`` and ``0x10`` is ``16``, as docker compose
    has it."""
    value = kind(node)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _go_float(value)
    return None if value is None else str(value)


def _go_float(value: float) -> str:
    """Go's ``%v`` of a float64: the shortest form, with an exponent below 1e-4 and from 1e21 on."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    if value == 0 or 1e-4 <= abs(value) < 1e21:
        text = repr(value)
        if "e" in text:
            text = f"{value:f}"
        return text[:-2] if text.endswith(".0") else text
    mantissa, _, exponent = repr(value).partition("e")
    return f"{mantissa.removesuffix('.0')}e{exponent}"


def fields_of(node: Node, expected: str = "a mapping") -> Fields:
    """``node`` as a mapping; null is an empty one."""
    if isinstance(node, Fields):
        return node
    if isinstance(node, Scalar) and kind(node) is None:
        return Fields({}, {}, node.place)
    raise node.place.error(f"must be {expected}, not {describe(node)}")


def size(node: Node) -> int:
    """How many nodes a tree has."""
    if isinstance(node, Fields):
        return 1 + sum(size(entry) for entry in node.entries.values())
    return 1 + sum(size(item) for item in node.items) if isinstance(node, Items) else 1


def describe(node: Node) -> str:
    """What a node is, for errors that say what was expected instead."""
    if isinstance(node, Fields):
        return "a mapping"
    if isinstance(node, Items):
        return "a list"
    value = kind(node)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"the boolean {str(value).lower()}"
    if isinstance(value, int | float):
        return f"the number {node.text}"
    return f'the string "{value if len(value) <= 60 else value[:57] + "..."}"'


def near(name: str, known: Iterable[str]) -> str:
    """``Did you mean "image"?``, where a known name is near."""
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f'Did you mean "{found[0]}"?' if found else ""
