"""Builds: ``build.Builder`` under the engine's roof, counted while they run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from containerlab.engine.build_cache import prune_cache
from containerlab.engine.parts import Parts

if TYPE_CHECKING:
    from containerlab.build import Builder, BuildOptions, Context
    from containerlab.images import Image

__all__ = ["Builds"]


class Builds:
    """Makes the builder with the first build: an engine at rest doesn't carry that room."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._builder: Builder | None = None

    async def build(self, context: Context, options: BuildOptions, emit: Callable[[dict[str, Any]], None]) -> Image:
        """Raises what ``Builder.build`` raises; each new name of the image is an event."""
        parts = self._parts
        parts.builds_running += 1
        try:
            image = await self._made().build(context, options, emit)
        finally:
            parts.builds_running -= 1
        for tag in image.tags:
            if tag.familiar() in _familiar(options.tags):
                parts.tell_image(image, "tag", name=tag.familiar())
        return image

    async def prune(self) -> dict[str, Any]:
        """Forget the cache: the layers that no image, container or running build needs."""
        done = await asyncio.to_thread(prune_cache, self._parts.images)
        self._parts.tell_prune("builder", done["SpaceReclaimed"])
        return done

    def _made(self) -> Builder:
        if self._builder is None:
            from containerlab.build import Builder

            parts = self._parts
            self._builder = Builder(parts.images, parts.supervisor, parts.database, parts.settings.store)
        return self._builder


def _familiar(tags: tuple[str, ...]) -> set[str]:
    from containerlab.images import Reference

    return {Reference.parse(tag).familiar() for tag in tags}
