"""``/containers/{name}/archive`` and ``/changes``: files in, files out, and what has changed.

See https://docs.docker.com/reference/api/engine/version/v1.43/#tag/Container/operation/ContainerArchive. What a client
sends and takes is passed on piece by piece; nothing is kept.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator

import msgspec
from aiohttp import web

from containerlab.api.keys import Routes, engine_of
from containerlab.api.lifetime import ends_with_client
from containerlab.api.requests import flag
from containerlab.api.streams import json_answer
from containerlab.errors import InvalidParameter

__all__ = ["ROUTES"]

_STAT_HEADER = "X-Docker-Container-Path-Stat"
_STALLED_SECONDS = 60.0


async def _stat(request: web.Request) -> web.Response:
    described = await engine_of(request).visits.stat(_name(request), _path(request))
    return web.Response(headers={_STAT_HEADER: _encoded(described)})


@ends_with_client
async def _get(request: web.Request) -> web.StreamResponse:
    async with engine_of(request).visits.read(_name(request), _path(request)) as (described, pieces):
        headers = {_STAT_HEADER: _encoded(described), "Content-Type": "application/x-tar"}
        response = web.StreamResponse(headers=headers)
        response.enable_chunked_encoding()
        await response.prepare(request)
        async for piece in pieces:
            await _write(response, piece)
        return response


async def _put(request: web.Request) -> web.Response:
    """A client that leaves in the middle ends it: half an archive is none."""
    await engine_of(request).visits.write(
        _name(request),
        _path(request),
        _body(request),
        keep_kinds=flag(request, "noOverwriteDirNonDir"),
        copy_ids=flag(request, "copyUIDGID"),
    )
    return web.Response()


async def _changes(request: web.Request) -> web.Response:
    return json_answer(await engine_of(request).visits.changes(_name(request)))


async def _write(response: web.StreamResponse, piece: bytes) -> None:
    """A visit of a stopped container holds up its start, so a client that reads nothing is let go."""
    try:
        async with asyncio.timeout(_STALLED_SECONDS):
            await response.write(piece)
    except TimeoutError:
        raise ConnectionResetError("the client does not read its answer") from None


async def _body(request: web.Request) -> AsyncIterator[bytes]:
    while True:
        try:
            async with asyncio.timeout(_STALLED_SECONDS):
                piece = await request.content.readany()
        except TimeoutError:
            raise InvalidParameter(f"no byte of the archive came for {_STALLED_SECONDS:.0f} seconds") from None
        if not piece:
            return
        yield piece


def _encoded(described: object) -> str:
    return base64.b64encode(msgspec.json.encode(described)).decode()


def _name(request: web.Request) -> str:
    return request.match_info["name"]


def _path(request: web.Request) -> str:
    path = request.query.get("path")
    if not path:
        raise InvalidParameter("bad parameter: 'path' cannot be empty")
    return path


ROUTES: Routes = (
    ("HEAD", "/containers/{name}/archive", _stat),
    ("GET", "/containers/{name}/archive", _get),
    ("PUT", "/containers/{name}/archive", _put),
    ("GET", "/containers/{name}/changes", _changes),
)
