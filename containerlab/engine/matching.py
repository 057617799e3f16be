"""How one filter value meets one object; shared by lists, events and prunes.

Source: moby api/types/filters (``Match``, ``MatchKVList``, ``ExactMatch``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from containerlab.errors import InvalidParameter

__all__ = ["check_names", "label_matches", "pattern_matches", "seconds", "word_matches"]


def label_matches(labels: Mapping[str, str], wanted: str) -> bool:
    """``KEY`` or ``KEY=VALUE``."""
    key, equals, value = wanted.partition("=")
    return key in labels and (not equals or labels[key] == value)


def word_matches(wanted: str, known: Iterable[str]) -> bool:
    """The word itself, nothing like it."""
    return wanted in set(known)


def pattern_matches(pattern: str, text: str) -> bool:
    """Docker's name filter: equal, or a regular expression found anywhere in it."""
    if pattern == text:
        return True
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return False


def check_names(filters: Mapping[str, Iterable[str]], allowed: Iterable[str]) -> None:
    """Raise InvalidParameter, in Docker's words, for a filter that nothing here understands."""
    known = sorted(allowed)
    for name in filters:
        if name not in known:
            raise InvalidParameter(f"invalid filter '{name}'", hint=f"Filters here: {', '.join(known)}.")


_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}


def seconds(text: str) -> float:
    """A Go duration such as ``1h30m`` or ``10s`` as seconds; raises InvalidParameter."""
    parts = re.findall(r"([0-9]+(?:\.[0-9]+)?)(ns|us|µs|ms|h|m|s)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise InvalidParameter(f"invalid duration '{text}'", hint="Write it as 90s, 10m or 1h30m.")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)
