"""``--name=value`` flags: cut off an instruction's front, then checked against what the instruction knows."""

from __future__ import annotations

import re
from collections.abc import Mapping

from containerlab.build.dockerfile.nodes import Flag, Node
from containerlab.build.dockerfile.source import FoldedText, did_you_mean

__all__ = ["FlagKind", "FlagSet", "read_flags", "split_flags"]

_SPACE = re.compile(r"\s*")

FlagKind = type[bool] | type[str] | type[list[str]]


class FlagSet:
    """An instruction's flags by name; asking for one that wasn't given answers empty."""

    def __init__(self, given: Mapping[str, list[str]]) -> None:
        self._given = given

    def text(self, name: str) -> str:
        """The value of a flag that may be given once."""
        return self._given.get(name, [""])[0]

    def texts(self, name: str) -> tuple[str, ...]:
        """Every value of a flag that may be repeated."""
        return tuple(self._given.get(name, ()))

    def is_true(self, name: str) -> bool:
        """A boolean flag's value."""
        return self.text(name) == "true"


def split_flags(text: FoldedText, escape: str) -> tuple[tuple[Flag, ...], FoldedText]:
    """The flags at the front of ``text``, and what follows them. A lone ``--`` ends the flags."""
    flags: list[Flag] = []
    at = 0
    while True:
        space = _SPACE.match(text.text, at)
        at = space.end() if space else at
        if not text.text.startswith("--", at):
            break
        start = at
        word, at = _word(text.text, at, escape)
        if word == "--":
            break
        name, equals, value = word[2:].partition("=")
        flags.append(Flag(name, value if equals else None, text.place(start)))
    return tuple(flags), text.slice(at).strip()


def read_flags(node: Node, known: Mapping[str, FlagKind]) -> FlagSet:
    """``node``'s flags, each checked: known, not given twice unless it is a list, with a value unless it is boolean."""
    given: dict[str, list[str]] = {}
    for flag in node.flags:
        kind = known.get(flag.name)
        if kind is None:
            hint = did_you_mean(f"--{flag.name}", [f"--{name}" for name in known])
            expected = ", ".join(f"--{name}" for name in known) or "no flags"
            raise node.source.error(
                f"unknown flag: --{flag.name}", flag.place, hint=hint or f"{node.keyword} knows {expected}"
            )
        if flag.name in given and kind in (bool, str):
            raise node.source.error(f"duplicate flag specified: --{flag.name}", flag.place)
        given.setdefault(flag.name, []).append(_value(node, flag, kind))
    return FlagSet(given)


def _value(node: Node, flag: Flag, kind: FlagKind) -> str:
    if kind is bool:
        if flag.value not in (None, "true", "false"):
            message = f"expecting boolean value for flag --{flag.name}, not {flag.value!r}"
            raise node.source.error(message, flag.place, hint="it is true or false")
        return flag.value or "true"
    if flag.value is None:
        hint = f"write --{flag.name}=VALUE"
        raise node.source.error(f"missing a value on flag: --{flag.name}", flag.place, hint=hint)
    return flag.value


def _word(text: str, at: int, escape: str) -> tuple[str, int]:
    """The word at ``at`` without its quotes and escapes, and where it ends."""
    word: list[str] = []
    quote = ""
    while at < len(text):
        character = text[at]
        if character == escape:
            at += 1
            word.append(text[at : at + 1])
        elif quote:
            if character == quote:
                quote = ""
            else:
                word.append(character)
        elif character in "'\"":
            quote = character
        elif character.isspace():
            break
        else:
            word.append(character)
        at += 1
    return "".join(word), min(at, len(text))
