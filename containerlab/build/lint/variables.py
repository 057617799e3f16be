"""Variables that nothing defines, and those that should hold no secret."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Iterator

from containerlab.build.dockerfile import Instruction, Stage
from containerlab.build.dockerfile.instructions import (
    Add,
    Arg,
    Copy,
    Env,
    Expose,
    Label,
    StopSignal,
    User,
    Volume,
    Workdir,
)
from containerlab.build.dockerfile.words import WordError, expand
from containerlab.build.lint.model import Found, Subject
from containerlab.build.options import PREDEFINED_ARGS, platform_args
from containerlab.errors import InvalidReference
from containerlab.images import Reference

__all__ = ["default_arg_in_from", "legacy_pairs", "secrets", "target_platform", "undefined", "undefined_in_from"]

_GUARDED = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*):?[-+?]")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_SECRET = re.compile(
    r"(?:^|_)(?:api_?key|auth|credentials?|key|passw(?:or)?d|pword|secret|token)(?:_|\Z)", re.IGNORECASE
)
_PUBLIC = re.compile(r"(?:^|_)public(?:_|\Z)", re.IGNORECASE)
_TARGET_PLATFORM = re.compile(r"\$(?:TARGETPLATFORM|\{TARGETPLATFORM\})\Z")
_MOST_NAMES = 200  # looked through for one that is nearly so
_ALWAYS = PREDEFINED_ARGS | {"PATH"}


def undefined_in_from(subject: Subject) -> Iterator[Found]:
    """BuildKit's UndefinedArgInFrom."""
    known = {name for arg in subject.dockerfile.global_args for name, _ in arg.pairs} | set(platform_args())
    for stage in subject.dockerfile.stages:
        for name in _unknown([stage.from_.image, stage.from_.platform], known, subject):
            message = f"FROM argument '{name}' is not declared{_near(name, known)}"
            yield Found(stage.from_.line, message, f"ARG {name}=…  (before the first FROM)")


def default_arg_in_from(subject: Subject) -> Iterator[Found]:
    """BuildKit's InvalidDefaultArgInFrom: without --build-arg there is no image's name."""
    values = platform_args()
    escape = subject.dockerfile.directives.escape
    for arg in subject.dockerfile.global_args:
        for name, default in arg.pairs:
            values[name] = _expanded(default or "", values, escape)
    for stage in subject.dockerfile.stages:
        image = stage.from_.image
        if "$" not in image or any(_unknown([image], set(values), subject)):
            continue
        try:
            Reference.parse(_expanded(image, values, escape))
        except InvalidReference:
            name = next(iter(_names([image], escape)), image)
            message = f"Default value for ARG {image} results in empty or invalid base image name"
            yield Found(stage.from_.line, message, f"ARG {name}=…  (a default that gives a whole name)")


def target_platform(subject: Subject) -> Iterator[Found]:
    """BuildKit's RedundantTargetPlatform."""
    for stage in subject.dockerfile.stages:
        platform = stage.from_.platform
        if _TARGET_PLATFORM.match(platform):
            message = f"Setting platform to predefined {platform} in FROM is redundant as this is the default behavior"
            better = stage.from_.original.replace(f"--platform={platform} ", "")
            yield Found(stage.from_.line, message, better)


def undefined(subject: Subject) -> Iterator[Found]:
    """BuildKit's UndefinedVar: RUN, CMD and ENTRYPOINT are the shell's own matter, and are left out.

    A stage whose image isn't in the store is left out too: nobody knows what it sets.
    """
    stages: dict[str, set[str] | None] = {}
    global_args = {name for arg in subject.dockerfile.global_args for name, _ in arg.pairs} | set(platform_args())
    for stage in subject.dockerfile.stages:
        # Only where the answer counts: an image may have to be made for it.
        asked = stage.name or any("$" in text for each in stage.instructions for text in _texts(each))
        known = _inherited(stage, stages, subject) if asked else None
        if known is not None:
            for instruction in stage.instructions:
                for name in _unknown(_texts(instruction), known, subject):
                    better = f"ARG {name}  (in this stage, after FROM)" if name in global_args else ""
                    yield Found(instruction.line, f"Usage of undefined variable '${name}'{_near(name, known)}", better)
                known |= _defined(instruction)
        if stage.name:
            stages[stage.name] = known


def _inherited(stage: Stage, stages: dict[str, set[str] | None], subject: Subject) -> set[str] | None:
    image = stage.from_.image
    if image.lower() in stages:
        known = stages[image.lower()]
        return None if known is None else set(known)
    if image == "scratch":
        return set(_ALWAYS)
    told = None if "$" in image else subject.variables(image)
    return None if told is None else set(told) | _ALWAYS


def _defined(instruction: Instruction) -> set[str]:
    if isinstance(instruction, Arg | Env):
        return {name for name, _ in instruction.pairs}
    return set()


def _texts(instruction: Instruction) -> list[str]:
    """The words whose variables the builder itself replaces."""
    match instruction:
        case Env() | Label():
            return [part for pair in instruction.pairs for part in pair]
        case Arg():
            return [default for _, default in instruction.pairs if default]
        case Copy() | Add():
            texts = [*instruction.sources, instruction.destination, instruction.chown, instruction.chmod]
            return texts + [each.content for each in instruction.heredocs if each.expand]
        case Workdir():
            return [instruction.path]
        case User():
            return [instruction.user]
        case Expose():
            return list(instruction.ports)
        case Volume():
            return list(instruction.paths)
        case StopSignal():
            return [instruction.signal]
    return []


def _unknown(texts: Iterable[str], known: set[str], subject: Subject) -> list[str]:
    return [name for name in _names(texts, subject.dockerfile.directives.escape) if name not in known]


def _names(texts: Iterable[str], escape: str) -> dict[str, None]:
    """The variables that ``texts`` use and give no default for, in order."""
    found: dict[str, None] = {}

    for text in texts:
        guarded = set(_GUARDED.findall(text))

        def note(name: str, guarded: set[str] = guarded) -> str:
            if _NAME.match(name) and name not in guarded:
                found[name] = None
            return "set"

        try:
            expand(text, note, escape)
        except WordError:
            continue
    return found


def _expanded(text: str, values: dict[str, str], escape: str) -> str:
    try:
        return expand(text, values.get, escape)
    except WordError:
        return ""


def _near(name: str, known: Collection[str]) -> str:
    if len(known) > _MOST_NAMES:
        return ""
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.75)
    return f" (did you mean ${near[0]}?)" if near else ""


def secrets(subject: Subject) -> Iterator[Found]:
    """BuildKit's SecretsUsedInArgOrEnv: by the variable's name."""
    for instruction in subject.everything:
        if isinstance(instruction, Arg | Env):
            for name, _ in instruction.pairs:
                if _SECRET.search(name) and not _PUBLIC.search(name):
                    message = f'Do not use ARG or ENV instructions for sensitive data ({instruction.keyword} "{name}")'
                    better = f"RUN --mount=type=secret,id={name.lower()} …  (and build --secret id={name.lower()},…)"
                    yield Found(instruction.line, message, better)


def legacy_pairs(subject: Subject) -> Iterator[Found]:
    """BuildKit's LegacyKeyValueFormat."""
    for instruction in subject.everything:
        if not isinstance(instruction, Env | Label):
            continue
        first = instruction.node.arguments.text.split(maxsplit=1)[0]
        if "=" not in first:
            name, value = instruction.pairs[0]
            bare = (
                value
                if re.fullmatch(r"""[^\s"'\\]+|"[^"]*"|'[^']*'""", value)
                else '"' + value.replace('"', '\\"') + '"'
            )
            message = (
                f'"{instruction.keyword} key=value" should be used instead of legacy '
                f'"{instruction.keyword} key value" format'
            )
            yield Found(instruction.line, message, f"{instruction.keyword} {name}={bare}")
