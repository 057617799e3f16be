"""Instructions as typed values, and a Dockerfile as its stages. Nothing here is expanded or executed.

Text that may hold variables is kept as written, quotes included; ``words.expand`` takes both away.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from containerlab.build.dockerfile.mounts import Mount
from containerlab.build.dockerfile.nodes import Directives, Heredoc, Node, Notice

__all__ = [
    "INSTRUCTIONS",
    "Add",
    "Arg",
    "Cmd",
    "CommandLine",
    "Copy",
    "Dockerfile",
    "Entrypoint",
    "Env",
    "Expose",
    "From",
    "Healthcheck",
    "Instruction",
    "Label",
    "Maintainer",
    "Onbuild",
    "Run",
    "Shell",
    "Stage",
    "StopSignal",
    "User",
    "Volume",
    "Workdir",
]

INSTRUCTIONS = (
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """What every instruction knows: the node that it was read from."""

    node: Node

    @property
    def keyword(self) -> str:
        """The instruction's name, in capitals."""
        return self.node.keyword

    @property
    def line(self) -> int:
        """The line where it begins, from 1."""
        return self.node.place.line

    @property
    def original(self) -> str:
        """The logical line as written."""
        return self.node.original


@dataclass(frozen=True, slots=True)
class CommandLine:
    """``shell``: ``args`` is one text for the shell; else an argument vector."""

    args: tuple[str, ...]
    shell: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class From(Instruction):
    """``FROM [--platform=P] IMAGE [AS name]``."""

    image: str
    name: str = ""
    platform: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run(Instruction):
    """``RUN``; ``heredocs`` belong to the command's text."""

    command: CommandLine
    heredocs: tuple[Heredoc, ...] = ()
    mounts: tuple[Mount, ...] = ()
    network: str = ""
    security: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy(Instruction):
    """``COPY``; ``heredocs`` are sources of their own, after ``sources``."""

    sources: tuple[str, ...]
    heredocs: tuple[Heredoc, ...]
    destination: str
    from_: str = ""
    chown: str = ""
    chmod: str = ""
    link: bool = False
    parents: bool = False
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Add(Instruction):
    """``ADD``; ``unpack`` is empty, ``true`` or ``false``."""

    sources: tuple[str, ...]
    heredocs: tuple[Heredoc, ...]
    destination: str
    chown: str = ""
    chmod: str = ""
    checksum: str = ""
    unpack: str = ""
    link: bool = False
    keep_git_dir: bool = False
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Env(Instruction):
    """``ENV name=value …``."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Label(Instruction):
    """``LABEL name=value …``."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arg(Instruction):
    """``ARG name[=default] …``; a default of None means that none was given."""

    pairs: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cmd(Instruction):
    """``CMD``."""

    command: CommandLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrypoint(Instruction):
    """``ENTRYPOINT``."""

    command: CommandLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Workdir(Instruction):
    """``WORKDIR``."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class User(Instruction):
    """``USER name[:group]``."""

    user: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Expose(Instruction):
    """``EXPOSE port[-port][/protocol] …``."""

    ports: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume(Instruction):
    """``VOLUME path …``."""

    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell(Instruction):
    """``SHELL ["program", "argument", …]``."""

    shell: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSignal(Instruction):
    """``STOPSIGNAL``: a name or a number."""

    signal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Healthcheck(Instruction):
    """``HEALTHCHECK``; ``command`` None is ``HEALTHCHECK NONE``. Times are nanoseconds, 0 inherits."""

    command: CommandLine | None
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Onbuild(Instruction):
    """``ONBUILD INSTRUCTION``: the trigger's text, run by builds that start from this image."""

    trigger: str
    instruction: Instruction


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintainer(Instruction):
    """``MAINTAINER``: the image's author; superseded by a label."""

    name: str


@dataclass(frozen=True, slots=True)
class Stage:
    """``FROM`` and what follows it, up to the next."""

    from_: From
    instructions: tuple[Instruction, ...] = ()

    @property
    def name(self) -> str:
        """The stage's own name, or an empty string."""
        return self.from_.name


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """A whole Dockerfile: the ``ARG`` before its first ``FROM``, then its stages."""

    file: str
    global_args: tuple[Arg, ...]
    stages: tuple[Stage, ...]
    directives: Directives = field(default_factory=Directives)
    notices: tuple[Notice, ...] = ()
