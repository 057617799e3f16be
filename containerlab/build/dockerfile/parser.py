"""Text in, nodes out: lines folded at continuations, comments dropped, flags and here-documents taken apart.

The parser knows which instructions may hold here-documents and nothing else of their meaning; ``interpret`` does.
Written from https://docs.docker.com/reference/dockerfile/#format.
"""

from __future__ import annotations

import json
import re

from containerlab.build.dockerfile.directives import parse_directives
from containerlab.build.dockerfile.flags import split_flags
from containerlab.build.dockerfile.heredoc import Opening, chomp, find_openings
from containerlab.build.dockerfile.nodes import Directives, Heredoc, Node, Notice
from containerlab.build.dockerfile.source import FoldedText, Place, Source
from containerlab.errors import DockerfileError

__all__ = ["MAX_BYTES", "Parser", "decode", "json_form"]

MAX_BYTES = 1 << 20
"""The longest Dockerfile that is read."""

MAX_INSTRUCTIONS = 10_000

_KEYWORD = re.compile(r"\S+")
_WITH_HEREDOCS = ("RUN", "COPY", "ADD")


def decode(text: str | bytes, file: str) -> Source:
    """``text`` as lines. Raises DockerfileError when it is too long, not UTF-8, or holds a NUL."""
    raw = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    if len(raw) > MAX_BYTES:
        raise DockerfileError(f"{file} has {len(raw)} bytes; at most {MAX_BYTES} are read", file=file)
    try:
        lines = raw.removeprefix(b"\xef\xbb\xbf").decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        bad_line = raw.count(b"\n", 0, error.start) + 1
        raise DockerfileError("expected UTF-8 text", file=file, line=bad_line) from None
    if not lines[-1]:
        lines.pop()
    source = Source(file, tuple(line.removesuffix("\r") for line in lines))
    for number, line in enumerate(source.lines, 1):
        if "\0" in line:
            raise source.error("expected text, found a NUL character", Place(number, line.index("\0") + 1))
    return source


def json_form(text: str) -> tuple[str, ...] | None:
    """``text`` as a JSON array of strings, or None when it is anything else."""
    if not text.startswith("["):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        return None
    return tuple(value)


class Parser:
    """Reads one source from top to bottom; ``directives`` and ``notices`` are there afterwards."""

    def __init__(self, source: Source, directives: Directives | None = None) -> None:
        self.source = source
        self.directives = directives or parse_directives(source)
        self.notices: list[Notice] = []
        escape = re.escape(self.directives.escape)
        self._continuation = re.compile(rf"(?<!{escape}){escape}[ \t]*\Z")
        self._next = 0

    def nodes(self) -> list[Node]:
        """Every instruction of the source. Raises DockerfileError."""
        nodes: list[Node] = []
        while self._next < len(self.source.lines):
            line = self.source.lines[self._next]
            if not line.strip() or _is_comment(line):
                self._next += 1
            else:
                nodes.append(self._node())
                if len(nodes) > MAX_INSTRUCTIONS:
                    raise nodes[-1].error(f"at most {MAX_INSTRUCTIONS} instructions are read")
        return nodes

    def node(self, text: FoldedText, heredocs: tuple[Heredoc, ...] | None = None) -> Node:
        """One folded line as a node; ``heredocs`` None has the bodies read from the lines below it."""
        keyword = _KEYWORD.match(text.text)
        word = keyword.group() if keyword else ""
        flags, arguments = split_flags(text.slice(len(word)).strip(), self.directives.escape)
        node_json = json_form(arguments.text)
        if heredocs is None:
            heredocs = self._bodies(word.upper(), arguments)
        return Node(
            source=self.source,
            keyword=word.upper(),
            original=text.text,
            flags=flags,
            arguments=arguments,
            json=node_json,
            heredocs=heredocs,
            place=text.place(0),
            end_line=self._next,
        )

    def _node(self) -> Node:
        return self.node(self._folded().strip())

    def _folded(self) -> FoldedText:
        """The logical line that begins at the next physical one."""
        parts: list[str] = []
        pieces: list[tuple[int, Place]] = []
        length = 0
        while self._next < len(self.source.lines):
            line = self.source.lines[self._next]
            self._next += 1
            if parts and _is_comment(line):
                continue
            if parts and not line.strip():
                self._notice("empty continuation line: an instruction's end may be missing here")
                continue
            indent = 0 if parts else len(line) - len(line.lstrip())
            continued = self._continuation.search(line)
            part = line[indent : continued.start() if continued else None]
            pieces.append((length, Place(self._next, indent + 1)))
            parts.append(part)
            length += len(part)
            if continued is None:
                break
        return FoldedText("".join(parts), tuple(pieces))

    def _bodies(self, keyword: str, arguments: FoldedText) -> tuple[Heredoc, ...]:
        text = arguments.text
        if keyword == "ONBUILD":
            match = _KEYWORD.match(text)
            keyword = match.group().upper() if match else ""
            text = text[len(keyword) :].lstrip()
        if keyword not in _WITH_HEREDOCS or json_form(text) is not None:
            return ()
        openings = find_openings(arguments.text, self.directives.escape)
        return tuple(self._body(each, arguments) for each in openings)

    def _body(self, opening: Opening, arguments: FoldedText) -> Heredoc:
        first = self._next
        for index in range(first, len(self.source.lines)):
            line = self.source.lines[index]
            if (line.lstrip("\t") if opening.chomp else line) == opening.name:
                self._next = index + 1
                body = "".join(each + "\n" for each in self.source.lines[first:index])
                content = chomp(body) if opening.chomp else body
                return Heredoc(
                    name=opening.name,
                    expand=opening.expand,
                    chomp=opening.chomp,
                    file_descriptor=opening.file_descriptor,
                    content=content,
                    body=body,
                    line=first + 1,
                )
        raise self.source.error(
            f"unterminated heredoc: {opening.name}",
            arguments.place(opening.offset),
            hint=f"expected a line that holds {opening.name} alone, before the end of the file",
        )

    def _notice(self, message: str) -> None:
        self.notices.append(Notice(message, Place(self._next)))


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith("#")
