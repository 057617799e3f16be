"""The life of a container that exists: ``start``, ``stop``, ``restart``, ``kill``, ``rm``, ``rename``, ``attach``."""

from __future__ import annotations

__all__ = [
    "attach_command",
    "kill_command",
    "rename_command",
    "restart_command",
    "rm_command",
    "start_command",
    "stop_command",
    "wait_command",
]

import click
import docker.errors

from containerlab.commands.attached import Attachment, check_input
from containerlab.commands.context import Context, pass_context
from containerlab.commands.many import each
from containerlab.commands.problems import ContainerExited, start_failure, translate
from containerlab.commands.result import Finished, Lines, Result
from containerlab.errors import Conflict, UsageError

_NAMES = click.argument("containers", nargs=-1, required=True, metavar="CONTAINER...")
_SECONDS = click.option(
    "-t", "--time", "seconds", type=int, metavar="SECONDS", help="Wait this long before killing (10)."
)


def _start(context: Context, name: str) -> None:
    try:
        context.client.api.start(name)
    except docker.errors.APIError as error:
        problem = translate(error)
        if problem is None or problem.status in (404, 409):
            raise
        raise start_failure(problem.message, problem.hint) from error


def _attachment(context: Context, name: str, *, interactive: bool) -> Attachment:
    facts = context.client.api.inspect_container(name)
    tty = bool(facts["Config"]["Tty"])
    wants_input = interactive and bool(facts["Config"]["OpenStdin"])
    check_input(context, "exec", f"{name} sh", interactive=wants_input, tty=tty)
    return Attachment(
        context,
        facts["Id"],
        name,
        name,
        tty=tty,
        interactive=wants_input,
        stdin_once=bool(facts["Config"]["StdinOnce"]),
        remove=bool(facts["HostConfig"]["AutoRemove"]),
    )


def _stay(attachment: Attachment, *, start: bool) -> Finished:
    context = attachment.context
    try:
        attachment.attach(condition="removed" if attachment.remove else "next-exit")
        if start:
            _start(context, attachment.container)
        result = attachment.finish()
    except KeyboardInterrupt:
        if start:
            attachment.abandon()
        raise
    finally:
        attachment.close()
    if result.exit_code and context.notebook:
        raise ContainerExited(result)
    return result


@click.command("start", help="Start containers that were created or have stopped.")
@click.option("-a", "--attach", is_flag=True, help="Stay with it: show its output, take its exit code.")
@click.option("-i", "--interactive", is_flag=True, help="Also pass standard input to it.")
@_NAMES
@pass_context
def start_command(context: Context, containers: tuple[str, ...], attach: bool, interactive: bool) -> Result:
    if not attach and not interactive:
        return each(context, containers, lambda name: _start(context, name))
    if len(containers) > 1:
        raise UsageError("start -a takes one container: its output would mix with another's.")
    return _stay(_attachment(context, containers[0], interactive=interactive), start=True)


@click.command("attach", help="Join the input and output of a running container.")
@click.option("--no-stdin", is_flag=True, help="Don't pass standard input to it.")
@click.argument("container")
@pass_context
def attach_command(context: Context, container: str, no_stdin: bool) -> Result:
    attachment = _attachment(context, container, interactive=not no_stdin)
    if not context.client.api.inspect_container(container)["State"]["Running"]:
        raise Conflict(
            f"Container {container} isn't running.", hint=f"`start -a {container}` starts it and stays with it."
        )
    return _stay(attachment, start=False)


@click.command("stop", help="Ask containers to end (SIGTERM), and kill those that don't.")
@_SECONDS
@_NAMES
@pass_context
def stop_command(context: Context, containers: tuple[str, ...], seconds: int | None) -> Result:
    return each(context, containers, lambda name: context.client.api.stop(name, timeout=seconds))


@click.command("restart", help="Stop containers and start them again.")
@_SECONDS
@_NAMES
@pass_context
def restart_command(context: Context, containers: tuple[str, ...], seconds: int | None) -> Result:
    wait = 10 if seconds is None else seconds
    return each(context, containers, lambda name: context.client.api.restart(name, timeout=wait))


@click.command("kill", help="Send a signal to the main process of containers.")
@click.option("-s", "--signal", default="KILL", metavar="SIGNAL", help="The signal's name or number (KILL).")
@_NAMES
@pass_context
def kill_command(context: Context, containers: tuple[str, ...], signal: str) -> Result:
    return each(context, containers, lambda name: context.client.api.kill(name, signal=signal))


@click.command("rm", help="Remove containers: their writable layer and their logs go with them.")
@click.option("-f", "--force", is_flag=True, help="Kill a running one first.")
@click.option("-v", "--volumes", is_flag=True, help="Remove its anonymous volumes as well.")
@_NAMES
@pass_context
def rm_command(context: Context, containers: tuple[str, ...], force: bool, volumes: bool) -> Result:
    def remove(name: str) -> bool:
        try:
            context.client.api.remove_container(name, force=force, v=volumes)
        except docker.errors.NotFound:
            if not force:
                raise
            return False
        return True

    return each(context, containers, remove)


@click.command("rename", help="Give a container another name.")
@click.argument("container")
@click.argument("new_name")
@pass_context
def rename_command(context: Context, container: str, new_name: str) -> Result:
    context.client.api.rename(container, new_name)
    return Lines([])


@click.command("wait", help="Wait until containers end, and show their exit codes.")
@_NAMES
@pass_context
def wait_command(context: Context, containers: tuple[str, ...]) -> Result:
    return Lines([str(context.client.api.wait(name)["StatusCode"]) for name in containers])
