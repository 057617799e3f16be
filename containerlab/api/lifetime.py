"""What a client that leaves means: a stream ends with it, a change that has begun is finished.

aiohttp cancels a request's handler when the connection goes. That is right for ``logs --follow``; a
``start`` stopped in the middle of its work would leave half a container.
"""

from __future__ import annotations

import asyncio
from typing import TypeVar

from aiohttp import web
from aiohttp.typedefs import Handler

from containerlab.api.connection import Connection
from containerlab.api.keys import engine_of
from containerlab.api.memory import Rest

__all__ = ["ACTIVITY", "WATCHES", "Activity", "ends_with_client", "finish"]

AnyHandler = TypeVar("AnyHandler", bound=Handler)

_streaming: set[object] = set()


WATCHES = "Containerlab-Watches"
"""A header of those who only look on: what they ask is answered, and doesn't keep the engine from idling out."""


class Activity:
    """The requests in work; strong references to their tasks, which the event loop doesn't keep."""

    def __init__(self) -> None:
        self.requests: set[asyncio.Task[web.StreamResponse]] = set()
        self.streams = 0
        self.rest = Rest()

    @property
    def idle(self) -> bool:
        """Whether no request is being answered."""
        return not self.requests and not self.streams


ACTIVITY: web.AppKey[Activity] = web.AppKey("activity", Activity)


def ends_with_client(handler: AnyHandler) -> AnyHandler:
    """Mark a handler that is cancelled when its client leaves."""
    _streaming.add(handler)
    return handler


@web.middleware
async def finish(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Run the handler to its end, unless it only asks or is a stream; either way the engine is in use meanwhile."""
    activity = request.app[ACTIVITY]
    connection = request.protocol
    if isinstance(connection, Connection):
        connection.request_begins()
    watches = WATCHES in request.headers and request.method in ("GET", "HEAD")
    if not watches:
        engine_of(request).touch()
    try:
        if watches:
            return await handler(request)
        # A question changes nothing, so that it needn't be answered to the end: it costs no task of its own.
        if request.method in ("GET", "HEAD") or request.match_info.handler in _streaming:
            return await _streamed(request, handler, activity)
        task = asyncio.ensure_future(handler(request))
        activity.requests.add(task)
        task.add_done_callback(activity.requests.discard)
        return await asyncio.shield(task)
    finally:
        activity.rest.used()
        if isinstance(connection, Connection):
            connection.request_ends()


async def _streamed(request: web.Request, handler: Handler, activity: Activity) -> web.StreamResponse:
    activity.streams += 1
    try:
        return await handler(request)
    finally:
        activity.streams -= 1
