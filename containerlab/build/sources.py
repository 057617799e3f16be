"""What COPY and ADD name: files of an origin, here-documents, addresses, each with a digest of its content."""

from __future__ import annotations

import hashlib
import posixpath
from dataclasses import dataclass

from containerlab.build.dockerfile.instructions import Add, Copy
from containerlab.build.dockerfile.nodes import Heredoc
from containerlab.build.dockerfile.words import WordError, expand_heredoc
from containerlab.build.ingredients import Read, printable
from containerlab.build.origin import Found, Origin, Selection
from containerlab.build.remote import Download, download, is_remote, name_of
from containerlab.build.step import Planning
from containerlab.errors import DockerfileError, InvalidParameter, NotFound

__all__ = ["Source", "fetch", "reads_of", "sources_of", "summary"]


@dataclass(frozen=True, slots=True)
class Source:
    """One thing to copy. Of ``selection`` (with its ``found``), ``text`` and ``url`` one says where it comes from.

    ``said`` is what the Dockerfile calls it, its variables replaced.
    ``brought`` is the download, or None when the checksum alone was needed so far.
    """

    found: tuple[Found, ...]
    said: str
    selection: Selection | None = None
    text: bytes = b""
    url: str = ""
    brought: Download | None = None


def sources_of(planning: Planning, instruction: Copy | Add, origin: Origin) -> list[Source]:
    """Every source, in order. Raises DockerfileError."""
    state = planning.state
    parents = isinstance(instruction, Copy) and instruction.parents
    exclude = tuple(state.expand(instruction, text) for text in instruction.exclude)
    found: list[Source] = []
    for text in instruction.sources:
        name = state.expand(instruction, text)
        if not name:
            hint = f"{text} is empty once its variables are replaced"
            raise instruction.node.error(f"{instruction.keyword} failed: no source files were specified", hint=hint)
        if isinstance(instruction, Add) and is_remote(name):
            found.append(_remote(planning, instruction, name))
        else:
            found.append(_local(instruction, origin, Selection(name, parents, exclude)))
    found += [_heredoc(planning, instruction, heredoc) for heredoc in instruction.heredocs]
    if not any(source.found for source in found):
        hint = f"nothing is called {' or '.join(instruction.sources)}, or all of it is left out"
        raise instruction.node.error(f"{instruction.keyword} failed: no source files were specified", hint=hint)
    return found


def summary(sources: list[Source]) -> str:
    """``file:HEX``, ``dir:HEX``, or ``multi:HEX`` over several."""
    digests = [each.digest for source in sources for each in source.found]
    if len(digests) == 1:
        return digests[0]
    return "multi:" + hashlib.sha256(",".join(digests).encode()).hexdigest()


def reads_of(sources: list[Source]) -> tuple[Read, ...]:
    """The same for the record: a pattern that found several things by each one's name."""
    return tuple(
        Read(printable(_said(source, each)), each.digest, each.listing) for source in sources for each in source.found
    )


def _said(source: Source, found: Found) -> str:
    return source.said if len(source.found) == 1 else f"{found.name} ({source.said})"


def _local(instruction: Copy | Add, origin: Origin, selection: Selection) -> Source:
    try:
        return Source(tuple(origin.find(selection)), selection.pattern, selection)
    except ValueError as error:
        raise instruction.node.error(f"bad pattern {selection.pattern!r}: {error}") from None
    except DockerfileError as error:
        raise instruction.node.error(error.message, hint=error.hint) from None
    except (NotFound, InvalidParameter) as error:
        message = error.message
        if origin.keeps_owners:
            message = message.replace("in build context or excluded by .dockerignore", f"in {_from(instruction)}")
        raise instruction.node.error(f"{instruction.keyword} failed: {message}", hint=error.hint) from None


def _from(instruction: Copy | Add) -> str:
    return f"--from={instruction.from_}" if isinstance(instruction, Copy) else "the context"


def _remote(planning: Planning, instruction: Add, url: str) -> Source:
    """With ``--checksum`` nothing is brought before it is known that the cache hasn't it."""
    name = name_of(url)
    checksum = planning.state.expand(instruction, instruction.checksum)
    if checksum:
        return Source((Found(name, checksum.replace("sha256:", "file:", 1)),), url, url=url)
    brought = fetch(planning, instruction, url)
    digest = f"{brought.digest.replace('sha256:', 'file:', 1)}"
    return Source((Found(name, digest),), url, url=url, brought=brought)


def fetch(planning: Planning, instruction: Add, url: str) -> Download:
    """Bring an address. Raises DockerfileError, also for one that hasn't the checksum."""
    try:
        brought = download(url, planning.downloads)
    except (NotFound, InvalidParameter) as error:
        raise instruction.node.error(f"ADD failed: {error.message}") from None
    checksum = planning.state.expand(instruction, instruction.checksum)
    if checksum and brought.digest != checksum:
        message = f"ADD failed: digest mismatch for {url}"
        raise instruction.node.error(message, hint=f"expected {checksum}, got {brought.digest}")
    return brought


def _heredoc(planning: Planning, instruction: Copy | Add, heredoc: Heredoc) -> Source:
    state = planning.state
    text = heredoc.content
    if heredoc.expand:
        try:
            text = expand_heredoc(text, state.lookup, state.escape)
        except WordError as error:
            line = heredoc.line + heredoc.content.count("\n", 0, error.offset)
            node = instruction.node
            raise node.source.error(error.message, type(node.place)(line)) from None
    data = text.encode("utf-8", "surrogateescape")
    name = posixpath.basename(heredoc.name)
    return Source((Found(name, f"file:{hashlib.sha256(data).hexdigest()}"),), f"<<{heredoc.name}", text=data)
