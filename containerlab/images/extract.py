"""The only writer of archives: layers, build contexts, and what ``cp`` brings into a container.

Each entry's parent is opened inside the root (``inside.Root``), and the entry itself is made on that
descriptor by a call that follows no link: ``openat(O_EXCL | O_NOFOLLOW)``, ``mkdirat``, ``symlinkat``,
``linkat`` without AT_SYMLINK_FOLLOW, ``mknodat``. What stood there before is removed first, except that a
directory stays when a directory comes. Link targets are kept as they are, and mean what they mean in a chroot
of the root.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from typing import TypeVar

from containerlab.errors import BadArchive, StorageFull
from containerlab.images import marks, trees
from containerlab.images.attributes import Attributes, Extracted, squashed_owner
from containerlab.images.bodies import Bodies
from containerlab.images.compression import ByteSource, decompressed
from containerlab.images.hashing import Hashed
from containerlab.images.headers import Entry, TarReader
from containerlab.images.inside import Root, components
from containerlab.images.limits import Limits
from containerlab.images.record import Recorder

__all__ = ["Extracted", "extract"]

T = TypeVar("T")

_NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_ARCHIVES_FAULT = (errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.EXDEV, errno.EMLINK)
_TAIL = 1 << 30
_FREE_CHECK = 64 << 20
_MAX_MAJOR, _MAX_MINOR = 1 << 12, 1 << 20
_DEFAULT = Limits()


def extract(
    stream: ByteSource,
    root_fd: int,
    *,
    limits: Limits = _DEFAULT,
    owner: tuple[int, int] | None = None,
    whiteouts: bool = False,
    umask: int = 0,
    into: bytes = b"",
    implied: Callable[[bytes], os.stat_result | None] | None = None,
    record: Recorder | None = None,
    admit: Callable[[Entry], bool] | None = None,
    bodies: Bodies | None = None,
) -> Extracted:
    """Unpack a tar of any compression below the open directory ``root_fd``.

    ``owner`` (uid, gid) is given to everything, instead of the archive's owners, which are kept where this
    process can. With ``whiteouts`` the names ``.wh.…`` become overlayfs's marks, else they are ordinary
    files. ``into`` names a directory inside the root, made when missing. ``implied(path)`` tells how a
    directory should look that the archive uses but doesn't list. ``record`` takes what is needed to make the same
    plain stream again from the files. ``admit(entry)`` is asked for each entry before it is made, may change its
    names, and says whether it is wanted. ``bodies`` may have files whose blocks are shared instead of written again.

    Raises ``BadArchive`` for a stream that is damaged, lies, or would write outside, ``StorageFull``, and
    ``OSError``. What was written until then stays: the caller unpacks into a place of its own.
    """
    hashed = Hashed()
    plain = decompressed(stream, limits, hashed)
    attributes = Attributes(owner or squashed_owner(), umask, implied)
    reader = TarReader(plain, limits, record.literal if record is not None else None)
    work = _Extraction(root_fd, reader, limits, attributes, whiteouts, components(into), record)
    work.admit, work.bodies = admit, bodies
    try:
        work.run()
        reader.drain(_TAIL)
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StorageFull("no space left on device while unpacking an archive") from error
        if error.errno in _ARCHIVES_FAULT:
            raise BadArchive(f"an entry of the archive can't be made: {error.strerror}") from error
        raise
    finally:
        work.close()
        hashed.close()
    attributes.result.diff_id = hashed.digest()
    return attributes.result


class _Extraction:
    """One archive on its way to the disk."""

    admit: Callable[[Entry], bool] | None = None
    bodies: Bodies | None = None

    def __init__(
        self,
        root_fd: int,
        reader: TarReader,
        limits: Limits,
        attributes: Attributes,
        whiteouts: bool,
        into: list[bytes],
        record: Recorder | None,
    ) -> None:
        self._root = Root(root_fd, attributes.implied_directory)
        self._root_fd = root_fd
        self._reader, self._limits, self._attributes = reader, limits, attributes
        self._whiteouts, self._into, self._record = whiteouts, into, record
        self._result = attributes.result
        self._unchecked = _FREE_CHECK
        self._makers: dict[bytes, Callable[[Entry, list[bytes]], None]] = {
            b"0": self._file,
            b"1": self._hard_link,
            b"2": self._symlink,
            b"3": self._device,
            b"4": self._device,
            b"5": self._directory,
            b"6": self._fifo,
        }

    def run(self) -> None:
        """Make every entry, then the directories' own modes and times."""
        for entry in self._reader:
            self._result.entries += 1
            if self.admit is not None and not self.admit(entry):
                continue
            parts = components(entry.name)
            path = self._into + parts
            if not parts:
                self._top(entry, path)
            elif self._whiteouts and parts[-1].startswith(marks.PREFIX):
                self._whiteout(path)
            else:
                self._makers[entry.kind](entry, path)
        self._attributes.finish(self._root_fd)

    def close(self) -> None:
        """Close what was kept open."""
        self._root.close()
        self._attributes.close()

    def _place(self, path: list[bytes], make: Callable[[int, bytes], T]) -> T:
        """Call ``make(parent, name)``; when the name is taken, remove what has it and call once more."""
        parent = self._root.directory(path[:-1], create=True)
        try:
            return make(parent, path[-1])
        except FileExistsError:
            self._remove(parent, path[-1])
        # The removal may have taken a link or a directory that other paths went through.
        self._root.forget()
        return make(self._root.directory(path[:-1], create=True), path[-1])

    def _remove(self, parent: int, name: bytes) -> None:
        """A record needs the bytes of what it has recorded."""
        if self._record is not None:
            self._record.set_aside(parent, name)
        else:
            trees.remove_at(parent, name)

    def _top(self, entry: Entry, path: list[bytes]) -> None:
        if entry.kind != b"5":
            self._result.note(f"an entry without a name was ignored ({entry.name!r})")
            return
        fd = os.open(".", _DIRECTORY, dir_fd=self._root.directory(path, create=True))
        try:
            self._attributes.directory(fd, b"/".join([*path, b"."]), entry)
        finally:
            os.close(fd)

    def _file(self, entry: Entry, path: list[bytes]) -> None:
        self._count(entry.size)
        fd = self._place(path, lambda parent, name: os.open(name, _NEW_FILE, 0o600, dir_fd=parent))
        try:
            payload = self._reader.payload()
            if self.bodies is not None and entry.size:
                payload = self.bodies.share(fd, self._result.entries, entry.size, payload)
            for chunk in payload:
                _write(fd, chunk)
            if self._record is not None and entry.size:
                self._record.file(b"/".join(path), entry.size, os.fstat(fd).st_ino)
            self._attributes.file(fd, entry)
        finally:
            os.close(fd)

    def _count(self, size: int) -> None:
        self._result.size += size
        if self._result.size > self._limits.total:
            raise BadArchive(f"the archive's files are larger than {self._limits.total} bytes")
        self._unchecked += size
        if self._unchecked >= _FREE_CHECK:
            status = os.statvfs(self._root_fd)
            if status.f_bavail * status.f_frsize < size + self._limits.free:
                raise StorageFull("no space left on device for the files of an archive")
            self._unchecked = 0

    def _directory(self, entry: Entry, path: list[bytes]) -> None:
        fd, hides = self._place(path, _open_or_make)
        try:
            if hides:
                marks.mark_opaque(fd)
            self._attributes.directory(fd, b"/".join(path), entry)
        finally:
            os.close(fd)

    def _symlink(self, entry: Entry, path: list[bytes]) -> None:
        if not entry.link:
            raise BadArchive(f"the symbolic link {entry.name!r} in the archive has no target")

        def make(parent: int, name: bytes) -> None:
            os.symlink(entry.link, name, dir_fd=parent)
            self._attributes.node(parent, name, entry, mode=False)

        self._place(path, make)

    def _fifo(self, entry: Entry, path: list[bytes]) -> None:
        def make(parent: int, name: bytes) -> None:
            os.mkfifo(name, 0o600, dir_fd=parent)
            self._attributes.node(parent, name, entry)

        self._place(path, make)

    def _device(self, entry: Entry, path: list[bytes]) -> None:
        if entry.major >= _MAX_MAJOR or entry.minor >= _MAX_MINOR:
            raise BadArchive(f"the device {entry.name!r} in the archive has an impossible number")
        if entry.kind == b"3" and entry.major == entry.minor == 0:
            # It would be overlayfs's whiteout: archives say .wh. for that.
            self._result.note(f"{os.fsdecode(entry.name)} was left out: a device 0:0 is overlayfs's own mark")
            return

        def make(parent: int, name: bytes) -> None:
            kind = stat.S_IFCHR if entry.kind == b"3" else stat.S_IFBLK
            os.mknod(name, kind | 0o600, os.makedev(entry.major, entry.minor), dir_fd=parent)
            self._attributes.node(parent, name, entry)

        try:
            self._place(path, make)
        except PermissionError:
            self._result.note(f"{os.fsdecode(entry.name)} was left out: this user can't make device nodes")

    def _hard_link(self, entry: Entry, path: list[bytes]) -> None:
        target = self._into + components(entry.link, clamp=True)
        if not target:
            raise BadArchive(f"{entry.name!r} in the archive is a hard link to a directory")

        def make(parent: int, name: bytes) -> None:
            try:
                source = self._root.directory(target[:-1], create=False)
                status = os.stat(target[-1], dir_fd=source, follow_symlinks=False)
            except FileNotFoundError as error:
                raise BadArchive(
                    f"{entry.name!r} is a hard link to {entry.link!r}, which the archive doesn't hold before it"
                ) from error
            if stat.S_ISDIR(status.st_mode) or marks.is_whiteout(status):
                raise BadArchive(f"{entry.name!r} in the archive is a hard link to something that isn't a file")
            if not _same(parent, name, status):
                os.link(target[-1], name, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)

        self._place(path, make)

    def _whiteout(self, path: list[bytes]) -> None:
        name = path[-1]
        parent = self._root.directory(path[:-1], create=True)
        if name == marks.OPAQUE_NAME:
            if len(path) == 1:
                raise BadArchive("the archive hides the whole root directory, which no overlay can")
            _make_opaque(".", parent)
            return
        if name.startswith(marks.META_PREFIX):
            self._result.note(f"{os.fsdecode(name)} was left out: a note of another engine's storage")
            return
        hidden = name.removeprefix(marks.PREFIX)
        if hidden in (b"", b".", b".."):
            raise BadArchive(f"the whiteout {name!r} in the archive names no file")
        try:
            status = os.stat(hidden, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            marks.mark_whiteout(parent, hidden)
            return
        # A whiteout speaks of the layers below; what this layer itself brings stays, and hides them.
        if stat.S_ISDIR(status.st_mode):
            _make_opaque(hidden, parent)


def _open_or_make(parent: int, name: bytes) -> tuple[int, bool]:
    """A directory that is there already, or a new one; and whether a whiteout stood in its place."""
    hides = False
    try:
        os.mkdir(name, 0o700, dir_fd=parent)
    except FileExistsError:
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        if marks.is_whiteout(status):
            os.unlink(name, dir_fd=parent)
            os.mkdir(name, 0o700, dir_fd=parent)
            hides = True
        elif not stat.S_ISDIR(status.st_mode):
            raise
    return os.open(name, _DIRECTORY, dir_fd=parent), hides


def _same(parent: int, name: bytes, status: os.stat_result) -> bool:
    try:
        there = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (status.st_dev, status.st_ino)


def _make_opaque(name: bytes | str, parent: int) -> None:
    with trees.directory(name, dir_fd=parent) as fd:
        marks.mark_opaque(fd)


def _write(fd: int, data: bytes) -> None:
    written = os.write(fd, data)
    while written < len(data):
        written += os.write(fd, memoryview(data)[written:])
