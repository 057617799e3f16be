"""``/networks``: list, create, inspect, remove, prune; connect and disconnect containers."""

from __future__ import annotations

import msgspec
from aiohttp import web

from containerlab.api.keys import Routes, engine_of
from containerlab.api.requests import filters, json_body
from containerlab.api.streams import json_answer
from containerlab.engine.models import EndpointConfig, decode

__all__ = ["ROUTES"]


class _Connect(msgspec.Struct, rename="pascal"):
    container: str
    endpoint_config: EndpointConfig = msgspec.field(default_factory=EndpointConfig)


class _Disconnect(msgspec.Struct, rename="pascal"):
    container: str
    force: bool = False


async def _list(request: web.Request) -> web.Response:
    return json_answer(await engine_of(request).networks.list(filters(request)))


async def _create(request: web.Request) -> web.Response:
    made = await engine_of(request).networks.create(await json_body(request))
    return json_answer({"Id": made, "Warning": ""}, status=201)


async def _inspect(request: web.Request) -> web.Response:
    return json_answer(await engine_of(request).networks.inspect(request.match_info["name"]))


async def _remove(request: web.Request) -> web.Response:
    await engine_of(request).networks.remove(request.match_info["name"])
    return web.Response(status=204)


async def _connect(request: web.Request) -> web.Response:
    asked = decode(_Connect, await json_body(request))
    await engine_of(request).networks.connect(request.match_info["name"], asked.container, asked.endpoint_config)
    return web.Response(status=200)


async def _disconnect(request: web.Request) -> web.Response:
    asked = decode(_Disconnect, await json_body(request))
    await engine_of(request).networks.disconnect(request.match_info["name"], asked.container, force=asked.force)
    return web.Response(status=200)


async def _prune(request: web.Request) -> web.Response:
    return json_answer(await engine_of(request).networks.prune(filters(request)))


ROUTES: Routes = (
    ("GET", "/networks", _list),
    ("POST", "/networks/create", _create),
    ("POST", "/networks/prune", _prune),
    ("GET", "/networks/{name}", _inspect),
    ("DELETE", "/networks/{name}", _remove),
    ("POST", "/networks/{name}/connect", _connect),
    ("POST", "/networks/{name}/disconnect", _disconnect),
)
