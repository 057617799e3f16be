"""``--change``: Dockerfile instructions on a config alone, as ``import`` and ``commit`` take them.

Docker allows those that make no layer (moby builder/dockerfile, ``BuildFromConfig``); SHELL beside them here.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass

from containerlab.build.dockerfile import parse
from containerlab.build.dockerfile.instructions import Workdir
from containerlab.build.state import StageState
from containerlab.build.steps_config import CONFIG_STEPS
from containerlab.errors import InvalidParameter
from containerlab.images import ContainerConfig, ImageConfig

__all__ = ["apply_changes"]

_ALLOWED = (
    *("CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "ONBUILD", "SHELL", "STOPSIGNAL", "USER"),
    *("VOLUME", "WORKDIR"),
)


@dataclass(frozen=True, slots=True)
class _Planning:
    """The part of a build's planning that an instruction on the config looks at."""

    state: StageState


def apply_changes(config: ContainerConfig, changes: Sequence[str]) -> ContainerConfig:
    """``config`` after the instructions, each of which sees those before it.

    Raises ``DockerfileError`` for what can't be parsed, ``InvalidParameter`` for an instruction that isn't allowed.
    """
    text = "\n".join(changes)
    if not text.strip():
        return config
    dockerfile = parse(f"FROM scratch\n{text}", "--change")
    if len(dockerfile.stages) > 1:
        raise InvalidParameter("from is not a valid change command")
    state = StageState(
        ImageConfig("", config=config), None, escape=dockerfile.directives.escape, build_args={}, global_args={}
    )
    for instruction in dockerfile.stages[0].instructions:
        if instruction.keyword not in _ALLOWED:
            raise InvalidParameter(f"{instruction.keyword.lower()} is not a valid change command")
        if isinstance(instruction, Workdir):
            path = state.expand(instruction, instruction.path)
            joined = posixpath.join("/", state.config.WorkingDir, path)
            state.config.WorkingDir = posixpath.normpath(joined).replace("//", "/")
            continue
        step = CONFIG_STEPS[type(instruction)](_Planning(state), instruction)
        if step.configure is not None:
            step.configure()
    return state.config
