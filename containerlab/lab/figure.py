"""What every picture of the kit is: a drawing, a sentence that says the same, and a table of its figures.

A notebook shows the three as one ``<figure>``. Where the notebook isn't trusted JupyterLab strips the style sheet and
of the inline SVG all but its words; these stay hidden without the style sheet, the ``<img>`` that it hides comes to
light, and the sentence and the table are still there. A terminal and nbval see the sentence and the table alone.
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure as Canvas

from containerlab.lab import svg, theme
from containerlab.lab.words import say

__all__ = ["Figure", "Table"]

_STYLE = theme.css("cl-figure")


@dataclass(frozen=True)
class Table:
    """The figures behind a picture: ``head`` names the columns, ``rows`` hold text ready to read."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def to_html(self) -> str:
        """A table whose column heads are ``<th scope=col>`` and whose first cells are ``<th scope=row>``.

        A corner without a name is no head: a screen reader would announce an empty one.
        """
        head = "".join(f'<th scope="col">{html.escape(name)}</th>' if name else "<td></td>" for name in self.head)
        rows = "".join(self._row(row) for row in self.rows)
        return f'<table class="cl-table"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'

    @staticmethod
    def _row(row: Sequence[str]) -> str:
        first, *rest = row
        cells = "".join(f"<td>{html.escape(cell)}</td>" for cell in rest)
        return f'<tr><th scope="row">{html.escape(first)}</th>{cells}</tr>'

    def __str__(self) -> str:
        lines = [list(self.head), *(list(row) for row in self.rows)]
        widths = [max(_columns(line[column]) for line in lines) for column in range(len(self.head))]
        return "\n".join(
            "  ".join(cell + " " * (width - _columns(cell)) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        )


def _columns(words: str) -> int:
    """How wide a terminal writes it: a Hangul syllable takes two columns (Unicode, annex 11)."""
    return sum(1 + (unicodedata.east_asian_width(letter) in "WF") for letter in words)


@dataclass(frozen=True)
class Figure:
    """A finished picture. ``summary`` is one true sentence that says what the picture shows."""

    title: str
    summary: str
    canvas: Canvas
    table: Table
    tips: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.title}: {self.summary}\n\n{self.table}"

    def __repr__(self) -> str:
        return f"<Figure: {self.title}>"

    def to_dict(self) -> dict[str, Any]:
        """The figures themselves, for a program."""
        return dict(self.data)

    def to_html(self) -> str:
        """One ``<figure>``; carries its own style sheet, because an output may be shown alone."""
        drawn = svg.draw(self.canvas, self.tips)
        drawing = svg.inline(drawn, self.title, self.summary)
        picture = svg.data_url(svg.standalone(drawn))
        words = html.escape(f"{self.title}. {self.summary}", quote=True)
        more = html.escape(say("The figures as a table"))
        return (
            f'<figure class="cl-figure"><style>{_STYLE}</style>'
            f'<div class="cl-drawing" style="display:none">{drawing}</div>'
            f'<img class="cl-fallback" alt="{words}" src="{picture}">'
            f"<figcaption><strong>{html.escape(self.title)}.</strong> {html.escape(self.summary)}</figcaption>"
            f"<details><summary>{more}</summary>{self.table.to_html()}</details></figure>"
        )

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return {"text/html": self.to_html(), "text/plain": str(self), "image/png": svg.png(self.canvas)}

    def save(self, path: Path | str) -> Path:
        """Write the picture to ``path``: SVG or PNG, by its ending."""
        target = Path(path)
        if target.suffix == ".png":
            target.write_bytes(svg.png(self.canvas))
        else:
            target.write_text(svg.standalone(svg.draw(self.canvas, self.tips)))
        return target
