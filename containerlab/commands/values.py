"""Option values that are more than a word, as click types: each refuses with an example of what it takes."""

from __future__ import annotations

__all__ = ["BYTES", "CPUS", "DEVICE", "MOMENT", "MOUNT", "RESTART", "ULIMIT", "pairs", "read_env_file"]

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


class _Bytes(_Type):
    name = "bytes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        if value == "-1":
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


class _Mount(_Type):
    name = "type=bind,src=DIR,dst=DIR[,ro]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        """A ``Mount`` of the API; bind mounts alone."""
        if isinstance(value, dict):
            return value
        words: dict[str, str] = {}
        for part in value.split(","):
            key, _, text = part.partition("=")
            words[{"source": "src", "target": "dst", "destination": "dst", "readonly": "ro"}.get(key, key)] = text
        unknown = set(words) - {"type", "src", "dst", "ro"}
        if unknown:
            self.fail(f"{sorted(unknown)[0]!r} is not known: type, src, dst and ro are.", param, ctx)
        if words.get("type") != "bind":
            self.fail("only type=bind is carried, as in type=bind,src=/data,dst=/data,ro.", param, ctx)
        if not words.get("src") or not words.get("dst"):
            self.fail("src= and dst= are both needed.", param, ctx)
        read_only = words.get("ro", "false") in ("", "true", "1")
        source = str(Path(words["src"]).expanduser().absolute())
        return {"Type": "bind", "Source": source, "Target": words["dst"], "ReadOnly": read_only}


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
CPUS = _Cpus()
DEVICE = _Device()
MOMENT = _Moment()
MOUNT = _Mount()
RESTART = _Restart()
ULIMIT = _Ulimit()


def pairs(words: Iterable[str], option: str, *, bare: bool = False) -> dict[str, str]:
    """``K=V`` words as a dict; ``bare`` lets ``K`` stand for an empty value. Raises UsageError naming ``option``."""
    found: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not key or (not equals and not bare):
            raise UsageError(f"{option} {word}: KEY=VALUE is expected.")
        found[key] = value
    return found


def read_env_file(path: Path) -> list[str]:
    """The lines of an ``--env-file``, as docker/cli ``kvfile``: ``K=V`` or ``K``, ``#`` comments, nothing unquoted.

    Raises UsageError for a file that can't be read or a name with blanks.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--env-file {path}: {getattr(error, 'strerror', None) or 'not UTF-8 text'}.") from error
    words = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.lstrip()
        if not line or line.startswith("#"):
            continue
        name = line.partition("=")[0]
        if not name or any(letter.isspace() for letter in name):
            raise UsageError(f"--env-file {path}:{number}: {name!r} is not the name of a variable.")
        words.append(line)
    return words
