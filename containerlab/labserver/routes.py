"""The routes below ``/containerlab`` of the Jupyter server: who may use them, and what they answer."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests
from docker.errors import APIError, DockerException
from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler, JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from jupyter_server.utils import ensure_async, url_path_join
from tornado import web, websocket

from containerlab.errors import ContainerlabError
from containerlab.lab.progress import Progress
from containerlab.labserver import engine
from containerlab.labserver.feed import Feed
from containerlab.labserver.lessons import Lessons

__all__ = ["add_routes"]

_RESOURCE = "containerlab"
_CONTAINER = r"(?P<container>[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254})"


def add_routes(server: Any) -> None:
    """Add them to a jupyter_server ``ServerApp``."""
    proxied = bool(getattr(server.extension_manager.extensions.get("jupyter_server_proxy"), "enabled", False))
    feed = Feed(Lessons(Path(server.root_dir)), {"proxy": proxied})
    base = url_path_join(server.web_app.settings["base_url"], "containerlab")
    server.web_app.add_handlers(
        ".*$",
        [
            (url_path_join(base, "feed"), FeedSocket, {"feed": feed}),
            (url_path_join(base, "engine"), EngineHandler, {"feed": feed}),
            (url_path_join(base, f"containers/{_CONTAINER}/(?P<verb>start|stop|remove)"), ContainerHandler),
            (url_path_join(base, "lessons/(?P<lesson>[0-9]{2})"), LessonHandler),
        ],
    )


class FeedSocket(WebSocketMixin, websocket.WebSocketHandler, JupyterHandler):
    """``feed``: a websocket that speaks and doesn't listen."""

    auth_resource = _RESOURCE

    def initialize(self, feed: Feed) -> None:
        self._feed = feed

    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Take the connection of a user who may read; a page of another origin is refused by WebSocketMixin."""
        user = self.current_user
        if user is None or not await ensure_async(self.authorizer.is_authorized(self, user, "read", _RESOURCE)):
            raise web.HTTPError(403)
        await super().get(*args, **kwargs)

    def open(self, *args: Any, **kwargs: Any) -> None:
        super().open(*args, **kwargs)
        self._feed.join(self._send)

    def on_message(self, message: str | bytes) -> None:
        """Nothing is asked for here."""

    def on_close(self) -> None:
        super().on_close()
        self._feed.leave(self._send)

    def _send(self, message: dict[str, Any]) -> None:
        try:
            self.write_message(json.dumps(message))
        except websocket.WebSocketClosedError:
            self._feed.leave(self._send)


class _Order(APIHandler):
    """APIHandler checks the XSRF token, and answers an error as JSON with its ``message``."""

    auth_resource = _RESOURCE

    async def carry_out(self, work: Callable[..., object], *words: object) -> None:
        """Do what blocks in a thread; 204, or the status and the words of what stood in the way."""
        try:
            await asyncio.to_thread(work, *words)
        except APIError as error:
            raise web.HTTPError(error.status_code or 500, reason=_one_line(error.explanation or error)) from error
        except ContainerlabError as error:
            raise web.HTTPError(getattr(error, "status", 500), reason=_one_line(error)) from error
        except (DockerException, requests.RequestException) as error:
            raise web.HTTPError(503, reason=_one_line(error)) from error
        self.set_status(204)
        await self.finish()


class EngineHandler(_Order):
    """``POST engine``: start the user's own, or look again for one that is somebody else's."""

    def initialize(self, feed: Feed) -> None:
        self._feed = feed

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Start, or look again."""
        await self.carry_out(engine.start if engine.can_start() else lambda: None)
        self._feed.look_again()


class ContainerHandler(_Order):
    """``POST containers/NAME/start``, ``stop`` and ``remove``."""

    @web.authenticated
    @authorized
    async def post(self, container: str, verb: str) -> None:
        """Carry out one order."""
        await self.carry_out(engine.order, verb, container)


class LessonHandler(_Order):
    """``PUT lessons/NN`` with ``{"done": bool}``."""

    @web.authenticated
    @authorized
    async def put(self, lesson: str) -> None:
        """Tick a lesson off, or take the tick back."""
        body = self.get_json_body()
        done = body.get("done") if isinstance(body, dict) else None
        if not isinstance(done, bool):
            raise web.HTTPError(400, reason='the body is to be {"done": true} or {"done": false}')
        await self.carry_out(Progress().tick, lesson, done)


def _one_line(error: object) -> str:
    """A reason stands in the response's first line."""
    return re.sub(r"\s+", " ", str(error)).strip()[:500] or "it did not work"
