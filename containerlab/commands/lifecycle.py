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

from typing import Any

import click
import docker.errors

from containerlab.commands.attached import Attachment, check_input
from containerlab.commands.context import Context, pass_context
from containerlab.commands.many import each
from containerlab.commands.parsing import refused, verb
from containerlab.commands.problems import ContainerExited, start_failure, translate
from containerlab.commands.result import Finished, Lines, Result
from containerlab.commands.streams import post
from containerlab.errors import Conflict, UsageError

_NAMES = click.argument("containers", nargs=-1, required=True, metavar="CONTAINER...")
_SECONDS = click.option(
    "-t",
    "--timeout",
    "--time",
    "seconds",
    type=int,
    metavar="SECONDS",
    help="Wait this long before killing (10); -1 for ever.",
)
_SIGNAL = click.option("-s", "--signal", metavar="SIGNAL", help="Send this first (the container's stop signal).")
_KEYS = click.option(
    "--detach-keys", metavar="KEYS", help="The keys that leave it running and go away (ctrl-p,ctrl-q)."
)
_PROXY = click.option("--sig-proxy", is_flag=True, default=True, help="Pass signals on (as it is; =false keeps them).")
_NO_CHECKPOINTS = "containers aren't frozen to disk here"


def _start(context: Context, name: str) -> None:
    try:
        context.client.api.start(name)
    except docker.errors.APIError as error:
        problem = translate(error)
        if problem is None or problem.status in (404, 409):
            raise
        raise start_failure(problem.message, problem.hint) from error


def _attachment(
    context: Context, name: str, *, interactive: bool, keys: str | None = None, proxy: bool = True
) -> Attachment:
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
        keys=keys,
        proxy=proxy,
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


@verb("start", help="Start containers that were created or have stopped.")
@click.option("-a", "--attach", is_flag=True, help="Stay with it: show its output, take its exit code.")
@click.option("-i", "--interactive", is_flag=True, help="Also pass standard input to it.")
@_KEYS
@refused("--checkpoint", why=_NO_CHECKPOINTS)
@refused("--checkpoint-dir", why=_NO_CHECKPOINTS)
@_NAMES
@pass_context
def start_command(
    context: Context, containers: tuple[str, ...], attach: bool, interactive: bool, detach_keys: str | None
) -> Result:
    if not attach and not interactive:
        return each(context, containers, lambda name: _start(context, name))
    if len(containers) > 1:
        raise UsageError("start -a takes one container: its output would mix with another's.")
    return _stay(_attachment(context, containers[0], interactive=interactive, keys=detach_keys), start=True)


@verb("attach", help="Join the input and output of a running container.")
@click.option("--no-stdin", is_flag=True, help="Don't pass standard input to it.")
@_KEYS
@_PROXY
@click.argument("container")
@pass_context
def attach_command(
    context: Context, container: str, no_stdin: bool, detach_keys: str | None, sig_proxy: bool
) -> Result:
    attachment = _attachment(context, container, interactive=not no_stdin, keys=detach_keys, proxy=sig_proxy)
    if not context.client.api.inspect_container(container)["State"]["Running"]:
        raise Conflict(
            f"Container {container} isn't running.", hint=f"`start -a {container}` starts it and stays with it."
        )
    return _stay(attachment, start=False)


def _order(context: Context, name: str, what: str, seconds: int | None, signal: str | None) -> None:
    """``stop`` and ``restart``; docker-py has no word for their signal, and gives up waiting too soon."""
    params: dict[str, Any] = {} if seconds is None else {"t": seconds}
    params |= {"signal": signal} if signal else {}
    post(context.client, f"/containers/{name}/{what}", params=params).close()


@verb("stop", help="Ask containers to end (SIGTERM), and kill those that don't.")
@_SECONDS
@_SIGNAL
@_NAMES
@pass_context
def stop_command(context: Context, containers: tuple[str, ...], seconds: int | None, signal: str | None) -> Result:
    return each(context, containers, lambda name: _order(context, name, "stop", seconds, signal))


@verb("restart", help="Stop containers and start them again.")
@_SECONDS
@_SIGNAL
@_NAMES
@pass_context
def restart_command(context: Context, containers: tuple[str, ...], seconds: int | None, signal: str | None) -> Result:
    return each(context, containers, lambda name: _order(context, name, "restart", seconds, signal))


@verb("kill", help="Send a signal to the main process of containers.")
@click.option("-s", "--signal", default="KILL", metavar="SIGNAL", help="The signal's name or number (KILL).")
@_NAMES
@pass_context
def kill_command(context: Context, containers: tuple[str, ...], signal: str) -> Result:
    return each(context, containers, lambda name: context.client.api.kill(name, signal=signal))


@verb("rm", help="Remove containers: their writable layer and their logs go with them.")
@click.option("-f", "--force", is_flag=True, help="Kill a running one first.")
@click.option("-v", "--volumes", is_flag=True, help="Remove its anonymous volumes as well.")
@click.option("-l", "--link", is_flag=True, hidden=True)
@_NAMES
@pass_context
def rm_command(context: Context, containers: tuple[str, ...], force: bool, volumes: bool, link: bool) -> Result:
    def remove(name: str) -> bool:
        try:
            context.client.api.remove_container(name, force=force, v=volumes, link=link)
        except docker.errors.NotFound:
            if not force:
                raise
            return False
        return True

    return each(context, containers, remove)


@verb("rename", help="Give a container another name.")
@click.argument("container")
@click.argument("new_name")
@pass_context
def rename_command(context: Context, container: str, new_name: str) -> Result:
    context.client.api.rename(container, new_name)
    return Lines([])


@verb("wait", help="Wait until containers end, and show their exit codes.")
@_NAMES
@pass_context
def wait_command(context: Context, containers: tuple[str, ...]) -> Result:
    return Lines([str(context.client.api.wait(name)["StatusCode"]) for name in containers])
