"""Option values that are more than a word, as click types: each refuses with an example of what it takes."""

from __future__ import annotations

__all__ = [
    "BYTES",
    "BYTES_RATE",
    "CPUS",
    "DEVICE",
    "DURATION",
    "GPUS",
    "IO_RATE",
    "MOMENT",
    "RESTART",
    "SWAP",
    "ULIMIT",
    "WEIGHT",
    "filters",
    "pairs",
    "read_env_file",
]

import csv
import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from containerlab.commands.formats import parse_time
from containerlab.errors import UsageError

if TYPE_CHECKING:
    _Type = click.ParamType[Any]
else:
    _Type = click.ParamType  # not generic before click 8.4

_BYTES = re.compile(r"^(\d+(?:\.\d+)?) ?([kmgtp])?i?b?$", re.IGNORECASE)
_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_STEP = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)")
_DURATION = re.compile(rf"([+-]?)(?:0|(?:{_STEP.pattern})+)")


class _Bytes(_Type):
    name = "bytes"

    def __init__(self, *, unlimited: bool = False) -> None:
        self._unlimited = unlimited

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        if value == "-1" and self._unlimited:
            return -1
        match = _BYTES.match(value)
        if not match:
            self.fail(f"{value!r} is not a size: write a number and b, k, m or g, as in 64m.", param, ctx)
        power = "kmgtp".index(match.group(2).lower()) + 1 if match.group(2) else 0
        return int(Decimal(match.group(1)) * 1024**power)


class _Cpus(_Type):
    name = "decimal"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """In billionths of a processor (``NanoCpus``)."""
        if isinstance(value, int):
            return value
        try:
            cpus = Decimal(value)
        except InvalidOperation:
            self.fail(f"{value!r} is not a number of processors, as in 0.5.", param, ctx)
        if not cpus.is_finite() or cpus < 0:
            self.fail(f"{value!r} is not a number of processors, as in 0.5.", param, ctx)
        return int(cpus * 10**9)


class _Duration(_Type):
    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """In nanoseconds. As Go's time.ParseDuration: a number needs its unit, unless it is 0."""
        if isinstance(value, int):
            return value
        match = _DURATION.fullmatch(value)
        if not match:
            self.fail(f"{value!r} is not a duration: write a number and ms, s, m or h, as in 1m30s.", param, ctx)
        amount = sum((Decimal(number) * _UNITS[unit] for number, unit in _STEP.findall(value)), Decimal(0))
        return -int(amount) if match[1] == "-" else int(amount)


class _DeviceRate(_Type):
    name = "device:rate"

    def __init__(self, field: str, *, sized: bool = False) -> None:
        """``sized``: the number may have a unit of bytes."""
        self._field, self._sized = field, sized

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        device, colon, rate = value.rpartition(":")
        if not colon or not device.startswith("/dev/"):
            self.fail(f"bad format: {value!r}: write /dev/NAME:NUMBER.", param, ctx)
        if not self._sized and not rate.isdecimal():
            self.fail(f"invalid rate for device: {value!r}: the number must be a positive integer.", param, ctx)
        return {"Path": device, self._field: BYTES.convert(rate, param, ctx)}


class _Gpus(_Type):
    name = "gpus"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        """A ``DeviceRequest``: ``all``, a number, or ``device=ID,driver=…,capabilities=…``."""
        if isinstance(value, dict):
            return value
        found: dict[str, Any] = {"Driver": "", "Capabilities": [["gpu"]]}
        for part in next(csv.reader([value]), []):
            key, equals, text = part.partition("=")
            key, text = (key, text) if equals else ("count", key)
            if key == "count" and (text == "all" or text.isdecimal()):
                found["Count"] = -1 if text == "all" else int(text)
            elif key == "device":
                found["DeviceIDs"] = text.split(",")
            elif key == "driver":
                found["Driver"] = text
            elif key == "capabilities":
                found["Capabilities"] = [[*text.split(","), "gpu"]]
            else:
                self.fail(f"{part!r} is not known: write all, a number, or device=ID.", param, ctx)
        return found


class _Ulimit(_Type):
    name = "name=soft[:hard]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        match = re.fullmatch(r"([a-z]+)=(-?\d+)(?::(-?\d+))?", value)
        if not match:
            self.fail(f"{value!r} is not a limit: write name=soft or name=soft:hard, as in nofile=64:128.", param, ctx)
        soft = int(match.group(2))
        return {"Name": match.group(1), "Soft": soft, "Hard": int(match.group(3) or soft)}


class _Device(_Type):
    name = "host[:container[:rwm]]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, str]:
        if isinstance(value, dict):
            return value
        parts = value.split(":")
        if not parts[0].startswith("/") or len(parts) > 3:
            self.fail(f"{value!r} is not a device: write /dev/NAME[:/dev/NAME[:rwm]].", param, ctx)
        rights = "rwm"
        if len(parts) > 1 and re.fullmatch("[rwm]+", parts[-1]):
            rights = parts.pop()
        return {"PathOnHost": parts[0], "PathInContainer": parts[-1], "CgroupPermissions": rights}


class _Restart(_Type):
    name = "policy"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        name, colon, count = value.partition(":")
        if name not in ("no", "always", "unless-stopped", "on-failure") or (colon and name != "on-failure"):
            self.fail(f"{value!r} is not one of no, always, unless-stopped, on-failure[:N].", param, ctx)
        if colon and not count.isdecimal():
            self.fail(f"{count!r} is not a number of restarts, as in on-failure:3.", param, ctx)
        return {"Name": name, "MaximumRetryCount": int(count or 0)}


class _Moment(_Type):
    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds since 1970."""
        if isinstance(value, float):
            return value
        try:
            return parse_time(value)
        except ValueError:
            self.fail(f"{value!r} is not a time: write 10m, 2026-01-31T12:00:00 or seconds since 1970.", param, ctx)


BYTES = _Bytes()
BYTES_RATE = _DeviceRate("Rate", sized=True)
CPUS = _Cpus()
DEVICE = _Device()
DURATION = _Duration()
GPUS = _Gpus()
IO_RATE = _DeviceRate("Rate")
MOMENT = _Moment()
RESTART = _Restart()
SWAP = _Bytes(unlimited=True)
ULIMIT = _Ulimit()
WEIGHT = _DeviceRate("Weight")


def filters(words: Iterable[str]) -> dict[str, list[str]] | None:
    """The API's ``filters`` of ``--filter K=V`` words; None without any. Raises UsageError."""
    found: dict[str, list[str]] = {}
    for word in words:
        for key, value in pairs([word], "--filter").items():
            found.setdefault(key.strip().lower(), []).append(value.strip())
    return found or None


def pairs(words: Iterable[str], option: str, *, bare: bool = False) -> dict[str, str]:
    """``K=V`` words as a dict; ``bare`` lets ``K`` stand for an empty value. Raises UsageError naming ``option``."""
    found: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not key or (not equals and not bare):
            raise UsageError(f"{option} {word}: KEY=VALUE is expected.")
        found[key] = value
    return found


def read_env_file(path: Path, option: str = "--env-file") -> list[str]:
    """The lines of an ``--env-file`` or ``--label-file``: ``K=V`` or ``K``, ``#`` comments, nothing unquoted.

    As docker/cli ``kvfile``.

    Raises UsageError for a file that can't be read or a name with blanks.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{option} {path}: {getattr(error, 'strerror', None) or 'not UTF-8 text'}.") from error
    words = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.lstrip()
        if not line or line.startswith("#"):
            continue
        name = line.partition("=")[0]
        if not name or any(letter.isspace() for letter in name):
            raise UsageError(f"{option} {path}:{number}: {name!r} is not the name of a variable.")
        words.append(line)
    return words
