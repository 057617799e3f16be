"""A build's context: the only files that COPY and ADD can read, without those that ``.dockerignore`` leaves out.

The root of a stage or an image is read by the same means; there nothing is ignored, and owners count. Digests cover
names, modes and contents, never times: those differ between two copies of one folder.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

from containerlab.build.digests import FileDigests, Known
from containerlab.build.dockerfile.parser import MAX_BYTES
from containerlab.build.dockerignore import Dockerignore
from containerlab.build.glob import compile_pattern, has_wildcard, unescape
from containerlab.build.ingredients import MOST_FILES, Listing, printable
from containerlab.build.scratch import keep_going
from containerlab.build.tree import Entry, OutsideContext, Tree, not_found, refuse_outside
from containerlab.errors import InvalidParameter, NotFound
from containerlab.images import extract, trees
from containerlab.images.attributes import squashed_owner
from containerlab.images.compression import ByteSource
from containerlab.runtime.inroot import Root

__all__ = ["NOTHING", "Context", "Entry", "OutsideContext"]

NOTHING = Dockerignore()
"""Leaves nothing out."""


class Context:
    """Use as a context manager, or ``close`` it: a context that came as a tar has a folder to remove."""

    def __init__(
        self, root_fd: int, folder: Path | None = None, *, is_root: bool = False, path: Path | None = None
    ) -> None:
        self._root, self._folder, self._path = root_fd, folder, path
        self._tree = Tree(root_fd, is_root=is_root)
        self._ignore = NOTHING
        self._digests: dict[tuple[str, Dockerignore], str] = {}
        self._listings: dict[tuple[str, Dockerignore], Listing] = {}
        self._walks: dict[tuple[str, Dockerignore], list[Entry]] = {}
        self._known = Known()
        self._given: bytes | None = None
        self.is_root = is_root

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
    def from_directory(cls, path: Path, *, dockerfile: bytes | None = None) -> Context:
        """A folder of this host, read where it lies; ``dockerfile`` is the text of one that isn't in it.

        Raises InvalidParameter when it isn't a directory.
        """
        try:
            context = cls(_open_directory(path), path=path)
            context._given = dockerfile
            return context
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

    @property
    def root_fd(self) -> int:
        """The open directory; it stays the context's."""
        return self._root

    @property
    def hides_files(self) -> bool:
        """Is there anything that ``.dockerignore`` may leave out?"""
        return not self._ignore.is_empty

    @property
    def place(self) -> str:
        """Where on this host a folder lies; empty for a context that came as a tar."""
        return str(self._path.resolve()) if self._path is not None else ""

    # -- digests that are known from before -------------------------------------------------------------

    def recall(self, digests: FileDigests) -> None:
        """Spare the files of a folder of this host whose digests are known from an earlier build."""
        if self._path is not None:
            self._known = digests.load(f"{os.fstat(self._root).st_dev}:{self._path.resolve()}")

    def remember(self, digests: FileDigests) -> None:
        """Keep what was learnt for the next build."""
        digests.save(self._known)

    # -- the build's own two files ------------------------------------------------------------------

    def dockerfile(self, name: str) -> bytes:
        """The Dockerfile's text; its ignore file takes effect. Raises NotFound, OutsideContext, InvalidParameter."""
        text = self._given if self._given is not None else self._read(name)
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

    def find(self, pattern: str, *, parents: bool = False, without: Dockerignore = NOTHING) -> list[tuple[str, Entry]]:
        """What a source of COPY or ADD names: (name in the destination, entry with links followed).

        With ``parents`` the name is the whole path, or what follows ``/./`` in the pattern, and ``**`` stands for any
        directories. Only a pattern may find nothing. Raises NotFound, OutsideContext, and ValueError for a pattern that
        breaks the grammar.
        """
        if not self.is_root:
            refuse_outside(pattern)
        parts = [part for part in pattern.split("/") if part not in ("", ".")]
        pivot = len([part for part in pattern.partition("/./")[0].split("/") if part not in ("", ".")])
        pivot = pivot if parents and "/./" in pattern else 0
        if not has_wildcard(pattern):
            found_one = self._shown(parts)
            name = next((part for part in reversed(parts) if part != ".."), found_one.name)
            return _admitted([("/".join(parts[pivot:]) if parents else name, found_one)], without)
        paths = [""]
        for part in parts:
            paths = [found for path in paths for found in self._step(path, part, deep=parents)]
        found = []
        for path in sorted(set(paths), key=os.fsencode):
            name = "/".join(path.split("/")[pivot:]) if parents else path.rpartition("/")[2]
            found.append((name, self._shown(path.split("/"))))
        return _admitted(found, without)

    def walk(self, directory: Entry, without: Dockerignore = NOTHING) -> list[Entry]:
        """Everything below ``directory`` that isn't left out, parents first, by name."""
        known = self._walks.get((directory.path, without))
        if known is None:
            known = self._walks[directory.path, without] = self._walked(directory, without)
        return known

    def _walked(self, directory: Entry, without: Dockerignore) -> list[Entry]:
        prefix = len(directory.path) + 1 if directory.path else 0
        no_rules = self._ignore.is_empty and without.is_empty

        def excludes(path: str) -> bool:
            return self._ignore.excludes(path) or without.excludes(path[prefix:])

        found: list[Entry] = []
        pending = [directory]
        while pending:
            keep_going()
            entry = pending.pop()
            if entry is not directory:
                if no_rules or not excludes(entry.path):
                    found.append(entry)
                elif not entry.is_directory:
                    continue
                else:
                    found.append(entry)
                    if not self._may_hold(entry, without, prefix):
                        continue
            if entry.is_directory:
                pending.extend(reversed(self._tree.children(entry.path)))
        return found if no_rules else _needed(found, excludes)

    def _may_hold(self, entry: Entry, without: Dockerignore, prefix: int) -> bool:
        return self._ignore.may_include_below(entry.path) or without.may_include_below(entry.path[prefix:])

    def _step(self, directory: str, part: str, *, deep: bool) -> list[str]:
        """The names in ``directory`` that ``part`` of a pattern matches, as paths; links aren't entered."""
        prefix = f"{directory}/" if directory else ""
        try:
            if deep and part == "**":
                below = self.walk(self._tree.entry(directory))
                return [directory, *(entry.path for entry in below if entry.is_directory)]
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

    def digest(self, entry: Entry, without: Dockerignore = NOTHING) -> str:
        """``file:HEX`` or ``dir:HEX`` over names, modes and contents; made once for each path."""
        known = self._digests.get((entry.path, without))
        if known is None:
            known = self._digests[entry.path, without] = self._hash(entry, without)
        return known

    def listing(self, entry: Entry, without: Dockerignore = NOTHING) -> Listing | None:
        """What ``digest`` was made of, path by path; None where it wasn't asked for, or there are too many."""
        return self._listings.get((entry.path, without))

    def _hash(self, entry: Entry, without: Dockerignore) -> str:
        listing: Listing = {}
        if not entry.is_directory:
            self._listings[entry.path, without] = listing
            return "file:" + hashlib.sha256(self._line(entry, b"", listing)).hexdigest()
        summary = hashlib.sha256(self._owner(entry))
        prefix = len(entry.path) + 1 if entry.path else 0
        below = self.walk(entry, without)
        for each in below:
            summary.update(self._line(each, os.fsencode(each.path[prefix:]), listing))
        if len(below) <= MOST_FILES:
            self._listings[entry.path, without] = listing
        return "dir:" + summary.hexdigest()

    def _line(self, entry: Entry, name: bytes, listing: Listing) -> bytes:
        content = b""
        if entry.is_link:
            content = os.fsencode(self.link_target(entry))
        elif entry.is_regular:
            content = self._content(entry)
        elif not entry.is_directory:
            content = b"%d" % entry.status.st_rdev
        mode = entry.status.st_mode
        told = content if entry.is_regular else hashlib.sha256(content).digest()
        listing[printable(entry.path)] = (mode, told[:8])
        return b"%o %s%s\0%s\0" % (mode, self._owner(entry), name, content)

    def _owner(self, entry: Entry) -> bytes:
        """A copy from a root keeps its owners; what comes from a context belongs to nobody."""
        return b"%d:%d " % (entry.status.st_uid, entry.status.st_gid) if self.is_root else b""

    def _content(self, entry: Entry) -> bytes:
        known = self._known.get(entry.status)
        if known is not None:
            return known
        summary = hashlib.sha256()
        for chunk in self.chunks(entry):
            summary.update(chunk)
        digest = summary.digest()
        if self._path is not None:
            self._known.put(entry.status, self._tree.entry(entry.path).status, digest)
        return digest


def _admitted(found: list[tuple[str, Entry]], without: Dockerignore) -> list[tuple[str, Entry]]:
    """A file that is named itself is held against ``--exclude`` by its name."""
    return [(name, each) for name, each in found if each.is_directory or not without.excludes(each.name)]


def _needed(entries: list[Entry], excludes: Callable[[str], bool]) -> list[Entry]:
    """Without the ignored directories that hold nothing: of ``a`` and ``!a/b`` the directory a is needed."""
    kept: list[Entry] = []
    parents: set[str] = set()
    for entry in reversed(entries):
        if entry.path in parents or not excludes(entry.path):
            kept.append(entry)
            parents.add(entry.path.rpartition("/")[0])
    return kept[::-1]


def _open_directory(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _remove(folder: Path) -> None:
    with trees.directory(folder.parent) as parent:
        trees.remove_at(parent, folder.name)
