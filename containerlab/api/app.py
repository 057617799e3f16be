"""The application: every route of every noun, and what each request passes through.

Outermost first: ``lifetime.finish`` (a client that leaves doesn't stop half a change), ``errors.catch``,
``refuse_browsers``, ``versions.negotiate``.
"""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler

from containerlab.api import (
    archives,
    build,
    container_streams,
    containers,
    errors,
    events,
    execs,
    image_archives,
    images,
    lab,
    lifetime,
    networks,
    registries,
    system,
    versions,
    volumes,
)
from containerlab.api.keys import ENGINE
from containerlab.api.nouns import VersionedPaths
from containerlab.api.requests import BODY_LIMIT
from containerlab.engine.engine import Engine
from containerlab.errors import Forbidden

__all__ = ["make_app", "routes"]

_ROUTES = (
    *system.ROUTES,
    *containers.ROUTES,
    *container_streams.ROUTES,
    *archives.ROUTES,
    *execs.ROUTES,
    *image_archives.ROUTES,
    *images.ROUTES,
    *registries.ROUTES,
    *build.ROUTES,
    *events.ROUTES,
    *volumes.ROUTES,
    *networks.ROUTES,
)

# A container's name, or what another calls it by a link: OTHER/ALIAS.
_NAMED = "/containers/{name}"
_NAMED_OR_LINKED = "/containers/{name:[^/]+(?:/[^/]+)?}"


def routes() -> list[tuple[str, str, Handler]]:
    """Every route: method, aiohttp's path without the version, handler."""
    return [*_ROUTES, *lab.ROUTES]


def make_app(engine: Engine) -> web.Application:
    """The Docker Engine API of ``engine``; the runner needs ``handler_cancellation=True``."""
    app = web.Application(
        middlewares=[lifetime.finish, errors.catch, refuse_browsers, versions.negotiate],
        client_max_size=BODY_LIMIT,
    )
    app[ENGINE] = engine
    app[lifetime.ACTIVITY] = lifetime.Activity()
    app.on_shutdown.append(_end_streams)
    app.on_response_prepare.append(versions.add_headers)
    app.on_response_prepare.append(errors.note_head)
    versioned = VersionedPaths()
    app.router.register_resource(versioned)
    for method, path, handler in _ROUTES:
        full = path.replace(_NAMED, _NAMED_OR_LINKED)
        app.router.add_route(method, full, handler)
        versioned.add_route(method, full, handler)
    for method, path, handler in lab.ROUTES:
        app.router.add_route(method, path, handler)
    return app


async def _end_streams(app: web.Application) -> None:
    """Whoever listens to events would hold up the end of the engine, and with it the next one's start."""
    app[ENGINE].events.close()


@web.middleware
async def refuse_browsers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A page in a browser that reaches the socket through some proxy sends Origin; no Docker client does."""
    if "Origin" in request.headers:
        raise Forbidden("requests from web pages (with an Origin header) are refused")
    return await handler(request)
