""".dockerignore: which files of a context a build doesn't see. Docker's rules, which aren't git's.

A pattern matches a path or any of its parents; the last one that matches decides; ``!`` takes back. ``foo`` is the
context's own foo, not one at any depth. See https://docs.docker.com/build/concepts/context/#dockerignore-files.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass

from containerlab.build.dockerfile.parser import decode
from containerlab.build.dockerfile.source import Place
from containerlab.build.glob import compile_pattern, has_wildcard, literal_prefix

__all__ = ["Dockerignore"]


@dataclass(frozen=True, slots=True)
class _Pattern:
    text: str
    negated: bool
    expression: re.Pattern[str]


class Dockerignore:
    """The patterns of one file, in order; without any it excludes nothing."""

    def __init__(self, patterns: tuple[_Pattern, ...] = ()) -> None:
        self._patterns = patterns

    @classmethod
    def parse(cls, text: bytes, file: str = ".dockerignore") -> Dockerignore:
        """Read a file's bytes. Raises DockerfileError, with the line, for a pattern that breaks the grammar."""
        source = decode(text, file)
        patterns: list[_Pattern] = []
        for number, line in enumerate(source.lines, 1):
            if line.startswith("#") or not line.strip():
                continue
            pattern = line.strip()
            negated = pattern.startswith("!")
            pattern = clean(pattern.removeprefix("!").strip())
            if not pattern:
                raise source.error('illegal exclusion pattern: "!"', Place(number), hint="expected a pattern after !")
            try:
                expression = compile_pattern(pattern, double_star=True)
            except ValueError as error:
                raise source.error(f"bad pattern {pattern!r}: {error}", Place(number)) from None
            patterns.append(_Pattern(pattern, negated, expression))
        return cls(tuple(patterns))

    @property
    def is_empty(self) -> bool:
        """Does it leave nothing out?"""
        return not self._patterns

    def excludes(self, path: str) -> bool:
        """Is ``path`` (relative, with slashes) left out?"""
        excluded = False
        ancestry: list[str] = []
        for pattern in self._patterns:
            if pattern.negated is not excluded:
                continue
            ancestry = ancestry or _ancestry(path)
            if any(pattern.expression.fullmatch(each) for each in ancestry):
                excluded = not pattern.negated
        return excluded

    def may_include_below(self, directory: str) -> bool:
        """Could a ``!`` pattern take back something inside the excluded ``directory``?"""
        inside = directory + "/"
        for pattern in self._patterns:
            if pattern.negated:
                prefix = literal_prefix(pattern.text)
                if prefix.startswith(inside) or (has_wildcard(pattern.text) and inside.startswith(prefix)):
                    return True
        return False


def clean(pattern: str) -> str:
    """The shortest spelling of a path or pattern, without a leading slash; ``.`` stays, nothing stays nothing."""
    if not pattern:
        return ""
    cleaned = posixpath.normpath(pattern).lstrip("/")
    return cleaned or "."


def _ancestry(path: str) -> list[str]:
    """``path`` and each of its parents."""
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(len(parts), 0, -1)]
