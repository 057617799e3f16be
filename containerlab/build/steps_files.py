"""COPY, ADD and WORKDIR: files of the context, or an empty directory, as a layer."""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from containerlab.build.context import Context, Entry
from containerlab.build.copying import Copier, Ownership
from containerlab.build.dockerfile.instructions import Add, Copy, Instruction, Workdir
from containerlab.build.dockerfile.nodes import Heredoc
from containerlab.build.dockerfile.words import WordError, expand_heredoc
from containerlab.build.scratch import in_thread
from containerlab.build.step import Fill, Planning, Step, nop
from containerlab.errors import BadArchive, BuildFailed, DockerfileError, InvalidParameter, NotFound
from containerlab.images import Layer, Limits, Provenance, extract
from containerlab.images.attributes import squashed_owner
from containerlab.images.compression import decompressed
from containerlab.images.files import no_room
from containerlab.images.headers import TarReader
from containerlab.runtime.inroot import Root
from containerlab.runtime.users import resolve_user

__all__ = ["FILE_STEPS"]

_MODE = re.compile(r"[0-7]{3,4}\Z")
_HEREDOC_MODE = 0o644
_HEREDOC_TIME = 0


@dataclass(frozen=True, slots=True)
class _Source:
    """One source: an entry of the context under the name it was asked by, or a here-document's text."""

    name: str
    entry: Entry | None
    text: bytes
    digest: str


@dataclass(frozen=True, slots=True)
class _Transfer:
    """A COPY or ADD, every word expanded."""

    sources: list[_Source]
    destination: str
    into: bool
    chown: str
    mode: int | None
    unpack: bool


def _copy(planning: Planning, instruction: Copy) -> Step:
    return _plan(planning, instruction, unpack=False)


def _add(planning: Planning, instruction: Add) -> Step:
    return _plan(planning, instruction, unpack=instruction.unpack != "false")


def _plan(planning: Planning, instruction: Copy | Add, *, unpack: bool) -> Step:
    state = planning.state
    sources = [
        source
        for text in instruction.sources
        for source in _find(planning.context, instruction, state.expand(instruction, text))
    ]
    sources += [_heredoc(planning, instruction, heredoc) for heredoc in instruction.heredocs]
    asked = state.expand(instruction, instruction.destination)
    destination = _absolute(state.config.WorkingDir, asked)
    into = asked.endswith("/") or asked in (".", "") or asked.endswith("/.")
    if len(sources) > 1 and not into:
        message = f"when using {instruction.keyword} with more than one source file,"
        raise instruction.node.error(f"{message} the destination must be a directory and end with a /")
    chown, chmod = state.expand(instruction, instruction.chown), state.expand(instruction, instruction.chmod)
    if chmod and not _MODE.match(chmod):
        raise instruction.node.error(f"invalid --chmod={chmod}", hint="expected an octal mode, as 755 or 0644")
    transfer = _Transfer(sources, destination, into, chown, int(chmod, 8) if chmod else None, unpack)
    flags = "".join(f"--{name}={value} " for name, value in (("chown", chown), ("chmod", chmod)) if value)
    target = destination.rstrip("/") + "/" if into else destination
    created_by = nop(state, f"{instruction.keyword} {flags}{_summary(sources)} in {target} ")
    key = (created_by, str(unpack), *(source.name for source in sources))
    return Step(created_by, key, fill=_filler(planning, instruction, created_by, _transferrer(planning, transfer)))


def _find(context: Context, instruction: Instruction, pattern: str) -> list[_Source]:
    try:
        return [_Source(name, entry, b"", context.digest(entry)) for name, entry in context.find(pattern)]
    except ValueError as error:
        raise instruction.node.error(f"bad pattern {pattern!r}: {error}") from None
    except (NotFound, InvalidParameter) as error:
        if isinstance(error, DockerfileError):
            raise
        raise instruction.node.error(f"{instruction.keyword} failed: {error.message}", hint=error.hint) from None


def _heredoc(planning: Planning, instruction: Copy | Add, heredoc: Heredoc) -> _Source:
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
    return _Source(posixpath.basename(heredoc.name), None, data, f"file:{hashlib.sha256(data).hexdigest()}")


def _absolute(workdir: str, path: str) -> str:
    return posixpath.normpath(posixpath.join("/", workdir, path)).replace("//", "/")


def _summary(sources: list[_Source]) -> str:
    """``file:HEX``, ``dir:HEX``, or ``multi:HEX`` over several."""
    if len(sources) == 1:
        return sources[0].digest
    return "multi:" + hashlib.sha256(",".join(source.digest for source in sources).encode()).hexdigest()


def _filler(planning: Planning, instruction: Instruction, created_by: str, write: Callable[[int], None]) -> Fill:
    """Run ``write`` on the root that the stage has now, and make a layer of what it changed."""
    layers, parent = planning.layers, planning.state.chain_id
    provenance = Provenance(created_by, instruction.node.source.file, instruction.line)

    def work(scratch: Path) -> Layer | None:
        upper = scratch / "upper"
        with _told(instruction), no_room(f"{instruction.keyword} of line {instruction.line}"):
            upper.mkdir(mode=0o755)
            with layers.mounted(parent, upper, volatile=True) as root_fd:
                write(root_fd)
            with os.scandir(upper) as entries:
                if next(entries, None) is None:
                    return None
            return layers.commit(upper, parent, provenance)

    async def fill(scratch: Path) -> Layer | None:
        return await in_thread(lambda: work(scratch))

    return fill


@contextmanager
def _told(instruction: Instruction) -> Iterator[None]:
    """Give what the copy runs into the instruction's line."""
    try:
        yield
    except BadArchive as error:
        message = f"{instruction.keyword} failed: {error.message}"
        raise BuildFailed(message, line=instruction.line, source=instruction.original, hint=error.hint) from error


def _transferrer(planning: Planning, transfer: _Transfer) -> Callable[[int], None]:
    context = planning.context

    def write(root_fd: int) -> None:
        ownership, chowned = _ownership(planning, root_fd, transfer)
        copier = Copier(root_fd, context, ownership)
        try:
            for source in transfer.sources:
                _transfer_one(copier, context, root_fd, source, transfer, (ownership if chowned else None))
            copier.finish()
        finally:
            copier.close()

    return write


def _transfer_one(
    copier: Copier,
    context: Context,
    root_fd: int,
    source: _Source,
    transfer: _Transfer,
    chown: Ownership | None,
) -> None:
    destination, entry = transfer.destination, source.entry
    if entry is not None and entry.is_directory:
        copier.copy_tree(entry, destination)
        return
    if entry is not None and transfer.unpack and _is_archive(context, entry):
        _unpack(context, root_fd, entry, destination, chown)
        return
    if transfer.into or copier.is_directory(destination):
        destination = posixpath.join(destination, source.name)
    if entry is None:
        copier.write_file(destination, [source.text], _HEREDOC_MODE, _HEREDOC_TIME)
    elif entry.is_regular:
        copier.copy_file(entry, destination)
    else:
        raise BadArchive(f"{entry.path} in the build context isn't a file that can be copied by its name")


def _ownership(planning: Planning, root_fd: int, transfer: _Transfer) -> tuple[Ownership, bool]:
    """Who owns the copies, and whether that was asked for. Raises BadArchive for a name the image doesn't know."""
    uid, gid = 0, 0
    if transfer.chown:
        user, _, group = transfer.chown.partition(":")
        if not group and user.isdigit():
            group = user
        try:
            found = resolve_user(Root(root_fd), f"{user}:{group}" if group else user)
        except OSError as error:
            raise BadArchive(f"--chown={transfer.chown}: {error.strerror}") from None
        uid, gid = found.uid, found.gid
    squashed = squashed_owner()
    if squashed is not None and (uid, gid) != (0, 0):
        planning.messages.line(f"[Warning] --chown={transfer.chown} has no effect: this host maps one user only")
    uid, gid = squashed or (uid, gid)
    return Ownership(uid, gid, transfer.mode), bool(transfer.chown) or squashed is not None


def _is_archive(context: Context, entry: Entry) -> bool:
    """Does the file begin as a tar, of any compression that layers come in?"""
    if not entry.is_regular or entry.status.st_size == 0:
        return False
    with open(context.open(entry), "rb") as file:
        try:
            return next(iter(TarReader(decompressed(file, Limits()), Limits())), None) is not None
        except (BadArchive, EOFError):
            return False


def _unpack(context: Context, root_fd: int, entry: Entry, destination: str, chown: Ownership | None) -> None:
    owner = (chown.uid, chown.gid) if chown is not None else None
    with open(context.open(entry), "rb") as file:
        extract(file, root_fd, owner=owner, into=os.fsencode(destination.lstrip("/")))


def _workdir(planning: Planning, instruction: Workdir) -> Step:
    state = planning.state
    path = state.expand(instruction, instruction.path)
    if not path:
        raise instruction.node.error("cannot normalize nothing", hint="the path is empty once its variables are")
    absolute = _absolute(state.config.WorkingDir, path)

    def configure() -> None:
        state.config.WorkingDir = absolute

    def write(root_fd: int) -> None:
        uid, gid = squashed_owner() or (0, 0)
        copier = Copier(root_fd, planning.context, Ownership(uid, gid))
        try:
            if not copier.is_directory(absolute):
                copier.make_directory(absolute, _HEREDOC_TIME)
                copier.finish()
        finally:
            copier.close()

    created_by = nop(state, f"WORKDIR {absolute}")
    return Step(created_by, (created_by,), configure, _filler(planning, instruction, created_by, write))


FILE_STEPS: dict[type[Instruction], Callable[..., Step]] = {Add: _add, Copy: _copy, Workdir: _workdir}
"""The planner of each kind; a planner is only ever given its own kind."""
