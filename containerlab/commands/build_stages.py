"""A build's stages as a graph: which were built, cached or left out, how long each took, and the longest path."""

from __future__ import annotations

__all__ = ["StageFacts", "longest_path", "read_stages", "stages_sentence"]

from dataclasses import asdict, dataclass
from typing import Any

from containerlab.commands import formats
from containerlab.commands.build_steps import BuildLog, Step
from containerlab.lab.words import say


@dataclass(frozen=True)
class StageFacts:
    """One stage. ``base`` is an image, or empty where it ``starts_from`` a stage.

    ``state`` is built, cached (all of it), skipped (the target doesn't need it), failed, or waiting (never begun).
    ``steps`` and ``cached`` are counts, FROM left out; ``began`` and ``ended`` seconds since the build began, None
    where it didn't; ``seconds`` the time of its own steps, without the waits for other stages.
    """

    name: str
    line: int
    base: str
    starts_from: str
    copies_from: list[str]
    target: bool
    state: str
    steps: int
    cached: int
    began: float | None
    ended: float | None
    seconds: float
    on_longest_path: bool

    def words(self) -> str:
        """What became of it: ``built in 1.2 s, 2 of 3 steps cached``."""
        if self.state == "skipped":
            return say("skipped: the target doesn't need it")
        if self.state == "waiting":
            return say("not begun")
        if self.state == "failed":
            return say("failed")
        if self.state == "cached":
            return say("cached, {seconds}", seconds=formats.seconds(self.seconds))
        part = (
            ", " + say("{cached} of {steps} steps cached", cached=self.cached, steps=self.steps) if self.cached else ""
        )
        return say("built in {seconds}", seconds=formats.seconds(self.seconds)) + part

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "words": self.words()}


def read_stages(log: BuildLog) -> list[StageFacts]:
    """The stages in the file's order; none where the engine doesn't tell them."""
    steps: dict[str, list[Step]] = {}
    for step in log.steps:
        steps.setdefault(step.stage, []).append(step)
    path = longest_path(log)
    return [_facts(each, steps.get(each["stage"], []), path) for each in log.stages]


def _facts(graph: dict[str, Any], steps: list[Step], path: list[str]) -> StageFacts:
    own = [step for step in steps if not step.instruction[:5].upper().startswith("FROM")]
    cached = sum(step.cached for step in own)
    return StageFacts(
        name=str(graph["stage"]),
        line=int(graph["line"]),
        base=str(graph["base"]),
        starts_from=str(graph["starts_from"]),
        copies_from=[str(name) for name in graph["copies_from"]],
        target=bool(graph["target"]),
        state=_state(bool(graph["needed"]), steps, all_cached=cached == len(own)),
        steps=len(own),
        cached=cached,
        began=min((step.at for step in steps), default=None),
        ended=max((_end(step) for step in steps), default=None),
        seconds=sum(step.seconds or 0.0 for step in steps),
        on_longest_path=graph["stage"] in path,
    )


def _state(needed: bool, steps: list[Step], *, all_cached: bool) -> str:
    if not needed:
        return "skipped"
    if not steps:
        return "waiting"
    if any(step.status == "error" for step in steps):
        return "failed"
    return "cached" if all_cached else "built"


def _end(step: Step) -> float:
    return step.at + (step.seconds or 0.0)


def longest_path(log: BuildLog) -> list[str]:
    """The stages that the target had to wait for, first to last: had one of them been quicker, so had the build.

    Followed backwards: a step began when the step above it was done, or the stage that it reads, whichever was later.
    """
    steps: dict[str, list[Step]] = {}
    for step in log.steps:
        steps.setdefault(step.stage, []).append(step)
    path = [str(each["stage"]) for each in log.stages if each["target"] and each["stage"] in steps]
    while path:
        awaited = _awaited(steps, path[-1])
        if awaited is None or awaited in path:
            break
        path.append(awaited)
    return path[::-1]


def _awaited(steps: dict[str, list[Step]], stage: str) -> str | None:
    """The stage that ``stage`` last stood still for."""
    own = steps[stage]
    for number in range(len(own) - 1, -1, -1):
        others = [name for name in own[number].reads if name in steps]
        latest = max(others, key=lambda name: _end(steps[name][-1]), default=None)
        if latest is not None and (number == 0 or _end(steps[latest][-1]) > _end(own[number - 1])):
            return latest
    return None


def stages_sentence(stages: list[StageFacts]) -> str:
    """What a picture of them shows, in one sentence."""
    built = [stage for stage in stages if stage.state == "built"]
    cached = [stage for stage in stages if stage.state == "cached"]
    skipped = [stage.name for stage in stages if stage.state == "skipped"]
    parts = [
        say("{count} stages: {built} built, {cached} cached", count=len(stages), built=len(built), cached=len(cached))
    ]
    parts += [say("{count} left out ({names})", count=len(skipped), names=", ".join(skipped))] if skipped else []
    path = [stage for stage in stages if stage.on_longest_path]
    words = ", ".join(parts)
    if len(path) < 2:
        return f"{words}."
    ordered = sorted(path, key=lambda stage: stage.ended or 0.0)
    took = (ordered[-1].ended or 0.0) - min(stage.began or 0.0 for stage in path)
    way = " → ".join(stage.name for stage in ordered)
    return f"{words}; " + say("the longest path is {way}, {seconds}.", way=way, seconds=formats.seconds(took))
