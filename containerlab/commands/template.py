"""``--format``: the part of Go's text/template that Docker's manuals teach.

Understood: text, ``{{.Field.Sub}}``, ``{{json .Field}}``, ``{{len .Field}}``, ``{{upper .F}}``, ``{{lower .F}}``,
``{{join .F ","}}``, ``{{index .F "key"}}`` and ``{{range .F}}…{{end}}``. A table's format may be ``json`` or start
with ``table``. Anything else is an error that names itself.
"""

from __future__ import annotations

__all__ = ["render"]

import json
import re
import shlex
from collections.abc import Mapping, Sequence

from containerlab.errors import UsageError

_ACTION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
_HINT = "Understood are {{.Field}}, json, len, upper, lower, join, index and range … end."


def render(template: str, data: object) -> str:
    r"""``template`` filled from ``data``; ``\t`` and ``\n`` may be written as two characters.

    Raises UsageError for an action or a field that doesn't exist.
    """
    pieces = _ACTION.split(template.replace(r"\t", "\t").replace(r"\n", "\n"))
    text, rest = _block(pieces, 0, data)
    if rest < len(pieces):
        raise UsageError("--format: {{end}} without {{range}}.", hint=_HINT)
    return text


def _block(pieces: Sequence[str], at: int, data: object) -> tuple[str, int]:
    """Render until the block's ``end``: even pieces are text, odd ones actions. Gives the text and where it stopped."""
    out: list[str] = []
    while at < len(pieces):
        out.append(pieces[at])
        if at + 1 == len(pieces):
            return "".join(out), len(pieces)
        action = pieces[at + 1]
        if action == "end":
            return "".join(out), at + 2
        if action.startswith("range "):
            text, at = _range(pieces, at + 2, _value(action[6:].strip(), data))
            out.append(text)
            continue
        out.append(_shown(_evaluate(action, data)))
        at += 2
    return "".join(out), at


def _range(pieces: Sequence[str], at: int, items: object) -> tuple[str, int]:
    values = list(items.values()) if isinstance(items, Mapping) else list(items) if isinstance(items, list) else []
    parts = [_block(pieces, at, value) for value in values]
    return "".join(text for text, _ in parts), parts[0][1] if parts else _block_end(pieces, at)


def _block_end(pieces: Sequence[str], at: int) -> int:
    depth = 1
    for index in range(at + 1, len(pieces), 2):
        depth += pieces[index].startswith("range ") - (pieces[index] == "end")
        if not depth:
            return index + 1
    raise UsageError("--format: {{range}} without {{end}}.", hint=_HINT)


def _evaluate(action: str, data: object) -> object:
    try:
        words = shlex.split(action)
    except ValueError as error:
        raise UsageError(f"--format: {{{{{action}}}}}: {error}.", hint=_HINT) from error
    if len(words) == 1 and words[0].startswith("."):
        return _value(words[0], data)
    if len(words) == 2 and words[0] == ".Label":
        return _call("index", _value(words[0], data), words[1:], action)
    if len(words) >= 2 and words[1].startswith("."):
        return _call(words[0], _value(words[1], data), words[2:], action)
    raise UsageError(f"--format can't read {{{{{action}}}}}.", hint=_HINT)


def _call(function: str, value: object, arguments: list[str], action: str) -> object:
    if function == "json" and not arguments:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    if function == "len" and isinstance(value, (str, list, dict)):
        return len(value)
    if function in ("upper", "lower"):
        return str(value).upper() if function == "upper" else str(value).lower()
    if function == "join" and isinstance(value, list) and len(arguments) == 1:
        return arguments[0].join(str(item) for item in value)
    if function == "index" and len(arguments) == 1:
        if isinstance(value, dict):
            return value.get(arguments[0], "")
        if isinstance(value, list) and arguments[0].isdecimal() and int(arguments[0]) < len(value):
            return value[int(arguments[0])]
    raise UsageError(f"--format can't read {{{{{action}}}}}.", hint=_HINT)


def _value(path: str, data: object) -> object:
    for name in [part for part in path.split(".") if part]:
        if not isinstance(data, Mapping) or name not in data:
            known = ", ".join(f".{key}" for key in data) if isinstance(data, Mapping) else "none"
            raise UsageError(f"--format: there is no field {path}.", hint=f"Fields here: {known}.")
        data = data[name]
    return data


def _shown(value: object) -> str:
    """Go's default printing: ``true``, ``<no value>``, ``[a b]``, ``map[k:v]``."""
    if value is None:
        return "<no value>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + " ".join(_shown(item) for item in value) + "]"
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{_shown(value[key])}" for key in sorted(value)) + "]"
    return str(value)
