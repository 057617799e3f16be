"""``RUN --mount``: what each mount of an instruction shows, staged for the runtime."""

from __future__ import annotations

import functools
import os
import posixpath
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from containerlab.build.cache_mounts import CacheMounts
from containerlab.build.copied_staging import CopiedStaging
from containerlab.build.copying import Copier, Ownership
from containerlab.build.dockerfile.instructions import Run
from containerlab.build.dockerfile.mounts import Mount
from containerlab.build.ingredients import Read
from containerlab.build.origin import LayerOrigin, Origin, Selection, entries
from containerlab.build.scratch import in_thread
from containerlab.build.staging import Staging
from containerlab.build.step import Planning
from containerlab.errors import BuildFailed, InvalidParameter, NotFound
from containerlab.images.attributes import squashed_owner
from containerlab.rung import copies_roots
from containerlab.runtime import constants as c
from containerlab.runtime.inroot import Root
from containerlab.runtime.syscalls import openat2

__all__ = ["Staged", "expand_mounts", "mounts_key", "staged"]

_READ = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_SECRET_MODE, _CACHE_MODE = 0o400, 0o755


@dataclass(frozen=True, slots=True)
class Staged:
    """Mounts of an OCI spec, and the places in the root that they need: path, and whether it is a directory."""

    mounts: tuple[dict[str, Any], ...] = ()
    points: tuple[tuple[str, bool], ...] = ()


def expand_mounts(planning: Planning, instruction: Run) -> tuple[Mount, ...]:
    """The mounts with their variables replaced and absolute targets. Raises DockerfileError."""
    state = planning.state
    found: list[Mount] = []
    for mount in instruction.mounts:
        target = posixpath.normpath(
            posixpath.join("/", state.config.WorkingDir, state.expand(instruction, mount.target))
        ).replace("//", "/")
        if target == "/":
            raise instruction.node.error("--mount can't have / as its target", hint="expected a path below /")
        if target == "/proc" or target.startswith("/proc/"):
            raise instruction.node.error(f"{target} can't be a mount's target: it is inside /proc")
        source, identity = state.expand(instruction, mount.source), state.expand(instruction, mount.id)
        if mount.kind == "cache" and not identity:
            identity = target
        found.append(replace(mount, target=target, source=source, id=identity))
    return tuple(found)


def mounts_key(planning: Planning, instruction: Run, mounts: tuple[Mount, ...]) -> tuple[list[object], list[Read]]:
    """What of the mounts the result depends on: the content of those that show files, the ids of the others."""
    key: list[object] = []
    reads: list[Read] = []
    for mount in mounts:
        shown = _content(planning, instruction, mount)
        content = mount.source if shown is None else ",".join(each.digest for each in shown)
        key.append([mount.kind, mount.target, mount.id, mount.readonly, content])
        reads += shown or ()
    return key, reads


def _content(planning: Planning, instruction: Run, mount: Mount) -> list[Read] | None:
    """None for a mount that shows nothing from elsewhere."""
    if mount.kind != "bind" and not mount.from_:
        return None
    origin = planning.origins[mount.from_]
    source = mount.source if mount.kind == "bind" else ""
    said = f"{mount.from_}:/{source.lstrip('/')}" if mount.from_ else source or "."
    if isinstance(origin, LayerOrigin) and not source.strip("/."):
        return [Read(said, origin.chain_id or "")]
    try:
        return [Read(said, each.digest, each.listing) for each in origin.find(Selection(source))]
    except (NotFound, InvalidParameter, ValueError) as error:
        message = getattr(error, "message", None) or str(error)
        raise instruction.node.error(f"--mount=type={mount.kind}: {message}") from None


@asynccontextmanager
async def staged(
    planning: Planning, instruction: Run, mounts: tuple[Mount, ...], caches: CacheMounts, scratch: Path
) -> AsyncIterator[Staged]:
    """Every mount made ready, and all of it undone afterwards."""
    if not mounts:
        yield Staged()
        return
    async with AsyncExitStack() as stack:
        staging = (CopiedStaging if copies_roots() else Staging)(scratch / "mounts")
        stack.push_async_callback(lambda: in_thread(staging.close))
        maker = _Maker(planning, instruction, staging, scratch)
        specs: list[dict[str, Any]] = []
        points: list[tuple[str, bool]] = []
        for mount in mounts:
            folder: Path | None = None
            if mount.kind == "cache":
                folder = await stack.enter_async_context(caches.use(mount, mount.id))
            made = await in_thread(functools.partial(maker.make, mount, folder))
            if made is not None:
                specs.append(made)
                is_directory = made["type"] != "bind" or Path(made["source"]).is_dir()
                points.append((mount.target, is_directory))
        yield Staged(tuple(specs), tuple(points))


class _Maker:
    """Stages one mount after another; for a thread."""

    def __init__(self, planning: Planning, instruction: Run, staging: Staging, scratch: Path) -> None:
        self._planning, self._instruction = planning, instruction
        self._staging, self._scratch = staging, scratch
        self._secrets: Path | None = None

    def make(self, mount: Mount, folder: Path | None) -> dict[str, Any] | None:
        """The mount for the spec; None for a secret that wasn't given and isn't required."""
        try:
            if mount.kind == "tmpfs":
                options = ["nosuid", "nodev", *([f"size={mount.size}"] if mount.size else [])]
                return {"destination": mount.target, "type": "tmpfs", "source": "tmpfs", "options": options}
            if mount.kind == "secret":
                place = self._secret(mount)
                return None if place is None else _bind(place, mount, readonly=True)
            place = self._cache(mount, folder) if folder is not None else self._shown(mount)
            return _bind(place, mount, readonly=mount.readonly)
        except (OSError, NotFound, InvalidParameter) as error:
            reason = getattr(error, "message", None) or getattr(error, "strerror", None) or str(error)
            raise self._failed(f"--mount=type={mount.kind},target={mount.target}: {reason}") from error

    def _failed(self, message: str, hint: str = "") -> BuildFailed:
        instruction = self._instruction
        return BuildFailed(message, line=instruction.line, source=instruction.original, hint=hint)

    # -- secret ------------------------------------------------------------------------------------------

    def _secret(self, mount: Mount) -> Path | None:
        data = self._planning.options.secrets.get(mount.id)
        if data is None:
            if mount.required:
                message = f"secret {mount.id} isn't there, and RUN requires it"
                raise self._failed(message, f"build with --secret id={mount.id},src=FILE")
            return None
        if self._secrets is None:
            self._secrets = self._staging.tmpfs()
        path = self._secrets / str(len(list(self._secrets.iterdir())))
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(fd, "wb") as file:
            file.write(data)
            _give(fd, mount)
            os.fchmod(fd, _SECRET_MODE if mount.mode is None else mount.mode)
        return path

    # -- bind --------------------------------------------------------------------------------------------

    def _shown(self, mount: Mount) -> Path:
        origin = self._planning.origins[mount.from_]
        if isinstance(origin, LayerOrigin):
            return self._of_layers(origin, mount.source)
        return self._of_context(origin, mount)

    def _of_layers(self, origin: LayerOrigin, source: str) -> Path:
        layers = self._planning.layers
        whole = self._staging.show(layers, origin.chain_id)
        root = os.open(whole, _READ)
        try:
            fd = Root(root).open(source)
            try:
                return self._staging.bind(fd)
            finally:
                os.close(fd)
        finally:
            os.close(root)

    def _of_context(self, origin: Origin, mount: Mount) -> Path:
        """The files themselves, or a copy where some are ignored or the command may write."""
        with origin.opened() as context:
            selection = Selection(mount.source)
            found = entries(context, selection, selection.rules())
            if len(found) != 1:
                raise InvalidParameter(f"source={mount.source} names {len(found)} files")
            entry = found[0][1]
            if mount.readonly and not context.hides_files:
                flags = os.O_PATH | os.O_NOFOLLOW
                resolve = c.RESOLVE_IN_ROOT | c.RESOLVE_NO_SYMLINKS
                fd = openat2(context.root_fd, os.fsencode(entry.path or "."), flags, resolve=resolve)
                try:
                    return self._staging.bind(fd)
                finally:
                    os.close(fd)
            copy = self._staging.place()
            copy.mkdir(mode=0o755)
            fd = os.open(copy, _READ)
            try:
                copier = Copier(fd, context, _owners(kept=False))
                try:
                    if not entry.is_directory:
                        copier.copy_file(entry, "file")
                        return copy / "file"
                    copier.copy_tree(entry, "tree")
                    copier.finish()
                    return copy / "tree"
                finally:
                    copier.close()
            finally:
                os.close(fd)

    # -- cache -------------------------------------------------------------------------------------------

    def _cache(self, mount: Mount, folder: Path) -> Path:
        if not folder.exists():
            self._fill_cache(mount, folder)
        root = os.open(folder, _READ)
        try:
            fd = Root(root).ensure_directory(mount.source) if mount.source.strip("/") else os.dup(root)
            try:
                return self._staging.bind(fd, lasting=True)
            finally:
                os.close(fd)
        finally:
            os.close(root)

    def _fill_cache(self, mount: Mount, folder: Path) -> None:
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        half = self._scratch / "cache"
        half.mkdir(mode=0o755)
        fd = os.open(half, _READ)
        try:
            if mount.from_:
                origin = self._planning.origins[mount.from_]
                with origin.opened() as context:
                    copier = Copier(fd, context, _owners(kept=origin.keeps_owners))
                    try:
                        copier.copy_tree(context.find(".")[0][1], "/")
                        copier.finish()
                    finally:
                        copier.close()
            _give(fd, mount)
            os.fchmod(fd, _CACHE_MODE if mount.mode is None else mount.mode)
        finally:
            os.close(fd)
        try:
            half.rename(folder)
        except OSError:
            if not folder.is_dir():  # else a parallel step was first
                raise


def _owners(*, kept: bool) -> Ownership:
    squashed = squashed_owner()
    return Ownership(kept=kept) if squashed is None else Ownership(*squashed)


def _give(fd: int, mount: Mount) -> None:
    """Under proot everything is one user's, whoever that is said to be."""
    if not copies_roots():
        os.fchown(fd, mount.uid, mount.gid)


def _bind(place: Path, mount: Mount, *, readonly: bool) -> dict[str, Any]:
    options = ["bind", "rprivate", "nosuid", "nodev", *(["ro"] if readonly else [])]
    return {"destination": mount.target, "type": "bind", "source": str(place), "options": options}
