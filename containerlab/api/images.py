"""``/images``: list, inspect, history, tag, remove and pull."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from containerlab.api.image_archives import import_image
from containerlab.api.keys import Routes, engine_of
from containerlab.api.lifetime import ends_with_client
from containerlab.api.registries import account, platforms_of, wanted_platform
from containerlab.api.requests import filters, flag, text
from containerlab.api.streams import json_answer, message_stream
from containerlab.api.versions import at_least
from containerlab.errors import InvalidParameter

__all__ = ["ROUTES"]

# Fields of Config that say nothing of an image.
_CONTAINERS_OWN: tuple[str, ...] = ("Hostname", "Domainname", "AttachStdin", "AttachStdout", "AttachStderr", "Tty")
_CONTAINERS_OWN += ("OpenStdin", "StdinOnce", "Image", "NetworkDisabled", "MacAddress", "StopTimeout")


async def _list(request: web.Request) -> web.Response:
    found = await engine_of(request).images.list(all=flag(request, "all"), filters=filters(request))
    for view in found:
        _trim(request, view)
    return json_answer(found)


async def _inspect(request: web.Request) -> web.Response:
    await _expect(request, "platform")
    view = await engine_of(request).images.inspect(_name(request))
    _trim(request, view)
    return json_answer(view)


def _trim(request: web.Request, view: dict[str, Any]) -> None:
    """Take out what newer versions don't show any more (moby api/docs/CHANGELOG.md, 1.44, 1.45 and 1.50).

    But for ``ContainerConfig``: docker-compose 1 asks by the newest version, and can't recreate a container without it.
    """
    if at_least(request, "1.44"):
        view.pop("VirtualSize", None)
    if at_least(request, "1.45"):
        view.pop("Container", None)
    if at_least(request, "1.50") and "Config" in view:
        for name in _CONTAINERS_OWN:
            view["Config"].pop(name, None)


async def _history(request: web.Request) -> web.Response:
    await _expect(request, "platform")
    return json_answer(await engine_of(request).images.history(_name(request)))


async def _expect(request: web.Request, name: str) -> None:
    """Raise NotFound where the client asks about a platform that the image isn't for."""
    platforms = platforms_of(request, name)
    if platforms:
        await engine_of(request).images.expect(_name(request), platforms)


async def _tag(request: web.Request) -> web.Response:
    repository = text(request, "repo")
    if repository is None:
        raise InvalidParameter("repo is needed: the name that the image gets")
    await engine_of(request).images.tag(_name(request), repository, text(request, "tag") or "")
    return web.Response(status=201)


async def _remove(request: web.Request) -> web.Response:
    await _expect(request, "platforms")
    removed = await engine_of(request).images.remove(
        _name(request), force=flag(request, "force"), noprune=flag(request, "noprune")
    )
    return json_answer(removed)


async def _prune(request: web.Request) -> web.Response:
    return json_answer(await engine_of(request).images.prune(filters(request)))


@ends_with_client
async def _pull(request: web.Request) -> web.StreamResponse:
    """``fromImage`` with ``tag`` (a tag or a digest), without one every tag; or ``fromSrc``, for an import."""
    if text(request, "fromSrc"):
        return await import_image(request)
    who, platform = account(request), wanted_platform(request)
    name, tag = text(request, "fromImage"), text(request, "tag")
    if name is None:
        raise InvalidParameter("fromImage is needed: the name of the image to pull")
    separator = "@" if tag and tag.startswith("sha256:") else ":"
    reference = f"{name}{separator}{tag}" if tag else name
    images = engine_of(request).images
    return await message_stream(request, lambda emit: images.pull(reference, emit, credentials=who, platform=platform))


def _name(request: web.Request) -> str:
    return request.match_info["name"]


ROUTES: Routes = (
    ("GET", "/images/json", _list),
    ("POST", "/images/create", _pull),
    ("POST", "/images/prune", _prune),
    ("GET", "/images/{name:.+}/json", _inspect),
    ("GET", "/images/{name:.+}/history", _history),
    ("POST", "/images/{name:.+}/tag", _tag),
    ("DELETE", "/images/{name:.+}", _remove),
)
