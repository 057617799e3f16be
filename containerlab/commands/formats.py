"""How the verbs write sizes and times, and the part of Go's templates that ``--format`` understands."""

from __future__ import annotations

__all__ = [
    "ago",
    "ago_calm",
    "command_line",
    "duration",
    "moment",
    "parse_time",
    "plural",
    "seconds",
    "short_id",
    "size",
    "status_calm",
]

import re
import time
from datetime import UTC, datetime

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s)")
_UP_FOR = re.compile(r"^(Up) .*?(\s\((?:healthy|unhealthy|health: starting|Paused)\))?$")
_ENDED_AGO = re.compile(r"^((?:Exited|Restarting|Dead) \(\d+\)) .*$")


def size(count: int | float, digits: int = 3) -> str:
    """Bytes in powers of 1000, as Docker's tables show them: ``4.27MB``; ``df`` and ``prune`` say four digits."""
    amount = float(count)
    units = ["B", "kB", "MB", "GB", "TB"]
    while amount >= 1000 and len(units) > 1:
        amount /= 1000
        units.pop(0)
    return f"{amount:.{digits}g}{units[0]}"


def duration(amount: float) -> str:
    """A span in Docker's words: ``About a minute``, ``3 hours``."""
    whole = int(amount)
    if whole < 1:
        return "Less than a second"
    if whole < 60:
        return "1 second" if whole == 1 else f"{whole} seconds"
    minutes = whole // 60
    if minutes < 60:
        return "About a minute" if minutes == 1 else f"{minutes} minutes"
    hours = round(whole / 3600)
    if hours == 1:
        return "About an hour"
    for limit, divisor, unit in ((48, 1, "hours"), (24 * 14, 24, "days"), (24 * 60, 24 * 7, "weeks")):
        if hours < limit:
            return f"{hours // divisor} {unit}"
    return f"{hours // (24 * 30)} months" if hours < 24 * 365 * 2 else f"{hours // (24 * 365)} years"


def plural(noun: str) -> str:
    """``entry`` as ``entries``."""
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"


def moment(at: float) -> str:
    """``2026-01-31 12:00:00 +0000 UTC``, as Go prints a time."""
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S %z %Z")


def ago(moment: float | None) -> str:
    """``moment`` (seconds since 1970) as ``5 minutes ago``; an engine that doesn't know it sends 0."""
    return f"{duration(max(0.0, time.time() - moment))} ago" if moment and moment > 0 else "N/A"


def ago_calm(moment: float | None) -> str:
    """The same in classes (``minutes ago``), so that a notebook that is run again shows the same words."""
    if not moment or moment <= 0:
        return "N/A"
    passed = max(0.0, time.time() - moment)
    for limit, unit in ((60, "seconds"), (3600, "minutes"), (48 * 3600, "hours"), (60 * 86400, "days")):
        if passed < limit:
            return f"{unit} ago"
    return "months ago"


def status_calm(status: str) -> str:
    """``Up 3 seconds (healthy)`` as ``Up (healthy)``, and ``Exited (0) 2 minutes ago`` as ``Exited (0)``."""
    up = _UP_FOR.match(status)
    if up:
        return up.group(1) + (up.group(2) or "")
    ended = _ENDED_AGO.match(status)
    return ended.group(1) if ended else status


def short_id(identifier: str) -> str:
    """Twelve digits of an id, without its algorithm."""
    return identifier.removeprefix("sha256:")[:12]


def command_line(command: str, limit: int | None = 20) -> str:
    """A command in the quotes of ``docker ps``, cut after ``limit`` characters."""
    shown = command if limit is None or len(command) <= limit else command[: limit - 1] + "…"
    return f'"{shown}"'


def seconds(amount: float) -> str:
    """A measured span for people: ``0.04 s``, ``1.2 s``, ``83 s``."""
    return f"{amount:.2f} s" if amount < 1 else f"{amount:.1f} s" if amount < 10 else f"{amount:.0f} s"


def parse_time(text: str) -> float:
    """A moment in seconds since 1970: a Unix time, an RFC 3339 time, or a span before now (``10m``, ``1h30m``).

    Raises ValueError for anything else.
    """
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if re.fullmatch(f"(?:{_DURATION.pattern})+", text):
        scale = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
        return time.time() - sum(float(number) * scale[unit] for number, unit in _DURATION.findall(text))
    moment = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
