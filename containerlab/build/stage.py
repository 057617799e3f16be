"""One stage: its FROM, then instruction by instruction, each from the cache or executed."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from containerlab.build.base import base_config, triggers_of
from containerlab.build.cache import Record, cache_key
from containerlab.build.dockerfile import Dockerfile, Instruction
from containerlab.build.dockerfile.instructions import Run
from containerlab.build.graph import Node, names_of
from containerlab.build.ingredients import Ingredients, remembered, text_of
from containerlab.build.inline_cache import BorrowedCache
from containerlab.build.last_builds import LastBuild
from containerlab.build.messages import Messages, short_id
from containerlab.build.options import BuildOptions
from containerlab.build.origin import LayerOrigin, Origin
from containerlab.build.progress import Outcome, Progress
from containerlab.build.scratch import Removals, in_thread
from containerlab.build.state import StageState
from containerlab.build.step import Planning, Step
from containerlab.build.steps_config import CONFIG_STEPS, label_step
from containerlab.build.steps_files import FILE_STEPS
from containerlab.build.steps_run import RunContext, run_step
from containerlab.errors import NotFound
from containerlab.images import Image, Layer

if TYPE_CHECKING:
    import asyncio

    from containerlab.build.executor import Builder

__all__ = ["Shop", "StageRun"]


@dataclass(frozen=True, slots=True)
class Shop:
    """What the stages of one build share. ``slots`` bounds how many steps run at once."""

    builder: Builder
    build_id: str
    folder: Path
    options: BuildOptions
    dockerfile: Dockerfile
    global_args: Mapping[str, str]
    context: Origin
    slots: asyncio.Semaphore
    epoch: int | None
    last: LastBuild
    removals: Removals
    borrowed: BorrowedCache
    image: Callable[[str], Awaitable[Image | None]]
    origin: Callable[[Instruction, str, int], Awaitable[tuple[LayerOrigin, Node | None]]]
    base: Callable[[Node], Awaitable[StageState | None]]
    label: Callable[[int], str]


class StageRun:
    """A stage under way."""

    def __init__(self, shop: Shop, node: Node, messages: Messages, progress: Progress) -> None:
        self._shop, self._node, self._messages, self._progress = shop, node, messages, progress

    async def run(self, labels: Mapping[str, str]) -> StageState:
        """Every step; ``labels`` are ``--label``, one more LABEL each at the end."""
        state, triggers = await self._begin()
        for trigger in triggers:
            await self._execute(state, trigger, counts=False)
        for instruction in self._node.stage.instructions:
            await self._execute(state, instruction)
        for name in sorted(labels):
            await self._label(state, name, labels[name])
        self._shop.last.end(self._node.label)
        return state

    async def _begin(self) -> tuple[StageState, list[Instruction]]:
        """The state that the base gives, and the triggers that it carries."""
        instruction, node, shop = self._node.stage.from_, self._node, self._shop
        parent = await shop.base(node)
        above = [shop.label(node.base)] if node.base is not None else []
        with self._progress.step(instruction, instruction.original, reads=above):
            base = await shop.image(node.image) if parent is None else None
            state = StageState(
                parent.image if parent is not None else base_config(base),
                parent.chain_id if parent is not None else (base.chain_id if base is not None else None),
                escape=shop.dockerfile.directives.escape,
                build_args=shop.options.build_args,
                global_args=shop.global_args,
                args=parent.args if parent is not None else None,
                steps=parent.steps if parent is not None else (),
            )
            self._keep(state.chain_id)
            texts = [text_of(each) for each in node.stage.instructions]
            shop.last.begin(node.label, node.image, state.content(), texts)
            known = state.digest() if parent is not None else (base.id if base is not None else "")
            self._messages.line(f" ---> {short_id(known)}")
            triggers = triggers_of(
                state.config.OnBuild or [], node.image, host_network=shop.options.network_mode == "host"
            )
            if triggers:
                state.config.OnBuild = None
                self._messages.line(f"# Executing {len(triggers)} build trigger{'s' if len(triggers) > 1 else ''}")
        return state, triggers

    async def _execute(self, state: StageState, instruction: Instruction, *, counts: bool = True) -> None:
        origins: dict[str, Origin] = {"": self._shop.context}
        reads: list[str] = []
        for name in names_of(instruction):
            # Waited for before the step begins: whatever is wrong there is that stage's own.
            origins[name], stage = await self._shop.origin(instruction, name, self._node.index)
            reads += [stage.label] if stage is not None else []
        async with self._shop.slots:
            with self._progress.step(instruction, instruction.original, counts=counts, reads=reads) as outcome:
                state.looked_up.clear()
                planning = self._planning(state, origins)
                if type(instruction) in FILE_STEPS or isinstance(instruction, Run):  # may read files
                    step = await in_thread(lambda: self._plan(planning, instruction))
                else:
                    step = self._plan(planning, instruction)
                await self._apply(state, step, instruction.keyword, text_of(instruction), outcome)

    def _planning(self, state: StageState, origins: Mapping[str, Origin]) -> Planning:
        shop = self._shop
        downloads = shop.folder / "downloads"
        return Planning(state, shop.options, shop.builder.images.layers, self._messages, origins, downloads, shop.epoch)

    def _plan(self, planning: Planning, instruction: Instruction) -> Step:
        if isinstance(instruction, Run):
            builder = self._shop.builder
            container, caches = secrets.token_hex(32), builder.mounts
            context = RunContext(builder.runner, container, builder.seccomp_cache, caches, builder.points, builder.join)
            return run_step(planning, instruction, context)
        planner: Callable[..., Step] = (CONFIG_STEPS | FILE_STEPS)[type(instruction)]
        return planner(planning, instruction)

    async def _label(self, state: StageState, name: str, value: str) -> None:
        with self._progress.step(None, f"LABEL {name}={value}") as outcome:
            step = label_step(self._planning(state, {"": self._shop.context}), {name: value})
            state.looked_up.clear()
            await self._apply(state, step, "LABEL", f"LABEL {name}={value}", outcome)

    async def _apply(self, state: StageState, step: Step, keyword: str, text: str, outcome: Outcome) -> None:
        """Execute a step or take it from the cache, and go on to the state after it."""
        layers, parent = self._shop.builder.images.layers, state.content()
        key = cache_key(parent, str(self._shop.epoch), keyword, *step.key)
        record = None if self._shop.options.no_cache else await self._found(key, state.chain_id)
        made_of = self._ingredients(state, step, text, parent)
        if record is not None:
            outcome.cached = True
            self._messages.line(" ---> Using cache")
        else:
            await self._tell_why(step, made_of, outcome)
            record = await self._executed(step, key, made_of)
        self._shop.last.add(self._node.label, made_of)
        if step.configure is not None:
            step.configure()
        state.advance(key=key, created=record.created, created_by=step.created_by, layer=record.layer)
        outcome.layer = record.chain_id
        outcome.size = layers.get(record.layer[0]).size if record.layer is not None else 0
        self._messages.line(f" ---> {short_id(state.digest())}")

    def _ingredients(self, state: StageState, step: Step, text: str, parent: str) -> Ingredients:
        epoch = self._shop.epoch
        settings = dict(step.settings) | ({} if epoch is None else {"SOURCE_DATE_EPOCH": str(epoch)})
        variables = {name: remembered(value) for name, value in {**state.looked_up, **step.variables}.items()}
        reads = [(read.name, read.digest) for read in step.reads]
        return Ingredients(text, parent, variables, reads, settings)

    async def _tell_why(self, step: Step, made_of: Ingredients, outcome: Outcome) -> None:
        shop, stage = self._shop, self._node.label
        if step.reads:
            outcome.why = await in_thread(lambda: shop.last.reasons(stage, made_of, step.reads))
        else:
            outcome.why = shop.last.reasons(stage, made_of, ())
        if shop.options.no_cache:
            outcome.why = []  # it was asked for
        elif outcome.why:
            self._progress.missed()

    async def _executed(self, step: Step, key: str, made_of: Ingredients) -> Record:
        try:
            layer = await self._fill(step)
        except BaseException:
            self._shop.last.add(self._node.label, msgspec.structs.replace(made_of, finished=False))
            raise
        record = Record(self._now(), (layer.chain_id, layer.diff_id) if layer is not None else None)
        self._keep(record.chain_id)
        self._shop.builder.cache.put(key, record)
        return record

    async def _found(self, key: str, below: str | None) -> Record | None:
        """The cache's record, its layer kept; None also where a prune was faster."""
        record = self._shop.builder.cache.find(key) or await self._shop.borrowed.find(key, below)
        try:
            self._keep(record.chain_id if record is not None else None)
        except NotFound:
            return None
        return record

    async def _fill(self, step: Step) -> Layer | None:
        if step.fill is None:
            return None
        with self._shop.removals.scratch_folder(self._shop.folder / f"step-{secrets.token_hex(8)}") as scratch:
            return await step.fill(scratch)

    def _keep(self, chain_id: str | None) -> None:
        """Nobody prunes a layer of a build under way."""
        if chain_id is not None:
            self._shop.builder.images.layers.pin(chain_id, self._shop.build_id)

    def _now(self) -> str:
        """RFC 3339 with nanoseconds, as Docker writes it; SOURCE_DATE_EPOCH where that is given."""
        epoch = self._shop.epoch
        nanoseconds = time.time_ns() if epoch is None else epoch * 1_000_000_000
        moment = datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC)
        fraction = f".{nanoseconds % 1_000_000_000:09d}" if epoch is None else ""
        return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"
