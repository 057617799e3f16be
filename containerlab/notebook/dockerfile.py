"""``%%dockerfile``: the same as ``build``, with the Dockerfile in the cell."""

from __future__ import annotations

__all__ = ["dockerfile_command"]

from pathlib import Path
from typing import Any

import click

from containerlab.commands.build import BuildOptions, carry_out
from containerlab.commands.build_options import build_options
from containerlab.commands.context import Context, pass_context
from containerlab.commands.result import Result


@click.command(
    "dockerfile",
    help="Build an image from the Dockerfile in the cell. Without --context COPY has no files, only heredocs.",
)
@build_options
@click.option(
    "--context",
    "folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The folder that COPY and ADD take from.",
)
@pass_context
def dockerfile_command(context: Context, /, folder: Path | None, **options: Any) -> Result:
    chosen = BuildOptions(context=folder, dockerfile=context.body or b"", **options)
    return carry_out(context, chosen)
