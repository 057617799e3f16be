"""``/volumes``: list, create, inspect, remove and prune."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from containerlab.api.keys import Routes, engine_of
from containerlab.api.requests import filters, flag, json_body
from containerlab.api.streams import json_answer
from containerlab.api.versions import at_least
from containerlab.engine.models import decode
from containerlab.errors import InvalidParameter

__all__ = ["ROUTES"]


class _Create(msgspec.Struct, rename="pascal"):
    name: str = ""
    driver: str = ""
    driver_opts: dict[str, str] = {}
    labels: dict[str, str] = {}
    cluster_volume_spec: dict[str, Any] = {}


async def _list(request: web.Request) -> web.Response:
    return json_answer(await engine_of(request).volumes.list(filters(request)))


async def _create(request: web.Request) -> web.Response:
    asked = decode(_Create, await json_body(request))
    if asked.cluster_volume_spec:
        raise InvalidParameter(
            "a cluster volume (--type, --scope, --sharing and the like) needs swarm, which isn't here"
        )
    made = await engine_of(request).volumes.create(asked.name, asked.driver, asked.driver_opts, asked.labels)
    return json_answer(made, status=201)


async def _inspect(request: web.Request) -> web.Response:
    return json_answer(await engine_of(request).volumes.inspect(request.match_info["name"]))


async def _remove(request: web.Request) -> web.Response:
    await engine_of(request).volumes.remove(request.match_info["name"], force=flag(request, "force"))
    return web.Response(status=204)


async def _prune(request: web.Request) -> web.Response:
    """Before API 1.42 every unused volume went; since then ``all`` asks for that."""
    wanted = filters(request)
    if not at_least(request, "1.42"):
        wanted = {**wanted, "all": ["true"]}
    return json_answer(await engine_of(request).volumes.prune(wanted))


ROUTES: Routes = (
    ("GET", "/volumes", _list),
    ("POST", "/volumes/create", _create),
    ("POST", "/volumes/prune", _prune),
    ("GET", "/volumes/{name}", _inspect),
    ("DELETE", "/volumes/{name}", _remove),
)
