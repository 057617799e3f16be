"""A Dockerfile's text and the places in it: what every message about a Dockerfile points at."""

from __future__ import annotations

import difflib
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from containerlab.errors import DockerfileError

__all__ = ["FoldedText", "Place", "Source", "did_you_mean"]

_SHOWN = 500
"""Characters of a line, a message or a hint that an error shows: a line may have a million."""


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a source; ``line`` and ``column`` count from 1, column 0 means the line as a whole."""

    line: int
    column: int = 0


@dataclass(frozen=True, slots=True)
class Source:
    """One text that instructions come from: a file, or the trigger of a base image."""

    file: str
    lines: tuple[str, ...]

    def error(self, message: str, place: Place, *, hint: str = "") -> DockerfileError:
        """The error to raise about ``place``; carries that line's text."""
        known = 1 <= place.line <= len(self.lines)
        return DockerfileError(
            _cut(message),
            file=self.file,
            line=place.line,
            column=place.column,
            source=_cut(self.lines[place.line - 1]) if known else "",
            hint=_cut(hint),
        )


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} …"


@dataclass(frozen=True, slots=True)
class FoldedText:
    """A logical line: physical lines joined at their continuations, each character still traceable.

    ``pieces`` are (offset in ``text``, place of that offset's character), ascending.
    """

    text: str
    pieces: tuple[tuple[int, Place], ...]

    def place(self, offset: int) -> Place:
        """Where the character at ``offset`` stands in the source."""
        index = max(bisect_right(self.pieces, offset, key=lambda piece: piece[0]) - 1, 0)
        start, place = self.pieces[index]
        return Place(place.line, place.column + max(offset - start, 0))

    def slice(self, start: int, end: int | None = None) -> FoldedText:
        """``text[start:end]`` with its places."""
        text = self.text[start:end]
        inside = [(offset - start, place) for offset, place in self.pieces if offset > start]
        return FoldedText(text, ((0, self.place(start)), *inside))

    def strip(self) -> FoldedText:
        """Without white space at either end."""
        start = len(self.text) - len(self.text.lstrip())
        return self.slice(start, start + len(self.text.strip()))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``did you mean X?`` for the nearest of ``known``, or an empty string when nothing is near."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else ""
