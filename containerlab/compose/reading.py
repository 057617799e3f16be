"""Readers: each turns a node into a value of the model, or says at the node's place what was expected there.

A reader of a mapping is a ``table`` of its fields' readers. Null stands for a field that isn't there. Fields that
begin with ``x-`` are anybody's own. A field of the specification that can't be carried out here stands among
``refused``, with why.
"""

from __future__ import annotations

__all__ = [
    "Reader",
    "boolean",
    "byte_size",
    "choice",
    "command",
    "duration",
    "file_mode",
    "integer",
    "listing",
    "mapping",
    "matching",
    "number",
    "one_of_a_kind",
    "pairs",
    "string",
    "strings",
    "struct",
    "table",
    "word",
    "words_by_name",
]

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from containerlab.compose import values
from containerlab.compose.nodes import Fields, Items, Node, Scalar, describe, fields_of, kind, near, text_of

_T = TypeVar("_T")
Reader = Callable[[Node], Any]


def _scalar(node: Node, expected: str) -> Scalar:
    if not isinstance(node, Scalar) or kind(node) is None:
        raise node.place.error(f"must be {expected}, not {describe(node)}")
    return node


def string(node: Node) -> str:
    """A string; a bare number isn't one."""
    value = kind(_scalar(node, "a string"))
    if not isinstance(value, str):
        raise node.place.error(f"must be a string, not {describe(node)}", hint="Put the value into quotes.")
    return value


def word(node: Node) -> str:
    """A string or a number, as text."""
    scalar = _scalar(node, "a string or a number")
    if isinstance(kind(scalar), bool):
        raise node.place.error(f"must be a string or a number, not {describe(node)}", hint="Put the value into quotes.")
    return text_of(scalar) or ""


def _parsed(parse: Callable[[str], _T], node: Node, expected: str, hint: str = "") -> _T:
    try:
        return parse(text_of(_scalar(node, expected)) or "")
    except ValueError as error:
        raise node.place.error(str(error), hint=hint) from error


def boolean(node: Node) -> bool:
    scalar = _scalar(node, "a boolean")
    if isinstance(kind(scalar), int | float) and not isinstance(kind(scalar), bool):
        raise node.place.error(f"must be a boolean, not {describe(node)}")
    return _parsed(values.boolean, node, "a boolean", "Write true or false.")


def integer(node: Node) -> int:
    return _parsed(values.integer, node, "an integer")


def number(node: Node) -> float:
    return _parsed(values.number, node, "a number")


def byte_size(node: Node) -> int:
    return _parsed(values.byte_size, node, "a size", "A size is a number and a unit, as in 64m or 1.5gb.")


def duration(node: Node) -> int:
    """Nanoseconds."""
    hint = "A duration is numbers and units, as in 1m30s."
    if not isinstance(kind(_scalar(node, "a duration")), str):
        raise node.place.error(f"must be a string, not {describe(node)}", hint=hint)
    return _parsed(values.duration, node, "a duration", hint)


def file_mode(node: Node) -> int:
    """Permission bits: a number as YAML has it (``0440`` is octal, ``440`` isn't), a string in octal."""
    value = kind(_scalar(node, "a file mode"))
    return (
        value if isinstance(value, int) and not isinstance(value, bool) else _parsed(values.file_mode, node, "a mode")
    )


def command(node: Node) -> tuple[str, ...]:
    """A list of words, or a line that is split as a shell would."""
    if isinstance(node, Items):
        return strings(node)
    return _parsed(values.command, node, "a string or a list", "Close the quotation marks.")


def choice(*allowed: str, what: str = "") -> Callable[[Node], str]:
    """One of some words."""

    def read(node: Node) -> str:
        value = string(node)
        if value not in allowed:
            expected = ", ".join(f"'{name}'" for name in allowed)
            raise node.place.error(f"value must be one of {expected}, not '{value}'", hint=what or near(value, allowed))
        return value

    return read


def matching(pattern: str, expected: str, *, read: Callable[[Node], str] = string) -> Callable[[Node], str]:
    """A string of some form."""
    compiled = re.compile(pattern)

    def matched(node: Node) -> str:
        value = read(node)
        if not compiled.fullmatch(value):
            raise node.place.error(f"must be {expected}, not '{value}'")
        return value

    return matched


def listing(item: Callable[[Node], _T]) -> Callable[[Node], tuple[_T, ...]]:
    def read(node: Node) -> tuple[_T, ...]:
        if not isinstance(node, Items):
            raise node.place.error(f"must be a list, not {describe(node)}")
        return tuple(item(entry) for entry in node.items)

    return read


strings = listing(string)


def one_of_a_kind(item: Callable[[Node], str]) -> Callable[[Node], tuple[str, ...]]:
    """A list without repetition."""
    return lambda node: tuple(dict.fromkeys(listing(item)(node)))


def mapping(item: Callable[[Node], _T]) -> Callable[[Node], dict[str, _T]]:
    """Any names, sorted: a mapping's order says nothing."""

    def read(node: Node) -> dict[str, _T]:
        entries = fields_of(node).entries
        return {name: item(entries[name]) for name in sorted(entries)}

    return read


def _pair_value(node: Node) -> str | None:
    if not isinstance(node, Scalar):
        raise node.place.error(f"must be a string, number, boolean or null, not {describe(node)}")
    return text_of(node)


pairs: Callable[[Node], dict[str, str | None]] = mapping(_pair_value)


def words_by_name(node: Node) -> dict[str, str]:
    """Names to texts; null is an empty one."""
    return {name: value or "" for name, value in pairs(node).items()}


def table(readers: Mapping[str, Reader], refused: Mapping[str, str] | None = None) -> Callable[[Node], dict[str, Any]]:
    """A mapping with known fields. Raises for one that isn't known, or is refused."""

    def read(node: Node) -> dict[str, Any]:
        fields = fields_of(node)
        found = {}
        for name, entry in fields.entries.items():
            if name in readers:
                if not (isinstance(entry, Scalar) and kind(entry) is None):
                    found[name] = readers[name](entry)
            elif refused and name in refused:
                place = fields.key(name)
                raise place.error(f"{place.path} is not supported: {refused[name]}")
            elif not name.startswith("x-"):
                raise _unknown(fields, name, readers, refused or {})
        return found

    return read


def _unknown(fields: Fields, name: str, readers: Mapping[str, Reader], refused: Mapping[str, str]) -> Exception:
    known = sorted({*readers, *refused})
    hint = near(name, known)
    if not hint and len(known) <= 20:
        hint = f"Expected: {', '.join(known)}."
    return fields.key(name).error(f"additional properties '{name}' not allowed", hint=hint, path=fields.place.path)


def struct(
    kind_of: Callable[..., _T],
    readers: Mapping[str, Reader],
    refused: Mapping[str, str] | None = None,
    required: tuple[str, ...] = (),
) -> Callable[[Node], _T]:
    """A mapping whose fields are a struct's."""
    read_table = table(readers, refused)

    def read(node: Node) -> _T:
        found = read_table(node)
        for name in required:
            if name not in found:
                raise node.place.error(f"missing property '{name}'")
        return kind_of(**found)

    return read
