"""``/_ping``, ``/version``, ``/info`` and ``/system/df``."""

from __future__ import annotations

from aiohttp import web

from containerlab.api.keys import Routes, engine_of
from containerlab.api.requests import filters, refuse
from containerlab.api.streams import json_answer
from containerlab.engine.system import DISK_KINDS
from containerlab.errors import InvalidParameter

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
    kinds = frozenset(request.query.getall("type", [])) or DISK_KINDS
    for kind in kinds - DISK_KINDS:
        raise InvalidParameter(f"unknown object type: {kind}")
    return json_answer(await engine_of(request).system.disk_usage(kinds))


async def _build_prune(request: web.Request) -> web.Response:
    for name in ("keep-storage", "reserved-space", "max-used-space", "min-free-space"):
        refuse(request, name, "the cache has no bound to keep to")
    if filters(request):
        raise InvalidParameter("filters are not supported: the whole unneeded cache goes")
    return json_answer(await engine_of(request).builds.prune())


async def _network_prune(request: web.Request) -> web.Response:
    """The networks that are there belong to the engine."""
    return json_answer({"NetworksDeleted": None})


ROUTES: Routes = (
    ("GET", "/_ping", _ping),
    ("HEAD", "/_ping", _ping),
    ("GET", "/version", _version),
    ("GET", "/info", _info),
    ("GET", "/system/df", _disk_usage),
    ("POST", "/build/prune", _build_prune),
    ("POST", "/networks/prune", _network_prune),
)
