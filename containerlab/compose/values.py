"""Words of a Compose file as numbers: durations, sizes, commands, booleans, file modes. Each raises ``ValueError``."""

from __future__ import annotations

__all__ = ["boolean", "byte_size", "command", "duration", "file_mode", "integer", "number"]

import math
import re
import shlex

_UNITS = {
    "ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9,
    "d": 24 * 3600 * 10**9, "w": 7 * 24 * 3600 * 10**9,
}  # fmt: skip
_TERM = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h|d|w)")
_DURATION = re.compile(rf"(?:{_TERM.pattern})+")
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([kKmMgGtTpP]?)[iI]?[bB]?")
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_TRUE, _FALSE = ("true", "t", "yes", "y", "on", "1"), ("false", "f", "no", "n", "off", "0")
_LONGEST = 1 << 63


def duration(text: str) -> int:
    """``1m30s``, ``1.5h``, ``10ms``, ``2d`` in nanoseconds, as Go reads them (with days and weeks beside)."""
    if text == "0":
        return 0
    if len(text) > 100 or not _DURATION.fullmatch(text):
        raise ValueError(f'invalid duration "{text}"')
    total = round(sum(float(amount) * _UNITS[unit] for amount, unit in _TERM.findall(text)))
    if total >= _LONGEST:
        raise ValueError(f'invalid duration "{text}"')
    return total


def byte_size(text: str) -> int:
    """``64m``, ``1.5gb``, ``512`` in bytes, by powers of 1024 (go-units' ``RAMInBytes``)."""
    found = _SIZE.fullmatch(text.strip()) if len(text) <= 100 else None
    if found is None:
        raise ValueError(f"invalid size: '{text}'")
    size = int(float(found[1]) * 1024 ** _POWERS[found[2].lower()])
    if size >= _LONGEST:
        raise ValueError(f"invalid size: '{text}'")
    return size


def command(text: str) -> tuple[str, ...]:
    """A command line's words, as a shell would split them."""
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise ValueError(f"invalid command line: {str(error).lower()}") from error


def boolean(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ValueError(f"invalid boolean: {text}")


def integer(text: str) -> int:
    try:
        value = int(text, 10) if len(text) <= 20 else _LONGEST
    except ValueError:
        value = _LONGEST
    if not -_LONGEST <= value < _LONGEST:
        raise ValueError(f"must be an integer, not {text}")
    return value


def number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"must be a number, not {text}")
    return value


def file_mode(text: str) -> int:
    """``0440`` (octal) as permission bits."""
    try:
        value = int(text, 8)
    except ValueError:
        raise ValueError(f"invalid file mode: {text}") from None
    return value
