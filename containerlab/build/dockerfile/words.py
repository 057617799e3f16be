"""Words: quotes, escapes and variables, by the rules of the Dockerfile (not those of a shell).

``$v  ${v}  ${v:-w}  ${v-w}  ${v:+w}  ${v+w}  ${v:?m}  ${v?m}  ${v#p}  ${v##p}  ${v%p}  ${v%%p}  ${v/p/r}  ${v//p/r}``

Patterns know ``*``, ``?`` and the escape character. An unset variable is empty; ``\\$`` is a dollar; single quotes keep
everything; double quotes keep the escape character unless it stands before ``"``, ``$`` or itself.
See https://docs.docker.com/reference/dockerfile/#environment-replacement.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from containerlab.build.dockerfile.shell_pattern import replace, trim_prefix, trim_suffix

__all__ = ["Lookup", "WordError", "expand", "expand_heredoc", "expand_words", "has_quotes", "split_words", "unquote"]

Lookup = Callable[[str], str | None]
"""A variable's value by its name; None when it isn't set."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?\-$!]")
_MODIFIERS = "-+?#%"
_MOST = 1 << 20
"""Characters that one text may expand to: ``ENV a=$a$a`` doubles with every line."""
_DEEPEST = 50
"""How many ``${…}`` may stand inside one another; each takes a few frames of the interpreter's stack."""


class WordError(ValueError):
    """A word that breaks the grammar, or a ``${v:?m}`` whose variable is missing; ``offset`` counts from 0."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.message, self.offset = message, offset


def expand(text: str, lookup: Lookup, escape: str = "\\") -> str:
    """``text`` as one word: variables replaced, quotes and escapes taken away. Raises WordError."""
    return _Scanner(text, lookup, escape).until("")


def expand_words(text: str, lookup: Lookup, escape: str = "\\") -> list[str]:
    """Like ``expand``, but split at white space that isn't quoted, also at that of a variable's value."""
    scanner = _Scanner(text, lookup, escape)
    scanner.until("")
    return scanner.words.done()


def expand_heredoc(text: str, lookup: Lookup, escape: str = "\\") -> str:
    """A here-document's body: variables replaced, quotes kept as they are. Raises WordError."""
    return _Scanner(text, lookup, escape, raw_quotes=True).until("")


def unquote(text: str, escape: str = "\\") -> str:
    """``text`` without its quotes and escapes; variables stay as written. Raises WordError."""
    return _Scanner(text, None, escape).until("")


def has_quotes(text: str, escape: str = "\\") -> bool:
    """Is any part of ``text`` quoted or escaped?"""
    return any(character in text for character in ("'", '"', escape))


def split_words(text: str, escape: str) -> list[tuple[int, str]]:
    """``text`` split at white space that isn't quoted; quotes and escapes kept, each word with its offset."""
    words: list[tuple[int, str]] = []
    start: int | None = None
    quote = ""
    at = 0
    while at < len(text):
        character = text[at]
        if start is None and not character.isspace():
            start = at
        if character == escape and quote != "'":
            at += 1
        elif quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character.isspace() and start is not None:
            words.append((start, text[start:at]))
            start = None
        at += 1
    if start is not None:
        words.append((start, text[start:]))
    return words


class _Words:
    """Collects characters into words; quoted ones never split, and make a word even of nothing."""

    def __init__(self) -> None:
        self._words: list[str] = []
        self._current: list[str] | None = None

    def split(self, text: str) -> None:
        for character in text:
            if character.isspace():
                self._finish()
            else:
                self.keep(character)

    def keep(self, text: str) -> None:
        if self._current is None:
            self._current = []
        self._current.append(text)

    def done(self) -> list[str]:
        self._finish()
        return self._words

    def _finish(self) -> None:
        if self._current is not None:
            self._words.append("".join(self._current))
            self._current = None


class _Scanner:
    """One pass over a text, from the left; ``lookup`` None leaves every variable as it is written."""

    def __init__(self, text: str, lookup: Lookup | None, escape: str, *, raw_quotes: bool = False) -> None:
        self._text, self._lookup, self._escape = text, lookup, escape
        self._raw_quotes = raw_quotes
        self._at = 0
        self._length = 0
        self._depth = 0
        self.words = _Words()

    def until(self, stop: str, *, raw_escapes: bool = False) -> str:
        """Expand up to the character ``stop``, which is consumed; to the end when ``stop`` is empty."""
        result: list[str] = []
        while self._at < len(self._text):
            character = self._text[self._at]
            if character == stop:
                self._at += 1
                return "".join(result)
            if character == "'" and not self._raw_quotes:
                result.append(self._single_quoted())
                self.words.keep(result[-1])
            elif character == '"' and not self._raw_quotes:
                result.append(self._double_quoted())
                self.words.keep(result[-1])
            elif character == "$":
                result.append(self._dollar())
                self.words.split(result[-1])
            elif character == self._escape:
                result.append(self._escaped(raw_escapes))
                self.words.keep(result[-1])
            else:
                self._at += 1
                result.append(character)
                self.words.split(character)
        if stop:
            raise WordError(f"syntax error: missing {stop!r}", len(self._text))
        return "".join(result)

    def _escaped(self, raw: bool) -> str:
        self._at += 2
        following = self._text[self._at - 1 : self._at]
        if raw or (self._raw_quotes and following not in ("$", self._escape)):
            return self._escape + following
        return following

    def _single_quoted(self) -> str:
        start = self._at
        end = self._text.find("'", start + 1)
        if end < 0:
            raise WordError("unexpected end of statement while looking for matching single-quote", start)
        self._at = end + 1
        return self._text[start + 1 : end]

    def _double_quoted(self) -> str:
        start = self._at
        self._at += 1
        result: list[str] = []
        while self._at < len(self._text):
            character = self._text[self._at]
            if character == '"':
                self._at += 1
                return "".join(result)
            if character == "$":
                result.append(self._dollar())
                continue
            if character == self._escape and self._text[self._at + 1 : self._at + 2] in ('"', "$", self._escape):
                self._at += 1
                character = self._text[self._at]
            self._at += 1
            result.append(character)
        raise WordError("unexpected end of statement while looking for matching double-quote", start)

    def _dollar(self) -> str:
        start = self._at
        self._at += 1
        if self._text[self._at : self._at + 1] == "{":
            self._at += 1
            value = self._bounded(self._braced(start), start)
            return self._text[start : self._at] if self._lookup is None else value
        name = self._name()
        if not name:
            return "$"
        return self._text[start : self._at] if self._lookup is None else self._bounded(self._lookup(name) or "", start)

    def _bounded(self, value: str, start: int) -> str:
        self._length += len(value)
        if self._length > _MOST:
            raise WordError(f"this expands to more than {_MOST} characters", start)
        return value

    def _name(self) -> str:
        match = _NAME.match(self._text, self._at)
        if match is None:
            return ""
        self._at = match.end()
        return match.group()

    def _take(self) -> str:
        self._at += 1
        return self._text[self._at - 1 : self._at]

    def _braced(self, start: int) -> str:
        """What follows ``${``, the closing brace included."""
        if self._text[self._at : self._at + 1] in ("{", "}", ":"):
            raise WordError("syntax error: bad substitution", start)
        name = self._name()
        value = self._lookup(name) if self._lookup else None
        modifier = self._take()
        if modifier == "}":
            return value or ""
        if modifier == "":
            raise WordError("syntax error: missing '}'", start)
        if modifier == "/":
            return self._replaced(value or "")
        colon = modifier == ":"
        if colon:
            modifier = self._take()
        if not modifier or modifier not in _MODIFIERS or (colon and modifier in "#%"):
            raise WordError(f"unsupported modifier ({':' if colon else ''}{modifier}) in substitution", start)
        word = self._quietly("}", raw_escapes=modifier in "#%")
        if modifier in "#%":
            return self._trimmed(value or "", modifier, word)
        return self._defaulted(name, value, modifier, colon, word, start)

    def _quietly(self, stop: str, *, raw_escapes: bool) -> str:
        """Expand up to ``stop`` without adding to the words: what it is part of is added as a whole."""
        if self._depth == _DEEPEST:
            raise WordError(f"more than {_DEEPEST} substitutions inside one another", self._at)
        words, self.words = self.words, _Words()
        self._depth += 1
        try:
            return self.until(stop, raw_escapes=raw_escapes)
        finally:
            self.words = words
            self._depth -= 1

    def _defaulted(self, name: str, value: str | None, modifier: str, colon: bool, word: str, start: int) -> str:
        missing = value is None or (colon and value == "")
        if modifier == "-":
            return word if missing else value or ""
        if modifier == "+":
            return "" if missing else word
        if missing and self._lookup is not None:
            raise WordError(f"{name}: {word or 'is not allowed to be ' + ('empty' if colon else 'unset')}", start)
        return value or ""

    def _trimmed(self, value: str, modifier: str, pattern: str) -> str:
        longest = pattern.startswith(modifier)
        trim = trim_prefix if modifier == "#" else trim_suffix
        return trim(value, pattern[1:] if longest else pattern, self._escape, longest=longest)

    def _replaced(self, value: str) -> str:
        everywhere = self._text[self._at : self._at + 1] == "/"
        if everywhere:
            self._at += 1
        pattern = self._quietly("/", raw_escapes=True)
        replacement = self._quietly("}", raw_escapes=False)
        return replace(value, pattern, replacement, self._escape, everywhere=everywhere)
