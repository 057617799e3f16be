"""What a verb gives back: an object that a terminal, a notebook and a program can each read.

``str(result)`` is what a terminal shows. The mime bundle is what a notebook shows: its times are classes (``minutes
ago``), so that a notebook run again shows the same words. ``to_dict()`` holds everything, exactly.
"""

from __future__ import annotations

__all__ = ["Column", "Document", "Finished", "Lines", "Result", "Row", "Started", "Table"]

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from containerlab.commands import html, template
from containerlab.errors import UsageError

Row = dict[str, Any]


class Result:
    """The base of all results; ``exit_code`` is what the command line exits with."""

    exit_code: int = 0
    _hushed: Callable[[], bool] | None = None

    def to_dict(self) -> dict[str, Any]:
        raise NotImplementedError

    def calm(self) -> str:
        """The plain text that a notebook keeps."""
        return str(self)

    def body(self) -> str:
        """The HTML that a notebook shows, without its style."""
        return html.preformatted(self.calm())

    def hush(self, hushed: Callable[[], bool]) -> None:
        """Show nothing as a cell's value as long as ``hushed()`` is true."""
        self._hushed = hushed

    def __repr__(self) -> str:
        return self.calm()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": self.calm(), "text/html": html.page(self.body())}

    def _ipython_display_(self) -> None:
        """IPython's escape hatch: raising here makes it use the mime bundle."""
        if self._hushed is None or not self._hushed():
            raise NotImplementedError


@dataclass(frozen=True)
class Column:
    """A column of a table: where its value is in a row, and how it is written.

    ``field`` is its name in ``--format`` (Docker's); ``calm`` its text in a notebook where that must differ; a
    ``hidden`` column serves ``--format`` alone.
    """

    key: str
    title: str
    field: str = ""
    text: Callable[[Any], str] = str
    calm: Callable[[Any], str] | None = None
    number: bool = False
    hidden: bool = False


class Table(Result):
    """Rows under columns. Iterating gives the rows, dicts with every value unrounded."""

    def __init__(
        self,
        columns: Sequence[Column],
        rows: Sequence[Row],
        *,
        empty: str = "Nothing to show.",
        lines: str | None = None,
    ) -> None:
        """``empty`` is the sentence for no rows; ``lines`` a ``--format`` template that replaces the table."""
        self.columns = list(columns)
        self.rows = list(rows)
        self.empty = empty
        self.lines = lines
        self._figure: Any = None
        self._live: tuple[Callable[[Callable[[], Table], float], Any], Callable[[], Table]] | None = None

    def draw(self, figure: Any) -> None:
        """In a notebook show this figure (anything with a mime bundle), which holds the table beside its picture."""
        self._figure = figure

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        if self._figure is None:
            return super()._repr_mimebundle_(include, exclude)
        return dict(self._figure._repr_mimebundle_(include, exclude))

    def live_by(self, show: Callable[[Callable[[], Table], float], Any] | None, read: Callable[[], Table]) -> None:
        """Let :meth:`live` show what ``read`` gives, by the front end's own means."""
        self._live = None if show is None else (show, read)

    def live(self, seconds: float = 600) -> Any:
        """The same table, read anew every second, with a button that stops it. Raises UsageError outside a notebook."""
        if self._live is None:
            raise UsageError("Only `stats` in a notebook can be shown live.")
        show, read = self._live
        return show(read, seconds)

    @property
    def shown(self) -> list[Column]:
        if self.lines and self.lines.startswith("table "):
            named = [column for column in self.columns if f"{{{{.{column.field}}}}}" in self.lines]
            return sorted(named, key=lambda column: (self.lines or "").index(f"{{{{.{column.field}}}}}"))
        return [column for column in self.columns if not column.hidden]

    @property
    def titles(self) -> list[str]:
        return [column.title for column in self.shown]

    def cells(self, *, calm: bool = False) -> list[list[str]]:
        """The text of every shown cell, row by row."""
        return [
            [(column.calm or column.text if calm else column.text)(row[column.key]) for column in self.shown]
            for row in self.rows
        ]

    def fields(self, row: Row) -> dict[str, str]:
        """A row under Docker's field names, for ``--format``."""
        return {column.field: column.text(row[column.key]) for column in self.columns if column.field}

    def _template_fields(self, row: Row) -> dict[str, Any]:
        """Also ``.Label``, which takes a label's name."""
        return {**self.fields(row), **({"Label": row["labels"]} if "labels" in row else {})}

    def to_dict(self) -> dict[str, Any]:
        return {"rows": self.rows}

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Row:
        return self.rows[index]

    def __str__(self) -> str:
        if self._formatted:
            return "\n".join(self._format_row(row) for row in self.rows)
        return _aligned(self.titles, self.cells())

    def calm(self) -> str:
        if self._formatted:
            return str(self)
        return _aligned(self.titles, self.cells(calm=True)) if self.rows else self.empty

    def body(self) -> str:
        if self._formatted:
            return html.preformatted(str(self))
        if not self.rows:
            return f'<p class="cl-mute">{html.escape(self.empty)}</p>'
        return html.table(self.titles, self.cells(calm=True), numbers=[column.number for column in self.shown])

    @property
    def _formatted(self) -> bool:
        return bool(self.lines) and not str(self.lines).startswith("table")

    def _format_row(self, row: Row) -> str:
        if self.lines in ("json", "{{json .}}"):
            return json.dumps(self.fields(row), ensure_ascii=False)
        return template.render(self.lines or "", self._template_fields(row))


class Lines(Result):
    """Lines of text: the names that ``stop`` or ``rm`` dealt with, the ids of ``-q``."""

    def __init__(self, lines: Sequence[str], *, exit_code: int = 0) -> None:
        self.lines = list(lines)
        self.exit_code = exit_code

    def to_dict(self) -> dict[str, Any]:
        return {"lines": self.lines}

    def __iter__(self) -> Iterator[str]:
        return iter(self.lines)

    def __len__(self) -> int:
        return len(self.lines)

    def __getitem__(self, index: int) -> str:
        return self.lines[index]

    def __str__(self) -> str:
        return "\n".join(self.lines)

    def _ipython_display_(self) -> None:
        if self.lines:
            super()._ipython_display_()


class Document(Result):
    """A JSON document, as ``inspect`` gives it; ``summary`` is the sentence above it in a notebook."""

    def __init__(self, data: Any, *, summary: str = "") -> None:
        self.data = data
        self.summary = summary

    def to_dict(self) -> dict[str, Any]:
        return {"data": self.data}

    def __iter__(self) -> Iterator[Any]:
        return iter(self.data)

    def __getitem__(self, key: Any) -> Any:
        return self.data[key]

    def __str__(self) -> str:
        return json.dumps(self.data, indent=4, ensure_ascii=False)

    def body(self) -> str:
        text = html.preformatted(str(self))
        if not self.summary:
            return text
        return f"<details><summary>{html.escape(self.summary)}</summary>{text}</details>"


@dataclass(repr=False)
class Started(Result):
    """A container that was made or started and isn't waited for. A terminal shows its id."""

    id: str
    name: str
    image: str
    verb: str = "runs in the background"
    warnings: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        return {"id": self.id, "name": self.name, "image": self.image, "warnings": self.warnings}

    def __str__(self) -> str:
        return self.id

    def calm(self) -> str:
        return f"Container {self.name} ({self.image}) {self.verb}."

    def body(self) -> str:
        return f"<p>Container <b>{html.escape(self.name)}</b> ({html.escape(self.image)}) {html.escape(self.verb)}.</p>"


@dataclass(repr=False)
class Finished(Result):
    """A program that has run to its end (or whose log was read): its output was streamed, and is kept here.

    ``stdout`` and ``stderr`` are text (bytes that aren't UTF-8 are replaced); ``truncated`` says that only their last
    16 MiB were kept; ``seconds`` is the wall time of the attached stream.
    """

    what: str
    stdout: str = ""
    stderr: str = ""
    seconds: float = 0.0
    exit_code: int = 0
    name: str = ""
    id: str = ""
    truncated: bool = False
    detached: bool = False

    def to_dict(self) -> dict[str, Any]:
        return {
            "what": self.what, "exit_code": self.exit_code, "stdout": self.stdout, "stderr": self.stderr,
            "seconds": self.seconds, "name": self.name, "id": self.id, "truncated": self.truncated,
        }  # fmt: skip

    def __str__(self) -> str:
        return ""

    def calm(self) -> str:
        return f"{self.what} ended with exit code {self.exit_code}."


def _aligned(titles: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    """Columns three blanks apart, the last one unpadded."""
    rows = [list(titles), *[list(row) for row in cells]]
    widths = [max(len(row[index]) for row in rows) for index in range(len(titles))]
    return "\n".join(
        "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
