"""Images as archives: ``save``, ``load`` and ``import``; the archives themselves are ``containerlab.images``'."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import IO, TYPE_CHECKING, Any, TypeVar

from containerlab.engine.byte_stream import byte_stream
from containerlab.engine.clock import rfc3339
from containerlab.engine.parts import Parts
from containerlab.errors import Conflict, InvalidParameter
from containerlab.images import ContainerConfig, History, Image, ImageConfig, Provenance, Reference, Rootfs
from containerlab.images.load import Loaded, load
from containerlab.images.save import choose, save

if TYPE_CHECKING:
    from containerlab.images.registry import Platform

__all__ = ["Archives", "Emit", "target_name"]

Emit = Callable[[dict[str, Any]], None]

T = TypeVar("T")

_REPORT_SECONDS = 0.1


class Archives:
    """Works in threads; whoever stops waiting stops the work, and nothing half-made is kept."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    @asynccontextmanager
    async def save(
        self, names: Sequence[str], platforms: Sequence[Platform] = ()
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """The archive of the named images, piece by piece; ``platforms`` are those that an image may be made for.

        Raises NoSuchImage, InvalidReference, InvalidParameter.
        """
        images = self._parts.images
        chosen = await asyncio.to_thread(choose, images, names)
        for each in chosen:
            config = each.image.config
            if platforms and not any(p.suits(config.os, config.architecture, config.variant) for p in platforms):
                asked = ", ".join(map(str, platforms))
                raise InvalidParameter(
                    f"image {each.image.id} isn't for {asked}: it is {config.os}/{config.architecture}"
                )
        async with byte_stream(lambda out: save(images, chosen, out)) as pieces:
            yield pieces
        for entry in chosen:
            self._parts.tell_image(entry.image, "save")

    async def load(self, file: IO[bytes], emit: Emit, *, quiet: bool = False) -> None:
        """The images of an archive in a real file, which is closed, in whatever format and compression it is.

        ``emit`` receives Docker's messages: progress unless ``quiet``, and what was loaded. Raises BadArchive,
        InvalidReference, StorageFull; the archive's images are there all or none.
        """
        progress = _Progress(emit, quiet=quiet)
        scratch = self._parts.settings.store / "tmp"
        loaded = await _stoppable(progress, lambda: load(self._parts.images, file, scratch, progress.layer))
        for each in loaded:
            self._tell_loaded(each, emit)

    def _tell_loaded(self, loaded: Loaded, emit: Emit) -> None:
        """Docker's words (moby image/tarexport/load.go)."""
        for ref, before in loaded.renamed:
            name = ref.familiar()
            text = f"The image {name} already exists, renaming the old one with ID {before} to empty string\n"
            emit({"stream": text})
        for ref in loaded.refs:
            emit({"stream": f"Loaded image: {ref.familiar()}\n"})
        if not loaded.refs:
            emit({"stream": f"Loaded image ID: {loaded.image.id}\n"})
        self._parts.tell_image(loaded.image, "load")

    async def import_(
        self,
        file: IO[bytes],
        emit: Emit,
        *,
        repository: str = "",
        tag: str = "",
        message: str = "",
        changes: Sequence[str] = (),
        platform: Platform | None = None,
    ) -> Image:
        """A root file system, as a tar of any compression, made into an image of one layer; for this host's platform
        unless another is said.

        Raises InvalidReference, InvalidParameter, DockerfileError, BadArchive, StorageFull.
        """
        from containerlab.build.changes import apply_changes
        from containerlab.build.options import host_architecture

        if platform is not None and platform.os != "linux":
            raise InvalidParameter(f"{platform} can't be imported: images here are for linux")
        ref = target_name(repository, tag)
        config = apply_changes(ContainerConfig(), changes)
        images = self._parts.images
        progress = _Progress(emit, quiet=True)

        def work() -> Image:
            owner, layer = f"load-{time.time_ns()}", None
            try:
                with file:  # closed before the layer is synced, so that its own bytes never reach the disk
                    layer = images.layers.unpack(progress.watch(file), None, Provenance("import"), owner=owner)
                created = rfc3339(time.time_ns())
                history = History(created=created, comment=message or "Imported from -")
                made = ImageConfig(
                    platform.architecture if platform else host_architecture(),
                    platform.os if platform else "linux",
                    config=config,
                    rootfs=Rootfs(diff_ids=[layer.diff_id]),
                    history=[history],
                    created=created,
                    variant=platform.variant if platform else "",
                )
                return images.create(made, layer.chain_id, ref)
            finally:
                images.layers.unpin(owner)
                if layer is not None and images.layers.has(layer.chain_id):
                    images.layers.remove(layer.chain_id)  # if it became no image's

        image = await _stoppable(progress, work)
        emit({"status": image.id})
        self._parts.tell_image(image, "import", name=ref.familiar() if ref else "")
        return image


def target_name(repository: str, tag: str) -> Reference | None:
    """The name of a new image; None for none. Raises InvalidReference."""
    if not repository:
        return None
    reference = Reference.parse(f"{repository}:{tag}" if tag else repository)
    if reference.digest:
        raise Conflict("cannot tag an image by a digest")
    return reference


class _Stopped(Exception):
    """Raised in the thread whose caller has left."""


class _Progress:
    """Docker's progress messages of layers, a few a second; and the way to stop the thread that reports."""

    def __init__(self, emit: Emit, *, quiet: bool) -> None:
        self._emit, self._quiet = emit, quiet
        self._next = 0.0
        self.stop = threading.Event()

    def layer(self, diff_id: str, done: int, total: int) -> None:
        if self.stop.is_set():
            raise _Stopped
        now = time.monotonic()
        if self._quiet or (done < total and now < self._next):
            return
        self._next = now + _REPORT_SECONDS
        detail = {"current": done, "total": total}
        short = diff_id.removeprefix("sha256:")[:12]
        shown = {"status": "Loading layer", "progressDetail": detail, "progress": _bar(done, total), "id": short}
        self._emit(shown)

    def watch(self, file: IO[bytes]) -> _Watched:
        """The file, whose reading ends when nobody waits for it."""
        return _Watched(file, self)


class _Watched:
    def __init__(self, file: IO[bytes], progress: _Progress) -> None:
        self._file, self._progress = file, progress

    def read(self, size: int = -1, /) -> bytes:
        self._progress.layer("", 0, 1)
        return self._file.read(size)


async def _stoppable(progress: _Progress, work: Callable[[], T]) -> T:
    """Run ``work`` in a thread; when cancelled stop it, and wait until it is over."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        progress.stop.set()
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError:
                continue
        if not task.cancelled():
            task.exception()
        raise


def _bar(done: int, total: int) -> str:
    """As moby's jsonmessage draws it at a width of 50."""
    filled = 50 * done // total if total else 50
    head = "=" * filled + ">" if filled < 50 else "=" * 50 + ">"
    return f"[{head:<51}]  {_size(done)}/{_size(total)}"


def _size(count: float) -> str:
    """go-units' ``HumanSize``: four significant digits, powers of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.4g}{unit}"
        count /= 1000
    return f"{count:.4g}TB"
