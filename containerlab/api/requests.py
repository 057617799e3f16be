"""Reading a request: query parameters as Docker understands them, and JSON bodies.

Docker's query booleans are lax (anything but ``0``, ``no``, ``false``, ``none`` and nothing is true) and its
bodies are not: they must say ``application/json``, which a web page's cross-site form can't.
"""

from __future__ import annotations

import asyncio
import json
import math
import platform as host
from typing import Any

from aiohttp import web

from containerlab.errors import InvalidParameter

__all__ = [
    "BODY_LIMIT",
    "filters",
    "flag",
    "integer",
    "json_body",
    "json_parameter",
    "optional_integer",
    "refuse",
    "refuse_other_platform",
    "seconds",
    "text",
]

BODY_LIMIT = 2 * 1024 * 1024
"""Bytes of a JSON body at most, and of any body that isn't a build context."""

_BODY_SECONDS = 30.0
_FALSE = ("", "0", "no", "false", "none")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def flag(request: web.Request, name: str, default: bool = False) -> bool:
    """A boolean query parameter (moby: ``httputils.BoolValueOrDefault``)."""
    value = request.query.get(name)
    return default if value is None else value.strip().lower() not in _FALSE


def text(request: web.Request, name: str) -> str | None:
    """A query parameter as text; None when it is absent or empty."""
    return request.query.get(name) or None


def integer(request: web.Request, name: str, default: int = 0) -> int:
    """A whole-number query parameter. Raises InvalidParameter naming it."""
    value = optional_integer(request, name)
    return default if value is None else value


def optional_integer(request: web.Request, name: str) -> int | None:
    """A whole-number query parameter, None when absent. Raises InvalidParameter naming it."""
    value = request.query.get(name)
    if not value:
        return None
    try:
        return int(value)
    except ValueError:
        raise InvalidParameter(f"invalid value for {name}: {value[:80]!r} is not a whole number") from None


def seconds(request: web.Request, name: str) -> float:
    """A time in seconds since 1970, with nanoseconds behind the point; 0.0 when absent.

    Raises InvalidParameter naming it.
    """
    value = request.query.get(name)
    if not value:
        return 0.0
    try:
        moment = float(value)
    except ValueError:
        moment = math.nan
    if not math.isfinite(moment):
        raise InvalidParameter(f"invalid value for {name}: {value[:80]!r} is not a time in seconds since 1970")
    return moment


def filters(request: web.Request) -> dict[str, list[str]]:
    """The ``filters`` parameter: ``{"label": ["a=b"]}``, or with maps of true in place of the lists.

    Raises InvalidParameter when it is neither.
    """
    given = json_parameter(request, "filters")
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise InvalidParameter("invalid filters: expected a JSON object of lists")
    return {name: _filter_values(name, values) for name, values in given.items()}


def json_parameter(request: web.Request, name: str) -> Any:
    """A query parameter that holds JSON; None when absent. Raises InvalidParameter naming it."""
    value = request.query.get(name)
    return _parse(value, name) if value else None


async def json_body(request: web.Request) -> dict[str, Any]:
    """The body as a JSON object; an empty body is ``{}``.

    Raises InvalidParameter for a content type other than JSON, malformed JSON, a key given twice or
    anything but an object; 413 above BODY_LIMIT.
    """
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            body = await request.read()
    except TimeoutError:
        raise InvalidParameter(f"the request body did not arrive within {_BODY_SECONDS:.0f} seconds") from None
    if not body.strip():
        return {}
    if request.content_type != "application/json":
        raise InvalidParameter(f"unsupported Content-Type header ({request.content_type}): must be 'application/json'")
    given = _parse(body, "the request body")
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise InvalidParameter("invalid request body: expected a JSON object")
    return given


def refuse(request: web.Request, name: str, why: str) -> None:
    """Raise InvalidParameter when the client asked for what this engine can't honour.

    Docker's clients send every parameter they know; a zero value (``0``, ``[]``, ``null`` and such) asks nothing.
    """
    value = request.query.get(name, "").strip().lower()
    if value not in (*_FALSE, "[]", "{}", "null"):
        raise InvalidParameter(f"{name} is not supported: {why}")


def refuse_other_platform(request: web.Request) -> None:
    """Raise InvalidParameter unless ``platform`` is empty or this host's own (``linux/amd64``)."""
    asked = text(request, "platform")
    machine = _ARCHITECTURES.get(host.machine(), host.machine())
    own = ("linux", f"linux/{machine}", f"linux/{machine}/v8" if machine == "arm64" else "linux")
    if asked and asked.lower() not in own:
        raise InvalidParameter(f"platform {asked!r} can't run here: this host is linux/{machine}")


def _parse(source: str | bytes, what: str) -> Any:
    try:
        return json.loads(source, object_pairs_hook=_unique)
    except RecursionError:
        raise InvalidParameter(f"invalid JSON in {what}: nested too deeply") from None
    except ValueError as error:
        raise InvalidParameter(f"invalid JSON in {what}: {error}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two answers to one question: a policy would read one of them and the engine the other."""
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"key {twice!r} is given twice")
    return result


def _filter_values(name: str, values: Any) -> list[str]:
    if isinstance(values, dict):
        return [value for value, wanted in values.items() if wanted]
    if isinstance(values, list) and all(isinstance(value, str) for value in values):
        return values
    raise InvalidParameter(f"invalid filter {name!r}: expected a list of strings")
