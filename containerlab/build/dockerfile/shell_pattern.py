"""The patterns of ``${v#p}``, ``${v%p}`` and ``${v/p/r}``: ``*``, ``?`` and an escape character, nothing else.

Matched by following all states at once, so that no pattern takes more than length times length steps.
"""

from __future__ import annotations

__all__ = ["replace", "trim_prefix", "trim_suffix"]

_ANY, _STAR = object(), object()


def trim_prefix(value: str, pattern: str, escape: str, *, longest: bool) -> str:
    """``value`` without the shortest or longest prefix that ``pattern`` matches."""
    ends = _ends(_tokens(pattern, escape), value, 0)
    if not ends:
        return value
    return value[(ends[-1] if longest else ends[0]) :]


def trim_suffix(value: str, pattern: str, escape: str, *, longest: bool) -> str:
    """``value`` without the shortest or longest suffix that ``pattern`` matches."""
    ends = _ends(_tokens(pattern, escape)[::-1], value[::-1], 0)
    if not ends:
        return value
    return value[: len(value) - (ends[-1] if longest else ends[0])]


def replace(value: str, pattern: str, replacement: str, escape: str, *, everywhere: bool) -> str:
    """``value`` with the first match of ``pattern``, or every one, replaced; of matches the longest."""
    tokens = _tokens(pattern, escape)
    result: list[str] = []
    at = 0
    while at < len(value):
        ends = _ends(tokens, value, at)
        if not ends or ends[-1] == at:
            result.append(value[at])
            at += 1
            continue
        result.append(replacement)
        at = ends[-1]
        if not everywhere:
            break
    return "".join(result) + value[at:]


def _tokens(pattern: str, escape: str) -> list[object]:
    """One token a character of the pattern: itself, any character, or any run of characters."""
    tokens: list[object] = []
    characters = iter(pattern)
    for character in characters:
        if character == "*":
            tokens.append(_STAR)
        elif character == "?":
            tokens.append(_ANY)
        elif character == escape:
            tokens.append(next(characters, escape))
        else:
            tokens.append(character)
    return tokens


def _ends(tokens: list[object], value: str, start: int) -> list[int]:
    """Every offset at which a match that begins at ``start`` may end, ascending."""
    states = _skip_stars(tokens, {0})
    ends = [start] if len(tokens) in states else []
    for at in range(start, len(value)):
        following: set[int] = set()
        for state in states:
            if state == len(tokens):
                continue
            token = tokens[state]
            if token is _STAR:
                following.add(state)
            elif token is _ANY or token == value[at]:
                following.add(state + 1)
        states = _skip_stars(tokens, following)
        if not states:
            break
        if len(tokens) in states:
            ends.append(at + 1)
    return ends


def _skip_stars(tokens: list[object], states: set[int]) -> set[int]:
    """``states`` and those reached from them by letting a star match nothing."""
    reached = set(states)
    for state in states:
        while state < len(tokens) and tokens[state] is _STAR:
            state += 1
            reached.add(state)
    return reached
