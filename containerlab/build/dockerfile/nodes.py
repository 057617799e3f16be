"""What the parser hands on: one node an instruction, not yet understood, but located to the character."""

from __future__ import annotations

from dataclasses import dataclass

from containerlab.build.dockerfile.source import FoldedText, Place, Source
from containerlab.errors import DockerfileError

__all__ = ["Directives", "Flag", "Heredoc", "Node", "Notice"]


@dataclass(frozen=True, slots=True)
class Heredoc:
    """A here-document: ``<<NAME``. ``content`` is as written, with leading tabs gone after ``<<-``.

    ``expand``: no part of the name was quoted, so that variables in ``content`` count. ``body`` is the text as
    written, for a shell that reads the here-document itself.
    """

    name: str
    expand: bool
    chomp: bool
    file_descriptor: int
    content: str
    body: str
    line: int


@dataclass(frozen=True, slots=True)
class Flag:
    """``--name=value`` before an instruction's arguments; ``value`` is None where no ``=`` stood."""

    name: str
    value: str | None
    place: Place


@dataclass(frozen=True, slots=True)
class Node:
    """One instruction: ``keyword`` in capitals, ``flags``, and ``arguments`` as one folded line.

    ``original`` is the logical line as written. ``json`` holds the arguments where they are a JSON array of strings.
    """

    source: Source
    keyword: str
    original: str
    flags: tuple[Flag, ...]
    arguments: FoldedText
    json: tuple[str, ...] | None
    heredocs: tuple[Heredoc, ...]
    place: Place
    end_line: int

    def error(self, message: str, *, offset: int | None = None, hint: str = "") -> DockerfileError:
        """The error to raise about this node, or about the character at ``offset`` of its arguments."""
        place = self.place if offset is None else self.arguments.place(offset)
        return self.source.error(message, place, hint=hint)


@dataclass(frozen=True, slots=True)
class Directives:
    """The parser directives at the top of a file: ``# syntax=``, ``# escape=``, ``# check=``."""

    syntax: str = ""
    escape: str = "\\"
    check: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that works, but not as its author may think."""

    message: str
    place: Place
