"""Builds: ``build.Builder`` under the engine's roof, counted while they run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from containerlab.engine.attachments import Attachments
from containerlab.engine.build_cache import prune_cache
from containerlab.engine.build_secrets import SecretDrop
from containerlab.engine.images import Images
from containerlab.engine.parts import Parts
from containerlab.images import Image, Reference

if TYPE_CHECKING:
    from containerlab.build import Builder, BuildOptions, Context
    from containerlab.images.registry import Credentials

__all__ = ["Builds"]


class Builds:
    """Makes the builder with the first build: an engine at rest doesn't carry that room."""

    def __init__(self, parts: Parts, images: Images, attachments: Attachments) -> None:
        self._parts, self._images, self._attachments = parts, images, attachments
        self._builder: Builder | None = None
        self.secrets = SecretDrop()

    async def build(
        self,
        context: Context,
        options: BuildOptions,
        emit: Callable[[dict[str, Any]], None],
        accounts: Mapping[str, Credentials] | None = None,
    ) -> Image:
        """Raises what ``Builder.build`` raises; each new name of the image is an event.

        ``accounts`` are for the registries that base images come from, by their names.
        """

        async def fetch(name: str, tell: Callable[[dict[str, Any]], None]) -> None:
            reference = Reference.parse(name)
            who = _account(reference, accounts or {})
            await self._images.pull(reference.familiar(), tell, credentials=who)

        parts = self._parts
        parts.builds_running += 1
        try:
            image = await self._made().build(context, options, emit, fetch)
        finally:
            parts.builds_running -= 1
        for tag in image.tags:
            if tag.familiar() in _familiar(options.tags):
                parts.tell_image(image, "tag", name=tag.familiar())
        return image

    async def check(self, context: Context, options: BuildOptions) -> dict[str, object]:
        """What the lint finds in a Dockerfile. Raises what ``Builder.check`` raises."""
        return await self._made().check(context, options)

    def let_go(self, context: Context) -> None:
        """Close a build's context while nobody waits: to remove the files that came as a tar takes a while."""
        self._parts.background.spawn(asyncio.to_thread(context.close))

    async def prune(self, *, keep: int = 0, unused_since: float | None = None) -> dict[str, Any]:
        """Forget the cache: the layers that no image, container or running build needs, and the cache mounts.

        With ``keep`` (bytes) the layers that were used last stay, with ``unused_since`` (seconds since 1970) those
        used later, and the cache mounts stay with both.
        """
        builder = self._made()
        idle = [] if keep or unused_since is not None else builder.mounts.idle()
        layers = None if idle or not (keep or unused_since is not None) else (keep, unused_since)
        done = await asyncio.to_thread(prune_cache, self._parts.images, builder, layers, idle)
        self._parts.tell_prune("builder", done["SpaceReclaimed"])
        return done

    def _made(self) -> Builder:
        if self._builder is None:
            from containerlab.build import Builder
            from containerlab.engine.build_network import BuildNetwork

            parts = self._parts
            join = BuildNetwork(self._attachments).join
            self._builder = Builder(parts.images, parts.supervisor, parts.database, parts.settings.store, join)
        return self._builder


def _account(reference: Reference, accounts: Mapping[str, Credentials]) -> Credentials | None:
    from containerlab.images.registry.login import registry_of

    return next((who for server, who in accounts.items() if registry_of(server) == reference.domain), None)


def _familiar(tags: tuple[str, ...]) -> set[str]:
    return {Reference.parse(tag).familiar() for tag in tags}
