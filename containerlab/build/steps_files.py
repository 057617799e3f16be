"""COPY, ADD and WORKDIR: files of an origin, or an empty directory, as a layer."""

from __future__ import annotations

import os
import posixpath
import re
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from containerlab.build.commit import commit_layer, provenance_of
from containerlab.build.context import Context, Entry
from containerlab.build.copying import Copier, Ownership
from containerlab.build.dockerfile.instructions import Add, Copy, Instruction, Workdir
from containerlab.build.dockerignore import Dockerignore
from containerlab.build.origin import Origin, entries
from containerlab.build.scratch import in_thread
from containerlab.build.sources import Source, fetch, reads_of, sources_of, summary
from containerlab.build.step import Fill, Planning, Step, nop
from containerlab.errors import BadArchive, BuildFailed, NotFound
from containerlab.images import Layer, Limits, extract
from containerlab.images.attributes import squashed_owner
from containerlab.images.compression import decompressed
from containerlab.images.files import no_room
from containerlab.images.headers import TarReader
from containerlab.runtime import constants as c
from containerlab.runtime.inroot import Root
from containerlab.runtime.syscalls import openat2
from containerlab.runtime.users import resolve_user

__all__ = ["FILE_STEPS"]

_MODE = re.compile(r"[0-7]{3,4}\Z")
_HEREDOC_MODE, _REMOTE_MODE = 0o644, 0o600
_WORKDIR_TIME = 0  # so that the same WORKDIR is the same layer everywhere
_CHUNK = 1 << 20

Write = Callable[[int, int], None]
"""Writes into a root; the second descriptor is the stage's own root, for names of users and looks of directories."""


@dataclass(frozen=True, slots=True)
class _Transfer:
    """A COPY or ADD, every word expanded."""

    instruction: Copy | Add
    origin: Origin
    sources: list[Source]
    destination: str
    into: bool
    chown: str
    mode: int | None
    parents: bool


def _copy(planning: Planning, instruction: Copy) -> Step:
    return _plan(planning, instruction, planning.origins[instruction.from_], parents=instruction.parents)


def _add(planning: Planning, instruction: Add) -> Step:
    return _plan(planning, instruction, planning.origins[""], parents=False)


def _plan(planning: Planning, instruction: Copy | Add, origin: Origin, *, parents: bool) -> Step:
    state = planning.state
    sources = sources_of(planning, instruction, origin)
    names = [each.name for source in sources for each in source.found]
    asked = state.expand(instruction, instruction.destination)
    destination = _absolute(state.config.WorkingDir, asked)
    into = asked.endswith("/") or asked in (".", "") or asked.endswith("/.") or parents
    if len(names) > 1 and not into:
        message = f"when using {instruction.keyword} with more than one source file,"
        raise instruction.node.error(f"{message} the destination must be a directory and end with a /")
    if into and any(source.url and not source.found[0].name for source in sources):
        hint = "the address ends without a name: give the destination's"
        raise instruction.node.error("ADD failed: cannot determine filename from url", hint=hint)
    chown, chmod = state.expand(instruction, instruction.chown), state.expand(instruction, instruction.chmod)
    if chmod and not _MODE.match(chmod):
        raise instruction.node.error(f"invalid --chmod={chmod}", hint="expected an octal mode, as 755 or 0644")
    mode = int(chmod, 8) if chmod else None
    transfer = _Transfer(instruction, origin, sources, destination, into, chown, mode, parents)
    flags = "".join(f"--{name}={value} " for name, value in (("chown", chown), ("chmod", chmod)) if value)
    target = destination.rstrip("/") + "/" if into else destination
    created_by = nop(state, f"{instruction.keyword} {flags}{summary(sources)} in {target} ")
    unpack = instruction.unpack if isinstance(instruction, Add) else "false"
    key = (created_by, unpack, str(instruction.link), str(origin.keeps_owners), *names)
    fill = _filler(planning, instruction, created_by, _transferrer(planning, transfer), link=instruction.link)
    return Step(created_by, key, fill=fill, reads=reads_of(sources))


def _absolute(workdir: str, path: str) -> str:
    return posixpath.normpath(posixpath.join("/", workdir, path)).replace("//", "/")


def _filler(planning: Planning, instruction: Instruction, created_by: str, write: Write, *, link: bool = False) -> Fill:
    """Run ``write`` on the root that the stage has now, and make a layer of what it changed.

    With ``link`` it writes into an empty root: no link of the stage's is followed, and nothing there decides.
    """
    layers, parent = planning.layers, planning.state.chain_id
    provenance = provenance_of(instruction, created_by)

    def work(scratch: Path) -> Layer | None:
        upper = scratch / "upper"
        with _told(instruction), no_room(f"{instruction.keyword} of line {instruction.line}"):
            upper.mkdir(mode=0o755)
            with layers.mounted(None if link else parent, upper, volatile=True) as root_fd:
                if link:
                    with layers.mounted(parent) as stage_fd:
                        write(root_fd, stage_fd)
                else:
                    write(root_fd, root_fd)
            return commit_layer(layers, upper, parent, provenance, planning.epoch)

    async def fill(scratch: Path) -> Layer | None:
        return await in_thread(lambda: work(scratch))

    return fill


@contextmanager
def _told(instruction: Instruction) -> Iterator[None]:
    """Give what the copy runs into the instruction's line."""
    try:
        yield
    except (BadArchive, NotFound) as error:
        message = f"{instruction.keyword} failed: {error.message}"
        raise BuildFailed(message, line=instruction.line, source=instruction.original, hint=error.hint) from error


def _transferrer(planning: Planning, transfer: _Transfer) -> Write:
    def write(root_fd: int, stage_fd: int) -> None:
        ownership, squashed = _ownership(planning, stage_fd, transfer)
        like = _looks_of(stage_fd) if root_fd != stage_fd else None
        with transfer.origin.opened() as context:
            copier = Copier(root_fd, context, ownership, like=like)
            try:
                transferring = _Transferring(
                    planning, transfer, context, copier, root_fd, ownership if squashed else None
                )
                for source in transfer.sources:
                    transferring.one(source)
                copier.finish()
            finally:
                copier.close()

    return write


def _looks_of(stage_fd: int) -> Callable[[int, bytes], None]:
    """Give a directory the owner and mode that the one of the same path has in the stage."""
    resolve = c.RESOLVE_IN_ROOT | c.RESOLVE_NO_SYMLINKS

    def like(fd: int, path: bytes) -> None:
        try:
            there = openat2(stage_fd, path, os.O_PATH | os.O_DIRECTORY, resolve=resolve)
        except OSError:
            return
        try:
            status = os.fstat(there)
        finally:
            os.close(there)
        os.fchown(fd, status.st_uid, status.st_gid)
        os.fchmod(fd, stat.S_IMODE(status.st_mode))

    return like


@dataclass(frozen=True, slots=True)
class _Transferring:
    """A transfer under way; ``chown`` is who gets what an archive brings, None the archive's own owners.

    Docker's ``--chown`` doesn't reach into an archive.
    """

    planning: Planning
    transfer: _Transfer
    context: Context
    copier: Copier
    root_fd: int
    chown: Ownership | None

    def one(self, source: Source) -> None:
        if source.url:
            self._remote(source)
        elif source.selection is None:
            self.copier.write_file(self._place(source.found[0].name), [source.text], _HEREDOC_MODE, time.time_ns())
        else:
            rules = source.selection.rules()
            for name, entry in entries(self.context, source.selection, rules):
                self._local(name, entry, rules)

    def _local(self, name: str, entry: Entry, rules: Dockerignore) -> None:
        transfer = self.transfer
        if entry.is_directory:
            inside = posixpath.join(transfer.destination, name) if transfer.parents else transfer.destination
            self.copier.copy_tree(entry, inside, rules)
        elif isinstance(transfer.instruction, Add) and transfer.instruction.unpack != "false" and self._packed(entry):
            self._unpack(self.context.open(entry))
        elif entry.is_regular:
            self.copier.copy_file(entry, self._place(name))
        else:
            raise BadArchive(f"{entry.path} in the build context isn't a file that can be copied by its name")

    def _remote(self, source: Source) -> None:
        instruction = self.transfer.instruction
        assert isinstance(instruction, Add)
        brought = source.brought or fetch(self.planning, instruction, source.url)
        fd = os.open(brought.path, os.O_RDONLY | os.O_CLOEXEC)
        if instruction.unpack == "true" and _is_archive(os.dup(fd)):
            os.lseek(fd, 0, os.SEEK_SET)
            self._unpack(fd)
            return
        os.lseek(fd, 0, os.SEEK_SET)
        with open(fd, "rb") as file:
            chunks = iter(lambda: file.read(_CHUNK), b"")
            self.copier.write_file(self._place(source.found[0].name), chunks, _REMOTE_MODE, brought.mtime_ns)

    def _place(self, name: str) -> str:
        destination = self.transfer.destination
        if self.transfer.into or self.copier.is_directory(destination):
            return posixpath.join(destination, name)
        return destination

    def _packed(self, entry: Entry) -> bool:
        return entry.is_regular and entry.status.st_size > 0 and _is_archive(self.context.open(entry))

    def _unpack(self, fd: int) -> None:
        owner = (self.chown.uid, self.chown.gid) if self.chown is not None else None
        with open(fd, "rb") as file:
            into = os.fsencode(self.transfer.destination.lstrip("/"))
            extract(file, self.root_fd, owner=owner, into=into)


def _is_archive(fd: int) -> bool:
    """Does the file, which is closed, begin as a tar, of any compression that layers come in?"""
    with open(fd, "rb") as file:
        try:
            return next(iter(TarReader(decompressed(file, Limits()), Limits())), None) is not None
        except (BadArchive, EOFError):
            return False


def _ownership(planning: Planning, stage_fd: int, transfer: _Transfer) -> tuple[Ownership, bool]:
    """Who owns the copies, and whether that is all this host can give. Raises BadArchive for an unknown name."""
    uid, gid = 0, 0
    if transfer.chown:
        user, _, group = transfer.chown.partition(":")
        if not group and user.isdigit():
            group = user
        try:
            found = resolve_user(Root(stage_fd), f"{user}:{group}" if group else user)
        except OSError as error:
            raise BadArchive(f"--chown={transfer.chown}: {error.strerror}") from None
        uid, gid = found.uid, found.gid
    squashed = squashed_owner()
    if squashed is not None and (uid, gid) != (0, 0):
        planning.messages.line(f"[Warning] --chown={transfer.chown} has no effect: this host maps one user only")
    uid, gid = squashed or (uid, gid)
    kept = transfer.origin.keeps_owners and not transfer.chown and squashed is None
    return Ownership(uid, gid, transfer.mode, kept), squashed is not None


def _workdir(planning: Planning, instruction: Workdir) -> Step:
    state = planning.state
    path = state.expand(instruction, instruction.path)
    if not path:
        raise instruction.node.error("cannot normalize nothing", hint="the path is empty once its variables are")
    absolute = _absolute(state.config.WorkingDir, path)

    def configure() -> None:
        state.config.WorkingDir = absolute

    def write(root_fd: int, _: int) -> None:
        uid, gid = squashed_owner() or (0, 0)
        with planning.origins[""].opened() as context:
            copier = Copier(root_fd, context, Ownership(uid, gid))
            try:
                if not copier.is_directory(absolute):
                    copier.make_directory(absolute, _WORKDIR_TIME)
                    copier.finish()
            finally:
                copier.close()

    created_by = nop(state, f"WORKDIR {absolute}")
    return Step(created_by, (created_by,), configure, _filler(planning, instruction, created_by, write))


FILE_STEPS: dict[type[Instruction], Callable[..., Step]] = {Add: _add, Copy: _copy, Workdir: _workdir}
"""The planner of each kind; a planner is only ever given its own kind."""
