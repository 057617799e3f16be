"""The build itself: one stage, step by step, each from the cache or executed, then an image with its names.

A step's layer is committed before its cache record, its record before the next step begins, the image last: what a
build leaves when it is killed at any point is whole, and found again by the next one.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from containerlab.build.cache import BuildCache, Record, cache_key
from containerlab.build.context import Context
from containerlab.build.dockerfile import Dockerfile, Instruction, Stage, parse, parse_trigger
from containerlab.build.dockerfile.instructions import Run
from containerlab.build.dockerfile.words import WordError, expand
from containerlab.build.messages import Emit, Messages, short_id
from containerlab.build.options import BuildOptions, host_architecture, platform_args
from containerlab.build.running import Runner, Supervisor
from containerlab.build.scratch import in_thread, remove_folder, scratch_folder
from containerlab.build.state import StageState
from containerlab.build.step import Planning, Step
from containerlab.build.steps_config import CONFIG_STEPS, label_step
from containerlab.build.steps_files import FILE_STEPS
from containerlab.build.steps_run import RunContext, run_step
from containerlab.build.unsupported import refuse_unsupported, single_stage
from containerlab.database import Database
from containerlab.errors import ContainerlabError, HostLacks
from containerlab.images import Image, ImageConfig, ImageStore, Reference

__all__ = ["Builder"]

_SCRATCH = "scratch"
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

    async def build(self, context: Context, options: BuildOptions, emit: Emit) -> Image:
        """Build the context's Dockerfile; ``emit`` is told everything (docs/interfaces.md).

        A request that can't be granted, and a Dockerfile that can't be read or has what isn't executed yet, raise
        (InvalidParameter, DockerfileError, NotFound) before anything is emitted. Whatever stops a build that has
        begun is emitted as Docker's error message and raised: BuildFailed, NoSuchImage, StorageFull, ….
        """
        options.check()
        tags = [Reference.parse(tag) for tag in options.tags]
        dockerfile = parse(context.dockerfile(options.dockerfile), options.dockerfile)
        stage = single_stage(dockerfile, options.target)
        messages = Messages(emit, quiet=options.quiet)
        work = _Build(self, context, options, messages, dockerfile, stage)
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
    ) -> None:
        self._builder, self._context, self._options = builder, context, options
        self._messages, self._dockerfile, self._stage = messages, dockerfile, stage
        self._id = secrets.token_hex(32)
        self._folder = builder.folder / self._id
        self._number = 0
        labels = sorted(options.labels)
        self._total = len(dockerfile.global_args) + 1 + len(stage.instructions) + len(labels)

    async def run(self, tags: list[Reference]) -> Image:
        layers = self._builder.images.layers
        try:
            with scratch_folder(self._folder):
                self._notices()
                global_args = self._global_args()
                state, triggers = await self._from(global_args)
                for trigger in triggers:
                    await self._execute(state, trigger, number=self._number)
                for instruction in self._stage.instructions:
                    await self._execute(state, instruction, number=self._next())
                for name in sorted(self._options.labels):
                    await self._label(state, name)
                image = await in_thread(lambda: self._register(state, tags))
                unused = sorted(set(self._options.build_args) - state.consumed - self._global_names())
                self._messages.built(image.id, [tag.familiar() for tag in tags], unused)
                return image
        finally:
            layers.unpin(self._id)

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _notices(self) -> None:
        syntax = self._dockerfile.directives.syntax
        if syntax and not syntax.startswith(_KNOWN_SYNTAX):
            self._messages.line(
                f"[Warning] # syntax={syntax} is not executed: this builder reads the Dockerfile itself"
            )
        for notice in self._dockerfile.notices:
            self._messages.line(f"[Warning] {self._dockerfile.file}:{notice.place.line}: {notice.message}")

    # -- FROM ---------------------------------------------------------------------------------------------

    def _global_args(self) -> dict[str, str]:
        """The ARG before FROM, each seeing those before it; a build argument wins over a default."""
        values = platform_args()
        for arg in self._dockerfile.global_args:
            started = self._begin(self._next(), arg)
            for name, default in arg.pairs:
                asked = self._options.build_args.get(name)
                value = asked if asked is not None else default
                if value is not None:
                    values[name] = value if asked is not None else self._expand(arg, value, values)
            self._done(self._number, arg, started, cached=False)
        return values

    def _expand(self, instruction: Instruction, text: str, values: dict[str, str]) -> str:
        try:
            return expand(text, values.get, self._dockerfile.directives.escape)
        except WordError as error:
            raise instruction.node.error(error.message) from None

    async def _from(self, global_args: dict[str, str]) -> tuple[StageState, list[Instruction]]:
        """The state that the base image gives, and the triggers that it carries."""
        instruction = self._stage.from_
        started = self._begin(self._next(), instruction)
        name = self._expand(instruction, instruction.image, global_args)
        if not name:
            raise instruction.node.error(
                "base name should not be blank", hint=f"{instruction.image} is empty once its variables are"
            )
        config, chain_id = ImageConfig(architecture=host_architecture()), None
        triggers: list[Instruction] = []
        if name != "scratch":
            base = await in_thread(lambda: self._resolve(name))
            config, chain_id = base.config, base.chain_id
            if chain_id is not None:
                self._builder.images.layers.pin(chain_id, self._id)
            triggers = [parse_trigger(text, name) for text in config.config.OnBuild or []]
            for trigger in triggers:
                refuse_unsupported(trigger)
            self._messages.line(f" ---> {short_id(base.id)}")
        state = StageState(
            config,
            chain_id,
            escape=self._dockerfile.directives.escape,
            build_args=self._options.build_args,
            global_args=global_args,
        )
        if name == "scratch":
            self._messages.line(" ---> ")
        if triggers:
            state.config.OnBuild = None
            self._messages.line(f"# Executing {len(triggers)} build trigger{'s' if len(triggers) > 1 else ''}")
        self._done(self._number, instruction, started, cached=False)
        return state, triggers

    def _resolve(self, name: str) -> Image:
        image = self._builder.images.resolve(name)
        if self._options.pull and not self._is_embedded(name):
            raise HostLacks(
                f"{name} can't be pulled: this engine has no registry client yet", hint="build without --pull"
            )
        return image

    def _is_embedded(self, name: str) -> bool:
        from containerlab.images import embedded  # late: it is large, and few builds ask

        return Reference.parse(name).familiar_name() in embedded.NAMES

    # -- steps --------------------------------------------------------------------------------------------

    async def _execute(self, state: StageState, instruction: Instruction, *, number: int) -> None:
        started = self._begin(number, instruction)
        planning = Planning(state, self._context, self._options, self._builder.images.layers, self._messages)
        try:
            if type(instruction) in FILE_STEPS:  # reads the context
                step = await in_thread(lambda: self._plan(planning, instruction))
            else:
                step = self._plan(planning, instruction)
            cached, layer_size = await self._apply(state, step, instruction.keyword)
        except BaseException:
            self._record(number, instruction, started, status="error")
            raise
        self._done(number, instruction, started, cached=cached, size=layer_size, layer=state.chain_id)

    def _plan(self, planning: Planning, instruction: Instruction) -> Step:
        if isinstance(instruction, Run):
            context = RunContext(self._builder.runner, secrets.token_hex(32), self._builder.seccomp_cache)
            return run_step(planning, instruction, context)
        planner: Callable[..., Step] = (CONFIG_STEPS | FILE_STEPS)[type(instruction)]
        return planner(planning, instruction)

    async def _label(self, state: StageState, name: str) -> None:
        number = self._next()
        self._messages.line(f"Step {number}/{self._total} : LABEL {name}={self._options.labels[name]}")
        planning = Planning(state, self._context, self._options, self._builder.images.layers, self._messages)
        await self._apply(state, label_step(planning, {name: self._options.labels[name]}), "LABEL")

    async def _apply(self, state: StageState, step: Step, keyword: str) -> tuple[bool, int]:
        """Execute a step or take it from the cache; gives whether it was there, and its layer's size in bytes."""
        cache, layers = self._builder.cache, self._builder.images.layers
        key = cache_key(state.digest(), keyword, *step.key)
        record = None if self._options.no_cache else cache.find(key)
        cached = record is not None
        if record is None:
            layer = None
            if step.fill is not None:
                with scratch_folder(self._folder / _SCRATCH) as scratch:
                    layer = await step.fill(scratch)
            record = Record(_now(), (layer.chain_id, layer.diff_id) if layer is not None else None)
        else:
            self._messages.line(" ---> Using cache")
        if record.layer is not None:
            layers.pin(record.layer[0], self._id)
        if not cached:
            cache.put(key, record)
        if step.configure is not None:
            step.configure()
        state.advance(created=record.created, created_by=step.created_by, layer=record.layer)
        self._messages.line(f" ---> {short_id(state.digest())}")
        return cached, layers.get(record.layer[0]).size if record.layer is not None else 0

    # -- the end ------------------------------------------------------------------------------------------

    def _register(self, state: StageState, tags: list[Reference]) -> Image:
        images = self._builder.images
        image: Image | None = None
        with contextlib.suppress(ContainerlabError):
            image = images.get(state.digest())
        if image is None:
            image = images.create(state.image, state.chain_id)
        for tag in tags:
            if str(tag) not in [str(known) for known in image.tags]:
                images.tag(image.id, tag)
        return images.get(image.id)

    def _global_names(self) -> set[str]:
        return {name for arg in self._dockerfile.global_args for name, _ in arg.pairs}

    # -- telling ------------------------------------------------------------------------------------------

    def _begin(self, number: int, instruction: Instruction) -> float:
        self._messages.line(f"Step {number}/{self._total} : {instruction.original}")
        started = time.monotonic()
        self._record(number, instruction, started, status="start")
        return started

    def _done(
        self,
        number: int,
        instruction: Instruction,
        started: float,
        *,
        cached: bool,
        size: int = 0,
        layer: str | None = None,
    ) -> None:
        self._record(number, instruction, started, status="done", cached=cached, size=size, layer=layer)

    def _record(
        self,
        number: int,
        instruction: Instruction,
        started: float,
        *,
        status: str,
        cached: bool = False,
        size: int = 0,
        layer: str | None = None,
    ) -> None:
        self._messages.step(
            step=number,
            total=self._total,
            line=instruction.line,
            instruction=instruction.original,
            cached=cached,
            status=status,
            seconds=round(time.monotonic() - started, 6),
            layer=layer,
            size=size,
        )


def _now() -> str:
    """RFC 3339 with nanoseconds, as Docker writes it."""
    nanoseconds = time.time_ns()
    moment = datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{nanoseconds % 1_000_000_000:09d}Z"
