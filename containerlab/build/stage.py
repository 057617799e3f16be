"""One stage: its FROM, then instruction by instruction, each from the cache or executed."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from containerlab.build.base import base_config, triggers_of
from containerlab.build.cache import Record, cache_key
from containerlab.build.dockerfile import Dockerfile, Instruction
from containerlab.build.dockerfile.instructions import Run
from containerlab.build.graph import Node, names_of
from containerlab.build.messages import Messages, short_id
from containerlab.build.options import BuildOptions
from containerlab.build.origin import LayerOrigin, Origin
from containerlab.build.progress import Outcome, Progress
from containerlab.build.scratch import in_thread, scratch_folder
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
    image: Callable[[str], Awaitable[Image | None]]
    origin: Callable[[Instruction, str, int], Awaitable[LayerOrigin]]
    base: Callable[[Node], Awaitable[StageState | None]]


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
        return state

    async def _begin(self) -> tuple[StageState, list[Instruction]]:
        """The state that the base gives, and the triggers that it carries."""
        instruction, node, shop = self._node.stage.from_, self._node, self._shop
        parent = await shop.base(node)
        with self._progress.step(instruction, instruction.original) as outcome:
            base = await shop.image(node.image) if parent is None else None
            state = StageState(
                parent.image if parent is not None else base_config(base),
                parent.chain_id if parent is not None else (base.chain_id if base is not None else None),
                escape=shop.dockerfile.directives.escape,
                build_args=shop.options.build_args,
                global_args=shop.global_args,
                args=parent.args if parent is not None else None,
            )
            self._keep(state.chain_id)
            outcome.layer = state.chain_id
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
        origins = {"": self._shop.context}
        for name in names_of(instruction):
            # Waited for before the step begins: whatever is wrong there is that stage's own.
            origins[name] = await self._shop.origin(instruction, name, self._node.index)
        async with self._shop.slots:
            with self._progress.step(instruction, instruction.original, counts=counts) as outcome:
                planning = self._planning(state, origins)
                if type(instruction) in FILE_STEPS or isinstance(instruction, Run):  # may read files
                    step = await in_thread(lambda: self._plan(planning, instruction))
                else:
                    step = self._plan(planning, instruction)
                await self._apply(state, step, instruction.keyword, outcome)

    def _planning(self, state: StageState, origins: Mapping[str, Origin]) -> Planning:
        shop = self._shop
        downloads = shop.folder / "downloads"
        return Planning(state, shop.options, shop.builder.images.layers, self._messages, origins, downloads, shop.epoch)

    def _plan(self, planning: Planning, instruction: Instruction) -> Step:
        if isinstance(instruction, Run):
            builder = self._shop.builder
            context = RunContext(
                builder.runner, secrets.token_hex(32), builder.seccomp_cache, builder.mounts, builder.join
            )
            return run_step(planning, instruction, context)
        planner: Callable[..., Step] = (CONFIG_STEPS | FILE_STEPS)[type(instruction)]
        return planner(planning, instruction)

    async def _label(self, state: StageState, name: str, value: str) -> None:
        with self._progress.step(None, f"LABEL {name}={value}") as outcome:
            step = label_step(self._planning(state, {"": self._shop.context}), {name: value})
            await self._apply(state, step, "LABEL", outcome)

    async def _apply(self, state: StageState, step: Step, keyword: str, outcome: Outcome) -> None:
        """Execute a step or take it from the cache, and go on to the state after it."""
        cache, layers = self._shop.builder.cache, self._shop.builder.images.layers
        key = cache_key(state.content(), str(self._shop.epoch), keyword, *step.key)
        record = None if self._shop.options.no_cache else self._found(key)
        if record is not None:
            outcome.cached = True
            self._messages.line(" ---> Using cache")
        else:
            layer = await self._fill(step)
            record = Record(self._now(), (layer.chain_id, layer.diff_id) if layer is not None else None)
            self._keep(record.chain_id)
            cache.put(key, record)
        if step.configure is not None:
            step.configure()
        state.advance(created=record.created, created_by=step.created_by, layer=record.layer)
        outcome.layer = state.chain_id
        outcome.size = layers.get(record.layer[0]).size if record.layer is not None else 0
        self._messages.line(f" ---> {short_id(state.digest())}")

    def _found(self, key: str) -> Record | None:
        """The cache's record, its layer kept; None also where a prune was faster."""
        record = self._shop.builder.cache.find(key)
        try:
            self._keep(record.chain_id if record is not None else None)
        except NotFound:
            return None
        return record

    async def _fill(self, step: Step) -> Layer | None:
        if step.fill is None:
            return None
        with scratch_folder(self._shop.folder / f"step-{secrets.token_hex(8)}") as scratch:
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
