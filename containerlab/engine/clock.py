"""Times as Docker writes them: RFC 3339 with nanoseconds, and rough durations in words."""

from __future__ import annotations

import functools
import time
from datetime import UTC, datetime

__all__ = ["ZERO", "ago", "nanoseconds", "rfc3339"]

ZERO = "0001-01-01T00:00:00Z"
"""Go's zero time, that Docker shows for a time that hasn't come."""


@functools.lru_cache(maxsize=4096)  # a container's times are asked for again and again
def rfc3339(nanoseconds: int) -> str:
    """Nanoseconds since 1970 as ``2026-01-02T03:04:05.000000006Z``; 0 is Go's zero time."""
    if not nanoseconds:
        return ZERO
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    stamp = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{stamp}.{rest:09d}Z" if rest else f"{stamp}Z"


def nanoseconds(stamp: str) -> int:
    """The way back: RFC 3339 as nanoseconds since 1970, for comparing two; 0 for none. Raises ValueError."""
    if not stamp:
        return 0
    whole, point, rest = stamp.partition(".")
    fraction = rest[: len(rest) - len(rest.lstrip("0123456789"))] if point else ""
    moment = datetime.fromisoformat(whole + rest[len(fraction) :])
    seconds = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    return seconds * 1_000_000_000 + int(f"{fraction[:9]:0<9}")


def ago(nanoseconds: int) -> str:
    """How long since then, as go-units' ``HumanDuration`` says it: ``About a minute``, ``3 hours``."""
    seconds = max(0, time.time_ns() - nanoseconds) // 1_000_000_000
    minutes, hours = seconds // 60, (seconds + 1800) // 3600
    if seconds < 1:
        return "Less than a second"
    if seconds == 1:
        return "1 second"
    if seconds < 60:
        return f"{seconds} seconds"
    if minutes == 1:
        return "About a minute"
    if minutes < 60:
        return f"{minutes} minutes"
    if hours == 1:
        return "About an hour"
    for limit, unit, name in (
        (48, 1, "hours"),
        (24 * 14, 24, "days"),
        (24 * 60, 24 * 7, "weeks"),
        (24 * 730, 720, "months"),
    ):
        if hours < limit:
            return f"{hours // unit} {name}"
    return f"{seconds // 3600 // 8760} years"
