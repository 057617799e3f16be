"""The build itself: the stages that the target needs, each as soon as what it needs is there, then an image.

A step's layer is committed before its cache record, its record before the next step begins, the image last: what a
build leaves when it is killed at any point is whole, and found again by the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import sqlite3
import time
from collections.abc import Awaitable, Callable
from itertools import accumulate
from pathlib import Path

from containerlab.build.base import Fetch, base_image, expand_global
from containerlab.build.cache import BuildCache
from containerlab.build.cache_mounts import CacheMounts
from containerlab.build.context import Context
from containerlab.build.digests import ContentDigests, FileDigests
from containerlab.build.dockerfile import Dockerfile, Instruction, parse
from containerlab.build.graph import Graph, Node, described
from containerlab.build.inline_cache import ARGUMENT, BorrowedCache, wants_inline_cache
from containerlab.build.last_builds import LastBuild, LastBuilds
from containerlab.build.lint import Finding, image_variables, lint, refuse_errors, told
from containerlab.build.messages import Emit, Messages
from containerlab.build.mount_points import MountPoints
from containerlab.build.network import Join
from containerlab.build.options import BuildOptions, platform_args
from containerlab.build.origin import ContextOrigin, LayerOrigin
from containerlab.build.progress import Progress
from containerlab.build.running import Runner, Supervisor
from containerlab.build.scratch import Removals, in_thread, remove_folder, scratch_folder
from containerlab.build.stage import Shop, StageRun
from containerlab.build.staging import unmount_below
from containerlab.build.state import StageState
from containerlab.build.turns import Turns
from containerlab.database import Database
from containerlab.errors import ContainerlabError, InvalidParameter, NoSuchImage
from containerlab.images import Image, ImageStore, Reference
from containerlab.images.spread import spread

__all__ = ["Builder"]

_KNOWN_SYNTAX = ("docker/dockerfile:", "docker/dockerfile-upstream:", "docker.io/docker/dockerfile:")
_EPOCH = "SOURCE_DATE_EPOCH"
_SENT_ALONG = re.compile(r"\.dockerfile\.[0-9a-f]{20}\Z|\.containerlab\.Dockerfile\Z")  # docker's CLI, ours
_SECONDS = re.compile(r"[0-9]{1,11}\Z")


class Builder:
    """Builds for one store; builds may run side by side."""

    def __init__(
        self,
        images: ImageStore,
        supervisor: Supervisor,
        database: Database,
        store_folder: Path,
        join: Join | None = None,
    ) -> None:
        """Without ``join`` a RUN has loopback alone."""
        self.images = images
        self.join = join
        self.runner = Runner(supervisor)
        self.cache = BuildCache(database, images)
        self.mounts = CacheMounts(store_folder / "build-cache")
        self.points = MountPoints()
        self.files, self.contents = FileDigests(database), ContentDigests(database)
        self.last = LastBuilds(database)
        self.folder = store_folder / "builds"
        self.seccomp_cache = store_folder / "seccomp"
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        spread(self.folder)
        unmount_below(self.folder)
        for left in self.folder.iterdir():
            # Of a build whose engine was killed: its layers are whole or absent, the rest is scratch.
            images.layers.unpin(left.name)
            remove_folder(left)

    async def build(
        self,
        context: Context,
        options: BuildOptions,
        emit: Emit,
        fetch: Callable[[str, Emit], Awaitable[None]] | None = None,
    ) -> Image:
        """Build the context's Dockerfile; ``emit`` is told everything, in the event loop (docs/interfaces.md).

        ``fetch(name, emit)`` brings a base image that isn't here; without it that is an error.

        A request that can't be granted, and a Dockerfile that can't be read or has what is refused, raise
        (InvalidParameter, DockerfileError, NotFound) before anything is emitted. Whatever stops a build that has
        begun is emitted as Docker's error message and raised: BuildFailed, NoSuchImage, StorageFull, ….
        """
        options.check()
        tags = [Reference.parse(tag) for tag in options.tags]
        dockerfile, findings = await self._read(context, options)
        refuse_errors(dockerfile, findings)
        last = self.last.open(_known_as(tags, context, options))
        work = _Build(self, context, options, emit, dockerfile, fetch, last)
        await in_thread(lambda: context.recall(self.files))
        shown = [finding for finding in findings if finding.level != "hint"]
        if shown:
            work.messages.lint(told(dockerfile.file, shown))
        try:
            return await work.run(tags)
        except ContainerlabError as error:
            work.messages.failed(error)
            raise
        finally:
            await in_thread(lambda: self._settle(context, last))

    async def check(self, context: Context, options: BuildOptions) -> dict[str, object]:
        """What the lint finds in the context's Dockerfile, hints included (docs/interfaces.md); nothing is built.

        Raises as ``build`` does before anything is emitted.
        """
        dockerfile, findings = await self._read(context, options)
        return told(dockerfile.file, findings)

    async def _read(self, context: Context, options: BuildOptions) -> tuple[Dockerfile, list[Finding]]:
        def work() -> tuple[Dockerfile, list[Finding]]:
            dockerfile = parse(context.dockerfile(options.dockerfile), _shown(options.dockerfile))
            return dockerfile, lint(dockerfile, image_variables(self.images), target=options.target)

        return await in_thread(work)

    def _settle(self, context: Context, last: LastBuild) -> None:
        """What is kept of a build beside its image; without room on the disk the next one is slower, not wrong."""
        with contextlib.suppress(OSError, sqlite3.OperationalError):
            context.remember(self.files)
            last.save()
        self.cache.collect()


class _Build:
    """One build under way."""

    def __init__(
        self,
        builder: Builder,
        context: Context,
        options: BuildOptions,
        emit: Emit,
        dockerfile: Dockerfile,
        fetch: Callable[[str, Emit], Awaitable[None]] | None,
        last: LastBuild,
    ) -> None:
        self._builder, self._options, self._dockerfile = builder, options, dockerfile
        self.messages = Messages(emit, quiet=options.quiet)
        self._bring: Fetch | None = None if fetch is None else (lambda name: fetch(name, self.messages.pulling))
        self._id = secrets.token_hex(32)
        self._began = time.monotonic()
        self._folder = builder.folder / self._id
        self._global_args = self._read_global_args()
        self._graph = Graph(dockerfile, self._global_args, host_network=options.network_mode == "host")
        self._target = self._graph.target(options.target)
        self._needed = self._graph.needed(self._target)
        self._places = {node.index: position for position, node in enumerate(self._needed)}
        self._turns = Turns(emit, len(self._needed))
        self._stages: dict[int, asyncio.Task[StageState]] = {}
        self._images: dict[str, asyncio.Task[Image | None]] = {}
        self._failure: tuple[int, BaseException] | None = None
        self._before = list(accumulate(map(_steps, self._needed), initial=len(dockerfile.global_args)))
        self._total = self._before[-1] + len(options.labels)
        self._shop = Shop(
            builder=builder,
            build_id=self._id,
            folder=self._folder,
            options=options,
            dockerfile=dockerfile,
            global_args=self._global_args,
            context=ContextOrigin(context),
            slots=asyncio.Semaphore(os.cpu_count() or 1),
            epoch=_epoch(options, self._global_args),
            last=last,
            removals=Removals(),
            borrowed=BorrowedCache(options.cache_from, self._image, self.messages.line),
            image=self._image,
            origin=self._origin,
            base=self._base,
            label=lambda index: self._graph.nodes[index].label,
        )

    async def run(self, tags: list[Reference]) -> Image:
        """Every step, then the image. What it pinned and scratched is gone afterwards, however it ends."""
        try:
            with scratch_folder(self._folder):
                try:
                    self._notices()
                    state = await self._all_stages()
                    image = await in_thread(lambda: self._register(state, tags))
                finally:
                    await self._shop.removals.finish()
        finally:
            self._builder.images.layers.unpin(self._id)
        unused = sorted(set(self._options.build_args) - self._consumed() - {_EPOCH, ARGUMENT})
        self.messages.built(image.id, [tag.familiar() for tag in tags], unused)
        return image

    def _notices(self) -> None:
        syntax = self._dockerfile.directives.syntax
        if syntax and not syntax.startswith(_KNOWN_SYNTAX):
            self.messages.line(f"[Warning] # syntax={syntax} is not executed: this builder reads the Dockerfile itself")
        if "skip=all" not in self._dockerfile.directives.check.replace(" ", ""):
            for notice in self._dockerfile.notices:
                self.messages.line(f"[Warning] {self._dockerfile.file}:{notice.place.line}: {notice.message}")

    # -- before the first FROM ----------------------------------------------------------------------------

    def _read_global_args(self) -> dict[str, str]:
        """The ARG before FROM, each seeing those before it; a build argument wins over a default."""
        values = platform_args()
        for arg in self._dockerfile.global_args:
            for name, default in arg.pairs:
                asked = self._options.build_args.get(name)
                if asked is not None:
                    values[name] = asked
                elif default is not None:
                    values[name] = expand_global(self._dockerfile, arg, default, values)
        return values

    def _consumed(self) -> set[str]:
        used = {name for arg in self._dockerfile.global_args for name, _ in arg.pairs}
        for task in self._stages.values():
            used |= task.result().consumed
        return used

    # -- stages -------------------------------------------------------------------------------------------

    async def _all_stages(self) -> StageState:
        self.messages.stages(described(self._graph, self._needed, self._target))
        progress = Progress(self.messages, "", 0, self._total, self._began)
        for arg in self._dockerfile.global_args:
            with progress.step(arg, arg.original):
                pass
        for node in self._needed:
            self._stage(node)
        try:
            return await self._stages[self._target.index]
        except BaseException as error:
            await self._stop()
            if self._failure is None:
                raise
            index, first = self._failure
            self._turns.fail(self._places.get(index, 0))
            raise first from (error if error is not first else None)

    async def _stop(self) -> None:
        tasks = [*self._stages.values(), *self._images.values()]
        for task in tasks:
            task.cancel()
        while pending := [task for task in tasks if not task.done()]:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait(pending)
        for task in tasks:
            if not task.cancelled():
                task.exception()

    def _stage(self, node: Node) -> asyncio.Task[StageState]:
        """The stage under way; one that only a trigger needs is begun when it is asked for."""
        task = self._stages.get(node.index)
        if task is None:
            task = self._stages[node.index] = asyncio.ensure_future(self._run_stage(node))
        return task

    async def _run_stage(self, node: Node) -> StageState:
        position = self._places.get(node.index)
        if position is None:
            messages, before = Messages(lambda _: None, quiet=True), 0
        else:
            messages = Messages(self._turns.emitter(position), quiet=self._options.quiet)
            before = self._before[position]
        progress = Progress(messages, node.label, before, self._total, self._began)
        labels = self._options.labels if node is self._target else {}
        try:
            state = await StageRun(self._shop, node, messages, progress).run(labels)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self._failure = self._failure or (node.index, error)
            raise
        if position is not None:
            self._turns.end(position)
        return state

    async def _base(self, node: Node) -> StageState | None:
        if node.base is None:
            return None
        return await asyncio.shield(self._stage(self._graph.nodes[node.base]))

    async def _image(self, name: str) -> Image | None:
        """One image by its name, brought once however many stages want it."""
        task = self._images.get(name)
        if task is None:
            bring = base_image(self._builder.images, name, self._options, self._bring)
            task = self._images[name] = asyncio.ensure_future(bring)
        return await asyncio.shield(task)

    async def _origin(self, instruction: Instruction, name: str, before: int) -> tuple[LayerOrigin, Node | None]:
        """The root of an earlier stage (and which one), or of an image, for ``--from``."""
        node = self._graph.source(instruction, name, before)
        if node is not None:
            chain_id = (await asyncio.shield(self._stage(node))).chain_id
        else:
            image = await self._image(name)
            chain_id = image.chain_id if image is not None else None
            if chain_id is not None:
                self._builder.images.layers.pin(chain_id, self._id)
        return LayerOrigin(self._builder.images.layers, self._builder.contents, chain_id), node

    # -- the end ------------------------------------------------------------------------------------------

    def _register(self, state: StageState, tags: list[Reference]) -> Image:
        images = self._builder.images
        if wants_inline_cache(self._options.build_args):
            state.image.cache = state.steps
        image: Image | None = None
        with contextlib.suppress(NoSuchImage):
            image = images.get(state.digest())
        if image is None:
            image = images.create(state.image, state.chain_id)
        for tag in tags:
            if str(tag) not in [str(known) for known in image.tags]:
                images.tag(image.id, tag)
        return images.get(image.id)


def _known_as(tags: list[Reference], context: Context, options: BuildOptions) -> list[str]:
    """What a build goes by when it is compared with the one before: its names without tags, else where it lies."""
    if tags:
        return sorted({f"name:{tag.familiar_name()}" for tag in tags})
    return [f"folder:{context.place}:{options.dockerfile}"] if context.place else []


def _shown(name: str) -> str:
    """What messages call the Dockerfile: one from outside the context is sent under a name that nobody gave it."""
    return "Dockerfile" if _SENT_ALONG.match(name) else name


def _steps(node: Node) -> int:
    return 1 + len(node.stage.instructions)


def _epoch(options: BuildOptions, global_args: dict[str, str]) -> int | None:
    """SOURCE_DATE_EPOCH, seconds since 1970. Raises InvalidParameter."""
    text = options.build_args.get(_EPOCH) or global_args.get(_EPOCH) or ""
    if not text:
        return None
    if not _SECONDS.match(text):
        raise InvalidParameter(f"invalid {_EPOCH}: {text!r}", hint="expected whole seconds since 1970")
    return int(text)
