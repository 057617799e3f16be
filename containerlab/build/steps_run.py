"""RUN: a command in a container on top of the layers so far; what it changed becomes the next layer."""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from containerlab.build.bundle import HEREDOC_FOLDER, RunRequest, write_bundle
from containerlab.build.cache_mounts import CacheMounts
from containerlab.build.commit import commit_layer, provenance_of
from containerlab.build.dockerfile.heredoc import opening
from containerlab.build.dockerfile.instructions import Run
from containerlab.build.messages import Output, short_id
from containerlab.build.mount_points import MountPoints
from containerlab.build.network import Join, Joined
from containerlab.build.run_mounts import Staged, expand_mounts, mounts_key, staged
from containerlab.build.running import Runner
from containerlab.build.scratch import in_thread
from containerlab.build.step import Planning, Step
from containerlab.errors import BuildFailed
from containerlab.images import Layer
from containerlab.images.files import no_room
from containerlab.rung import copies_roots

__all__ = ["RunContext", "run_step"]

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.-]+\Z")


@dataclass(frozen=True, slots=True)
class RunContext:
    """What executing a RUN needs beyond what planning it does. ``container`` is an id of 64 digits for this step."""

    runner: Runner
    container: str
    seccomp_cache: Path
    caches: CacheMounts
    points: MountPoints
    join: Join | None = None


@dataclass(frozen=True, slots=True)
class _Command:
    """``args`` as executed, ``shown`` as told, ``script`` a here-document that is itself the program."""

    args: list[str]
    shown: str
    script: tuple[str, str] | None = None


def run_step(planning: Planning, instruction: Run, context: RunContext) -> Step:
    """Plan a RUN; its cache key has the command, the bodies of its here-documents and the arguments it sees."""
    state = planning.state
    command = _command(state.shell(), instruction)
    args = state.run_args()
    prefix = "".join(f"{name}={value} " for name, value in args.items())
    created_by = f"|{len(args)} {prefix}{command.shown}" if args else command.shown
    network = _network(planning, instruction)
    mounts = expand_mounts(planning, instruction)
    # Read before the command runs: a predefined argument counts as consumed by being there.
    environment = {**state.proxy_args(), **args, **state.environment()}

    async def fill(scratch: Path) -> Layer | None:
        async with (
            staged(planning, instruction, mounts, context.caches, scratch) as ready,
            _joined(context, network) as joined,
        ):
            asked = request(ready, joined)
            return await _execute(planning, instruction, command, context, asked, created_by, scratch)

    def request(ready: Staged, joined: Joined | None) -> RunRequest:
        return RunRequest(
            container=context.container,
            args=command.args,
            environment=environment,
            working_dir=state.config.WorkingDir,
            user=state.config.User,
            chain_id=state.chain_id,
            network=network,
            joined=joined,
            script=command.script,
            options=planning.options,
            seccomp_cache=context.seccomp_cache,
            staged=ready,
            reproducible=planning.epoch is not None,
        )

    shown, reads = mounts_key(planning, instruction, mounts)
    key = ("RUN", json.dumps(args), json.dumps(command.args), json.dumps(command.script), network, json.dumps(shown))
    variables = {f"ARG {name}": value for name, value in args.items()}
    settings = {"the network": network}
    return Step(created_by, key, fill=fill, reads=tuple(reads), variables=variables, settings=settings)


async def _execute(
    planning: Planning,
    instruction: Run,
    command: _Command,
    context: RunContext,
    request: RunRequest,
    created_by: str,
    scratch: Path,
) -> Layer | None:
    layers, parent = planning.layers, request.chain_id
    with no_room(f"RUN of line {instruction.line}"):
        upper = await in_thread(lambda: write_bundle(request, layers, context.points, scratch))
    planning.messages.line(f" ---> Running in {short_id(context.container)}")
    output = Output(planning.messages)
    try:
        exit_code = await context.runner.run(context.container, scratch, output)
    except OSError as error:
        raise _not_started(instruction, command, error) from error
    if exit_code != 0:
        raise _failed(instruction, command, exit_code, output)
    planning.messages.line(f"Removing intermediate container {short_id(context.container)}")
    provenance = provenance_of(instruction, created_by)

    def commit() -> Layer | None:
        with no_room(f"RUN of line {instruction.line}"):
            if copies_roots():
                layers.gather(scratch, parent, upper)
            return commit_layer(layers, upper, parent, provenance, planning.epoch)

    return await in_thread(commit)


def _command(shell: list[str], instruction: Run) -> _Command:
    """The here-documents' part in it as BuildKit has it.

    A here-document alone is the script that the shell is given, or with ``#!`` a program of its own; anything else goes
    to the shell with the bodies put back below it.
    """
    line = instruction.command
    if not line.shell:
        return _Command(list(line.args), " ".join(line.args))
    text = line.args[0]
    if not instruction.heredocs:
        return _Command([*shell, text], " ".join([*shell, text]))
    first = instruction.heredocs[0]
    if opening(text, "\\") is None:
        text += "".join(f"\n{heredoc.body}{heredoc.name}" for heredoc in instruction.heredocs)
    elif first.content.startswith("#!"):
        name = first.name if _PLAIN_NAME.match(first.name) else "script"
        path = f"{HEREDOC_FOLDER}/{name}"
        return _Command([path], f"{path} ({_summary(first.content)})", (name, first.content))
    else:
        text = first.content
    return _Command([*shell, text], f"{' '.join([*shell, _summary(text)])}")


def _network(planning: Planning, instruction: Run) -> str:
    """``host``, ``none`` or ``default``; whether a Dockerfile may ask for the host's was checked at the beginning."""
    if "none" in (planning.options.network_mode, instruction.network):
        return "none"
    return "host" if planning.options.network_mode == "host" else "default"


def _joined(context: RunContext, network: str) -> AbstractAsyncContextManager[Joined | None]:
    return context.join(context.container) if network == "default" and context.join is not None else nullcontext()


def _summary(text: str) -> str:
    """A script's first line, for history and messages."""
    first, newline, rest = text.rstrip("\n").partition("\n")
    return f"{first}..." if newline and rest else first


def _failed(instruction: Run, command: _Command, exit_code: int, output: Output) -> BuildFailed:
    place = f"{instruction.node.source.file}:{instruction.line}: {instruction.original}"
    tail = output.tail()
    return BuildFailed(
        f"The command '{command.shown}' returned a non-zero code: {exit_code}",
        line=instruction.line,
        source=instruction.original,
        exit_code=exit_code,
        hint=f"{place}\n{tail}" if tail else place,
    )


_REASONS: Mapping[int, tuple[int, str]] = {
    errno.ENOENT: (127, "not found in the image"),
    errno.EACCES: (126, "permission denied"),
    errno.ENOEXEC: (126, "exec format error"),
}


def _not_started(instruction: Run, command: _Command, error: OSError) -> BuildFailed:
    reason = error.strerror or str(error)
    exit_code: int | None = None
    known = _REASONS.get(error.errno or 0)
    if getattr(error, "stage", "") == "exec" and known is not None:
        exit_code, why = known
        reason = f'exec: "{command.args[0]}": {why} ({reason})'
    return BuildFailed(
        f"The command '{command.shown}' couldn't be started: {reason}",
        line=instruction.line,
        source=instruction.original,
        exit_code=exit_code,
        hint=f"{instruction.node.source.file}:{instruction.line}: {instruction.original}",
    )
