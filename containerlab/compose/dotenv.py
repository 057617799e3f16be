"""``.env`` and ``env_file``: names and values, one a line, by the rules of docker compose.

``NAME=value`` (also ``NAME: value``, ``export NAME=value``); a ``#`` after a space starts a comment; ``'…'`` is taken
as it is, ``"…"`` knows ``\\n`` and its kin, both may go over lines; variables are filled in unless in single quotes. A
name alone takes the caller's value, where there is one.
"""

from __future__ import annotations

__all__ = ["parse", "read"]

import re
from collections.abc import Mapping
from pathlib import Path

from containerlab.compose import document
from containerlab.compose.interpolation import InvalidTemplate, MissingVariable, TooLong, Variables, substitute
from containerlab.errors import ComposeError

_EXPORT = re.compile(r"export[ \t]+")
_SPACE = " \t\v\f\r\x85\xa0"
_NAME = re.compile(r"[\w.\-\[\] \t]*")
_QUOTED = {"'": re.compile(r"'((?:\\.|[^'\\])*)'", re.S), '"': re.compile(r'"((?:\\.|[^"\\])*)"', re.S)}
_ESCAPE = re.compile(r"\\(?:([abfnrtv\"\\$])|0([0-7]{1,3}))")
_ESCAPED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "$": "$$"}


def read(path: Path, lookup: Mapping[str, str], *, raw: bool = False) -> dict[str, str]:
    """Parse a file; ``raw`` takes each line's value as it is. Raises ``ComposeError``."""
    text = document.read(path)
    return _raw(text, lookup) if raw else parse(text, lookup, str(path))


def parse(text: str, lookup: Mapping[str, str], name: str = ".env") -> dict[str, str]:
    """Names to values; ``lookup`` fills variables, before the file's own earlier lines. Raises ``ComposeError``."""
    text = text.replace("\r\n", "\n")
    values: dict[str, str] = {}
    variables = Variables(lookup, values)
    position = 0
    while True:
        position = _next_statement(text, position)
        if position >= len(text):
            return values
        key, position, inherited = _key(text, position, name)
        if not inherited:
            values[key], position = _value(text, position, variables, name)
        elif key in lookup:
            values[key] = lookup[key]


def _raw(text: str, lookup: Mapping[str, str]) -> dict[str, str]:
    values = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if equals and not key.startswith("#"):
            values[key] = value
        elif key and not key.startswith("#") and key in lookup:
            values[key] = lookup[key]
    return values


def _error(text: str, position: int, name: str, message: str) -> ComposeError:
    start = text.rfind("\n", 0, position) + 1
    line = text.count("\n", 0, position) + 1
    return ComposeError(f"failed to read {name}: {message}", file=name, line=line, column=position - start + 1)


def _next_statement(text: str, position: int) -> int:
    while position < len(text):
        if text[position].isspace():
            position += 1
        elif text[position] == "#":
            end = text.find("\n", position)
            position = len(text) if end < 0 else end
        else:
            break
    return position


def _key(text: str, position: int, name: str) -> tuple[str, int, bool]:
    """The key, where its value starts, and whether there is none: the caller's is asked for."""
    export = _EXPORT.match(text, position)
    start = export.end() if export else position
    found = _NAME.match(text, start)
    end = found.end() if found else start
    key = text[start:end].strip(_SPACE)
    after = text[end : end + 1]
    if after not in ("=", ":", "\n", ""):
        shown = text[start:].split("\n", 1)[0]
        raise _error(text, end, name, f'unexpected character "{after}" in variable name "{shown}"')
    if " " in key or "\t" in key:
        raise _error(text, start, name, "key cannot contain a space")
    if not key:
        raise _error(text, start, name, "a value without a variable name")
    return key, min(end + 1, len(text)), after in ("\n", "")


def _value(text: str, position: int, variables: Variables, name: str) -> tuple[str, int]:
    """A value, and where it ends."""
    while position < len(text) and text[position] in _SPACE:
        position += 1
    quote = text[position : position + 1]
    if quote not in _QUOTED or not quote:
        end = text.find("\n", position)
        end = len(text) if end < 0 else end
        plain = text[position:end].partition(" #")[0].rstrip()
        return _filled("" if plain.startswith("#") else plain, variables, text, position, name), end
    found = _QUOTED[quote].match(text, position)
    if found is None:
        raise _error(text, position, name, f"unterminated quoted value {text[position:].splitlines()[0]}")
    if quote == "'":
        return found[1].replace("\\'", "'"), found.end()
    return _filled(_ESCAPE.sub(_unescaped, found[1]), variables, text, position, name), found.end()


def _unescaped(escape: re.Match[str]) -> str:
    letter, octal = escape.groups()
    return _ESCAPED.get(letter, letter) if letter else chr(int(octal, 8))


def _filled(template: str, variables: Variables, text: str, position: int, name: str) -> str:
    try:
        return substitute(template, variables)
    except InvalidTemplate as error:
        raise _error(text, position, name, f'invalid template: "{template}"') from error
    except (MissingVariable, TooLong) as error:
        raise _error(text, position, name, error.message) from error
