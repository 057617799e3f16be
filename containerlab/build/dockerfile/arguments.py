"""The shapes that arguments come in: words, ``name=value`` pairs, JSON or shell form, durations.

Every reader raises DockerfileError at the character that breaks the form, and says what was expected.
"""

from __future__ import annotations

import re

from containerlab.build.dockerfile.instructions import CommandLine
from containerlab.build.dockerfile.nodes import Node
from containerlab.build.dockerfile.parser import json_form
from containerlab.build.dockerfile.words import WordError, expand, split_words

__all__ = [
    "check_words",
    "command_line",
    "duration",
    "list_form",
    "pairs",
    "refuse_bad_json",
    "require",
    "single",
    "words",
]

_JSON_LIKE = re.compile(r"""\[(?:["']|\s+(["'])[^"']*\1\s*(?:,|\]\s*\Z)|\s*[\w./:-]+\s*,)""")
_SPACE = re.compile(r"\s*")
_LONGEST_NS = 2**63 - 1  # Go's time.Duration
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}


def require(node: Node, condition: bool, expected: str) -> None:
    """Docker's wording for a wrong number of arguments: ``WORKDIR requires exactly one argument``."""
    if not condition:
        raise node.error(f"{node.keyword} requires {expected}", hint=f"found: {node.arguments.text or 'nothing'}")


def words(node: Node, escape: str) -> list[tuple[int, str]]:
    """The arguments split at unquoted white space, quotes kept, each with its offset."""
    return split_words(node.arguments.text, escape)


def pairs(node: Node, escape: str) -> tuple[tuple[str, str], ...]:
    """``name=value …``, or the old ``name value``, where the value is the rest of the line."""
    found = words(node, escape)
    require(node, bool(found), "at least one argument")
    if "=" not in found[0][1]:
        parts = re.split(r"\s+", node.arguments.text, maxsplit=1)
        if len(parts) < 2 or not parts[1]:
            raise node.error(f"{node.keyword} must have two arguments", offset=0, hint="expected name=value")
        return ((parts[0], parts[1]),)
    result: list[tuple[str, str]] = []
    for offset, word in found:
        name, equals, value = word.partition("=")
        if not equals:
            message = f"syntax error: can't find = in {word!r}"
            raise node.error(message, offset=offset, hint="expected name=value")
        if not name:
            raise node.error(f"{node.keyword} names can not be blank", offset=offset, hint="expected name=value")
        check_words(node, word, offset, escape)
        result.append((name, value))
    return tuple(result)


def check_words(node: Node, text: str, offset: int, escape: str) -> None:
    """Raise now, with its column, what expanding ``text`` would raise whatever the variables are."""
    try:
        expand(text, lambda name: "set", escape)
    except WordError as error:
        hint = "expected $name, ${name} or ${name:-value}" if "quote" not in error.message else "close the quote"
        raise node.error(error.message, offset=offset + error.offset, hint=hint) from None


def single(node: Node, escape: str) -> str:
    """The whole rest of the line as one argument."""
    require(node, bool(node.arguments.text), "exactly one argument")
    check_words(node, node.arguments.text, 0, escape)
    return node.arguments.text


def list_form(node: Node, escape: str) -> tuple[str, ...]:
    """A JSON array, or words; for ADD, COPY and VOLUME."""
    if node.json is not None:
        return node.json
    refuse_bad_json(node)
    found = words(node, escape)
    for offset, word in found:
        check_words(node, word, offset, escape)
    return tuple(word for _, word in found)


def command_line(node: Node) -> CommandLine:
    """A JSON array, or one text for the shell; for RUN, CMD and ENTRYPOINT."""
    if node.json is not None:
        return CommandLine(node.json, shell=False)
    refuse_bad_json(node)
    text = node.arguments.text
    return CommandLine((text,) if text else (), shell=True)


def refuse_bad_json(node: Node, *, offset: int = 0) -> None:
    """Raise where the arguments are meant as a JSON array and are none.

    Docker would hand them to the shell, where ``["echo",`` is no command; ``[ -f x ]`` is one and passes.
    """
    text = node.arguments.text[offset:]
    if _JSON_LIKE.match(text) and json_form(text) is None:
        at = offset + _first_fault(text)
        hint = 'expected a JSON array of strings in double quotes: ["program", "argument"]'
        raise node.error(f"{node.keyword}: this isn't a JSON array of strings", offset=at, hint=hint)


_JSON_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')


def _first_fault(text: str) -> int:
    """The offset in ``text``, which begins with ``[``, where it stops being an array of strings."""
    at = 1
    while True:
        at = _after_space(text, at)
        string = _JSON_STRING.match(text, at)
        if string is None:
            return at
        at = _after_space(text, string.end())
        following = text[at : at + 1]
        at += 1
        if following == "]":
            return _after_space(text, at)
        if following != ",":
            return at - 1


def _after_space(text: str, at: int) -> int:
    """Where the white space at ``at`` ends."""
    space = _SPACE.match(text, at)
    return space.end() if space else at


def duration(node: Node, text: str) -> int:
    """``1m30s``, ``500ms`` in nanoseconds; empty is 0. Docker takes no fewer than 1ms."""
    if not text:
        return 0
    total = 0.0
    at = 0
    while at < len(text):
        match = _DURATION.match(text, at)
        if match is None:
            raise node.error(f"invalid duration {text!r}", hint="expected a number and a unit, as 30s or 1m30s")
        total += float(match[1]) * _NANOSECONDS[match[2]]
        at = match.end()
    if total < 1_000_000:
        raise node.error(f"{text} is too short", hint="the least duration is 1ms")
    if total > _LONGEST_NS:
        raise node.error(f"invalid duration {text[:40]!r}: it is too long", hint="the longest is about 292 years")
    return int(total)
