"""Looking into a container's files from outside: ``cp`` both ways, and ``diff``.

A running container's root is a descriptor of ``/proc/PID/root``: what it sees is what is seen, every mount included. A
stopped one's is mounted once more, in the visitor's own mount namespace and under the container's lock, so that its
writable layer is never mounted twice. A descriptor outlives its container: a start waits for the visits of the run
before, and ends those that take too long.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from containerlab import errors
from containerlab.engine.bind_sources import have_sources, open_sources
from containerlab.engine.container import Container
from containerlab.engine.parts import Parts
from containerlab.engine.visitors import Visitor
from containerlab.engine.volumes import Volumes
from containerlab.engine.written import written
from containerlab.errors import Conflict, ContainerlabError, HostLacks
from containerlab.images.changes import changes
from containerlab.images.trees import directory
from containerlab.rung import copies_roots
from containerlab.runtime.facts import open_root

__all__ = ["SCAFFOLD", "Visits", "end_visits"]

_CHUNK = 1 << 16
_LINE_LIMIT = 1 << 17
_ANSWER_SECONDS = 60.0
# An archive's last entry may be in place of a tree of a million files, which goes first.
_UNPACK_SECONDS = 600.0
_VISIT_SECONDS = 10.0
_KINDS: dict[str, type[ContainerlabError]] = {
    kind.__name__: kind
    for kind in (
        errors.BadArchive,
        errors.Conflict,
        errors.HostLacks,
        errors.InvalidParameter,
        errors.NotFound,
        errors.StorageFull,
    )
}
# What init makes for its mounts where the image lacks it; Docker keeps these in a layer below the container's.
SCAFFOLD = frozenset(
    os.fsencode(path)
    for path in ("dev", "proc", "sys", "etc", "etc/hosts", "etc/hostname", "etc/resolv.conf", "dev/shm", "dev/pts")
)


async def end_visits(container: Container) -> None:
    """Wait for the visits of a container that has ended, and end them after a while; its lock is held."""
    if not container.visits:
        return
    await asyncio.wait(
        [asyncio.ensure_future(visitor.gone.wait()) for visitor in container.visits], timeout=_VISIT_SECONDS
    )
    for visitor in tuple(container.visits):
        await visitor.end()


class Visits:
    """``ref`` is a container's name or id, ``path`` one inside it; see ``images.places`` for what a path means."""

    def __init__(self, parts: Parts, volumes: Volumes) -> None:
        self._parts = parts
        self._volumes = volumes

    async def stat(self, ref: str, path: str) -> dict[str, Any]:
        """Docker's ``ContainerPathStat``. Raises NotFound in Docker's words."""
        async with self._visit(ref, "stat", path) as visitor:
            return await _answer(visitor, _ANSWER_SECONDS)

    @asynccontextmanager
    async def read(self, ref: str, path: str) -> AsyncIterator[tuple[dict[str, Any], AsyncIterator[bytes]]]:
        """What lies at ``path``, and its tar piece by piece. The block's end ends the work, wherever it stands."""
        async with self._visit(ref, "get", path) as visitor:
            described = await _answer(visitor, _ANSWER_SECONDS)
            self._tell(ref, "archive-path")
            yield described, _pieces(visitor)

    async def write(
        self, ref: str, path: str, archive: AsyncIterable[bytes], *, keep_kinds: bool, copy_ids: bool
    ) -> None:
        """Unpack a tar of any compression into the directory ``path``.

        ``keep_kinds`` is Docker's ``noOverwriteDirNonDir``; with ``copy_ids`` everything is the container's user's.
        """
        container = self._parts.registry.get(ref)
        user = container.record.config.user if copy_ids else ""
        async with self._visit(ref, "put", path, user=user, keep_kinds=keep_kinds) as visitor:
            async for piece in archive:
                if not await visitor.send(piece, _ANSWER_SECONDS):
                    break  # it has failed already, and says why
            visitor.end_of_input()
            await _answer(visitor, _UNPACK_SECONDS)
        self._tell(ref, "extract-to-dir")

    async def changes(self, ref: str) -> list[dict[str, Any]]:
        """Docker's ``[{"Path", "Kind"}]``: 0 modified, 1 added, 2 deleted; sorted by path."""
        container = self._parts.registry.get(ref)
        found = await asyncio.to_thread(self._changes, container)
        return [{"Path": f"/{path}", "Kind": kind} for path, kind in found]

    def _changes(self, container: Container) -> list[tuple[str, int]]:
        layers = self._parts.images.layers
        with (
            layers.mounted(container.record.chain_id or None) as lower,
            written(self._parts, container) as folder,
            directory(folder) as upper,
        ):
            return changes(upper, lower, scaffold=SCAFFOLD)

    @asynccontextmanager
    async def _visit(self, ref: str, op: str, path: str, **more: Any) -> AsyncIterator[Visitor]:
        container = self._parts.registry.get(ref)
        root = await _enter(container)
        try:
            request = {"op": op, "path": path, "container": ref, "mounts": _mounts(container), **more}
            async with self._sources(container, opened=root is not None) as trees:
                request |= {"root": root, "trees": trees, "bundle": str(container.folder)}
                visitor = Visitor(request, [*trees[0], *trees[1], *([] if root is None else [root])])
                container.visits.add(visitor)
                try:
                    yield visitor
                finally:
                    await asyncio.shield(visitor.end())
                    container.visits.discard(visitor)
        finally:
            if root is None:
                container.lock.release()
            else:
                os.close(root)

    @asynccontextmanager
    async def _sources(self, container: Container, *, opened: bool) -> AsyncIterator[tuple[list[int], list[int]]]:
        """What a container that doesn't run has mounted, for the visitor to mount again; twice, for two attempts."""
        mounts = [] if opened else container.record.mounts
        async with self._volumes.mounts.mounted(mounts):
            trees: tuple[list[int], list[int]] = ([], [])
            try:
                for attempt in trees if have_sources(mounts) else ():
                    attempt += await asyncio.to_thread(open_sources, mounts)
                yield trees
            finally:
                for fd in (*trees[0], *trees[1]):
                    os.close(fd)

    def _tell(self, ref: str, action: str) -> None:
        self._parts.tell(self._parts.registry.get(ref), action)


async def _enter(container: Container) -> int | None:
    """A descriptor of a running container's root; or None, and the lock of one that doesn't run is held."""
    while True:
        await container.lock.acquire()
        try:
            root = _root_of(container)
        except ProcessLookupError:
            # It has just ended, and its end isn't recorded yet.
            container.lock.release()
            async with asyncio.timeout(_VISIT_SECONDS):
                await container.ended.wait()
            continue
        except BaseException:
            container.lock.release()
            raise
        if root is not None:
            container.lock.release()
        return root


def _root_of(container: Container) -> int | None:
    state = container.state
    if state.status in ("removing", "dead"):
        raise Conflict(f"container {container.id} is marked for removal")
    if not state.running:
        return None
    if container.record.backend == "vm":
        raise HostLacks(
            f"container {container.name} is a virtual machine that runs: its files can't be reached from outside.",
            hint="Stop it first; what it writes goes with its disk. A container without --runtime vm can be.",
        )
    if copies_roots():
        return os.open(container.folder / "rootfs", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    root = open_root(state.pid, state.starttime)
    if os.path.samestat(os.fstat(root), os.stat("/")):  # noqa: PTH116
        os.close(root)
        raise Conflict(f"container {container.id} hasn't entered its root yet")
    return root


def _mounts(container: Container) -> dict[str, bool]:
    """For each place where something is mounted whether it is read-only; "" is the root itself."""
    points = container.record.mounts
    visible = [point for point in points if point.type != "tmpfs" or container.state.running]
    places = {point.destination: not point.rw for point in visible}
    return {"": container.record.host_config.readonly_rootfs, **places}


async def _answer(visitor: Visitor, seconds: float) -> dict[str, Any]:
    """The first line. Raises what the visitor says went wrong."""
    answer = await visitor.line(_LINE_LIMIT, seconds)
    if "error" in answer:
        kind = _KINDS.get(answer["error"]["kind"], ContainerlabError)
        raise kind(answer["error"]["message"])
    stated: dict[str, Any] = answer["stat"]
    return stated


async def _pieces(visitor: Visitor) -> AsyncIterator[bytes]:
    while piece := await visitor.receive(_CHUNK, _ANSWER_SECONDS):
        yield piece
    await visitor.gone.wait()
    if visitor.exit_code:
        raise ContainerlabError("the archive ends early: a file of the container's can't be read")
