"""What the grammar knows and this builder doesn't execute: refused before the first step, at its line."""

from __future__ import annotations

import re

from containerlab.build.dockerfile import Dockerfile, Instruction, Stage
from containerlab.build.dockerfile.instructions import Add, Copy, Run
from containerlab.build.options import check_platform
from containerlab.errors import DockerfileError, InvalidParameter

__all__ = ["refuse_unsupported", "single_stage"]

_REMOTE = re.compile(r"(?:https?|ftp|git|ssh)://|git@")
_NETWORKS = ("", "default", "none")


def single_stage(dockerfile: Dockerfile, target: str) -> Stage:
    """The one stage to build. Raises DockerfileError for several stages, InvalidParameter for another target."""
    if len(dockerfile.stages) > 1:
        raise _not_executed(dockerfile.stages[1].from_, "a second build stage", "use one FROM")
    stage = dockerfile.stages[0]
    if target and target.lower() not in (stage.name, "0"):
        hint = f"the stages are: {stage.name}" if stage.name else "name the stage: FROM IMAGE AS name"
        raise InvalidParameter(f"target stage {target!r} could not be found", hint=hint)
    try:
        check_platform(stage.from_.platform)
    except InvalidParameter as error:
        raise stage.from_.node.error(error.message, hint=error.hint) from None
    for instruction in stage.instructions:
        refuse_unsupported(instruction)
    return stage


def refuse_unsupported(instruction: Instruction) -> None:
    """Raise DockerfileError for an instruction or flag that is read but not executed."""
    if isinstance(instruction, Run):
        _refuse_run(instruction)
    elif isinstance(instruction, Copy):
        if instruction.from_:
            raise _not_executed(instruction, "COPY --from", "copy from the build context")
        _refuse_flags(instruction, link=instruction.link, parents=instruction.parents, exclude=instruction.exclude)
    elif isinstance(instruction, Add):
        for source in instruction.sources:
            if _REMOTE.match(source) or source.endswith(".git"):
                raise _not_executed(instruction, f"ADD of {source}", "download it first, then ADD the file")
        _refuse_flags(
            instruction,
            checksum=instruction.checksum,
            link=instruction.link,
            keep_git_dir=instruction.keep_git_dir,
            exclude=instruction.exclude,
        )


def _refuse_run(instruction: Run) -> None:
    if instruction.mounts:
        raise _not_executed(instruction, "RUN --mount", "COPY what the command needs")
    if instruction.network not in _NETWORKS:
        raise _not_executed(instruction, f"RUN --network={instruction.network}", "it is default or none")
    if instruction.security not in ("", "sandbox"):
        message = f"RUN --security={instruction.security} is refused: a build runs with a container's rights"
        raise instruction.node.error(message)


def _refuse_flags(instruction: Instruction, **flags: object) -> None:
    for name, value in flags.items():
        if value:
            flag = f"--{name.replace('_', '-')}"
            raise _not_executed(instruction, f"{instruction.keyword} {flag}", f"leave {flag} out")


def _not_executed(instruction: Instruction, what: str, hint: str) -> DockerfileError:
    return instruction.node.error(f"{what} is understood, but not executed yet", hint=hint)
