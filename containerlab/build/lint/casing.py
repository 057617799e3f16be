"""Upper and lower case: of stage names, of FROM and AS, of instructions, of protocols."""

from __future__ import annotations

import re
from collections.abc import Iterator

from containerlab.build.dockerfile.instructions import Expose, From
from containerlab.build.lint.model import Found, Subject, written

__all__ = ["expose_protocol", "from_as", "instructions", "stage_name"]

_AS = re.compile(r"\s(as)\s+(\S+)\s*\Z", re.IGNORECASE)


def _named(from_: From) -> tuple[str, str] | None:
    """AS and the stage's name as they are written."""
    match = _AS.search(from_.original)
    return (match[1], match[2]) if match and from_.name else None


def stage_name(subject: Subject) -> Iterator[Found]:
    """BuildKit's StageNameCasing."""
    for stage in subject.dockerfile.stages:
        named = _named(stage.from_)
        if named is not None and named[1] != named[1].lower():
            better = _AS.sub(f" {named[0]} {named[1].lower()}", stage.from_.original)
            yield Found(stage.from_.line, f"Stage name '{named[1]}' should be lowercase", better)


def from_as(subject: Subject) -> Iterator[Found]:
    """BuildKit's FromAsCasing."""
    for stage in subject.dockerfile.stages:
        named, keyword = _named(stage.from_), written(stage.from_)
        if named is None or (named[0].isupper() == keyword.isupper() and named[0].islower() == keyword.islower()):
            continue
        as_ = "AS" if keyword.isupper() else "as"
        better = _AS.sub(f" {as_} {named[1]}", stage.from_.original)
        yield Found(stage.from_.line, f"'{named[0]}' and '{keyword}' keywords' casing do not match", better)


def instructions(subject: Subject) -> Iterator[Found]:
    """BuildKit's ConsistentInstructionCasing: the majority decides, capitals win a draw."""
    words = [(each, written(each)) for each in subject.everything]
    upper = sum(word.isupper() for _, word in words) >= sum(word.islower() for _, word in words)
    majority = "uppercase" if upper else "lowercase"
    for instruction, word in words:
        wanted = word.upper() if upper else word.lower()
        if word != wanted:
            message = f"Command '{word}' should match the case of the command majority ({majority})"
            yield Found(instruction.line, message, wanted + instruction.original[len(word) :])


def expose_protocol(subject: Subject) -> Iterator[Found]:
    """BuildKit's ExposeProtoCasing."""
    for _, instruction in subject.instructions:
        if isinstance(instruction, Expose):
            for port in instruction.ports:
                protocol = port.partition("/")[2]
                if protocol != protocol.lower() and "$" not in protocol:
                    message = f"Defined protocol '{port}' in EXPOSE instruction should be lowercase"
                    yield Found(instruction.line, message, f"{written(instruction)} {port.lower()}")
