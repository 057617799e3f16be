"""``namespaces`` and ``usage``: how a container is walled in, and what it takes while one watches."""

from __future__ import annotations

__all__ = ["namespaces_command", "usage_command"]

from typing import Any

import click

from containerlab.commands import names
from containerlab.commands.context import Context, pass_context
from containerlab.commands.parsing import verb
from containerlab.commands.result import Result


class Drawn(Result):
    """A figure of the lab room as a verb's result: its sentence and table in a terminal, the picture in a notebook."""

    def __init__(self, figure: Any) -> None:
        self.figure = figure

    def to_dict(self) -> dict[str, Any]:
        return dict(self.figure.to_dict())

    def __str__(self) -> str:
        return str(self.figure)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return dict(self.figure._repr_mimebundle_(include, exclude))


@verb("namespaces", help="Which namespaces containers share with each other, and with this host.")
@click.option("--kinds", default="", metavar="KIND,...", help="Only these, as in pid,net.")
@click.argument("containers", nargs=-1)
@pass_context
def namespaces_command(context: Context, kinds: str, containers: tuple[str, ...]) -> Result:
    from containerlab.lab.namespaces import NOTEBOOK, TERMINAL, namespaces

    running = names.container_names(context.client, states=("running", "paused"))
    chosen, here = kinds.split(",") if kinds else (), NOTEBOOK if context.notebook else TERMINAL
    return Drawn(namespaces(context.client, *(containers or running), kinds=chosen, here=here))


@verb("usage", help="Watch a container for some seconds: memory, processors, processes, and the limits it meets.")
@click.option("--for", "seconds", type=click.FloatRange(0.1, 600), default=3, help="How many seconds (3).")
@click.argument("container")
@pass_context
def usage_command(context: Context, seconds: float, container: str) -> Result:
    from containerlab.lab.usage import usage

    return Drawn(usage(context.client, container, seconds))
