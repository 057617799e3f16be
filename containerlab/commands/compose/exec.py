"""``exec``: a command in a service's running container."""

from __future__ import annotations

__all__ = ["exec_command"]

import sys

import click

from containerlab.commands.compose.desk import Desk, pass_desk
from containerlab.commands.exec import ExecOptions, execute
from containerlab.commands.parsing import verb
from containerlab.commands.result import Result


@verb(
    "exec",
    help="Run COMMAND in the running container of SERVICE, at a terminal where there is one.",
    context_settings={"allow_interspersed_args": False},
)
@click.option("-d", "--detach", is_flag=True, help="Don't wait for its end.")
@click.option("-e", "--env", multiple=True, metavar="K=V", help="Set an environment variable.")
@click.option("--index", type=int, default=0, metavar="N", help="In the container with this number.")
@click.option("-T", "--no-tty", "--no-TTY", "no_tty", is_flag=True, help="No terminal.")
@click.option("-i", "--interactive", is_flag=True, default=True, hidden=True)
@click.option("-t", "--tty", is_flag=True, hidden=True)
@click.option("-u", "--user", metavar="USER[:GROUP]", help="Run as this user of the container.")
@click.option("-w", "--workdir", metavar="DIR", help="Start in this folder of the container.")
@click.option("--privileged", is_flag=True, help="Give the command all capabilities.")
@click.option(
    "--no-raise", "raising", is_flag=True, flag_value=False, default=True,
    help="In a notebook: let the cell succeed whatever the exit code is.",
)  # fmt: skip
@click.argument("service")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@pass_desk
def exec_command(
    desk: Desk,
    service: str,
    command: tuple[str, ...],
    detach: bool,
    env: tuple[str, ...],
    index: int,
    no_tty: bool,
    interactive: bool,
    tty: bool,
    user: str | None,
    workdir: str | None,
    privileged: bool,
    raising: bool,
) -> Result:
    desk.body_is_input = True
    one = desk.one_container(service, index)
    context = desk.context
    return execute(
        context,
        ExecOptions(
            container=one.name, command=command, interactive=interactive and not detach and not context.notebook,
            tty=wants_terminal(desk, no_tty=no_tty) and not detach, detach=detach, env=env, user=user, workdir=workdir,
            privileged=privileged, raising=raising,
        ),
    )  # fmt: skip


def wants_terminal(desk: Desk, *, no_tty: bool) -> bool:
    """As docker compose: a terminal unless there is none on either side, or ``-T`` says so."""
    return not no_tty and not desk.context.notebook and desk.context.terminal is not None and sys.stdout.isatty()
