"""``--log-driver`` and ``--log-opt``: which drivers there are, what each takes, and where the supervisor writes.

Sources: moby daemon/logger/jsonfilelog, daemon/logger/local (its defaults: five files of 20 MB). ``local`` is kept in
json-file's form here: only the engine reads it.
"""

from __future__ import annotations

import re
from typing import Any

from containerlab.engine.container import Container
from containerlab.engine.models import LogConfig
from containerlab.engine.settings import Settings
from containerlab.errors import InvalidParameter

__all__ = ["DRIVERS", "check_log", "supervised_log"]

DRIVERS = ("json-file", "local", "none")

_OPTIONS = {"json-file": {"max-size", "max-file"}, "local": {"max-size", "max-file"}, "none": set[str]()}
_LOCAL_SIZE, _LOCAL_FILES = 20_000_000, 5
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgtp]?)(?:i?b)?", re.IGNORECASE)
_UNITS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "t": 1000**4, "p": 1000**5}


def check_log(log: LogConfig) -> None:
    """Raise InvalidParameter, in Docker's words, for a driver or an option that there isn't."""
    driver = log.type or "json-file"
    if driver not in DRIVERS:
        raise InvalidParameter(
            f"logger: no log driver named '{driver}' is registered", hint=f"There are {', '.join(DRIVERS)}."
        )
    unknown = sorted(set(log.config) - _OPTIONS[driver])
    if unknown:
        raise InvalidParameter(f"unknown log opt '{unknown[0]}' for {driver} log driver")
    size = _size(log.config)
    files = _files(log.config)
    if files is not None and files > 1 and size is not None and size < 0:
        raise InvalidParameter("max-file cannot be specified without max-size")


def supervised_log(container: Container, settings: Settings) -> dict[str, Any] | None:
    """The log as the supervisor's ``create`` takes it (docs/interfaces.md); None where nothing is kept.

    ``max-size=-1`` never rotates.
    """
    if container.record.log_driver == "none":
        return None
    asked = container.record.host_config.log_config.config
    local = container.record.log_driver == "local"
    size, files = _size(asked), _files(asked)
    if size is None:
        size = _LOCAL_SIZE if local else settings.log_max_size
    if files is None:
        files = _LOCAL_FILES if local else settings.log_max_file
    return {"driver": "json-file", "path": str(container.log_path), "max_size": max(size, 0), "max_file": files}


def _size(options: dict[str, str]) -> int | None:
    """Bytes of ``max-size``, as go-units' ``FromHumanSize`` reads it: ``10m`` is ten million; -1 for never."""
    if "max-size" not in options:
        return None
    value = options["max-size"]
    if value == "-1":
        return -1
    match = _SIZE.fullmatch(value)
    if match is None or not float(match[1]):
        raise InvalidParameter(f"invalid value for max-size: {value}", hint="Write it as 10m or 500k.")
    return int(float(match[1]) * _UNITS[match[2].lower()])


def _files(options: dict[str, str]) -> int | None:
    if "max-file" not in options:
        return None
    value = options["max-file"]
    if not (value.isascii() and value.isdigit()) or int(value) < 1:
        raise InvalidParameter(f"invalid value for max-file: {value}: max-file cannot be less than 1")
    return int(value)
