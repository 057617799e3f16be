"""Variables in values: ``$NAME``, ``${NAME}`` with ``:-``, ``-``, ``:?``, ``?``, ``:+``, ``+``, and ``$$`` for a
dollar sign.

A template is parsed as a whole before anything is looked up, so a default that isn't used may name variables that
don't exist. Keys of mappings are never interpolated. A dollar sign before anything else stands for itself, as in
docker compose.
"""

from __future__ import annotations

__all__ = [
    "InvalidTemplate",
    "MissingVariable",
    "Named",
    "TooLong",
    "Variables",
    "interpolate",
    "substitute",
    "variables_of",
]

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from containerlab.compose.nodes import Fields, Items, Node, Scalar
from containerlab.errors import ComposeError, ContainerlabError

_NAME = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")
_OPERATOR = re.compile(r":?[-?+]")
_TEXT = re.compile(r"[^$}{]+")
_DEEPEST = 50
_LONGEST = 16 << 20


class InvalidTemplate(ContainerlabError):
    """Not a template; the message is the text."""


class TooLong(ContainerlabError):
    """Templates whose values grow without end."""


class MissingVariable(ContainerlabError):
    """``${NAME:?why}`` without the variable."""


@dataclass
class Variables:
    """What templates are filled from: ``values``, else ``others``. ``missing`` gathers the names that weren't there."""

    values: Mapping[str, str]
    others: Mapping[str, str] = field(default_factory=dict)
    missing: dict[str, None] = field(default_factory=dict)
    filled: int = 0  # characters, of all templates

    def over(self, values: Mapping[str, str]) -> Variables:
        """The same over more values, which never hide these."""
        return Variables({**values, **self.values}, missing=self.missing)

    def get(self, name: str) -> str | None:
        value = self.values.get(name)
        return self.others.get(name) if value is None else value

    def warnings(self) -> list[str]:
        return [f'The "{name}" variable is not set. Defaulting to a blank string.' for name in self.missing]


@dataclass(frozen=True)
class _Variable:
    name: str
    operator: str
    rest: tuple[str | _Variable, ...]

    def __str__(self) -> str:
        return f"${{{self.name}{self.operator}{''.join(map(str, self.rest))}}}"

    def value(self, variables: Variables) -> str:
        value = variables.get(self.name)
        there = bool(value) if self.operator.startswith(":") else value is not None
        if self.operator.endswith("-"):
            return (value or "") if there else _fill(self.rest, variables)
        if self.operator.endswith("+"):
            return _fill(self.rest, variables) if there else (value or "")
        if self.operator.endswith("?") and not there:
            why = _fill(self.rest, variables)
            raise MissingVariable(f"required variable {self.name} is missing a value" + (f": {why}" if why else ""))
        if value is None:
            variables.missing[self.name] = None
            return ""
        return value


def substitute(template: str, variables: Variables) -> str:
    """Fill a template; ``InvalidTemplate``, or ``MissingVariable`` where one is required."""
    if "$" not in template:
        return template
    parts, _ = _parse(template, 0, 0)
    text = _fill(parts, variables)
    variables.filled += len(text)
    if variables.filled > _LONGEST:
        raise TooLong(f"variables filled in are longer than {_LONGEST} characters")
    return text


def _fill(parts: tuple[str | _Variable, ...], variables: Variables) -> str:
    return "".join(part if isinstance(part, str) else part.value(variables) for part in parts)


def _parse(text: str, position: int, depth: int) -> tuple[tuple[str | _Variable, ...], int]:
    """Parts up to the brace that closes the expression we are in (``depth`` above 0), or to the end; and where that
    is."""
    if depth > _DEEPEST:
        raise InvalidTemplate(text)
    parts: list[str | _Variable] = []
    braces = 0
    while position < len(text):
        found = _TEXT.match(text, position)
        if found:
            parts.append(found[0])
            position = found.end()
        elif text[position] == "$":
            part, position = _dollar(text, position, depth)
            parts.append(part)
        else:
            if depth and text[position] == "}" and not braces:
                return tuple(parts), position
            braces += 1 if text[position] == "{" else -1
            parts.append(text[position])
            position += 1
    if depth:
        raise InvalidTemplate(text)
    return tuple(parts), position


def _dollar(text: str, position: int, depth: int) -> tuple[str | _Variable, int]:
    after = text[position + 1 : position + 2]
    if after == "$":
        return "$", position + 2
    if after == "{":
        return _braced(text, position + 2, depth)
    name = _NAME.match(text, position + 1)
    if name is None:
        return "$", position + 1
    return _Variable(name[0], "", ()), name.end()


def _braced(text: str, position: int, depth: int) -> tuple[_Variable, int]:
    name = _NAME.match(text, position)
    if name is None:
        raise InvalidTemplate(text)
    position = name.end()
    operator = _OPERATOR.match(text, position)
    if operator:
        rest, position = _parse(text, operator.end(), depth + 1)
        return _Variable(name[0], operator[0], rest), position + 1
    if text[position : position + 1] != "}":
        raise InvalidTemplate(text)
    return _Variable(name[0], "", ()), position + 1


@dataclass(frozen=True)
class Named:
    """How a template names a variable: what stands for it where it isn't set, and where it is."""

    required: bool = False
    default: str = ""
    alternate: str = ""


def variables_of(node: Node) -> dict[str, Named]:
    """Every variable that a tree's values name, defaults and all; of one that is named twice, whatever any says.

    Raises ``ComposeError`` for what is no template.
    """
    found: dict[str, Named] = {}
    waiting = [node]
    while waiting:
        here = waiting.pop()
        if isinstance(here, Fields):
            waiting += here.entries.values()
        elif isinstance(here, Items):
            waiting += here.items
        elif "$" in here.text:
            try:
                _gather(_parse(here.text, 0, 0)[0], found)
            except InvalidTemplate as error:
                raise _invalid(here) from error
    return found


def _gather(parts: tuple[str | _Variable, ...], found: dict[str, Named]) -> None:
    for part in parts:
        if isinstance(part, str):
            continue
        seen = found.get(part.name, Named())
        rest = "".join(map(str, part.rest))
        found[part.name] = Named(
            required=seen.required or part.operator.endswith("?"),
            default=rest if part.operator.endswith("-") else seen.default,
            alternate=rest if part.operator.endswith("+") else seen.alternate,
        )
        _gather(part.rest, found)


def interpolate(node: Node, variables: Variables) -> Node:
    """The tree with its values filled in; a filled value is a string, whatever it looks like. Raises
    ``ComposeError``."""
    if isinstance(node, Fields):
        return replace(node, entries={name: interpolate(entry, variables) for name, entry in node.entries.items()})
    if isinstance(node, Items):
        return replace(node, items=tuple(interpolate(item, variables) for item in node.items))
    if "$" not in node.text:
        return node
    return _filled(node, variables)


def _filled(node: Scalar, variables: Variables) -> Scalar:
    path = node.place.path
    try:
        return replace(node, text=substitute(node.text, variables), plain=False)
    except (MissingVariable, TooLong) as error:
        raise node.place.error(f"error while interpolating {path}: {error.message}") from error
    except InvalidTemplate as error:
        raise _invalid(node) from error


def _invalid(node: Scalar) -> ComposeError:
    message = f'invalid interpolation format for {node.place.path}: "{node.text}"'
    return node.place.error(message, hint="You may need to escape any $ with another $.")
