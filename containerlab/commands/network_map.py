"""``network map``: who can reach whom, under which name, and where the host and the world beyond come in."""

from __future__ import annotations

__all__ = ["network_map_command"]

from typing import Any

import click

from containerlab.commands.context import Context, pass_context
from containerlab.commands.parsing import verb
from containerlab.commands.result import Column, Table


class _Mapped(Table):
    """A row for each place of each container, below the sentence; a program has the networks too."""

    def __init__(self, columns: list[Column], rows: list[dict[str, Any]], sentence: str, data: dict[str, Any]) -> None:
        super().__init__(columns, rows)
        self.sentence = sentence
        self.data = data

    def to_dict(self) -> dict[str, Any]:
        return self.data

    def __str__(self) -> str:
        return "\n\n".join([self.sentence, super().__str__()] if self.rows else [self.sentence])

    def calm(self) -> str:
        return str(self)


@verb("map", help="Who can reach whom: networks, who is on them under which name, published ports, ways out.")
@click.option("--table", "as_table", is_flag=True, help="A table in place of the picture.")
@click.argument("networks", nargs=-1, metavar="[NETWORK]...")
@pass_context
def network_map_command(context: Context, as_table: bool, networks: tuple[str, ...]) -> Table:
    from containerlab.lab import reach_words
    from containerlab.lab.reach import read_reach
    from containerlab.lab.words import say

    found = read_reach(context.client, networks)
    columns = [Column(key, say(title).upper()) for key, title in reach_words.TITLES.items()]
    result = _Mapped(columns, list(reach_words.rows(found)), reach_words.summary(found), found.to_dict())
    if context.notebook and not as_table and found.places:
        from containerlab.lab.reach_figure import draw_reach

        result.draw(draw_reach(found))
    return result
