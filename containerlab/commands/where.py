"""``where``: which layer, and which line of a Dockerfile, made a file of an image."""

from __future__ import annotations

__all__ = ["Where", "where_command"]

import re
from dataclasses import dataclass
from typing import Any

import click

from containerlab.commands import formats, html
from containerlab.commands.build_context import CELL_DOCKERFILE
from containerlab.commands.context import Context, pass_context
from containerlab.commands.own_engine import lab_facts
from containerlab.commands.parsing import verb
from containerlab.commands.result import Result

_TITLES = ("LAYER", "WHAT", "SIZE", "LINE", "BY")
_LONGEST = 60
_COPIED = re.compile(r"^(ADD|COPY) (?:--\S+ )*(?:file|dir|multi):[0-9a-f]{64} in (.*)$")


@dataclass(repr=False)
class Where(Result):
    """``facts`` is the answer of ``GET /containerlab/where`` (docs/interfaces.md)."""

    image: str
    facts: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.image, **self.facts}

    @property
    def sentence(self) -> str:
        """The answer in words."""
        path = self.facts["path"]
        through = f" (which is {self.facts['resolved']})" if self.facts["resolved"] != path else ""
        if self.facts["exists"]:
            return f"{path}{through} in {self.image} was made by {_maker(self.facts['made_by'])}."
        return f"{path}{through} is not in {self.image}: it was removed by {_maker(self.facts['removed_by'])}."

    @property
    def rows(self) -> list[list[str]]:
        """Every layer that touched it, newest first."""
        return [
            [
                f"{each['number']} {formats.short_id(each['layer'])}",
                each["action"] + (f" {each['kind']}" if each["kind"] else ""),
                formats.size(each["size"]) if each["kind"] == "file" else "",
                _line(each),
                _words(each),
            ]
            for each in reversed(self.facts["history"])
        ]

    def __str__(self) -> str:
        if len(self.rows) == 1:
            return self.sentence
        table = [list(_TITLES), *self.rows]
        widths = [max(len(row[column]) for row in table) for column in range(len(_TITLES))]
        lines = ["   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in table]
        return "\n".join([self.sentence, "", *(line.rstrip() for line in lines)])

    def body(self) -> str:
        return f"<p>{html.escape(self.sentence)}</p>" + html.table(_TITLES, self.rows, numbers=(False, False, True))


def _maker(event: dict[str, Any]) -> str:
    line = _line(event)
    return (_words(event) or "a layer without a history") + (f" ({line})" if line else "")


def _line(event: dict[str, Any]) -> str:
    name = event["dockerfile"] if event["dockerfile"] != CELL_DOCKERFILE else ""
    return f"{name or 'Dockerfile'}:{event['line']}" if event["line"] else ""


def _words(event: dict[str, Any]) -> str:
    """The instruction as it was written, else as far as a history keeps it: the classic builder's has digests."""
    words = " ".join((event.get("instruction") or event["created_by"]).split())
    if words.startswith("/bin/sh -c #(nop)"):
        words = words.removeprefix("/bin/sh -c #(nop)").strip()
    elif words.startswith("/bin/sh -c "):
        words = "RUN " + words.removeprefix("/bin/sh -c ")
    words = _COPIED.sub(r"\1 \2", words)
    return words if len(words) <= _LONGEST else words[: _LONGEST - 1] + "…"


@verb("where", help="Which layer and which line of a Dockerfile made a file of an image, or removed it.")
@click.argument("image")
@click.argument("path")
@pass_context
def where_command(context: Context, image: str, path: str) -> Result:
    facts = lab_facts(context, "/containerlab/where", "where a file is from", image=image, path=path)
    return Where(image, facts)
