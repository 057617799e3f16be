"""``trace``: another verb, with all that it asks of the engine."""

from __future__ import annotations

__all__ = ["trace_command"]

import dataclasses
from typing import Any

import click
import docker

from containerlab.commands.context import Context, pass_context
from containerlab.commands.invoking import invoke
from containerlab.commands.parsing import verb
from containerlab.commands.result import Result
from containerlab.commands.watching import Drawn
from containerlab.errors import UsageError


@verb(
    "trace",
    help="Run another verb, and show every request that it makes to the engine.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="VERB [ARGS]...")
@pass_context
def trace_command(context: Context, words: tuple[str, ...]) -> Result:
    from containerlab.client import API_VERSION
    from containerlab.lab.trace_figure import draw_trace
    from containerlab.lab.tracer import trace

    root = click.get_current_context().find_root()
    if not words or not isinstance(root.command, click.Group) or words[0] not in {*root.command.commands} - {"trace"}:
        raise UsageError("trace needs a verb to run.", hint="trace run --rm lab/busybox true")
    with trace() as tracer:

        def connect() -> Any:
            # The version is given, so that the client's own question for it isn't in the picture.
            return docker.DockerClient(base_url=tracer.host, version=API_VERSION)

        traced = dataclasses.replace(context, connect=connect)
        invoke(words, traced, prog=root.info_name or "containerlab", command=root.command)
        calls = tracer.calls
    return Drawn(draw_trace(calls, f"containerlab {words[0]}"))
