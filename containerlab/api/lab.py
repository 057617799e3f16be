"""``/containerlab``: what Docker's API has no word for; the shapes stand in ``docs/interfaces.md``."""

from __future__ import annotations

from aiohttp import web

from containerlab.api.keys import Routes, engine_of
from containerlab.api.openapi import openapi
from containerlab.api.requests import text
from containerlab.api.streams import json_answer
from containerlab.errors import InvalidParameter

__all__ = ["ROUTES"]


async def _host(request: web.Request) -> web.Response:
    return json_answer(await engine_of(request).system.host())


async def _timeline(request: web.Request) -> web.Response:
    return json_answer(await engine_of(request).containers.timeline(request.match_info["name"]))


async def _memory(request: web.Request) -> web.Response:
    return json_answer(await engine_of(request).containers.memory(request.match_info["name"]))


async def _mounts(request: web.Request) -> web.Response:
    return json_answer(await engine_of(request).containers.mounts(request.match_info["name"]))


async def _layers(request: web.Request) -> web.Response:
    references = request.query.getall("image", [])
    if not references:
        raise InvalidParameter("image is needed: at least one, as in ?image=lab/busybox")
    return json_answer(await engine_of(request).images.layers(references))


async def _where(request: web.Request) -> web.Response:
    image, path = text(request, "image"), text(request, "path")
    if not image or not path:
        raise InvalidParameter("image and path are needed, as in ?image=lab/busybox&path=/bin/sh")
    return json_answer(await engine_of(request).images.where(image, path))


async def _check(request: web.Request) -> web.Response:
    return json_answer({"problems": await engine_of(request).system.check(), "repaired": []})


async def _repair(request: web.Request) -> web.Response:
    repaired = await engine_of(request).system.repair()
    return json_answer({"problems": await engine_of(request).system.check(), "repaired": repaired})


async def _exec_kill(request: web.Request) -> web.Response:
    """Docker has no word for it: an exec's process can only be left alone there."""
    await engine_of(request).execs.kill(request.match_info["id"], text(request, "signal") or "SIGKILL")
    return web.Response(status=204)


ROUTES: Routes = (
    ("GET", "/containerlab/openapi.json", openapi),
    ("GET", "/containerlab/host", _host),
    ("GET", "/containerlab/containers/{name}/timeline", _timeline),
    ("GET", "/containerlab/containers/{name}/memory", _memory),
    ("GET", "/containerlab/containers/{name}/mounts", _mounts),
    ("GET", "/containerlab/layers", _layers),
    ("GET", "/containerlab/where", _where),
    ("GET", "/containerlab/check", _check),
    ("POST", "/containerlab/check", _repair),
    ("POST", "/containerlab/exec/{id}/kill", _exec_kill),
)
