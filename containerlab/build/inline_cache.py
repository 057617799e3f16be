"""The cache that travels inside an image: which step made which of its layers, for stores that have built none of it.

A build with ``--build-arg BUILDKIT_INLINE_CACHE=1`` writes the keys of its steps into the image's config;
``--cache-from IMAGE`` takes them over. A history proves nothing (CVE-2024-24557), and neither do these records: they
count for the one build whose user names the image, never become this store's own, and a key covers everything that its
step depends on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping

from containerlab.build.cache import Record
from containerlab.errors import ContainerlabError
from containerlab.images import Image
from containerlab.images.config import CachedStep

__all__ = ["ARGUMENT", "BorrowedCache", "wants_inline_cache"]

ARGUMENT = "BUILDKIT_INLINE_CACHE"
"""The build argument, BuildKit's own (https://docs.docker.com/build/cache/backends/inline/)."""

_Found = tuple[str | None, Record]
"""The chain ID below a step, and what it made."""


def wants_inline_cache(build_args: Mapping[str, str | None]) -> bool:
    """Was the cache asked to be written into the image?"""
    return (build_args.get(ARGUMENT) or "").lower() in ("1", "true")


class BorrowedCache:
    """The records of the images that ``--cache-from`` names; they are fetched when the first step needs one.

    ``bring(name)`` gives the image. One that can't be had is told to ``notice``, and the build goes on without it.
    """

    def __init__(
        self, names: Iterable[str], bring: Callable[[str], Awaitable[Image | None]], notice: Callable[[str], None]
    ) -> None:
        self._names, self._bring, self._notice = list(names), bring, notice
        self._reading = asyncio.Lock()
        self._records: dict[str, _Found] | None = None

    async def find(self, key: str, below: str | None) -> Record | None:
        """What a step of this key made on top of the layers ``below`` (a chain ID), if one of the images says so."""
        if not self._names:
            return None
        async with self._reading:
            if self._records is None:
                self._records = await self._read()
        parent, record = self._records.get(key, (None, None))
        return record if parent == below else None

    async def _read(self) -> dict[str, _Found]:
        found: dict[str, _Found] = {}
        for name in self._names:
            try:
                image = await self._bring(name)
            except ContainerlabError as error:
                self._notice(f"[Warning] --cache-from={name} is left out: {error}")
                continue
            steps = image.config.cache if image is not None else []
            if image is None or not steps:
                hint = f"build it with --build-arg {ARGUMENT}=1"
                self._notice(f"[Warning] --cache-from={name} is left out: the image carries no cache, {hint}")
                continue
            for step in steps:
                if int(step.made_layer) <= step.layers <= len(image.chain_ids):
                    found.setdefault(step.key, _as_found(image, step))
        return found


def _as_found(image: Image, step: CachedStep) -> _Found:
    """The layers below a step, and its record; chain IDs are worked out from the image's own layers."""
    chains = [None, *image.chain_ids]
    if not step.made_layer:
        return chains[step.layers], Record(step.created, None)
    chain_id, diff_id = image.chain_ids[step.layers - 1], image.config.rootfs.diff_ids[step.layers - 1]
    return chains[step.layers - 1], Record(step.created, (chain_id, diff_id))
