"""The words of the lint: a rule, what it looks at, what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from containerlab.build.dockerfile import Dockerfile, Instruction, Stage

__all__ = ["Check", "Finding", "Found", "Level", "Rule", "Subject", "written"]

Level = Literal["warning", "advice", "hint"]
"""``warning``: BuildKit warns too. ``advice``: this kit's own. ``hint``: no fault; shown by ``--check`` alone."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A Dockerfile, and the variables that an image sets by its name (None: the image isn't here).

    ``target`` is the stage that was asked for by ``--target``, or empty.
    """

    dockerfile: Dockerfile
    variables: Callable[[str], frozenset[str] | None]
    target: str = ""

    @property
    def instructions(self) -> Iterator[tuple[Stage, Instruction]]:
        """What follows each FROM, stage by stage."""
        for stage in self.dockerfile.stages:
            for instruction in stage.instructions:
                yield stage, instruction

    @property
    def everything(self) -> Iterator[Instruction]:
        """Every instruction of the file, in its order."""
        yield from self.dockerfile.global_args
        for stage in self.dockerfile.stages:
            yield stage.from_
            yield from stage.instructions


@dataclass(frozen=True, slots=True)
class Found:
    """What a check gives: a place, a sentence, and the better line (empty where none can be told)."""

    line: int
    message: str
    better: str = ""


Check = Callable[[Subject], Iterator[Found]]


@dataclass(frozen=True, slots=True)
class Rule:
    """``why`` tells what comes of it, in a sentence or two."""

    name: str
    level: Level
    why: str
    check: Check


@dataclass(frozen=True, slots=True)
class Finding:
    """One place where a rule isn't kept; ``line`` counts from 1."""

    rule: str
    level: Level
    line: int
    message: str
    why: str
    better: str = ""

    def to_dict(self) -> dict[str, object]:
        """As it stands in the build's stream (docs/interfaces.md)."""
        return {name: getattr(self, name) for name in ("rule", "level", "line", "message", "why", "better")}


def written(instruction: Instruction) -> str:
    """The instruction's keyword as it is written."""
    return instruction.original.split(maxsplit=1)[0]
