"""Images as Docker's API shows and removes them; the images themselves are ``containerlab.images``'."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from containerlab.engine.container import Container
from containerlab.engine.image_filters import pick
from containerlab.engine.image_views import history_view, inspect_view, list_view
from containerlab.engine.matching import check_names, label_matches
from containerlab.engine.moments import moment
from containerlab.engine.parts import Parts
from containerlab.engine.transfers import Transfers
from containerlab.errors import Conflict, InvalidReference, NotFound, NotInRegistry, RegistryError
from containerlab.images import Image, Reference
from containerlab.images.kept import RepoDigest
from containerlab.images.sharing import sharing
from containerlab.images.where import where

if TYPE_CHECKING:
    from containerlab.images.registry import Credentials, Platform

__all__ = ["Images"]

_PRUNE = ("dangling", "label", "label!", "until")


class Images:
    """``ref`` is a reference, a full id or a unique prefix of one; NoSuchImage with near names otherwise."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.transfers = Transfers(parts)

    async def list(
        self, *, all: bool = False, filters: dict[str, builtins.list[str]] | None = None
    ) -> builtins.list[dict[str, Any]]:
        """Newest first. ``all`` changes nothing: a build's steps are cached as layers, not as images."""
        found = await asyncio.to_thread(pick, self._parts.images, filters or {})
        return [list_view(image) for image in found]

    async def inspect(self, ref: str) -> dict[str, Any]:
        """Docker's image inspect."""
        image = await self._resolve(ref)
        layers = self._parts.images.layers
        return inspect_view(image, [str(layers.folder / name) for name in layers.lower(image.chain_id)])

    async def expect(self, ref: str, platforms: Sequence[Platform]) -> None:
        """Raises NotFound, in Docker's words, for an image that is for none of ``platforms``; an image has one here."""
        config = (await self._resolve(ref)).config
        if not any(each.suits(config.os, config.architecture, config.variant) for each in platforms):
            raise NotFound(
                f"image with reference {ref} was found but its platform ({config.os}/{config.architecture}) does not "
                f"match the specified platform ({', '.join(map(str, platforms))})"
            )

    async def history(self, ref: str) -> builtins.list[dict[str, Any]]:
        """Docker's history, newest first; sizes in bytes."""
        image = await self._resolve(ref)
        sizes = [layer.size for layer in self._parts.images.layers.chain(image.chain_id)]
        return history_view(image, sizes)

    async def tag(self, ref: str, repository: str, tag: str = "") -> None:
        """Raises InvalidReference, NoSuchImage."""
        image = await self._resolve(ref)
        target = Reference.parse(f"{repository}:{tag}" if tag else repository)
        await asyncio.to_thread(self._parts.images.tag, image.id, target)
        self._parts.tell_image(image, "tag", name=target.familiar())

    async def remove(self, ref: str, *, force: bool = False, noprune: bool = False) -> builtins.list[dict[str, str]]:
        """``[{"Untagged": …}, {"Deleted": …}]``; Docker's rules (moby daemon/images/image_delete.go).

        A name is taken away first, and the image goes with its last name. Raises Conflict while a container needs it.
        ``noprune`` changes nothing: an image has no untagged parents here.
        """
        image = await self._resolve(ref)
        told: builtins.list[dict[str, str]] = []
        named = _reference(ref, image)
        if named is not None:
            self._check_last_name(image, ref, force)
            image = await self._take_name(image, named, told)
            if image.tags or image.digests or self._used_by(image):
                return told
        elif not force and (len(image.tags) > 1 or len(_repositories(image)) > 1):
            raise Conflict(f"{_unable(image)} (must be forced) - image is referenced in multiple repositories")
        self._check_use(image, force)
        await self._take_all_names(image, told)
        await self._delete(image, told)
        return told

    async def prune(self, filters: dict[str, builtins.list[str]] | None = None) -> dict[str, Any]:
        """Docker's ``{"ImagesDeleted": [...], "SpaceReclaimed": N}``: untagged ones, or with ``dangling=false`` all
        that no container needs."""
        wanted = filters or {}
        check_names(wanted, _PRUNE)
        dangling_only = not {"false", "0"} & set(wanted.get("dangling", []))
        bounds = [moment(value) for value in wanted.get("until", [])]
        told: builtins.list[dict[str, str]] = []
        before = self._disk()
        for image in await asyncio.to_thread(self._parts.images.list):
            named = image.tags or image.digests
            if (dangling_only and named) or self._used_by(image) or not _passes(image, wanted, bounds):
                continue
            await self._take_all_names(image, told)
            await self._delete(image, told)
        await asyncio.to_thread(self._parts.images.prune_layers)
        reclaimed = max(0, before - self._disk()) + await asyncio.to_thread(self.transfers.sweep)
        self._parts.tell_prune("image", reclaimed)
        return {"ImagesDeleted": told or None, "SpaceReclaimed": reclaimed}

    async def pull(
        self,
        ref: str,
        emit: Callable[[dict[str, Any]], None],
        *,
        credentials: Credentials | None = None,
        platform: Platform | None = None,
    ) -> None:
        """An image by tag or digest, every tag of a bare name; ``emit`` receives Docker's messages, from any thread.

        An embedded image is made here; where no registry answers, the shared store may have one. Raises
        NotInRegistry and RegistryError, with near names as the hint.
        """
        from containerlab.images import embedded

        reference = Reference.parse(ref, default_tag="")
        if reference.familiar_name() in embedded.NAMES:
            return await self._make(Reference.parse(ref), emit)
        try:
            for image in await self.transfers.pull(reference, emit, credentials, platform):
                self._parts.tell_image(image, "pull", name=reference.familiar())
        except RegistryError as error:
            if not isinstance(error, NotInRegistry) and await self._shared(Reference.parse(ref), emit):
                return None
            own = f"Images that need no registry: {', '.join(embedded.NAMES)}."
            error.hint = error.hint or self._parts.images.near(reference.familiar()) or own
            raise

    async def push(
        self,
        name: str,
        emit: Callable[[dict[str, Any]], None],
        *,
        tag: str = "",
        credentials: Credentials | None = None,
    ) -> None:
        """Send one tag of a repository, or all that there are here. Raises NotFound, RegistryError."""
        reference = Reference.parse(f"{name}:{tag}" if tag else name, default_tag="")
        if reference.digest:
            raise InvalidReference("cannot push a digest reference")
        emit({"status": f"The push refers to repository [{reference.name()}]"})
        sent = [
            (named, image)
            for image in await asyncio.to_thread(self._parts.images.list)
            for named in image.tags
            if named.name() == reference.name() and reference.tag in ("", named.tag)
        ]
        if not sent and reference.tag:
            raise NotFound(
                f"tag does not exist: {reference.familiar()}", hint=self._parts.images.near(reference.familiar())
            )
        if not sent:
            raise NotFound(f"An image does not exist locally with the tag: {reference.familiar_name()}")
        for named, image in sorted(sent, key=lambda pair: pair[0].tag):
            await self.transfers.push(image, named, emit, credentials)
            self._parts.tell_image(image, "push", name=named.familiar())

    async def _shared(self, reference: Reference, emit: Callable[[dict[str, Any]], None]) -> bool:
        """Whether the users' shared store had it; it is named then, and told of."""
        image = await asyncio.to_thread(self._parts.images.from_shared, reference)
        if image is None:
            return False
        emit({"status": "No registry answers; taken from the shared store", "id": reference.tag})
        emit({"status": f"Status: Image is up to date for {reference.familiar()}"})
        self._parts.tell_image(image, "pull", name=reference.familiar())
        return True

    async def _make(self, reference: Reference, emit: Callable[[dict[str, Any]], None]) -> None:
        known = {image.id for image in self._parts.images.list()}
        emit({"status": "Pulling from this host", "id": reference.tag or "latest"})
        image = await self._resolve(reference.familiar())
        state = "Image is up to date for" if image.id in known else "Made new image for"
        emit({"status": f"Digest: {image.id}"})
        emit({"status": f"Status: {state} {reference.familiar()}"})
        self._parts.tell_image(image, "pull", name=reference.familiar())

    async def layers(self, refs: builtins.list[str]) -> dict[str, Any]:
        """The body of ``GET /containerlab/layers``."""
        images = [await self._resolve(ref) for ref in refs]
        return await asyncio.to_thread(sharing, self._parts.images, images)

    async def where(self, ref: str, path: str) -> dict[str, Any]:
        """The body of ``GET /containerlab/where``. Raises NotFound for a path that no layer knows."""
        image = await self._resolve(ref)
        return await asyncio.to_thread(where, self._parts.images, image, path)

    async def _resolve(self, ref: str) -> Image:
        """In a thread: an embedded image is made when it is first asked for."""
        return await asyncio.to_thread(self._parts.images.resolve, ref)

    def _used_by(self, image: Image) -> builtins.list[Container]:
        return [container for container in self._parts.registry if container.record.image == image.id]

    def _check_last_name(self, image: Image, ref: str, force: bool) -> None:
        """A container's image keeps its last name, unless that is forced."""
        users = self._used_by(image)
        single = len(image.tags) <= 1 and len(_repositories(image)) == 1
        if not force and single and users:
            raise Conflict(
                f'conflict: unable to remove repository reference "{ref}" (must force) - container '
                f"{users[0].id[:12]} is using its referenced image {_short(image)}"
            )

    def _check_use(self, image: Image, force: bool) -> None:
        for container in self._used_by(image):
            user = f"container {container.id[:12]}"
            if container.active:
                raise Conflict(f"{_unable(image)} (cannot be forced) - image is being used by running {user}")
            if not force:
                raise Conflict(f"{_unable(image)} (must be forced) - image is being used by stopped {user}")

    async def _take_name(
        self, image: Image, name: Reference | RepoDigest, told: builtins.list[dict[str, str]]
    ) -> Image:
        """One name goes, and with a repository's last tag the names by digest that it has there; what is left of it."""
        if isinstance(name, RepoDigest):
            await self._untag_digest(image, name, told)
            return self._parts.images.get(image.id)
        await self._untag(image, name, told)
        image = self._parts.images.get(image.id)
        if all(tag.name() != name.name() for tag in image.tags):
            for digest in image.digests:
                if digest.repository == name.name():
                    await self._untag_digest(image, digest, told)
        return self._parts.images.get(image.id)

    async def _take_all_names(self, image: Image, told: builtins.list[dict[str, str]]) -> None:
        for tag in image.tags:
            await self._untag(image, tag, told)
        for digest in image.digests:
            await self._untag_digest(image, digest, told)

    async def _untag_digest(self, image: Image, name: RepoDigest, told: builtins.list[dict[str, str]]) -> None:
        await asyncio.to_thread(self._parts.images.untag_digest, name)
        told.append({"Untagged": name.familiar()})
        self._parts.tell_image(image, "untag")

    async def _untag(self, image: Image, tag: Reference, told: builtins.list[dict[str, str]]) -> None:
        await asyncio.to_thread(self._parts.images.untag, tag)
        told.append({"Untagged": tag.familiar()})
        self._parts.tell_image(image, "untag")

    async def _delete(self, image: Image, told: builtins.list[dict[str, str]]) -> None:
        gone = await asyncio.to_thread(self._parts.images.remove, image.id)
        told.extend({"Deleted": digest} for digest in (image.id, *gone))
        self._parts.tell_image(image, "delete")

    def _disk(self) -> int:
        return sum(layer.size for layer in self._parts.images.layers.all())


def _repositories(image: Image) -> set[str]:
    return {tag.name() for tag in image.tags} | {digest.repository for digest in image.digests}


def _reference(ref: str, image: Image) -> Reference | RepoDigest | None:
    """The name by which ``ref`` found the image; None when it was an id."""
    try:
        reference = Reference.parse(ref)
    except InvalidReference:
        return None
    if reference.digest:
        name = RepoDigest(reference.name(), reference.digest)
        return name if name in image.digests else None
    return next((tag for tag in image.tags if str(tag) == str(reference)), None)


def _passes(image: Image, filters: dict[str, builtins.list[str]], bounds: builtins.list[float]) -> bool:
    labels = image.config.config.Labels or {}
    return (
        all(label_matches(labels, value) for value in filters.get("label", []))
        and not any(label_matches(labels, value) for value in filters.get("label!", []))
        and all(moment(image.created) < bound for bound in bounds if image.created)
    )


def _short(image: Image) -> str:
    return image.id.removeprefix("sha256:")[:12]


def _unable(image: Image) -> str:
    return f"conflict: unable to delete {_short(image)}"
