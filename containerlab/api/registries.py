"""What is between here and registries: push, the check behind ``docker login``, and the accounts in headers.

A header's account is used for the one request and kept nowhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from containerlab.api.keys import Routes, engine_of
from containerlab.api.lifetime import ends_with_client
from containerlab.api.requests import json_body, text
from containerlab.api.streams import json_answer, message_stream
from containerlab.errors import InvalidParameter
from containerlab.images import Reference

if TYPE_CHECKING:
    from containerlab.images.registry import Credentials, Platform

__all__ = ["ROUTES", "account", "accounts", "platforms_of", "wanted_platform"]


def account(request: web.Request) -> Credentials | None:
    """``X-Registry-Auth``; None when the client sent none. Raises InvalidParameter."""
    header = request.headers.get("X-Registry-Auth", "")
    if not header:
        return None
    from containerlab.images.registry import ANONYMOUS, Credentials

    given = Credentials.decode(header)
    return None if given == ANONYMOUS else given


def accounts(request: web.Request) -> dict[str, Credentials]:
    """``X-Registry-Config``, which a build brings: an account for each registry. Raises InvalidParameter."""
    header = request.headers.get("X-Registry-Config", "")
    if not header:
        return {}
    from containerlab.images.registry import Credentials

    return Credentials.decode_many(header)


def wanted_platform(request: web.Request) -> Platform | None:
    """The query's ``platform``; None for this host's own. Raises InvalidParameter."""
    asked = text(request, "platform")
    if asked is None:
        return None
    from containerlab.images.registry import Platform

    return Platform.parse(asked)


def platforms_of(request: web.Request, name: str) -> list[Platform]:
    """A parameter that may be repeated, each value JSON as in the OCI spec (API 1.46 and up).

    Raises InvalidParameter.
    """
    values = [value for value in request.query.getall(name, []) if value]
    if not values:
        return []
    from containerlab.images.registry import Platform

    found = []
    for value in values:
        try:
            told = msgspec.json.decode(value, type=dict[str, Any])
        except msgspec.DecodeError:
            raise InvalidParameter(f"invalid {name} {value[:80]!r}: expected a JSON object") from None
        parts = (told.get("os"), told.get("architecture"), told.get("variant"))
        found.append(Platform.parse("/".join(str(part) for part in parts if part)))
    return found


@ends_with_client
async def _push(request: web.Request) -> web.StreamResponse:
    """Send a repository's tag, or without ``tag`` all that are here."""
    who, tag, name = account(request), text(request, "tag") or "", request.match_info["name"]
    images, platforms = engine_of(request).images, platforms_of(request, "platform")
    if platforms:
        await images.expect(f"{name}:{tag}" if tag else name, platforms)
    return await message_stream(request, lambda emit: images.push(name, emit, tag=tag, credentials=who))


async def _auth(request: web.Request) -> web.Response:
    """Ask a registry whether it takes an account."""
    from containerlab.images.registry import Credentials

    await engine_of(request).images.transfers.log_in(Credentials.of(await json_body(request)))
    return json_answer({"Status": "Login Succeeded", "IdentityToken": ""})


async def _distribution(request: web.Request) -> web.Response:
    """What a registry has under a name: its descriptor and platforms."""
    reference = Reference.parse(request.match_info["name"])
    return json_answer(await engine_of(request).images.transfers.look_up(reference, account(request)))


ROUTES: Routes = (
    ("GET", "/distribution/{name:.+}/json", _distribution),
    ("POST", "/images/{name:.+}/push", _push),
    ("POST", "/auth", _auth),
)
