"""``/containers``, the answers that last: attach, wait, logs and stats."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from aiohttp import web

from containerlab.api.keys import Routes, engine_of
from containerlab.api.lifetime import ends_with_client
from containerlab.api.requests import flag, optional_integer, seconds, text
from containerlab.api.streams import Hijacked, begin, content_type, frame, hijack, json_answer, report_in_stream
from containerlab.engine.detaching import check_detach_keys
from containerlab.errors import InvalidParameter, NotFound

__all__ = ["ROUTES"]

_STATS_SECONDS = 1.0


async def _attach(request: web.Request) -> web.StreamResponse:
    containers, name = engine_of(request).containers, request.match_info["name"]
    tty, keys = containers.tty(name), text(request, "detachKeys") or ""
    check_detach_keys(keys)
    async with hijack(request, tty=tty) as descriptor:
        try:
            await containers.attach(
                name,
                descriptor,
                stdin=flag(request, "stdin"),
                stdout=flag(request, "stdout"),
                stderr=flag(request, "stderr"),
                logs=flag(request, "logs"),
                stream=flag(request, "stream"),
                detach_keys=keys,
            )
        except Exception as error:
            await report_in_stream(descriptor, error, tty=tty)
    return Hijacked()


@ends_with_client
async def _wait(request: web.Request) -> web.StreamResponse:
    """The head says that the wait is registered: the docker client starts the container only then."""
    condition = text(request, "condition") or "not-running"
    waiter = engine_of(request).containers.wait(request.match_info["name"], condition)
    try:
        response = await begin(request, "application/json")
        await response.write(msgspec.json.encode(await waiter.result()) + b"\n")
    finally:
        waiter.close()
    return response


@ends_with_client
async def _logs(request: web.Request) -> web.StreamResponse:
    stdout, stderr = flag(request, "stdout"), flag(request, "stderr")
    if not stdout and not stderr:
        raise InvalidParameter("Bad parameters: you must choose at least one stream")
    containers, name = engine_of(request).containers, request.match_info["name"]
    tty = containers.tty(name)
    chunks = containers.logs(
        name,
        stdout=stdout,
        stderr=stderr,
        since=seconds(request, "since"),
        until=seconds(request, "until"),
        tail=_tail(request),
        follow=flag(request, "follow"),
        timestamps=flag(request, "timestamps"),
        details=flag(request, "details"),
    )
    response = await begin(request, content_type(request, tty=tty))
    async for stream, payload in chunks:
        await response.write(payload if tty else frame(stream, payload))
    return response


def _tail(request: web.Request) -> int | None:
    if request.query.get("tail") == "all":
        return None
    lines = optional_integer(request, "tail")
    return None if lines is None or lines < 0 else lines


@ends_with_client
async def _stats(request: web.Request) -> web.StreamResponse:
    containers, name = engine_of(request).containers, request.match_info["name"]
    reading = await containers.stats(name)
    if flag(request, "stream", default=True):
        return await _stats_stream(request, reading)
    if not flag(request, "one-shot"):
        await asyncio.sleep(_STATS_SECONDS)
        reading = await containers.stats(name, reading)
    return json_answer(reading)


async def _stats_stream(request: web.Request, reading: dict[str, Any]) -> web.StreamResponse:
    """A reading a second, until the client leaves or the container is gone."""
    containers, name = engine_of(request).containers, request.match_info["name"]
    response = await begin(request, "application/json")
    try:
        while True:
            await response.write(msgspec.json.encode(reading) + b"\n")
            await asyncio.sleep(_STATS_SECONDS)
            reading = await containers.stats(name, reading)
    except NotFound:
        return response


ROUTES: Routes = (
    ("POST", "/containers/{name}/attach", _attach),
    ("POST", "/containers/{name}/wait", _wait),
    ("GET", "/containers/{name}/logs", _logs),
    ("GET", "/containers/{name}/stats", _stats),
)
