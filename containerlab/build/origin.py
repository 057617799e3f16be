"""Where COPY, ADD and ``RUN --mount`` read from: the build context, or the root of a stage or an image."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from containerlab.build.context import NOTHING, Context
from containerlab.build.digests import ContentDigests
from containerlab.build.dockerignore import Dockerignore
from containerlab.build.ingredients import Listing
from containerlab.build.tree import Entry
from containerlab.images import LayerStore

__all__ = ["ContextOrigin", "Found", "LayerOrigin", "Origin", "Selection", "entries"]


@dataclass(frozen=True, slots=True)
class Selection:
    """What of an origin is meant; ``exclude`` are patterns relative to each source."""

    pattern: str
    parents: bool = False
    exclude: tuple[str, ...] = ()

    def rules(self) -> Dockerignore:
        """The ``exclude`` patterns. Raises DockerfileError for one that breaks the grammar."""
        if not self.exclude:
            return NOTHING
        return Dockerignore.parse("\n".join(self.exclude).encode("utf-8", "surrogateescape"), "--exclude")


@dataclass(frozen=True, slots=True)
class Found:
    """One thing found: its name in the destination, the digest over what is copied of it, and its files if known."""

    name: str
    digest: str
    listing: Listing | None = None


class Origin:
    """One place to read from. ``keeps_owners``: a copy without ``--chown`` has the owners that the files have."""

    keeps_owners = False

    def find(self, selection: Selection) -> list[Found]:
        """Raises NotFound, InvalidParameter and ValueError as ``Context.find``."""
        raise NotImplementedError

    @contextmanager
    def opened(self) -> Iterator[Context]:
        """The files, to be read."""
        raise NotImplementedError
        yield


class ContextOrigin(Origin):
    """The build context."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def find(self, selection: Selection) -> list[Found]:
        return _search(self._context, selection)

    @contextmanager
    def opened(self) -> Iterator[Context]:
        yield self._context


class LayerOrigin(Origin):
    """The root that the layers up to ``chain_id`` make; nothing but a new layer changes it."""

    keeps_owners = True

    def __init__(self, layers: LayerStore, digests: ContentDigests, chain_id: str | None) -> None:
        self._layers, self._digests = layers, digests
        self.chain_id = chain_id

    def find(self, selection: Selection) -> list[Found]:
        key = json.dumps([selection.pattern, selection.parents, selection.exclude])
        known = self._digests.find(self.chain_id, key) if self.chain_id is not None else None
        if known is not None:
            return [Found(name, digest) for name, digest in known]
        with self.opened() as context:
            found = _search(context, selection)
        if self.chain_id is not None:
            self._digests.put(self.chain_id, key, [(each.name, each.digest) for each in found])
        return found

    @contextmanager
    def opened(self) -> Iterator[Context]:
        with self._layers.mounted(self.chain_id) as root:
            context = Context(os.dup(root), is_root=True)
            try:
                yield context
            finally:
                context.close()


def _search(context: Context, selection: Selection) -> list[Found]:
    rules = selection.rules()
    found = []
    for name, entry in entries(context, selection, rules):
        digest = context.digest(entry, rules)
        found.append(Found(name, digest, context.listing(entry, rules)))
    return found


def entries(context: Context, selection: Selection, rules: Dockerignore) -> list[tuple[str, Entry]]:
    """The things themselves, in the order of ``find``."""
    return context.find(selection.pattern, parents=selection.parents, without=rules)
