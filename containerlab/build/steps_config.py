"""Instructions that change nothing but the image's config; they make no layer.

Lists and dicts of the config are replaced, never changed: the parent image's own are the same objects.
"""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable, Mapping
from typing import TypeVar, cast

from containerlab.build.dockerfile.instructions import (
    Arg,
    Cmd,
    Entrypoint,
    Env,
    Expose,
    Healthcheck,
    Instruction,
    Label,
    Maintainer,
    Onbuild,
    Shell,
    StopSignal,
    User,
    Volume,
)
from containerlab.build.state import StageState
from containerlab.build.step import Planning, Step, nop
from containerlab.images.config import HealthConfig

__all__ = ["CONFIG_STEPS", "label_step"]

T = TypeVar("T", bound=Instruction)

_PORT = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?(?:/([A-Za-z]+))?\Z")
_PROTOCOLS = ("tcp", "udp", "sctp")
_REALTIME = re.compile(r"(?:SIG)?RTM(?:IN(?:\+([0-9]{1,2}))?|AX(?:-([0-9]{1,2}))?)\Z")
_MOST_SIGNALS = 64


def _step(planning: Planning, text: str, configure: Callable[[], None]) -> Step:
    created_by = nop(planning.state, f" {text}")
    return Step(created_by, (created_by,), configure)


def _quoted(words: list[str]) -> str:
    """``["a" "b"]``, as Go prints a list of quoted words."""
    return f"[{' '.join(json.dumps(word, ensure_ascii=False) for word in words)}]"


def _env(planning: Planning, instruction: Env) -> Step:
    state = planning.state
    pairs = _pairs(state, instruction, instruction.pairs)

    def configure() -> None:
        state.config.Env = _merged(state.config.Env or [], pairs)

    return _step(planning, "ENV " + " ".join(f"{name}={value}" for name, value in pairs), configure)


def _pairs(state: StageState, instruction: Instruction, pairs: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    """Every word sees the variables as they were before the instruction."""
    expanded = [(state.expand(instruction, name), state.expand(instruction, value)) for name, value in pairs]
    for name, _ in expanded:
        if not name or "=" in name or "\0" in name:
            raise instruction.node.error(f"{instruction.keyword} names can not be blank or hold '='")
    return expanded


def _merged(environment: list[str], pairs: list[tuple[str, str]]) -> list[str]:
    """``environment`` with ``pairs``: a name that is there keeps its place."""
    values = dict(entry.partition("=")[::2] for entry in environment)
    values.update(pairs)
    return [f"{name}={value}" for name, value in values.items()]


def _label(planning: Planning, instruction: Label) -> Step:
    return label_step(planning, dict(_pairs(planning.state, instruction, instruction.pairs)))


def label_step(planning: Planning, labels: Mapping[str, str]) -> Step:
    """LABEL; also what ``--label`` adds after the last instruction."""
    config = planning.state.config

    def configure() -> None:
        config.Labels = {**(config.Labels or {}), **labels}

    return _step(planning, "LABEL " + " ".join(f"{name}={value}" for name, value in labels.items()), configure)


def _arg(planning: Planning, instruction: Arg) -> Step:
    state = planning.state
    declared: list[tuple[str, str | None]] = []
    for raw_name, raw_default in instruction.pairs:
        default = None if raw_default is None else state.expand(instruction, raw_default)
        name = state.expand(instruction, raw_name)
        # Declared while planning: the next default of the same line may use it.
        state.declare(name, default)
        declared.append((name, default))
    text = " ".join(name if default is None else f"{name}={default}" for name, default in declared)
    return _step(planning, f"ARG {text}", lambda: None)


def _cmd(planning: Planning, instruction: Cmd) -> Step:
    state = planning.state
    command = state.command(instruction.command)

    def configure() -> None:
        state.config.Cmd = command
        state.has_cmd = True

    return _step(planning, f"CMD {_quoted(command)}", configure)


def _entrypoint(planning: Planning, instruction: Entrypoint) -> Step:
    state = planning.state
    command = state.command(instruction.command) if instruction.command.args else []

    def configure() -> None:
        state.config.Entrypoint = command or None
        if not state.has_cmd:
            # A command of the base image was meant for the base image's entrypoint.
            state.config.Cmd = None

    return _step(planning, f"ENTRYPOINT {_quoted(command)}", configure)


def _user(planning: Planning, instruction: User) -> Step:
    config = planning.state.config
    user = planning.state.expand(instruction, instruction.user)

    def configure() -> None:
        config.User = user

    return _step(planning, f"USER {user}", configure)


def _expose(planning: Planning, instruction: Expose) -> Step:
    config = planning.state.config
    words = [word for port in instruction.ports for word in planning.state.expand_words(instruction, port)]
    ports = {port: dict[str, object]() for word in words for port in _ports(instruction, word)}

    def configure() -> None:
        config.ExposedPorts = {**(config.ExposedPorts or {}), **ports}

    return _step(planning, "EXPOSE " + " ".join(words), configure)


def _ports(instruction: Expose, word: str) -> list[str]:
    """``8000-8001/udp`` as ``8000/udp`` and ``8001/udp``."""
    match = _PORT.match(word)
    hint = "expected a port from 1 to 65535, or a range, with /tcp, /udp or /sctp"
    if match is None:
        raise instruction.node.error(f"invalid containerPort: {word}", hint=hint)
    first, last = int(match[1]), int(match[2] or match[1])
    protocol = (match[3] or "tcp").lower()
    if not 1 <= first <= last <= 65535 or protocol not in _PROTOCOLS:
        raise instruction.node.error(f"invalid containerPort: {word}", hint=hint)
    return [f"{port}/{protocol}" for port in range(first, last + 1)]


def _volume(planning: Planning, instruction: Volume) -> Step:
    config = planning.state.config
    paths = [planning.state.expand(instruction, path) for path in instruction.paths]
    if not all(path.strip() for path in paths):
        raise instruction.node.error("VOLUME specified can not be an empty string")

    def configure() -> None:
        config.Volumes = {**(config.Volumes or {}), **{path: {} for path in paths}}

    return _step(planning, f"VOLUME [{' '.join(paths)}]", configure)


def _shell(planning: Planning, instruction: Shell) -> Step:
    config = planning.state.config

    def configure() -> None:
        config.Shell = list(instruction.shell)

    return _step(planning, f"SHELL [{' '.join(instruction.shell)}]", configure)


def _stopsignal(planning: Planning, instruction: StopSignal) -> Step:
    config = planning.state.config
    word = planning.state.expand(instruction, instruction.signal)
    if not _is_signal(word):
        raise instruction.node.error(f"invalid signal: {word}", hint="expected a name as SIGTERM, or a number")

    def configure() -> None:
        config.StopSignal = word

    return _step(planning, f"STOPSIGNAL {word}", configure)


def _is_signal(word: str) -> bool:
    if word.isascii() and word.isdigit():
        return 1 <= int(word[:4]) <= _MOST_SIGNALS
    name = word.upper()
    return _REALTIME.match(name) is not None or f"SIG{name.removeprefix('SIG')}" in signal.Signals.__members__


def _healthcheck(planning: Planning, instruction: Healthcheck) -> Step:
    config = planning.state.config
    command = instruction.command
    test = ["NONE"] if command is None else ["CMD-SHELL" if command.shell else "CMD", *command.args]

    def configure() -> None:
        config.Healthcheck = HealthConfig(
            Test=test,
            Interval=instruction.interval,
            Timeout=instruction.timeout,
            StartPeriod=instruction.start_period,
            StartInterval=instruction.start_interval,
            Retries=instruction.retries,
        )

    return _step(planning, instruction.original, configure)


def _onbuild(planning: Planning, instruction: Onbuild) -> Step:
    config = planning.state.config

    def configure() -> None:
        config.OnBuild = [*(config.OnBuild or []), instruction.trigger]

    return _step(planning, f"ONBUILD {instruction.trigger}", configure)


def _maintainer(planning: Planning, instruction: Maintainer) -> Step:
    image = planning.state.image

    def configure() -> None:
        image.author = instruction.name

    return _step(planning, f"MAINTAINER {instruction.name}", configure)


def _entry(kind: type[T], plan: Callable[[Planning, T], Step]) -> tuple[type[Instruction], Callable[..., Step]]:
    return kind, cast("Callable[..., Step]", plan)


CONFIG_STEPS: dict[type[Instruction], Callable[..., Step]] = dict(
    [
        _entry(Arg, _arg),
        _entry(Cmd, _cmd),
        _entry(Entrypoint, _entrypoint),
        _entry(Env, _env),
        _entry(Expose, _expose),
        _entry(Healthcheck, _healthcheck),
        _entry(Label, _label),
        _entry(Maintainer, _maintainer),
        _entry(Onbuild, _onbuild),
        _entry(Shell, _shell),
        _entry(StopSignal, _stopsignal),
        _entry(User, _user),
        _entry(Volume, _volume),
    ]
)
"""The planner of each kind; a planner is only ever given its own kind."""
