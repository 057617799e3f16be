"""``/_ping``, ``/version``, ``/info`` and ``/system/df``."""

from __future__ import annotations

from aiohttp import web

from containerlab.api.keys import Routes, engine_of
from containerlab.api.streams import json_answer

__all__ = ["ROUTES"]

_PING_HEADERS = {
    # 1 is the classic builder, behind /build; newer clients would ask for BuildKit otherwise.
    "Builder-Version": "1",
    "Cache-Control": "no-cache, no-store, must-revalidate",
    "Pragma": "no-cache",
    "Swarm": "inactive",
}


async def _ping(request: web.Request) -> web.Response:
    """``OK``; a HEAD request gets the same headers and no body."""
    return web.Response(text="OK", headers=_PING_HEADERS)


async def _version(request: web.Request) -> web.Response:
    return json_answer(engine_of(request).system.version())


async def _info(request: web.Request) -> web.Response:
    return json_answer(await engine_of(request).system.info())


async def _disk_usage(request: web.Request) -> web.Response:
    return json_answer(await engine_of(request).system.disk_usage())


ROUTES: Routes = (
    ("GET", "/_ping", _ping),
    ("HEAD", "/_ping", _ping),
    ("GET", "/version", _version),
    ("GET", "/info", _info),
    ("GET", "/system/df", _disk_usage),
)
