"""Files from a context into a root file system, each write on a descriptor of its directory.

Where a path goes is decided inside the root: links of the image are followed as a process in it would follow them, and
never out of it (``images.inside``). Times come from the context, and a directory that was there keeps its own, so
that the same copy makes the same layer again.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from containerlab.build.context import NOTHING, Context, Entry
from containerlab.build.dockerignore import Dockerignore
from containerlab.build.scratch import keep_going
from containerlab.errors import BadArchive
from containerlab.images import marks, trees
from containerlab.images.inside import Root, components

__all__ = ["Copier", "Ownership"]


_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MAX_LINKS = 40
_PIECE = 64 << 20
_SMALL = 64 << 10
_CAPABILITY = "security.capability"


@dataclass(frozen=True, slots=True)
class Ownership:
    """Who owns what is copied; ``mode`` None keeps each file's own. With ``kept`` so are the owners of files."""

    uid: int = 0
    gid: int = 0
    mode: int | None = None
    kept: bool = False

    def of(self, status: os.stat_result) -> tuple[int, int]:
        """Who is to own the copy of a file."""
        return (status.st_uid, status.st_gid) if self.kept else (self.uid, self.gid)


class Copier:
    """Copies into the directory ``root_fd``; ``finish`` sets the directories' times.

    ``like(fd, path)`` may give a directory that had to be made the looks of another one.
    """

    def __init__(
        self,
        root_fd: int,
        context: Context,
        ownership: Ownership,
        *,
        like: Callable[[int, bytes], None] | None = None,
    ) -> None:
        self._context, self._ownership, self._like = context, ownership, like
        self._root = Root(root_fd, created=self._created)
        self._times: dict[bytes, int] = {}
        self._source_time = 0

    def close(self) -> None:
        """Let go of the directories that were kept open."""
        self._root.close()

    def finish(self) -> None:
        """Give every directory that was written in the time it should have."""
        for path, mtime_ns in self._times.items():
            # A later file of the same copy may have taken its place.
            with contextlib.suppress(FileNotFoundError, NotADirectoryError, BadArchive):
                fd = self._root.directory(path.split(b"/") if path else [], create=False)
                os.utime(f"/proc/self/fd/{fd}", ns=(mtime_ns, mtime_ns))

    def is_directory(self, path: str) -> bool:
        """Does ``path``, links followed, name a directory of the root?"""
        try:
            self._root.directory(_parts(path), create=False)
        except (FileNotFoundError, BadArchive):
            return False
        return True

    def make_directory(self, path: str, mtime_ns: int) -> None:
        """Make ``path`` and its parents, if they aren't there. Raises BadArchive when a part is no directory."""
        self._source_time = mtime_ns
        self._directory(_parts(path))

    def copy_file(self, entry: Entry, path: str) -> None:
        """A regular file to ``path``; a link there is followed, what it names is replaced."""
        self._source_time = entry.status.st_mtime_ns
        self._copy_content(entry, *self._final(_parts(path)))

    def write_file(self, path: str, chunks: Iterable[bytes], mode: int, mtime_ns: int) -> None:
        """A file of these bytes at ``path``; ``mode`` counts unless the ownership says one."""
        self._source_time = mtime_ns
        parent, name = self._final(_parts(path))
        fd = self._replace(parent, name)
        try:
            for chunk in chunks:
                _write(fd, chunk)
            self._attributes(fd, (self._ownership.uid, self._ownership.gid), mode, mtime_ns)
        finally:
            os.close(fd)

    def copy_tree(self, directory: Entry, path: str, without: Dockerignore = NOTHING) -> None:
        """What is in ``directory`` into ``path``, which is made when it isn't there."""
        self.make_directory(path, directory.status.st_mtime_ns)
        top = _parts(path)
        prefix = len(directory.path) + 1 if directory.path else 0
        for entry in self._context.walk(directory, without):
            self._source_time = entry.status.st_mtime_ns
            inside = os.fsencode(entry.path[prefix:]).split(b"/")
            self._copy_entry(entry, [*top, *inside])

    def _copy_entry(self, entry: Entry, path: list[bytes]) -> None:
        parent, name = path[:-1], path[-1]
        if entry.is_directory:
            self._merge_directory(parent, name, entry)
        elif entry.is_regular:
            self._copy_content(entry, parent, name)
        else:
            self._copy_special(entry, parent, name)

    def _copy_content(self, entry: Entry, parent: list[bytes], name: bytes) -> None:
        source = self._context.open(entry)
        try:
            fd = self._replace(parent, name)
            try:
                _copy_bytes(source, fd, entry.status.st_size)
                self._attributes(fd, self._ownership.of(entry.status), entry.status.st_mode, entry.status.st_mtime_ns)
                if self._context.is_root:
                    _copy_xattrs(source, fd)
            finally:
                os.close(fd)
        finally:
            os.close(source)

    def _copy_special(self, entry: Entry, parent: list[bytes], name: bytes) -> None:
        self._remove(parent, name)
        parent_fd = self._directory(parent)
        if entry.is_link:
            os.symlink(os.fsencode(self._context.link_target(entry)), name, dir_fd=parent_fd)
        elif stat.S_ISFIFO(entry.status.st_mode):
            os.mkfifo(name, stat.S_IMODE(entry.status.st_mode), dir_fd=parent_fd)
        elif self._context.is_root and not stat.S_ISSOCK(entry.status.st_mode):
            os.mknod(name, entry.status.st_mode, entry.status.st_rdev, dir_fd=parent_fd)
        else:
            raise BadArchive(f"{entry.path} in the build context is a device: a build copies files, folders and links")
        os.chown(name, *self._ownership.of(entry.status), dir_fd=parent_fd, follow_symlinks=False)
        times = (entry.status.st_mtime_ns, entry.status.st_mtime_ns)
        os.utime(name, ns=times, dir_fd=parent_fd, follow_symlinks=False)

    def _merge_directory(self, parent: list[bytes], name: bytes, entry: Entry) -> None:
        parent_fd = self._directory(parent)
        status = _lstat(parent_fd, name)
        if status is None or not stat.S_ISDIR(status.st_mode):
            self._remove(parent, name)
            os.mkdir(name, 0o700, dir_fd=self._directory(parent))
        fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._directory(parent))
        try:
            status = entry.status
            self._attributes(fd, self._ownership.of(status), status.st_mode, status.st_mtime_ns)
        finally:
            os.close(fd)
        self._times[b"/".join([*parent, name])] = entry.status.st_mtime_ns

    def _final(self, path: list[bytes]) -> tuple[list[bytes], bytes]:
        """Where a file at ``path`` really goes: its last part followed while it is a link."""
        for _ in range(_MAX_LINKS):
            parent, name = path[:-1], path[-1]
            parent_fd = self._directory(parent)
            status = _lstat(parent_fd, name)
            if status is None or not stat.S_ISLNK(status.st_mode):
                return parent, name
            target = os.readlink(name, dir_fd=parent_fd)
            steps = [part for part in target.split(b"/") if part not in (b"", b".")]
            path = steps if target.startswith(b"/") else [*parent, *steps]
            if not steps or steps[-1] == b"..":
                break
        raise BadArchive(f"/{os.fsdecode(b'/'.join(path))} in the image is a link that leads to no file")

    def _replace(self, parent: list[bytes], name: bytes) -> int:
        """A new, empty, regular file in the place of whatever has that name."""
        try:
            return os.open(name, _NEW_FILE, 0o600, dir_fd=self._directory(parent))
        except FileExistsError:
            self._remove(parent, name)
        return os.open(name, _NEW_FILE, 0o600, dir_fd=self._directory(parent))

    def _remove(self, parent: list[bytes], name: bytes) -> None:
        parent_fd = self._directory(parent)
        if _lstat(parent_fd, name) is not None:
            trees.remove_at(parent_fd, name)
            self._root.forget()

    def _directory(self, path: list[bytes]) -> int:
        """The directory at ``path``, made when missing; its time is kept for ``finish``."""
        try:
            fd = self._root.directory(path, create=False)
        except FileNotFoundError:
            if path:
                self._directory(path[:-1])
            fd = self._root.directory(path, create=True)
        except BadArchive:
            raise BadArchive(f"/{os.fsdecode(b'/'.join(path))} in the image isn't a directory") from None
        key = b"/".join(path)
        if key not in self._times:
            self._times[key] = os.fstat(fd).st_mtime_ns
        return fd

    def _created(self, parent_fd: int, name: bytes, path: bytes) -> None:
        """A parent directory that had to be made: it is the copied file's owner's, as Docker has it."""
        os.chown(name, self._ownership.uid, self._ownership.gid, dir_fd=parent_fd, follow_symlinks=False)
        self._times[path] = self._source_time
        if self._like is not None:
            fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent_fd)
            try:
                self._like(fd, path)
            finally:
                os.close(fd)

    def _attributes(self, fd: int, owner: tuple[int, int], mode: int, mtime_ns: int) -> None:
        os.fchown(fd, *owner)
        # After the owner: chown(2) clears the set-user-ID bits.
        os.fchmod(fd, stat.S_IMODE(mode) if self._ownership.mode is None else self._ownership.mode)
        os.utime(fd, ns=(mtime_ns, mtime_ns))


def _parts(path: str) -> list[bytes]:
    return components(os.fsencode(path), clamp=True)


def _lstat(parent_fd: int, name: bytes) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=parent_fd, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _copy_bytes(source: int, fd: int, size: int) -> None:
    """A file's content; the kernel moves what is more than a piece, without a copy where the file system can."""
    if size <= _SMALL:
        data = os.read(source, size + 1)
        _write(fd, data)
        if len(data) == size:
            return
    else:
        with contextlib.suppress(OSError):  # EXDEV, EINVAL, ENOSYS: what is left is read and written
            while os.copy_file_range(source, fd, _PIECE):
                keep_going()
    while chunk := os.read(source, 1 << 20):
        keep_going()
        _write(fd, chunk)


def _copy_xattrs(source: int, fd: int) -> None:
    """Those that a layer can hold."""
    for name in os.listxattr(source):
        if name == _CAPABILITY or (name.startswith("user.") and not marks.is_private_xattr(os.fsencode(name))):
            with contextlib.suppress(OSError):  # a file system that has none
                os.setxattr(fd, name, os.getxattr(source, name))


def _write(fd: int, data: bytes) -> None:
    written = os.write(fd, data) if data else 0
    while written < len(data):
        written += os.write(fd, memoryview(data)[written:])
