"""``diff``: what a container has added, changed and deleted since it was made from its image."""

from __future__ import annotations

__all__ = ["diff_command"]

import click

from containerlab.commands.context import Context, pass_context
from containerlab.commands.parsing import verb
from containerlab.commands.result import Column, Result, Table

_LETTERS = "CAD"
_MEANING = {"C": "changed", "A": "added", "D": "deleted"}


@verb("diff", help="What a container has added (A), changed (C) and deleted (D) beside its image.")
@click.argument("container")
@pass_context
def diff_command(context: Context, container: str) -> Result:
    found = context.client.api.diff(context.variable(container)) or []
    rows = [{"kind": _LETTERS[change["Kind"]], "path": change["Path"]} for change in found]
    rows.sort(key=lambda row: row["path"])
    columns = [
        Column("kind", "", field="Type", calm=lambda letter: f"{letter} {_MEANING[letter]}"),
        Column("path", "PATH", field="Path"),
    ]
    return Table(
        columns,
        rows,
        empty="Its files are as in its image.",
        lines=None if context.notebook else "{{.Type}} {{.Path}}",
    )
