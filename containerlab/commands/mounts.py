"""``mounts``: a container's mount table, each mount with its origin and how long what is written there lasts."""

from __future__ import annotations

__all__ = ["mounts_command"]

import click

from containerlab.commands.context import Context, pass_context
from containerlab.commands.parsing import verb
from containerlab.commands.result import Column, Table


class _Mounted(Table):
    """The mounts, the uppermost first; below them what another engine doesn't tell."""

    note = ""

    def __str__(self) -> str:
        return "\n".join(filter(None, [super().__str__(), self.note]))

    def calm(self) -> str:
        return "\n".join(filter(None, [super().calm(), self.note]))


@verb("mounts", help="Where a container's files come from: image layers, writable layer, volumes, binds, memory.")
@click.option("--table", "as_table", is_flag=True, help="A table in place of the picture.")
@click.argument("container")
@pass_context
def mounts_command(context: Context, container: str, as_table: bool) -> Table:
    from containerlab.lab import mounts_figure
    from containerlab.lab.mounts import read_mounts
    from containerlab.lab.words import say

    found = read_mounts(context.client, container)
    rows = [
        {
            **mount.to_dict(),
            "where": mounts_figure.where(mount),
            "kind": mounts_figure.origin(mount),
            "what": mounts_figure.what(mount),
            "access": mounts_figure.access(mount),
            "lasts": mounts_figure.lasts(mount),
        }
        for mount in reversed(found.mounts)
    ]
    titles = {"where": say("where"), "kind": say("origin"), "what": say("what"), "access": say("access")}
    columns = [Column(key, title.upper()) for key, title in titles.items()]
    result = _Mounted([*columns, Column("lasts", say("lasts").upper())], rows)
    if not found.kernel_told:
        result.note = say("What the kernel mounts of its own this engine doesn't tell: it is not the kit's.")
    if context.notebook and not as_table:
        result.draw(mounts_figure.draw_mounts(found))
    return result
