"""``pause`` and ``unpause``: a container's processes held still by the cgroup freezer."""

from __future__ import annotations

__all__ = ["pause_command", "unpause_command"]

import click

from containerlab.commands.context import Context, pass_context
from containerlab.commands.many import each
from containerlab.commands.parsing import verb
from containerlab.commands.result import Result

_NAMES = click.argument("containers", nargs=-1, required=True, metavar="CONTAINER...")


@verb("pause", help="Hold all processes of containers still, without their noticing.")
@_NAMES
@pass_context
def pause_command(context: Context, containers: tuple[str, ...]) -> Result:
    return each(context, containers, lambda name: context.client.api.pause(name))


@verb("unpause", help="Let paused containers go on.")
@_NAMES
@pass_context
def unpause_command(context: Context, containers: tuple[str, ...]) -> Result:
    return each(context, containers, lambda name: context.client.api.unpause(name))
