"""A build's context: the only files that COPY and ADD can read, without those that ``.dockerignore`` leaves out.

Digests cover names, modes and contents, never times or owners: those differ between two copies of one folder.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from containerlab.build.dockerfile.parser import MAX_BYTES
from containerlab.build.dockerignore import Dockerignore
from containerlab.build.glob import compile_pattern, has_wildcard, unescape
from containerlab.build.tree import Entry, OutsideContext, Tree, not_found, refuse_outside
from containerlab.errors import InvalidParameter, NotFound
from containerlab.images import extract, trees
from containerlab.images.attributes import squashed_owner
from containerlab.images.compression import ByteSource
from containerlab.runtime.inroot import Root

__all__ = ["Context", "Entry", "OutsideContext"]


class Context:
    """Use as a context manager, or ``close`` it: a context that came as a tar has a folder to remove."""

    def __init__(self, root_fd: int, folder: Path | None = None) -> None:
        self._root, self._folder = root_fd, folder
        self._tree = Tree(root_fd)
        self._ignore = Dockerignore()
        self._digests: dict[str, str] = {}

    @classmethod
    def from_tar(cls, stream: ByteSource, scratch: Path) -> Context:
        """Unpack a tar of any compression into ``scratch``, a folder that is made here and removed by ``close``.

        Raises what ``images.extract`` raises: BadArchive, StorageFull.
        """
        scratch.mkdir(parents=True, mode=0o700)
        fd = -1
        try:
            fd = _open_directory(scratch)
            extract(stream, fd, owner=squashed_owner() or (0, 0))
            return cls(fd, scratch)
        except BaseException:
            if fd >= 0:
                os.close(fd)
            _remove(scratch)
            raise

    @classmethod
    def from_directory(cls, path: Path) -> Context:
        """A folder of this host, read where it lies. Raises InvalidParameter when it isn't a directory."""
        try:
            return cls(_open_directory(path))
        except OSError as error:
            raise InvalidParameter(f"the build context {path} can't be read: {error.strerror}") from None

    def __enter__(self) -> Context:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the context; what was unpacked for it is removed."""
        if self._root >= 0:
            os.close(self._root)
            self._root = -1
        if self._folder is not None:
            _remove(self._folder)

    # -- the build's own two files ------------------------------------------------------------------

    def dockerfile(self, name: str) -> bytes:
        """The Dockerfile's text; its ignore file takes effect. Raises NotFound, OutsideContext, InvalidParameter."""
        text = self._read(name)
        if text is None:
            raise NotFound(
                f"Cannot locate specified Dockerfile: {name}", hint="give its path inside the build context with -f"
            )
        self._apply_ignore(name)
        return text

    def _apply_ignore(self, dockerfile: str) -> None:
        for name in (f"{dockerfile}.dockerignore", ".dockerignore"):
            text = self._read(name)
            if text is not None:
                self._ignore = Dockerignore.parse(text, name)
                return

    def _read(self, name: str) -> bytes | None:
        refuse_outside(name)
        try:
            return Root(self._root).read(name, MAX_BYTES)
        except OSError as error:
            reason = f"is larger than {MAX_BYTES} bytes" if error.errno == errno.EFBIG else "isn't a regular file"
            raise InvalidParameter(f"{name} can't be read: it {reason}") from None

    # -- finding ----------------------------------------------------------------------------------------

    def find(self, pattern: str) -> list[tuple[str, Entry]]:
        """What a source of COPY or ADD names: (name as asked, entry with links followed). Never none.

        Raises NotFound, OutsideContext, and ValueError for a pattern that breaks the grammar.
        """
        refuse_outside(pattern)
        parts = [part for part in pattern.split("/") if part not in ("", ".")]
        if not has_wildcard(pattern):
            found_one = self._shown(parts)
            return [(next((part for part in reversed(parts) if part != ".."), found_one.name), found_one)]
        paths = [""]
        for part in parts:
            paths = [found for path in paths for found in self._step(path, part)]
        paths.sort(key=os.fsencode)
        found = [(path.rpartition("/")[2], self._shown(path.split("/"))) for path in paths]
        if not found:
            raise NotFound("no source files were specified")
        return found

    def walk(self, directory: Entry) -> list[Entry]:
        """Everything below ``directory`` that isn't ignored, parents first, by name."""
        found: list[Entry] = []
        pending = [directory]
        while pending:
            entry = pending.pop()
            excluded = entry is not directory and self._ignore.excludes(entry.path)
            if entry is not directory and (not excluded or entry.is_directory):
                found.append(entry)
            if entry.is_directory and not (excluded and not self._ignore.may_include_below(entry.path)):
                pending.extend(reversed(self._tree.children(entry.path)))
        return self._needed(found)

    def _needed(self, entries: list[Entry]) -> list[Entry]:
        """Without the ignored directories that hold nothing: of ``a`` and ``!a/b`` the directory a is needed."""
        kept: list[Entry] = []
        parents: set[str] = set()
        for entry in reversed(entries):
            if entry.path in parents or not self._ignore.excludes(entry.path):
                kept.append(entry)
                parents.add(entry.path.rpartition("/")[0])
        return kept[::-1]

    def _step(self, directory: str, part: str) -> list[str]:
        """The names in ``directory`` that ``part`` of a pattern matches, as paths; links aren't entered."""
        prefix = f"{directory}/" if directory else ""
        try:
            if not has_wildcard(part.replace("\\", "")):
                return [self._tree.entry(prefix + unescape(part)).path]
            children = self._tree.children(directory)
        except (NotADirectoryError, FileNotFoundError, InvalidParameter):
            return []
        expression = compile_pattern(part)
        return [child.path for child in children if expression.fullmatch(child.name) and self._visible(child)]

    def _visible(self, entry: Entry) -> bool:
        if not self._ignore.excludes(entry.path):
            return True
        return entry.is_directory and bool(self.walk(entry))

    def _shown(self, parts: list[str]) -> Entry:
        """The entry at a path, links followed; one that is ignored isn't there."""
        entry = self._tree.follow(parts)
        if entry.path and not self._visible(entry):
            raise not_found("/".join(parts))
        return entry

    # -- reading ----------------------------------------------------------------------------------------

    def open(self, entry: Entry) -> int:
        """A descriptor to read a regular file from. Raises InvalidParameter when it has become something else."""
        return self._tree.open(entry)

    def chunks(self, entry: Entry) -> Iterator[bytes]:
        """A regular file's bytes."""
        return self._tree.chunks(entry)

    def link_target(self, entry: Entry) -> str:
        """A symbolic link's text."""
        return self._tree.link_target(entry)

    def digest(self, entry: Entry) -> str:
        """``file:HEX`` or ``dir:HEX`` over names, modes and contents; made once for each path."""
        known = self._digests.get(entry.path)
        if known is None:
            known = self._digests[entry.path] = self._hash(entry)
        return known

    def _hash(self, entry: Entry) -> str:
        if not entry.is_directory:
            return "file:" + self._hash_one(entry, "")
        summary = hashlib.sha256()
        prefix = len(entry.path) + 1 if entry.path else 0
        for each in self.walk(entry):
            summary.update(self._hash_one(each, each.path[prefix:]).encode())
        return "dir:" + summary.hexdigest()

    def _hash_one(self, entry: Entry, name: str) -> str:
        summary = hashlib.sha256(f"{entry.status.st_mode:o} ".encode() + os.fsencode(name) + b"\0")
        if entry.is_link:
            summary.update(os.fsencode(self.link_target(entry)))
        elif entry.is_regular:
            for chunk in self.chunks(entry):
                summary.update(chunk)
        return summary.hexdigest()


def _open_directory(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _remove(folder: Path) -> None:
    with trees.directory(folder.parent) as parent:
        trees.remove_at(parent, folder.name)
