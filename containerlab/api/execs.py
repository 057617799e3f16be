"""``/exec``: commands run inside a container that runs already."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from containerlab.api.keys import Routes, engine_of
from containerlab.api.requests import integer, json_body
from containerlab.api.streams import Hijacked, hijack, json_answer, report_in_stream
from containerlab.engine.models import ExecConfig, decode
from containerlab.errors import InvalidParameter

__all__ = ["ROUTES"]


async def _create(request: web.Request) -> web.Response:
    config = decode(ExecConfig, await json_body(request))
    if not config.cmd:
        raise InvalidParameter("No exec command specified")
    return json_answer({"Id": await engine_of(request).execs.create(request.match_info["name"], config)}, status=201)


async def _start(request: web.Request) -> web.StreamResponse:
    execs, exec_id = engine_of(request).execs, request.match_info["id"]
    body = await json_body(request)
    tty, detach = _boolean(body, "Tty"), _boolean(body, "Detach")
    size = _console_size(body.get("ConsoleSize"))
    execs.check(exec_id)
    if detach:
        await execs.start(exec_id, None, detach=True, tty=tty, console_size=size)
        return web.Response(status=200)
    async with hijack(request, tty=tty) as descriptor:
        try:
            await execs.start(exec_id, descriptor, tty=tty, console_size=size)
        except Exception as error:
            await report_in_stream(descriptor, error, tty=tty)
    return Hijacked()


async def _inspect(request: web.Request) -> web.Response:
    return json_answer(await engine_of(request).execs.inspect(request.match_info["id"]))


async def _resize(request: web.Request) -> web.Response:
    await engine_of(request).execs.resize(request.match_info["id"], integer(request, "h"), integer(request, "w"))
    return web.Response(status=200)


def _boolean(body: dict[str, Any], name: str) -> bool:
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise InvalidParameter(f"invalid request: Expected `bool` - at `$.{name}`")
    return bool(value)


def _console_size(value: object) -> tuple[int, int] | None:
    """Rows and columns, as ``[24, 80]``."""
    if value is None:
        return None
    if isinstance(value, list) and len(value) == 2 and all(isinstance(side, int) for side in value):
        return value[0], value[1]
    raise InvalidParameter("invalid request: Expected two whole numbers - at `$.ConsoleSize`")


ROUTES: Routes = (
    ("POST", "/containers/{name}/exec", _create),
    ("POST", "/exec/{id}/start", _start),
    ("POST", "/exec/{id}/resize", _resize),
    ("GET", "/exec/{id}/json", _inspect),
)
