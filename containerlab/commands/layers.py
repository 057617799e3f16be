"""``layers`` and ``compare``: what the lab room measures and draws."""

from __future__ import annotations

__all__ = ["compare_command", "layers_command"]

from typing import Any

import click

from containerlab.commands import formats, html, names
from containerlab.commands.context import Context, pass_context
from containerlab.commands.parsing import verb
from containerlab.commands.result import Column, Result, Row, Table
from containerlab.commands.watching import Drawn


class _Layers(Table):
    """The layers, and below them what each image wastes, where one does."""

    def __init__(self, columns: list[Column], rows: list[Row], wasted: dict[str, int]) -> None:
        super().__init__(columns, rows, empty="There are no images.")
        self.wasted = wasted

    @property
    def _notes(self) -> list[str]:
        return [
            f"{name} wastes {formats.size(size)}: written in one layer, removed or written again in a later one."
            for name, size in self.wasted.items()
        ]

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), **({"wasted": self.wasted} if self.wasted else {})}

    def __str__(self) -> str:
        return "\n".join([super().__str__(), *self._notes])

    def calm(self) -> str:
        return "\n".join([super().calm(), *self._notes])

    def body(self) -> str:
        return super().body() + "".join(f"<p>{html.escape(note)}</p>" for note in self._notes)


@verb("layers", help="Which layers images share, and what sharing saves: a picture in a notebook, a table elsewhere.")
@click.option("--table", "as_table", is_flag=True, help="A table in place of the picture.")
@click.option("--tree", is_flag=True, help="Which image stands on which, with the size and the waste of each layer.")
@click.argument("images", nargs=-1, metavar="[IMAGE...]")
@pass_context
def layers_command(context: Context, as_table: bool, tree: bool, images: tuple[str, ...]) -> Result:
    from containerlab.lab.sharing import read_sharing

    chosen = images or tuple(name for name in names.image_names(context.client) if ":" in name.rpartition("/")[2])
    sharing = read_sharing(context.client, chosen)
    if tree:
        from containerlab.lab.tree_figure import draw_tree

        return Drawn(draw_tree(sharing))
    rows = [
        {
            "layer": layer.chain_id,
            "size": layer.size,
            "created_by": layer.created_by,
            "images": sharing.users(chain_id),
        }
        for chain_id, layer in sharing.layers.items()
    ]
    columns = [
        Column("layer", "LAYER", text=formats.short_id),
        Column("size", "SIZE", text=formats.size, number=True),
        Column("created_by", "CREATED BY", text=lambda text: text if len(text) <= 45 else text[:44] + "…"),
        Column("images", "USED BY", text=", ".join),
    ]
    result = _Layers(columns, rows, sharing.wasted)
    if rows and context.notebook and not as_table:
        result.draw(_figure(context, chosen))
    return result


def _figure(context: Context, images: tuple[str, ...]) -> Any:
    from containerlab.lab.diagrams import layer_sharing

    return layer_sharing(context.client, *images)


class Compared(Result):
    """A comparison of the lab room, as a verb's result."""

    def __init__(self, comparison: Any) -> None:
        self.comparison = comparison

    def to_dict(self) -> dict[str, Any]:
        return dict(self.comparison.to_dict())

    def __str__(self) -> str:
        return str(self.comparison)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return dict(self.comparison._repr_mimebundle_(include, exclude))


@verb("compare", help="One image as a container and as a virtual machine: start-up, memory, isolation, measured now.")
@click.option("-n", "rounds", type=click.IntRange(3, 200), default=20, help="Starts of the container to measure (20).")
@click.option("--vm-n", "vm_rounds", type=click.IntRange(1, 20), default=3, help="Starts of the virtual machine (3).")
@click.argument("image", default="lab/busybox")
@pass_context
def compare_command(context: Context, image: str, rounds: int, vm_rounds: int) -> Result:
    from containerlab.lab.comparison import compare

    return Compared(compare(image, n=rounds, vm_n=vm_rounds, client=context.client))
