"""``trace``: another verb, with all that it asks of the engine."""

from __future__ import annotations

__all__ = ["trace_command"]

import dataclasses
from typing import Any

import click
import docker

from containerlab.commands.context import Context, pass_context
from containerlab.commands.parsing import verb
from containerlab.commands.result import Result
from containerlab.commands.watching import Drawn
from containerlab.errors import UsageError

_VERSION = "1.43"  # given, so that the client's own question for it isn't in the picture


@verb(
    "trace",
    help="Run another verb, and show every request that it makes to the engine.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="VERB [ARGS]...")
@pass_context
def trace_command(context: Context, words: tuple[str, ...]) -> Result:
    from containerlab.commands.registry import invoke, tree
    from containerlab.lab.trace_figure import draw_trace
    from containerlab.lab.tracer import trace

    if not words or words[0] not in tree.commands or words[0] == "trace":
        raise UsageError("trace needs a verb to run.", hint="trace run --rm lab/busybox true")
    with trace() as tracer:

        def connect() -> Any:
            return docker.DockerClient(base_url=tracer.host, version=_VERSION)

        invoke(words, dataclasses.replace(context, connect=connect))
        calls = tracer.calls
    return Drawn(draw_trace(calls, f"containerlab {words[0]}"))
