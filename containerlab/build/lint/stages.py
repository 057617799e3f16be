"""Stages and what may stand once in each: names, commands, the folder to work in."""

from __future__ import annotations

import difflib
import json
import re
import shlex
from collections.abc import Iterator
from itertools import islice

from containerlab.build.dockerfile.instructions import (
    Cmd,
    CommandLine,
    Copy,
    Entrypoint,
    Healthcheck,
    Maintainer,
    Run,
    Shell,
    Workdir,
)
from containerlab.build.lint.model import Found, Subject

__all__ = [
    "copy_from_no_stage", "empty_continuation", "json_form", "maintainer", "more_than_once", "relative_workdir",
    "reserved_name", "unused",
]  # fmt: skip

_MOST_NAMES = 200  # looked through for one that is nearly so
_RESERVED = ("scratch", "context")
_SHELL_SIGNS = re.compile(r"""[|&;<>()$`*?~#\\{}\n]|\[""")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")


def empty_continuation(subject: Subject) -> Iterator[Found]:
    """BuildKit's NoEmptyContinuation."""
    for notice in subject.dockerfile.notices:
        yield Found(notice.place.line, "Empty continuation line")


def reserved_name(subject: Subject) -> Iterator[Found]:
    """BuildKit's ReservedStageName."""
    for stage in subject.dockerfile.stages:
        if stage.name in _RESERVED:
            message = f'Stage name should not use the same name as reserved stage "{stage.name}"'
            yield Found(stage.from_.line, message, f"FROM {stage.from_.image} AS my-{stage.name}")


def maintainer(subject: Subject) -> Iterator[Found]:
    """BuildKit's MaintainerDeprecated."""
    for _, instruction in subject.instructions:
        if isinstance(instruction, Maintainer):
            better = f"LABEL org.opencontainers.image.authors={json.dumps(instruction.name, ensure_ascii=False)}"
            yield Found(instruction.line, "Maintainer instruction is deprecated in favor of using label", better)


def json_form(subject: Subject) -> Iterator[Found]:
    """BuildKit's JSONArgsRecommended; a stage that sets its SHELL has thought of it."""
    own_shell: set[str] = set()
    for stage in subject.dockerfile.stages:
        if stage.from_.image.lower() in own_shell or any(isinstance(each, Shell) for each in stage.instructions):
            own_shell.add(stage.name)
            continue
        for instruction in stage.instructions:
            if isinstance(instruction, Cmd | Entrypoint) and instruction.command.shell and instruction.command.args:
                message = (
                    f"JSON arguments recommended for {instruction.keyword} to prevent unintended behavior "
                    "related to OS signals"
                )
                yield Found(instruction.line, message, f"{instruction.keyword} {_vector(instruction.command)}")


def _vector(command: CommandLine) -> str:
    text = command.args[0]
    try:
        words = shlex.split(text)
    except ValueError:
        words = []
    if not words or _SHELL_SIGNS.search(text) or _ASSIGNMENT.match(words[0]):
        words = ["/bin/sh", "-c", text]
    return json.dumps(words, ensure_ascii=False)


def more_than_once(subject: Subject) -> Iterator[Found]:
    """BuildKit's MultipleInstructionsDisallowed, at the one that has no effect."""
    for stage in subject.dockerfile.stages:
        for kind in (Cmd, Entrypoint, Healthcheck):
            for instruction in [each for each in stage.instructions if isinstance(each, kind)][:-1]:
                message = (
                    f"Multiple {instruction.keyword} instructions should not be used in the same stage "
                    "because only the last one will be used"
                )
                yield Found(instruction.line, message)


def relative_workdir(subject: Subject) -> Iterator[Found]:
    """BuildKit's WorkdirRelativePath."""
    absolute: dict[str, bool] = {}
    for stage in subject.dockerfile.stages:
        known = absolute.get(stage.from_.image.lower(), False)
        for instruction in stage.instructions:
            if not isinstance(instruction, Workdir):
                continue
            path = instruction.path.strip("\"'")
            if path.startswith(("/", "$")):
                known = True
            elif not known:
                message = f'Relative workdir "{path}" can have unexpected results if the base image changes'
                yield Found(instruction.line, message, f"WORKDIR /{path.removeprefix('./')}")
        if stage.name:
            absolute[stage.name] = known


def unused(subject: Subject) -> Iterator[Found]:
    """A stage that neither another one nor the end needs."""
    stages = subject.dockerfile.stages
    named: set[str] = {subject.target.lower()}
    for stage in stages:
        named.add(stage.from_.image.lower())
        for instruction in stage.instructions:
            if isinstance(instruction, Copy):
                named.add(instruction.from_.lower())
            elif isinstance(instruction, Run):
                named |= {mount.from_.lower() for mount in instruction.mounts}
    for index, stage in enumerate(stages[:-1]):
        if stage.name not in named and str(index) not in named:
            what = f"The stage '{stage.name}'" if stage.name else f"Stage {index}, which has no name,"
            better = f"COPY --from={stage.name or index} …  (in a later stage), or build --target {stage.name or index}"
            yield Found(stage.from_.line, f"{what} is used by no other stage", better)


def copy_from_no_stage(subject: Subject) -> Iterator[Found]:
    """COPY --from=NAME that means an image, where a stage is called nearly so."""
    before: dict[str, None] = {}
    for stage in subject.dockerfile.stages:
        for instruction in stage.instructions:
            if isinstance(instruction, Copy) and instruction.from_ and instruction.from_.lower() not in before:
                names = islice(before, _MOST_NAMES)
                near = difflib.get_close_matches(instruction.from_.lower(), list(names), n=1, cutoff=0.7)
                if near:
                    message = (
                        f"COPY --from={instruction.from_} names no stage, so an image is meant; "
                        f"a stage is called '{near[0]}'"
                    )
                    better = instruction.original.replace(f"--from={instruction.from_}", f"--from={near[0]}")
                    yield Found(instruction.line, message, better)
        before[stage.name] = None
