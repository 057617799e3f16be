"""What a container has become: its root file system as a tar (``export``), or as an image (``commit``).

Both look at the writable layer from below, over the image's layers and under no mount: of a volume, a bound file and
``/proc`` only the place shows, as in Docker. It is read, never written to and never mounted as an upper layer, so a
container may run, end and start meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import stat
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any

import msgspec

from containerlab import images as room
from containerlab.engine import freezer
from containerlab.engine.archives import target_name
from containerlab.engine.byte_stream import Sink, byte_stream
from containerlab.engine.clock import rfc3339
from containerlab.engine.container import Container
from containerlab.engine.creation import image_config
from containerlab.engine.merge import filled
from containerlab.engine.models import ContainerConfig, decode, encode
from containerlab.engine.parts import Parts
from containerlab.engine.visits import SCAFFOLD
from containerlab.engine.written import written
from containerlab.errors import Conflict, HostLacks
from containerlab.images import History, Image, ImageConfig, Layer, LayerStore, Provenance, Reference, pack
from containerlab.images.changes import changes
from containerlab.images.trees import directory
from containerlab.rung import PROOT
from containerlab.runtime.inroot import Root

__all__ = ["Snapshots"]

_PIPE = 1 << 20
_NOTHING: tuple[object, ...] = (None, "", False, [], {})
_OF_IMAGES = frozenset(field.name for field in msgspec.structs.fields(room.ContainerConfig))


class Snapshots:
    """``ref`` is a container's name or id."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    @asynccontextmanager
    async def export(self, ref: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """A tar of all that its image and itself have, piece by piece. Raises NoSuchContainer, HostLacks, Conflict."""
        container = self._present(ref)
        layers, owner = self._parts.images.layers, f"export-{secrets.token_hex(8)}"
        chain = container.record.chain_id or None

        def work(out: Sink) -> None:
            with written(self._parts, container) as upper, layers.mounted(chain, top=upper) as root:
                pack(root, out)

        if chain is not None:
            layers.pin(chain, owner)
        try:
            async with byte_stream(work) as pieces:
                yield pieces
        finally:
            layers.unpin(owner)
        self._parts.tell(container, "export")

    async def commit(
        self,
        ref: str,
        config: ContainerConfig,
        *,
        repository: str = "",
        tag: str = "",
        comment: str = "",
        author: str = "",
        changes: Sequence[str] = (),
        pause: bool = True,
    ) -> Image:
        """An image of the container's image and a copy of its writable layer; ``config`` and ``changes`` win over the
        container's own configuration.

        A container that runs is held still meanwhile, unless ``pause`` is False. Raises NoSuchContainer, NoSuchImage,
        InvalidReference, InvalidParameter, DockerfileError, Conflict, HostLacks, StorageFull.
        """
        from containerlab.build.changes import apply_changes

        container = self._present(ref)
        name = target_name(repository, tag)
        base = await asyncio.to_thread(self._parts.images.get, container.record.image)
        asked = apply_changes(_as_images(config), changes)
        merged = filled(decode(ContainerConfig, msgspec.to_builtins(asked)), container.record.config)
        # A build's own words aren't the container's: they stay the image's, unless they are changed.
        own = image_config(base)
        merged = msgspec.structs.replace(
            merged,
            shell=own.shell if merged.shell is None else merged.shell,
            on_build=own.on_build if merged.on_build is None else merged.on_build,
        )
        made = msgspec.structs.replace(base.config, config=_as_images(merged), author=author, cache=[])
        async with self._held_still(container, pause):
            image = await asyncio.to_thread(self._commit, container, made, comment, name)
        shown = name.familiar() if name else ""
        self._parts.tell(container, "commit", comment=comment, imageID=image.id, imageRef=shown)
        return image

    def _commit(self, container: Container, made: ImageConfig, comment: str, name: Reference | None) -> Image:
        images, owner = self._parts.images, f"load-{secrets.token_hex(8)}"
        command = " ".join(container.record.config.cmd or [])
        parent = container.record.chain_id or None
        layer: Layer | None = None
        try:
            with written(self._parts, container) as upper:
                layer = _copied(images.layers, upper, parent, Provenance(command or "commit"), owner)
            created = rfc3339(time.time_ns())
            step = History(
                created=created,
                created_by=command,
                author=made.author,
                comment=comment,
                empty_layer=layer is None,
            )
            added = [layer.diff_id] if layer is not None else []
            rootfs = room.Rootfs(diff_ids=[*made.rootfs.diff_ids, *added])
            config = msgspec.structs.replace(made, created=created, history=[*made.history, step], rootfs=rootfs)
            return images.create(config, layer.chain_id if layer is not None else parent, name)
        finally:
            images.layers.unpin(owner)
            if layer is not None and images.layers.has(layer.chain_id):
                images.layers.remove(layer.chain_id)  # if it became no image's

    @asynccontextmanager
    async def _held_still(self, container: Container, pause: bool) -> AsyncIterator[None]:
        if not pause or container.state.status != "running":
            yield
            return
        if container.record.backend == PROOT:
            listed = (await self._parts.supervisor.call("list"))["containers"]
            with _tracers_stopped(next(seen for seen in listed if seen["container"] == container.id)):
                yield
            return
        try:
            await freezer.pause(self._parts, container)
        except HostLacks as error:
            raise HostLacks(error.message, hint="Commit it while it runs: --pause=false (pause=0).") from None
        try:
            yield
        finally:
            with contextlib.suppress(Conflict):  # somebody has unpaused or ended it meanwhile
                await asyncio.shield(freezer.unpause(self._parts, container))

    def _present(self, ref: str) -> Container:
        container = self._parts.registry.get(ref)
        if container.state.status in ("removing", "dead"):
            raise Conflict(f"You cannot use container {container.id} which is {container.state.status}")
        if container.state.running and container.record.backend == "vm":
            raise HostLacks(
                f"container {container.name} is a virtual machine that runs: what it writes is on its own disk.",
                hint="Run the image without --runtime vm, and export or commit that container.",
            )
        return container


@contextlib.contextmanager
def _tracers_stopped(seen: dict[str, Any]) -> Iterator[None]:
    """Without a freezer: whoever waits for its tracer at a system call changes no file."""
    pids = [each["pid"] for each in (seen, *seen["execs"]) if each["status"] == "running"]
    try:
        _signal_all(pids, signal.SIGSTOP)
        yield
    finally:
        _signal_all(pids, signal.SIGCONT)


def _signal_all(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _copied(layers: LayerStore, folder: Path, parent: str | None, provenance: Provenance, owner: str) -> Layer | None:
    """A layer of a copy of the writable layer, None when nothing was changed."""
    with layers.mounted(parent) as lower, directory(folder) as upper:
        if not changes(upper, lower, scaffold=SCAFFOLD):
            return None
        scaffold = _untouched(upper, lower)

        def packed(out: IO[bytes]) -> None:
            pack(upper, out, whiteouts=True, leave_out=lambda path, _: path in scaffold)

        return _piped(packed, lambda stream: layers.unpack(stream, parent, provenance, owner=owner))


def _untouched(upper: int, lower: int) -> set[bytes]:
    """The places that were made for mounts, where the image has none and the container has put nothing."""
    found: set[bytes] = set()
    for path in sorted(SCAFFOLD, key=lambda path: path.count(b"/"), reverse=True):
        status, below = _status(upper, path), _status(lower, path)
        if status is None or below is not None:
            continue
        if stat.S_ISREG(status.st_mode) and not status.st_size:
            found.add(path)
        elif stat.S_ISDIR(status.st_mode):
            with directory(path, dir_fd=upper) as fd:
                names = [os.fsencode(name) for name in os.listdir(fd)]  # noqa: PTH208
            if all(path + b"/" + name in found for name in names):
                found.add(path)
    return found


def _status(root: int, path: bytes) -> os.stat_result | None:
    try:
        fd = Root(root).open(os.fsdecode(path), os.O_PATH | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        return os.fstat(fd)
    finally:
        os.close(fd)


def _piped(write: Callable[[IO[bytes]], None], read: Callable[[IO[bytes]], Layer]) -> Layer:
    """What ``read`` makes of that which ``write`` writes in a thread beside it."""
    reading, writing = os.pipe()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            with os.fdopen(writing, "wb", _PIPE) as out:
                write(out)
        except BrokenPipeError:
            return  # it can't be read, which says more
        except BaseException as error:
            failures.append(error)

    writer = threading.Thread(target=run, name="commit")
    writer.start()
    try:
        with os.fdopen(reading, "rb", _PIPE) as stream:
            layer = read(stream)
    except Exception:
        writer.join()
        if failures:
            raise failures[0] from None
        raise
    writer.join()
    if failures:
        raise failures[0]
    return layer


def _as_images(config: ContainerConfig) -> room.ContainerConfig:
    """The part of a container's configuration that an image keeps; what is empty isn't said."""
    said = {name: value for name, value in encode(config).items() if name in _OF_IMAGES and value not in _NOTHING}
    for name in ("ExposedPorts", "Volumes"):
        if name in said:
            said[name] = {key: value or {} for key, value in said[name].items()}
    return msgspec.convert(said, room.ContainerConfig)
