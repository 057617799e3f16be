"""One path inside a root: what lies there, its archive, and an archive unpacked there, by Docker's rules of ``cp``.

A path is taken from the root, ``..`` stops at it. Links before its last part are followed; the last part is only
with a ``/`` or ``/.`` behind it, which says that it is a directory. Sources: moby ``daemon/archive_unix.go`` and
go-archive's ``copy.go``. The one inside a container may rename whatever it likes meanwhile: every step is resolved by
the kernel below the root's descriptor, so that it meets nothing but its own files.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from containerlab.errors import Conflict, InvalidParameter
from containerlab.images._syscalls import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, openat2
from containerlab.images.compression import ByteSource, Writable
from containerlab.images.extract import Extracted, extract
from containerlab.images.headers import Entry
from containerlab.images.inside import components
from containerlab.images.pack import pack, pack_one

__all__ = ["Place", "go_mode", "real_path", "rebaser", "split"]

Enter = Callable[[int], bool]

_FOLLOW = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
_RESOLVE = _FOLLOW | RESOLVE_NO_SYMLINKS
_MAX_LINKS = 40  # as the kernel's MAXSYMLINKS
_MAX_PATH = 4096
_TRIES = 16
# Go's io/fs FileMode: what stands above the nine permission bits.
_GO_KINDS = {
    stat.S_IFDIR: 1 << 31,
    stat.S_IFLNK: 1 << 27,
    stat.S_IFBLK: 1 << 26,
    stat.S_IFIFO: 1 << 25,
    stat.S_IFSOCK: 1 << 24,
    stat.S_IFCHR: 1 << 26 | 1 << 21,
}
_GO_BITS = {stat.S_ISUID: 1 << 23, stat.S_ISGID: 1 << 22, stat.S_ISVTX: 1 << 20}


def go_mode(mode: int) -> int:
    """``st_mode`` as Go's ``FileMode``, which Docker's clients read."""
    above = sum(go for bit, go in _GO_BITS.items() if mode & bit)
    return mode & 0o777 | _GO_KINDS.get(stat.S_IFMT(mode), 0) | above


def split(path: bytes) -> tuple[list[bytes], bool]:
    """The parts of ``path`` after lexical cleaning, and whether its end says that it is a directory."""
    if b"\0" in path or len(path) > _MAX_PATH:
        raise InvalidParameter("bad parameter: path holds a zero byte, or is longer than 4096 bytes")
    parts: list[bytes] = []
    for part in path.split(b"/"):
        if part == b"..":
            parts = parts[:-1]
        elif part not in (b"", b"."):
            parts.append(part)
    return parts, not parts or path.rpartition(b"/")[2] in (b"", b".")


def rebaser(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    """Puts ``new`` in the place of ``old`` at the beginning of names (go-archive ``newNameRebaser``)."""
    old, new = old.rstrip(b"/"), new.rstrip(b"/")

    def rename(name: bytes) -> bytes:
        if not old:
            return new + b"/" + name.lstrip(b"/") if new else name.lstrip(b"/")
        if name == old or name.startswith(old + b"/"):
            return new + name[len(old) :]
        return name

    return rename


def real_path(root_fd: int, path: list[bytes], *, broken: bool = False) -> list[bytes]:
    """``path`` with every link followed inside the root.

    Raises FileNotFoundError where something is missing; with ``broken`` the rest is then taken as it is written.
    """
    for _ in range(_TRIES):
        try:
            return _follow(root_fd, path, broken)
        except OSError as error:
            # A directory that was looked at has become a link: somebody renames below us.
            if error.errno != errno.ELOOP or error.filename == "links":
                raise
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _follow(root_fd: int, path: list[bytes], broken: bool) -> list[bytes]:
    real: list[bytes] = []
    rest = path[::-1]
    links = 0
    while rest:
        part = rest.pop()
        if part in (b"", b"."):
            continue
        if part == b"..":
            real = real[:-1]
            continue
        try:
            target = _link(root_fd, [*real, part])
        except (FileNotFoundError, NotADirectoryError):
            if not broken:
                raise
            target = None
        if target is None:
            real.append(part)
            continue
        links += 1
        if links > _MAX_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), "links")
        if target.startswith(b"/"):
            real = []
        rest.extend(reversed(target.split(b"/")))
    return real


def _link(root_fd: int, path: list[bytes]) -> bytes | None:
    fd = openat2(root_fd, b"/".join(path), os.O_PATH | os.O_NOFOLLOW, _RESOLVE)
    try:
        if stat.S_ISLNK(os.fstat(fd).st_mode):
            return os.readlink(b"", dir_fd=fd)
        return None
    finally:
        os.close(fd)


def _moment(nanoseconds: int) -> str:
    """RFC 3339 with as many digits as it takes; years 1 to 9999, which is all that it can say."""
    seconds, rest = divmod(nanoseconds, 10**9)
    seconds = max(-62135596800, min(seconds, 253402300799))
    moment = datetime(1970, 1, 1) + timedelta(seconds=seconds)
    return moment.isoformat() + (f".{rest:09d}".rstrip("0") if rest else "") + "Z"


@dataclass(slots=True)
class Place:
    """What a path names. ``real`` are the parts of its real path, ``base`` is what Docker calls its name.

    Made by ``at``, which raises FileNotFoundError and NotADirectoryError.
    """

    root_fd: int
    real: list[bytes]
    base: bytes
    status: os.stat_result

    @classmethod
    def at(cls, root_fd: int, path: bytes, *, enter: Enter | None = None) -> Place:
        """The thing at ``path``. What lies in a file system that ``enter`` says no to isn't there, but directories."""
        parts, is_directory = split(path)
        base = b"." if path.endswith(b"/.") or path == b"." else (parts[-1] if parts else b"/")
        real = real_path(root_fd, parts if is_directory else parts[:-1])
        real += [] if is_directory else parts[-1:]
        fd = openat2(root_fd, b"/".join(real) or b".", os.O_PATH | os.O_NOFOLLOW, _RESOLVE)
        try:
            status = os.fstat(fd)
            if is_directory and not stat.S_ISDIR(status.st_mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            if enter is not None and not stat.S_ISDIR(status.st_mode) and not enter(fd):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        finally:
            os.close(fd)
        return cls(root_fd, real, base, status)

    @property
    def is_directory(self) -> bool:
        """Whether it is one, no link followed."""
        return stat.S_ISDIR(self.status.st_mode)

    def describe(self) -> dict[str, object]:
        """Docker's ``ContainerPathStat``; a link's target is its real path, as far as there is one."""
        target = b""
        if stat.S_ISLNK(self.status.st_mode):
            target = b"/" + b"/".join(real_path(self.root_fd, self.real, broken=True))
        return {
            "name": os.fsdecode(self.base),
            "size": self.status.st_size,
            "mode": go_mode(self.status.st_mode),
            "mtime": _moment(self.status.st_mtime_ns),
            "linkTarget": os.fsdecode(target),
        }

    def archive(self, out: Writable, *, enter: Enter | None = None) -> None:
        """Write its tar: a directory with all that is in it, names beginning with ``base``; anything else alone."""
        where = self.real if self.is_directory else self.real[:-1]
        fd = openat2(self.root_fd, b"/".join(where) or b".", os.O_RDONLY | os.O_DIRECTORY, _RESOLVE)
        try:
            if self.is_directory:
                prefix = b"/" if self.base == b"/" else self.base + b"/"
                pack(fd, out, prefix=prefix, top=True, enter=enter)
            else:
                pack_one(fd, self.real[-1], out)
        finally:
            os.close(fd)

    def unpack(
        self,
        stream: ByteSource,
        *,
        owner: tuple[int, int] | None = None,
        keep_kinds: bool = False,
        rename: Callable[[bytes], bytes] | None = None,
    ) -> Extracted:
        """Unpack a tar of any compression into this directory, whose own owner, mode and time stay.

        ``keep_kinds`` refuses to put a file in a directory's place, or the other way round, with Conflict.
        ``rename`` gives the names that entries get. For the rest see ``extract``.
        """

        def admit(entry: Entry) -> bool:
            if rename is not None:
                entry.name = rename(entry.name)
                entry.link = rename(entry.link) if entry.kind == b"1" else entry.link
            parts = components(entry.name)
            if keep_kinds and parts:
                self._check_kind(parts, entry.kind == b"5")
            return bool(parts) or entry.kind != b"5"

        return extract(stream, self.root_fd, into=b"/".join(self.real), owner=owner, admit=admit)

    def _check_kind(self, parts: list[bytes], comes_directory: bool) -> None:
        """Docker's words for a swap of kinds (go-archive, ``NoOverwriteDirNonDir``)."""
        path = [*self.real, *parts]
        try:
            fd = openat2(self.root_fd, b"/".join(path), os.O_PATH | os.O_NOFOLLOW, _FOLLOW)
        except OSError:  # extract meets it again, and says what it is
            return
        try:
            is_directory = stat.S_ISDIR(os.fstat(fd).st_mode)
        finally:
            os.close(fd)
        if is_directory != comes_directory:
            old, new = ("directory", "non-directory") if is_directory else ("non-directory", "directory")
            place, top = (f"/{os.fsdecode(b'/'.join(names))}" for names in (path, self.real))
            raise Conflict(f'cannot overwrite {old} "{place}" with {new} "{top}"')
