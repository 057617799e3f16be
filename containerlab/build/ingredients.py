"""What a step was made of, kept from one build to the next: so that a step that is made again can say why.

The cache itself needs none of this: its key is one digest, which tells that something changed and never what.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import msgspec

from containerlab.build.dockerfile.instructions import Instruction

__all__ = ["MOST_FILES", "Ingredients", "Listing", "Read", "StageRecord", "printable", "remembered", "short", "text_of"]

MOST_FILES = 25_000
"""Of a source with more files no single one is remembered."""

_LONGEST = 200

Listing = dict[str, tuple[int, bytes]]
"""Paths of an origin, each with its mode and the first eight bytes of its content's digest."""


@dataclass(frozen=True, slots=True)
class Read:
    """What a step reads: the name as it stands in the Dockerfile, its digest, and its files where they are known."""

    name: str
    digest: str
    listing: Listing | None = None


class Ingredients(msgspec.Struct, frozen=True):
    """One step. ``parent`` is a digest of all that it could see of the steps above it.

    ``variables`` maps ``ARG NAME`` and ``ENV NAME`` to the value in use, None where there was none; ``reads`` holds
    names and digests; ``settings`` what the build was asked for besides. ``finished`` is false for a step that failed.
    """

    text: str
    parent: str
    variables: dict[str, str | None] = {}
    reads: list[tuple[str, str]] = []
    settings: dict[str, str] = {}
    finished: bool = True


class StageRecord(msgspec.Struct):
    """The steps of one stage, FROM excepted: ``base`` is its name there, ``base_id`` what stood under it.

    ``complete`` is false where the build ended before the stage did.
    """

    base: str = ""
    base_id: str = ""
    steps: list[Ingredients] = []
    complete: bool = False


def text_of(instruction: Instruction) -> str:
    """An instruction as it was written, its here-documents with it."""
    return "\n".join([instruction.original, *(heredoc.body for heredoc in instruction.node.heredocs)])


def printable(name: str) -> str:
    """A file's name that is no UTF-8 can neither be kept as text nor sent: its odd bytes as ``\\xff``."""
    return name if name.isascii() else name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def remembered(value: str | None) -> str | None:
    """A variable's value, a long one by its beginning and its digest."""
    if value is None:
        return None
    value = printable(value)
    if len(value) <= _LONGEST:
        return value
    digest = hashlib.sha256(value.encode()).hexdigest()
    return f"{value[: _LONGEST - 20]}… ({digest[:12]})"


def short(text: str) -> str:
    """A value as it can be shown: one line, not too long."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
