"""Path patterns by Go's ``filepath.Match``, as Docker uses them; with ``**`` also by the rules of ``.dockerignore``.

``*`` is any run without a slash, ``?`` one character but a slash, ``[a-z]`` and ``[^a-z]`` one of a set; the backslash
takes the next character as it is. ``**`` (where enabled) crosses slashes. See https://pkg.go.dev/path/filepath#Match
and https://docs.docker.com/build/concepts/context/#syntax.
"""

from __future__ import annotations

import re

__all__ = ["MAX_PATTERN", "compile_pattern", "has_wildcard", "literal_prefix", "unescape"]

MAX_PATTERN = 4096
_MAX_DOUBLE_STARS = 8
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_WILD = re.compile(r"[*?\[\\]")


def has_wildcard(pattern: str) -> bool:
    """Does ``pattern`` stand for anything but its own text?"""
    return _WILD.search(pattern) is not None


def literal_prefix(pattern: str) -> str:
    """What every match of ``pattern`` begins with."""
    match = _WILD.search(pattern)
    return pattern[: match.start()] if match else pattern


def unescape(pattern: str) -> str:
    """A pattern without wildcards as the text that it stands for."""
    return _ESCAPED.sub(r"\1", pattern)


def compile_pattern(pattern: str, *, double_star: bool = False) -> re.Pattern[str]:
    """``pattern`` as a regular expression for ``fullmatch``. Raises ValueError when it breaks the grammar."""
    if len(pattern) > MAX_PATTERN:
        raise ValueError(f"the pattern is longer than {MAX_PATTERN} characters")
    tokens = _tokens(pattern, double_star)
    if tokens.count("**") + tokens.count("**/") > _MAX_DOUBLE_STARS:
        raise ValueError(f"the pattern has more than {_MAX_DOUBLE_STARS} times **")
    return re.compile(_expression(tokens), re.DOTALL)


def _tokens(pattern: str, double_star: bool) -> list[str]:
    """``*``, ``?``, ``**`` and ``**/`` as they are; everything else as a regular expression of one character."""
    tokens: list[str] = []
    at = 0
    while at < len(pattern):
        character = pattern[at]
        if double_star and pattern.startswith("**", at):
            at += 2
            slash = pattern.startswith("/", at)
            at += slash
            tokens.append("**/" if slash else "**")
            continue
        if character == "[":
            end = _class_end(pattern, at)
            tokens.append(_class(pattern[at + 1 : end]))
            at = end
        elif character == "\\":
            at += 1
            if at == len(pattern):
                raise ValueError("nothing follows the last \\")
            tokens.append(re.escape(pattern[at]))
        elif character in "*?":
            tokens.append(character)
        else:
            tokens.append(re.escape(character))
        at += 1
    return tokens


def _expression(tokens: list[str]) -> str:
    literal_after_first = not any(token in ("*", "?", "**", "**/") for token in tokens[1:])
    parts: list[str] = []
    for index, token in enumerate(tokens):
        if token == "?":
            parts.append("[^/]")
        elif token == "*":
            parts.append("[^/]*" if not parts or parts[-1] != "[^/]*" else "")
        elif token in ("**", "**/"):
            if index == len(tokens) - 1 or (index == 0 and token == "**" and literal_after_first):
                parts.append(".*")
            else:
                # moby's matcher lets ** end at a slash only, also where none is written: a**b is a(.*/)?b.
                parts.append("(?:.*/)?")
        else:
            parts.append(token)
    return "".join(_atomic(parts))


def _atomic(parts: list[str]) -> list[str]:
    """Keep a star from being tried again once the text up to the next star was found; it changes no answer.

    Within one path component the first fit of the text between two stars is as good as any later one. Without this a
    pattern of many stars takes a time that grows with the power of their number.
    """
    result: list[str] = []
    open_group = False
    for index, part in enumerate(parts):
        if part == "[^/]*":
            if open_group:
                result.append(")")
            rest = parts[index + 1 :]
            following = next((each for each in rest if each in ("[^/]*", "(?:.*/)?", ".*")), "")
            open_group = following == "[^/]*"
            result.append("(?>[^/]*?" if open_group else part)
        else:
            result.append(part)
    return result


def _class_end(pattern: str, start: int) -> int:
    """Where the ``]`` of the set that begins at ``start`` stands."""
    at = start + 1
    while at < len(pattern) and pattern[at] != "]":
        at += 2 if pattern[at] == "\\" else 1
    if at >= len(pattern):
        raise ValueError("a [ has no ]")
    return at


def _class(body: str) -> str:
    """The inside of ``[…]`` as a regular expression."""
    negated = body.startswith("^")
    at = int(negated)
    ranges: list[str] = []
    while at < len(body):
        low, at = _class_character(body, at)
        high = low
        if body.startswith("-", at):
            high, at = _class_character(body, at + 1)
            if high < low:
                raise ValueError(f"the range {low}-{high} is empty")
        ranges.append(f"{re.escape(low)}-{re.escape(high)}")
    if not ranges:
        raise ValueError("a set [] is empty")
    return f"[{'^' if negated else ''}{''.join(ranges)}]"


def _class_character(body: str, at: int) -> tuple[str, int]:
    if body.startswith("\\", at):
        at += 1
    elif body.startswith("-", at):
        raise ValueError("a - in a set has no beginning or no end")
    if at >= len(body):
        raise ValueError("a set ends too early")
    return body[at], at + 1
