"""The build itself: one stage, step by step, each from the cache or executed, then an image with its names.

A step's layer is committed before its cache record, its record before the next step begins, the image last: what a
build leaves when it is killed at any point is whole, and found again by the next one.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from containerlab.build.base import Fetch, base_config, base_image, base_name, expand_global, triggers_of
from containerlab.build.cache import BuildCache, Record, cache_key
from containerlab.build.context import Context
from containerlab.build.dockerfile import Dockerfile, Instruction, Stage, parse
from containerlab.build.dockerfile.instructions import Run
from containerlab.build.messages import Emit, Messages, short_id
from containerlab.build.options import BuildOptions, platform_args
from containerlab.build.progress import Outcome, Progress
from containerlab.build.running import Runner, Supervisor
from containerlab.build.scratch import in_thread, remove_folder, scratch_folder
from containerlab.build.state import StageState
from containerlab.build.step import Planning, Step
from containerlab.build.steps_config import CONFIG_STEPS, label_step
from containerlab.build.steps_files import FILE_STEPS
from containerlab.build.steps_run import RunContext, run_step
from containerlab.build.unsupported import single_stage
from containerlab.database import Database
from containerlab.errors import ContainerlabError, NoSuchImage
from containerlab.images import Image, ImageStore, Layer, Reference

__all__ = ["Builder"]

_KNOWN_SYNTAX = ("docker/dockerfile:", "docker/dockerfile-upstream:", "docker.io/docker/dockerfile:")


class Builder:
    """Builds for one store; builds may run side by side."""

    def __init__(self, images: ImageStore, supervisor: Supervisor, database: Database, store_folder: Path) -> None:
        self.images = images
        self.runner = Runner(supervisor)
        self.cache = BuildCache(database, images.layers)
        self.folder = store_folder / "builds"
        self.seccomp_cache = store_folder / "seccomp"
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
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

        A request that can't be granted, and a Dockerfile that can't be read or has what isn't executed yet, raise
        (InvalidParameter, DockerfileError, NotFound) before anything is emitted. Whatever stops a build that has
        begun is emitted as Docker's error message and raised: BuildFailed, NoSuchImage, StorageFull, ….
        """
        options.check()
        tags = [Reference.parse(tag) for tag in options.tags]
        dockerfile = parse(context.dockerfile(options.dockerfile), options.dockerfile)
        stage = single_stage(dockerfile, options.target)
        messages = Messages(emit, quiet=options.quiet)
        bring: Fetch | None = None if fetch is None else (lambda name: fetch(name, messages.pulling))
        work = _Build(self, context, options, messages, dockerfile, stage, bring)
        try:
            return await work.run(tags)
        except ContainerlabError as error:
            messages.failed(error)
            raise


class _Build:
    """One build under way."""

    def __init__(
        self,
        builder: Builder,
        context: Context,
        options: BuildOptions,
        messages: Messages,
        dockerfile: Dockerfile,
        stage: Stage,
        fetch: Fetch | None,
    ) -> None:
        self._fetch = fetch
        self._builder, self._context, self._options = builder, context, options
        self._messages, self._dockerfile, self._stage = messages, dockerfile, stage
        self._id = secrets.token_hex(32)
        self._folder = builder.folder / self._id
        total = len(dockerfile.global_args) + 1 + len(stage.instructions) + len(options.labels)
        self._progress = Progress(messages, total)

    async def run(self, tags: list[Reference]) -> Image:
        """Every step, then the image. What it pinned and scratched is gone afterwards, however it ends."""
        try:
            with scratch_folder(self._folder):
                self._notices()
                state, triggers = await self._begin_stage(self._global_args())
                for trigger in triggers:
                    await self._execute(state, trigger, counts=False)
                for instruction in self._stage.instructions:
                    await self._execute(state, instruction)
                for name in sorted(self._options.labels):
                    await self._label(state, name)
                image = await in_thread(lambda: self._register(state, tags))
        finally:
            self._builder.images.layers.unpin(self._id)
        unused = sorted(set(self._options.build_args) - state.consumed - self._global_names())
        self._messages.built(image.id, [tag.familiar() for tag in tags], unused)
        return image

    def _notices(self) -> None:
        syntax = self._dockerfile.directives.syntax
        if syntax and not syntax.startswith(_KNOWN_SYNTAX):
            self._messages.line(
                f"[Warning] # syntax={syntax} is not executed: this builder reads the Dockerfile itself"
            )
        for notice in self._dockerfile.notices:
            self._messages.line(f"[Warning] {self._dockerfile.file}:{notice.place.line}: {notice.message}")

    # -- before the first instruction ---------------------------------------------------------------------

    def _global_args(self) -> dict[str, str]:
        """The ARG before FROM, each seeing those before it; a build argument wins over a default."""
        values = platform_args()
        for arg in self._dockerfile.global_args:
            with self._progress.step(arg, arg.original):
                for name, default in arg.pairs:
                    asked = self._options.build_args.get(name)
                    if asked is not None:
                        values[name] = asked
                    elif default is not None:
                        values[name] = expand_global(self._dockerfile, arg, default, values)
        return values

    def _global_names(self) -> set[str]:
        return {name for arg in self._dockerfile.global_args for name, _ in arg.pairs}

    async def _begin_stage(self, global_args: dict[str, str]) -> tuple[StageState, list[Instruction]]:
        """The state that the base image gives, and the triggers that it carries."""
        instruction = self._stage.from_
        with self._progress.step(instruction, instruction.original) as outcome:
            name = base_name(self._dockerfile, instruction, global_args)
            base = await base_image(self._builder.images, name, self._options, self._fetch)
            triggers = triggers_of(base, name)
            state = StageState(
                base_config(base),
                base.chain_id if base is not None else None,
                escape=self._dockerfile.directives.escape,
                build_args=self._options.build_args,
                global_args=global_args,
            )
            if state.chain_id is not None:
                self._builder.images.layers.pin(state.chain_id, self._id)
            outcome.layer = state.chain_id
            self._messages.line(f" ---> {short_id(base.id) if base is not None else ''}")
            if triggers:
                state.config.OnBuild = None
                self._messages.line(f"# Executing {len(triggers)} build trigger{'s' if len(triggers) > 1 else ''}")
        return state, triggers

    # -- steps --------------------------------------------------------------------------------------------

    async def _execute(self, state: StageState, instruction: Instruction, *, counts: bool = True) -> None:
        with self._progress.step(instruction, instruction.original, counts=counts) as outcome:
            planning = self._planning(state)
            if type(instruction) in FILE_STEPS:  # reads the context
                step = await in_thread(lambda: self._plan(planning, instruction))
            else:
                step = self._plan(planning, instruction)
            await self._apply(state, step, instruction.keyword, outcome)

    def _planning(self, state: StageState) -> Planning:
        return Planning(state, self._context, self._options, self._builder.images.layers, self._messages)

    def _plan(self, planning: Planning, instruction: Instruction) -> Step:
        if isinstance(instruction, Run):
            context = RunContext(self._builder.runner, secrets.token_hex(32), self._builder.seccomp_cache)
            return run_step(planning, instruction, context)
        planner: Callable[..., Step] = (CONFIG_STEPS | FILE_STEPS)[type(instruction)]
        return planner(planning, instruction)

    async def _label(self, state: StageState, name: str) -> None:
        """``--label`` is one more LABEL at the end."""
        labels = {name: self._options.labels[name]}
        with self._progress.step(None, f"LABEL {name}={labels[name]}") as outcome:
            await self._apply(state, label_step(self._planning(state), labels), "LABEL", outcome)

    async def _apply(self, state: StageState, step: Step, keyword: str, outcome: Outcome) -> None:
        """Execute a step or take it from the cache, and go on to the state after it."""
        cache, layers = self._builder.cache, self._builder.images.layers
        key = cache_key(state.digest(), keyword, *step.key)
        record = None if self._options.no_cache else cache.find(key)
        if record is not None:
            outcome.cached = True
            self._messages.line(" ---> Using cache")
            self._keep(record.layer)
        else:
            layer = await self._fill(step)
            record = Record(_now(), (layer.chain_id, layer.diff_id) if layer is not None else None)
            self._keep(record.layer)
            cache.put(key, record)
        if step.configure is not None:
            step.configure()
        state.advance(created=record.created, created_by=step.created_by, layer=record.layer)
        outcome.layer = state.chain_id
        outcome.size = layers.get(record.layer[0]).size if record.layer is not None else 0
        self._messages.line(f" ---> {short_id(state.digest())}")

    async def _fill(self, step: Step) -> Layer | None:
        if step.fill is None:
            return None
        with scratch_folder(self._folder / "step") as scratch:
            return await step.fill(scratch)

    def _keep(self, layer: tuple[str, str] | None) -> None:
        """Nobody prunes a layer of a build under way."""
        if layer is not None:
            self._builder.images.layers.pin(layer[0], self._id)

    # -- the end ------------------------------------------------------------------------------------------

    def _register(self, state: StageState, tags: list[Reference]) -> Image:
        images = self._builder.images
        image: Image | None = None
        with contextlib.suppress(NoSuchImage):
            image = images.get(state.digest())
        if image is None:
            image = images.create(state.image, state.chain_id)
        for tag in tags:
            if str(tag) not in [str(known) for known in image.tags]:
                images.tag(image.id, tag)
        return images.get(image.id)


def _now() -> str:
    """RFC 3339 with nanoseconds, as Docker writes it."""
    nanoseconds = time.time_ns()
    moment = datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{nanoseconds % 1_000_000_000:09d}Z"
