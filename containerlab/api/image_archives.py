"""Images and containers as tars: save, load, import, export; and ``/commit``.

See https://docs.docker.com/reference/api/engine/version/v1.43/#tag/Image/operation/ImageGet and its neighbours. What
goes out is passed on piece by piece; what comes in is kept in a file without a name until it is understood.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from aiohttp import web

from containerlab.api.keys import Routes, engine_of
from containerlab.api.lifetime import ends_with_client
from containerlab.api.registries import platforms_of, wanted_platform
from containerlab.api.requests import flag, json_body, text
from containerlab.api.spool import spooled
from containerlab.api.streams import Emit, json_answer, message_stream
from containerlab.engine.models import ContainerConfig, decode
from containerlab.errors import InvalidParameter

if TYPE_CHECKING:
    pass

__all__ = ["ROUTES", "import_image"]

_MOST = 64 << 30


@ends_with_client
async def _save(request: web.Request) -> web.StreamResponse:
    named = request.match_info.get("name")
    names = [named] if named else [name for name in request.query.getall("names", []) if name]
    return await _tar(request, engine_of(request).archives.save(names, platforms_of(request, "platform")))


@ends_with_client
async def _export(request: web.Request) -> web.StreamResponse:
    return await _tar(request, engine_of(request).snapshots.export(request.match_info["name"]))


async def _tar(request: web.Request, work: AbstractAsyncContextManager[AsyncIterator[bytes]]) -> web.StreamResponse:
    """What goes wrong before the first piece is an error answer; later the stream is cut, so that it isn't whole."""
    async with work as pieces:
        response = web.StreamResponse(headers={"Content-Type": "application/x-tar"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        async for piece in pieces:
            await response.write(piece)
    return response


@ends_with_client
async def _load(request: web.Request) -> web.StreamResponse:
    from containerlab.images.registry import Platform

    engine, quiet = engine_of(request), flag(request, "quiet")
    for asked in platforms_of(request, "platform"):
        if not Platform.own().suits(asked.os, asked.architecture, asked.variant):
            raise InvalidParameter(f"platform {asked} can't be loaded: this host is {Platform.own()}")

    async def work(emit: Emit) -> None:
        async with spooled(request, engine.settings.store / "tmp", what="the archive", most=_MOST) as file:
            await engine.archives.load(file, emit, quiet=quiet)

    return await message_stream(request, work)


async def import_image(request: web.Request) -> web.StreamResponse:
    """``POST /images/create?fromSrc=-``: the body is a root file system."""
    platform = wanted_platform(request)
    if text(request, "fromSrc") != "-":
        raise InvalidParameter("fromSrc must be '-', with the tar in the request's body: nothing is fetched from a URL")
    engine = engine_of(request)

    async def work(emit: Emit) -> None:
        async with spooled(request, engine.settings.store / "tmp", what="the archive", most=_MOST) as file:
            await engine.archives.import_(
                file,
                emit,
                repository=text(request, "repo") or "",
                tag=text(request, "tag") or "",
                message=text(request, "message") or "",
                changes=request.query.getall("changes", []),
                platform=platform,
            )

    return await message_stream(request, work)


async def _commit(request: web.Request) -> web.Response:
    """A client that leaves in the middle doesn't stop it: the container would be left paused."""
    container = text(request, "container")
    if container is None:
        raise InvalidParameter("container is needed: its name or id")
    image = await engine_of(request).snapshots.commit(
        container,
        decode(ContainerConfig, await json_body(request)),
        repository=text(request, "repo") or "",
        tag=text(request, "tag") or "",
        comment=text(request, "comment") or "",
        author=text(request, "author") or "",
        changes=request.query.getall("changes", []),
        pause=flag(request, "pause", default=True) if text(request, "pause") else True,
    )
    return json_answer({"Id": image.id}, status=201)


ROUTES: Routes = (
    ("GET", "/images/get", _save),
    ("GET", "/images/{name:.+}/get", _save),
    ("POST", "/images/load", _load),
    ("GET", "/containers/{name}/export", _export),
    ("POST", "/commit", _commit),
)
