"""How a handler finds the engine, and what a table of routes looks like."""

from __future__ import annotations

from typing import TypeAlias

from aiohttp import web
from aiohttp.typedefs import Handler

from containerlab.engine.engine import Engine

__all__ = ["ENGINE", "Routes", "engine_of"]

ENGINE: web.AppKey[Engine] = web.AppKey("engine", Engine)

Routes: TypeAlias = tuple[tuple[str, str, Handler], ...]
"""Method, path (aiohttp's pattern, without the version) and handler."""


def engine_of(request: web.Request) -> Engine:
    """The engine that answers this request."""
    return request.app[ENGINE]
