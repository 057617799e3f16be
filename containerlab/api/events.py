"""``/events``: what happens in the engine, one JSON object a line."""

from __future__ import annotations

import msgspec
from aiohttp import web

from containerlab.api.keys import Routes, engine_of
from containerlab.api.lifetime import ends_with_client
from containerlab.api.requests import filters, seconds
from containerlab.api.streams import begin

__all__ = ["ROUTES"]


@ends_with_client
async def _events(request: web.Request) -> web.StreamResponse:
    """The head tells the client that it is subscribed; nothing that happens afterwards is missed."""
    subscription = engine_of(request).events.subscribe(
        seconds(request, "since") or None, seconds(request, "until") or None, filters(request)
    )
    response = await begin(request, "application/json")
    async for event in subscription:
        await response.write(msgspec.json.encode(event) + b"\n")
    return response


ROUTES: Routes = (("GET", "/events", _events),)
