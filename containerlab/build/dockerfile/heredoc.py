"""Here-documents: finding ``<<NAME`` in a line, and reading the bodies below it.

A word counts when it begins with ``<<`` or ``<<-``, perhaps after a descriptor's number; a name with any quoted part
keeps its body from expansion. See https://docs.docker.com/reference/dockerfile/#here-documents.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from containerlab.build.dockerfile.words import WordError, has_quotes, split_words, unquote

__all__ = ["Opening", "chomp", "find_openings", "opening"]

_OPENING = re.compile(r"([0-9]{0,3})<<(-?)([^<]+)\Z")
_LEADING_TABS = re.compile(r"^\t+", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Opening:
    """``<<NAME`` in an instruction's line, at ``offset`` of its arguments."""

    name: str
    expand: bool
    chomp: bool
    file_descriptor: int
    offset: int


def find_openings(text: str, escape: str) -> list[Opening]:
    """Every here-document that ``text`` opens, in the order of their bodies."""
    if "<<" not in text:
        return []
    found = (opening(word, escape, offset) for offset, word in split_words(text, escape))
    return [each for each in found if each is not None]


def opening(word: str, escape: str, offset: int = 0) -> Opening | None:
    """``word`` as the opening of a here-document, or None when it is something else."""
    match = _OPENING.match(word)
    if match is None:
        return None
    try:
        name = unquote(match[3], escape)
    except WordError:
        return None
    if not name or any(character.isspace() for character in match[3]):
        return None
    return Opening(name, not has_quotes(match[3], escape), bool(match[2]), int(match[1] or 0), offset)


def chomp(body: str) -> str:
    """``body`` as ``<<-`` has it: without the tabs at each line's start."""
    return _LEADING_TABS.sub("", body)
