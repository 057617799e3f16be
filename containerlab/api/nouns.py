"""Versioned paths by their noun: ``/v1.41/containers/…`` is looked for among the routes of containers alone.

aiohttp's router finds a route by the literal words that its path begins with; behind ``/v{version}`` there are none,
and it would try every route of the API in turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler
from aiohttp.web_urldispatcher import AbstractResource, DynamicResource, Resource, UrlMappingMatchInfo
from yarl import URL

__all__ = ["VersionedPaths"]

_VERSION = r"/v{version:\d{1,4}\.\d{1,4}}"


class VersionedPaths(AbstractResource):
    """One resource that stands for all of them; registered once, then asked for each path that nothing else matches."""

    def __init__(self) -> None:
        super().__init__(name=None)
        self._resources: dict[str, list[Resource]] = {}

    def add_route(self, method: str, path: str, handler: Handler) -> None:
        """A route under every version; ``path`` is aiohttp's, without one."""
        resources = self._resources.setdefault(path.split("/", 2)[1], [])
        last = resources[-1] if resources else None
        if last is None or not last.raw_match(_VERSION + path):
            last = DynamicResource(_VERSION + path)
            resources.append(last)
        last.add_route(method, handler)

    async def resolve(self, request: web.Request) -> tuple[UrlMappingMatchInfo | None, set[str]]:
        """The route, or the methods that the path has."""
        words = request.rel_url.path_safe.split("/", 3)
        allowed: set[str] = set()
        for resource in self._resources.get(words[2], ()) if len(words) > 2 else ():
            match, methods = await resource.resolve(request)
            if match is not None:
                return match, methods
            allowed |= methods
        return None, allowed

    @property
    def canonical(self) -> str:
        """What the router files it under: no literal word."""
        return "/{version}"

    def url_for(self, **_parts: str) -> URL:
        """There is no single one."""
        raise NotImplementedError("a versioned path is made by its client")

    def add_prefix(self, prefix: str) -> None:
        """Sub-applications do this; there is none."""
        raise NotImplementedError(f"{prefix}: the API is no sub-application")

    def get_info(self) -> Any:
        """For a reader of the router."""
        return {"formatter": self.canonical}

    def raw_match(self, path: str) -> bool:
        """Whether a route was added by this very text: none was."""
        return False

    def __len__(self) -> int:
        return sum(len(resource) for each in self._resources.values() for resource in each)

    def __iter__(self) -> Iterator[Any]:
        return (route for each in self._resources.values() for resource in each for route in resource)
