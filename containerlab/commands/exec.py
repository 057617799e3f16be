"""``exec``: one more process in a running container."""

from __future__ import annotations

__all__ = ["exec_command"]

import shlex
import time
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click
import docker.errors

from containerlab.commands.attached import Resizer, check_input
from containerlab.commands.context import Context, pass_context
from containerlab.commands.output import Recorder
from containerlab.commands.parsing import verb
from containerlab.commands.problems import ContainerExited
from containerlab.commands.result import Finished, Lines, Result
from containerlab.commands.run_payload import environment
from containerlab.commands.streams import Frames, Input, detach_bytes, hijack, post, pump


@dataclass
class ExecOptions:
    """What was said on the line."""

    container: str
    command: tuple[str, ...]
    interactive: bool = False
    tty: bool = False
    detach: bool = False
    detach_keys: str | None = None
    raising: bool = True
    env: tuple[str, ...] = ()
    env_file: tuple[Path, ...] = ()
    workdir: str | None = None
    user: str | None = None
    privileged: bool = False

    @property
    def what(self) -> str:
        words = shlex.join([*self.command])
        return f"{words if len(words) <= 120 else words[:119] + '…'} in {self.container}"


def execute(context: Context, options: ExecOptions) -> Result:
    """Run the command, and wait for its end unless detached. Raises ContainerExited in a notebook."""
    rest = shlex.join([options.container, *options.command])
    check_input(context, "exec", rest, interactive=options.interactive, tty=options.tty, detach=options.detach)
    options.interactive = options.interactive or context.body is not None
    identifier = _create(context, options)
    if options.detach:
        context.client.api.exec_start(identifier, detach=True)
        return Lines([])
    result = _stay(context, identifier, options)
    if result.exit_code and context.notebook and options.raising:
        raise ContainerExited(result)
    return result


def _create(context: Context, options: ExecOptions) -> str:
    attached = not options.detach
    if options.detach_keys:
        detach_bytes(options.detach_keys)
    answer = context.client.api.exec_create(
        options.container,
        list(options.command),
        stdin=options.interactive and attached,
        stdout=attached,
        stderr=attached,
        tty=options.tty,
        privileged=options.privileged,
        user=options.user or "",
        environment=environment(options.env, options.env_file, context.variable) or None,
        workdir=options.workdir,
        detach_keys=options.detach_keys,
    )
    return str(answer["Id"])


def _stay(context: Context, identifier: str, options: ExecOptions) -> Finished:
    recorder = Recorder(context.output)
    source = Input(context.body, context.stdin_fd, keys=options.detach_keys) if options.interactive else None
    terminal = context.terminal if options.tty else None
    began = time.monotonic()
    stream = hijack(context.client, f"/exec/{identifier}/start", json={"Detach": False, "Tty": options.tty})
    try:
        resizer = Resizer(terminal, partial(context.client.api.exec_resize, identifier)) if terminal else None
        with terminal or nullcontext():
            pump(stream, source, recorder.write, Frames(raw=options.tty), on_idle=resizer.follow if resizer else None)
    except KeyboardInterrupt:
        stream.close()
        _end(context, identifier, options)
        raise
    finally:
        stream.close()
    detached = options.tty and source is not None and source.detached
    return Finished(
        what=options.what,
        stdout=recorder.text(1),
        stderr=recorder.text(2),
        seconds=time.monotonic() - began,
        exit_code=0 if detached else _exit_code(context, identifier),
        name=options.container,
        id=identifier,
        truncated=recorder.truncated,
        detached=detached,
    )


def _exit_code(context: Context, identifier: str) -> int:
    """The stream's end comes a moment before the record of the exit."""
    for _ in range(200):
        state: dict[str, Any] = context.client.api.exec_inspect(identifier)
        if not state.get("Running"):
            break
        time.sleep(0.01)
    return int(state.get("ExitCode") or 0)


def _end(context: Context, identifier: str, options: ExecOptions) -> None:
    """End what the interrupt has left running. Docker's API has no word for it; our engine has a route of its own."""
    try:
        post(context.client, f"/containerlab/exec/{identifier}/kill", params={"signal": "SIGKILL"}).close()
    except docker.errors.APIError:
        context.output.notice(
            f"This engine can't end one process of {options.container}; `stop {options.container}` ends them all."
        )


@verb(
    "exec",
    help="Run COMMAND as one more process in a running container.",
    context_settings={"allow_interspersed_args": False},
)
@click.option("-d", "--detach", is_flag=True, help="Don't wait for its end.")
@click.option("--detach-keys", metavar="KEYS", help="The keys that go away and leave it running (ctrl-p,ctrl-q).")
@click.option("-i", "--interactive", is_flag=True, help="Keep the command's standard input open.")
@click.option("-t", "--tty", is_flag=True, help="Give the command a terminal of its own.")
@click.option(
    "-e", "--env", multiple=True, metavar="K=V", help="Set an environment variable; K=@name takes a Python variable."
)
@click.option("--env-file", multiple=True, type=click.Path(path_type=Path), help="Read variables from a file.")
@click.option("-w", "--workdir", metavar="DIR", help="Start in this folder of the container.")
@click.option("-u", "--user", metavar="USER[:GROUP]", help="Run as this user of the container.")
@click.option("--privileged", is_flag=True, help="Give the command all capabilities.")
@click.option(
    "--no-raise", "raising", is_flag=True, flag_value=False, default=True,
    help="In a notebook: let the cell succeed whatever the exit code is.",
)  # fmt: skip
@click.argument("container")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@pass_context
def exec_command(context: Context, /, **options: Any) -> Result:
    return execute(context, ExecOptions(**options))
