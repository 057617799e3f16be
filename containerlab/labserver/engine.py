"""The engine as the panel needs it: lists, the stream of events, few orders. Everything here blocks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker

from containerlab import paths
from containerlab.client import connect, find_host, start_engine
from containerlab.labserver import views

__all__ = ["Watched", "address", "can_start", "order", "socket_path", "start"]

_LONGEST_LIST = 500
# An exec is no change of what the panel shows, and a health check is one every few seconds.
_SILENT = ("exec_", "attach", "detach", "resize", "top", "archive-path", "extract-to-dir")


class Watched:
    """A running engine, looked at in a way that doesn't keep it from idling out.

    Raises EngineUnreachable where none answers: looking on starts none.
    """

    def __init__(self) -> None:
        self._client = connect(start=False)
        self._client.api.headers["Containerlab-Watches"] = "1"
        self._stream = self._client.events(decode=True)

    def lists(self) -> dict[str, list[dict[str, Any]]]:
        """``{"containers": […], "images": […]}``, newest first, 500 of each at most."""
        containers = self._client.api.containers(all=True)[:_LONGEST_LIST]
        images = self._client.api.images()[:_LONGEST_LIST]
        return {"containers": [*map(views.container, containers)], "images": [*map(views.image, images)]}

    def changes(self) -> Iterator[None]:
        """Gives something for each event that may change the lists; ends with the engine, or by ``close``."""
        for event in self._stream:
            if event.get("Type") in ("container", "image") and not event.get("Action", "").startswith(_SILENT):
                yield

    def close(self) -> None:
        """End the stream, from any thread."""
        self._stream.close()
        self._client.close()


def can_start() -> bool:
    """Whether the engine is the user's own; one that DOCKER_HOST names is somebody else's to start."""
    return not (os.environ.get("DOCKER_HOST") or os.environ.get("CONTAINERLAB_HOST"))


def start() -> None:
    """Start the user's own engine. Raises EngineUnreachable with its reason."""
    start_engine(paths.store_folder())


def address() -> str:
    """The URL of the engine that is looked at, whether it runs or not."""
    return find_host()


def socket_path() -> Path | None:
    """The unix socket that the engine listens on; None where it is reached otherwise."""
    kind, _, rest = find_host().partition("://")
    return Path(rest) if kind in ("unix", "http+unix") else None


_ORDERS: dict[str, Callable[[docker.APIClient, str], object]] = {
    "start": lambda api, container: api.start(container),
    "stop": lambda api, container: api.stop(container),
    "remove": lambda api, container: api.remove_container(container, force=True),
}


def order(verb: str, container: str) -> None:
    """``start``, ``stop`` or ``remove`` one. Raises KeyError for another verb, docker's APIError as it comes."""
    carry_out = _ORDERS[verb]
    client = connect(start=False)
    try:
        carry_out(client.api, container)
    finally:
        client.close()
