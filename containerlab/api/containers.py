"""``/containers``: create, inspect and everything that changes a container's state."""

from __future__ import annotations

from aiohttp import web

from containerlab.api.keys import Routes, engine_of
from containerlab.api.requests import (
    filters,
    flag,
    integer,
    json_body,
    optional_integer,
    refuse_other_platform,
    text,
)
from containerlab.api.streams import json_answer
from containerlab.api.versions import at_least
from containerlab.engine.models import ContainerConfig, HostConfig, NetworkingConfig, decode
from containerlab.errors import InvalidParameter

__all__ = ["ROUTES"]


async def _list(request: web.Request) -> web.Response:
    limit = optional_integer(request, "limit")
    found = await engine_of(request).containers.list(
        all=flag(request, "all"),
        limit=limit if limit is not None and limit > 0 else None,
        size=flag(request, "size"),
        filters=filters(request),
    )
    return json_answer(found)


async def _create(request: web.Request) -> web.Response:
    refuse_other_platform(request)
    body = await json_body(request)
    host = decode(HostConfig, body.get("HostConfig"), within="HostConfig")
    _check_mounts(request, host)
    container_id, warnings = await engine_of(request).containers.create(
        decode(ContainerConfig, body),
        host,
        text(request, "name"),
        decode(NetworkingConfig, body.get("NetworkingConfig"), within="NetworkingConfig"),
        readonly_recursive=at_least(request, "1.44"),
    )
    return json_answer({"Id": container_id, "Warnings": warnings}, status=201)


def _check_mounts(request: web.Request, host: HostConfig) -> None:
    """What an older API didn't know isn't granted to its clients (moby daemon/server/router/container)."""
    for mount in host.mounts:
        if mount.bind_options and mount.bind_options.read_only_force_recursive and not at_least(request, "1.44"):
            raise InvalidParameter("BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer")
        if mount.volume_options and mount.volume_options.subpath and not at_least(request, "1.45"):
            raise InvalidParameter("VolumeOptions.Subpath needs API v1.45 or newer")


async def _inspect(request: web.Request) -> web.Response:
    return json_answer(await engine_of(request).containers.inspect(_name(request), size=flag(request, "size")))


async def _top(request: web.Request) -> web.Response:
    ps_args = text(request, "ps_args") or "-ef"
    return json_answer(await engine_of(request).containers.top(_name(request), ps_args))


async def _start(request: web.Request) -> web.Response:
    await engine_of(request).containers.start(_name(request), text(request, "detachKeys") or "")
    return web.Response(status=204)


async def _stop(request: web.Request) -> web.Response:
    await engine_of(request).containers.stop(_name(request), optional_integer(request, "t"), text(request, "signal"))
    return web.Response(status=204)


async def _restart(request: web.Request) -> web.Response:
    await engine_of(request).containers.restart(_name(request), optional_integer(request, "t"), text(request, "signal"))
    return web.Response(status=204)


async def _kill(request: web.Request) -> web.Response:
    await engine_of(request).containers.kill(_name(request), text(request, "signal") or "SIGKILL")
    return web.Response(status=204)


async def _pause(request: web.Request) -> web.Response:
    await engine_of(request).containers.pause(_name(request))
    return web.Response(status=204)


async def _unpause(request: web.Request) -> web.Response:
    await engine_of(request).containers.unpause(_name(request))
    return web.Response(status=204)


async def _update(request: web.Request) -> web.Response:
    warnings = await engine_of(request).containers.update(_name(request), await json_body(request))
    return json_answer({"Warnings": warnings})


async def _rename(request: web.Request) -> web.Response:
    name = text(request, "name")
    if name is None:
        raise InvalidParameter("Neither old nor new names may be empty")
    await engine_of(request).containers.rename(_name(request), name)
    return web.Response(status=204)


async def _resize(request: web.Request) -> web.Response:
    await engine_of(request).containers.resize(_name(request), integer(request, "h"), integer(request, "w"))
    return web.Response(status=200)


async def _remove(request: web.Request) -> web.Response:
    containers = engine_of(request).containers
    if flag(request, "link"):
        await containers.unlink(_name(request))
    else:
        await containers.remove(_name(request), force=flag(request, "force"), volumes=flag(request, "v"))
    return web.Response(status=204)


async def _prune(request: web.Request) -> web.Response:
    return json_answer(await engine_of(request).containers.prune(filters(request)))


def _name(request: web.Request) -> str:
    return request.match_info["name"]


ROUTES: Routes = (
    ("GET", "/containers/json", _list),
    ("POST", "/containers/create", _create),
    ("POST", "/containers/prune", _prune),
    ("GET", "/containers/{name}/json", _inspect),
    ("GET", "/containers/{name}/top", _top),
    ("POST", "/containers/{name}/start", _start),
    ("POST", "/containers/{name}/stop", _stop),
    ("POST", "/containers/{name}/restart", _restart),
    ("POST", "/containers/{name}/kill", _kill),
    ("POST", "/containers/{name}/pause", _pause),
    ("POST", "/containers/{name}/unpause", _unpause),
    ("POST", "/containers/{name}/update", _update),
    ("POST", "/containers/{name}/rename", _rename),
    ("POST", "/containers/{name}/resize", _resize),
    ("DELETE", "/containers/{name}", _remove),
)
