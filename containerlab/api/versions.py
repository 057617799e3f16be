"""Which versions of the Docker Engine API are answered, and the headers that say so.

A path may start with ``/v1.NN``; without it the newest version is meant. See
https://docs.docker.com/reference/api/engine/#versioned-api-and-sdk and moby's
``daemon/server/middleware/version.go`` for the wording.
"""

from __future__ import annotations

import functools

from aiohttp import web
from aiohttp.typedefs import Handler

from containerlab import __version__
from containerlab.engine.system import API_VERSION, MIN_API_VERSION
from containerlab.errors import InvalidParameter

__all__ = ["API_VERSION", "MIN_API_VERSION", "add_headers", "at_least", "negotiate"]

_VERSION: web.RequestKey[tuple[int, int]] = web.RequestKey("api_version", tuple)

_HEADERS = {
    "Api-Version": API_VERSION,
    "Docker-Experimental": "false",
    "Ostype": "linux",
    "Server": f"containerlab/{__version__} (linux)",
}


def at_least(request: web.Request, version: str) -> bool:
    """Whether the client speaks ``version`` (such as ``1.42``) or a newer one."""
    return request[_VERSION] >= _numbers(version)


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Signal handler for ``on_response_prepare``: every answer carries the engine's version."""
    response.headers.update(_HEADERS)


@web.middleware
async def negotiate(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse a version that isn't spoken here, in Docker's words.

    Raises InvalidParameter when the path names a version outside 1.24 to 1.50.
    """
    asked = request.match_info.get("version", API_VERSION)
    numbers = _numbers(asked)
    if numbers > _numbers(API_VERSION):
        raise InvalidParameter(f"client version {asked} is too new. Maximum supported API version is {API_VERSION}")
    if numbers < _numbers(MIN_API_VERSION):
        raise InvalidParameter(
            f"client version {asked} is too old. Minimum supported API version is {MIN_API_VERSION}, "
            "please upgrade your client to a newer version"
        )
    request[_VERSION] = numbers
    return await handler(request)


@functools.lru_cache(maxsize=128)
def _numbers(version: str) -> tuple[int, int]:
    major, minor = version.split(".")
    return int(major), int(minor)
