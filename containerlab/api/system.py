"""``/_ping``, ``/version``, ``/info`` and ``/system/df``."""

from __future__ import annotations

from aiohttp import web

from containerlab.api.keys import Routes, engine_of
from containerlab.api.requests import filters, integer, refuse
from containerlab.api.streams import json_answer
from containerlab.engine.moments import moment
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
    """``all`` changes nothing: a layer that an image needs is no cache.

    A label, which ``docker system prune`` passes on to every kind, is on no layer of the cache: none goes by one.
    """
    for name in ("max-used-space", "min-free-space"):
        refuse(request, name, "use keep-storage: the bytes of the cache to keep")
    wanted = filters(request)
    by_label = wanted.pop("label", [])
    wanted.pop("label!", None)
    for name in wanted:
        if name not in ("until", "unused-for"):
            raise InvalidParameter(f"the filter {name} is not supported", hint="it is until or unused-for, as in 24h")
    if by_label:
        return json_answer({"CachesDeleted": None, "SpaceReclaimed": 0})
    moments = [moment(value) for values in wanted.values() for value in values]
    return json_answer(
        await engine_of(request).builds.prune(
            keep=max(integer(request, "keep-storage"), integer(request, "reserved-space")),
            unused_since=min(moments) if moments else None,
        )
    )


ROUTES: Routes = (
    ("GET", "/_ping", _ping),
    ("HEAD", "/_ping", _ping),
    ("GET", "/version", _version),
    ("GET", "/info", _info),
    ("GET", "/system/df", _disk_usage),
    ("POST", "/build/prune", _build_prune),
)
