"""The only maker of archives: one directory tree in, one tar stream out, byte for byte the same each time.

Names are sorted, times are whole seconds, PAX headers appear only where ustar has no room (a long or
non-ASCII name, a large id or size, an extended attribute). A directory's entries come in one run, those of
its subdirectories behind it. With ``whiteouts`` overlayfs's marks go out as ``.wh.`` names (OCI image spec,
layer.md); sockets are left out, as in every tar. Every file is opened below a descriptor and without
following links.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field

from containerlab.errors import InvalidParameter
from containerlab.images import marks
from containerlab.images._syscalls import RESOLVE_IN_ROOT, RESOLVE_NO_SYMLINKS, openat2
from containerlab.images.compression import CHUNK, Writable
from containerlab.images.headers import BLOCK
from containerlab.images.record import Recorder
from containerlab.images.ustar import header
from containerlab.rung import copies_roots

__all__ = ["Packed", "Writable", "pack", "pack_one"]

_MAX_PATH = 4096
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_RESOLVE = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS
# The last is readlink(2) of what was a link a moment ago.
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.EINVAL)
_END = bytes(2 * BLOCK)
_ZEROS = bytes(BLOCK)
_CAPABILITY = "security.capability"
_KINDS = {
    stat.S_IFREG: b"0",
    stat.S_IFLNK: b"2",
    stat.S_IFCHR: b"3",
    stat.S_IFBLK: b"4",
    stat.S_IFDIR: b"5",
    stat.S_IFIFO: b"6",
}


@dataclass(slots=True)
class Packed:
    """``entries`` in the archive, and ``size``, the bytes of its files (a file with several names once).

    ``sockets`` are the paths that were left out, relative to the directory.
    """

    entries: int = 0
    size: int = 0
    sockets: list[bytes] = field(default_factory=list)


def pack(
    dir_fd: int,
    out: Writable,
    *,
    whiteouts: bool = False,
    prefix: bytes = b"",
    top: bool = False,
    enter: Callable[[int], bool] | None = None,
    leave_out: Callable[[bytes, os.stat_result], bool] | None = None,
    record: Recorder | None = None,
) -> Packed:
    """Write everything below the open directory ``dir_fd``; names begin with ``prefix``.

    ``top`` adds an entry for the directory itself. A directory for whose descriptor ``enter`` says no goes out
    as an empty one; what ``leave_out(path, status)`` says yes to doesn't go out, nor what is below it. ``record``
    takes what is needed to make the same tar again. Raises ``InvalidParameter`` for a path beyond 4,096 bytes
    and, with ``whiteouts``, for what no layer can say: a directory that overlayfs renamed (``redirect``), a
    file that is named like a whiteout. What a running container removes or replaces meanwhile is left out.
    """
    return _Packing(dir_fd, out, whiteouts, prefix, enter, leave_out, record).run(top)


def pack_one(dir_fd: int, name: bytes, out: Writable, *, path: bytes | None = None) -> Packed:
    """Write the one thing ``name`` in the open directory ``dir_fd``, a link as a link; not for a directory.

    In the archive it is called ``path``, or as it is.
    """
    return _Packing(dir_fd, out, False, b"").run_one(name, path or name)


class _Packing:
    """One walk. Only one directory is open at a time, however deep the tree is."""

    def __init__(
        self,
        dir_fd: int,
        out: Writable,
        whiteouts: bool,
        prefix: bytes,
        enter: Callable[[int], bool] | None = None,
        leave_out: Callable[[bytes, os.stat_result], bool] | None = None,
        record: Recorder | None = None,
    ) -> None:
        self._dir_fd, self._out, self._whiteouts, self._prefix = dir_fd, out, whiteouts, prefix
        self._enter, self._leave_out, self._record = enter, leave_out, record
        self._first_names: dict[tuple[int, int], bytes] = {}
        self._packed = Packed()
        self._buffer = bytearray(CHUNK)
        # Where everything is one user's, it is what root of the container has.
        self._shown = {os.geteuid(): 0} if copies_roots() else {}
        self._shown_group = {os.getegid(): 0} if copies_roots() else {}

    def run(self, top: bool) -> Packed:
        pending = [b""]
        while pending:
            path = pending.pop()
            try:
                fd = openat2(self._dir_fd, path or b".", os.O_RDONLY | os.O_DIRECTORY, _RESOLVE)
            except OSError as error:
                if error.errno in _GONE:
                    continue
                raise
            try:
                if top and not path:
                    self._emit(self._prefix or b"./", os.fstat(fd), xattrs=_xattrs(fd))
                if self._whiteouts:
                    self._marks(fd, path)
                if self._enter is None or self._enter(fd):
                    pending.extend(reversed(self._directory(fd, path)))
            finally:
                os.close(fd)
        self._literal(_END)
        return self._packed

    def run_one(self, name: bytes, path: bytes) -> Packed:
        self._entry(self._dir_fd, name, path, os.stat(name, dir_fd=self._dir_fd, follow_symlinks=False))
        self._literal(_END)
        return self._packed

    def _literal(self, data: bytes) -> None:
        """Bytes that are in no file."""
        self._out.write(data)
        if self._record is not None:
            self._record.literal(data)

    def _marks(self, fd: int, path: bytes) -> None:
        """The mark of an opaque directory comes before everything that is in it."""
        names = os.listxattr(fd)
        if any(name.endswith(".overlay.redirect") for name in names):
            raise InvalidParameter(f"{os.fsdecode(path)!r} was renamed by overlayfs, which a layer can't say")
        if path and marks.is_opaque(fd):
            self._write_header(header(self._prefix + path + b"/" + marks.OPAQUE_NAME, b"0"))

    def _directory(self, fd: int, path: bytes) -> list[bytes]:
        """Write the entries of one directory; gives its subdirectories' paths."""
        names = sorted(os.fsencode(name) for name in os.listdir(fd))
        start = path + b"/" if path else b""
        below: list[bytes] = []
        for name in names:
            here = start + name
            if len(here) > _MAX_PATH:
                raise InvalidParameter(f"a path of {len(here)} bytes is too long for an archive")
            try:
                status = os.stat(name, dir_fd=fd, follow_symlinks=False)
                if self._leave_out is not None and self._leave_out(here, status):
                    continue
                self._entry(fd, name, here, status)
            except OSError as error:
                if error.errno in _GONE:
                    continue
                raise
            if stat.S_ISDIR(status.st_mode):
                below.append(here)
        return below

    def _entry(self, fd: int, name: bytes, path: bytes, status: os.stat_result) -> None:
        path = self._prefix + path
        kind = stat.S_IFMT(status.st_mode)
        if self._whiteouts and marks.is_whiteout(status):
            parent, slash, base = path.rpartition(b"/")
            self._write_header(header(parent + slash + marks.PREFIX + base, b"0"))
        elif self._whiteouts and name.startswith(marks.PREFIX):
            raise InvalidParameter(
                f"{os.fsdecode(path)!r} can't be kept in a layer: its name says that a file was deleted"
            )
        elif kind == stat.S_IFREG:
            self._file(fd, name, path)
        elif kind == stat.S_IFDIR:
            child = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
            try:
                self._emit(path + b"/", status, xattrs=_xattrs(child))
            finally:
                os.close(child)
        elif kind == stat.S_IFLNK:
            if not self._linked(path, status):
                self._emit(path, status, link=os.readlink(name, dir_fd=fd))
        elif kind == stat.S_IFSOCK:
            self._packed.sockets.append(path)
        elif not self._linked(path, status):
            self._emit(path, status)

    def _linked(self, path: bytes, status: os.stat_result) -> bool:
        """Whether the file went out under another name already; then a hard link goes out."""
        if status.st_nlink < 2:
            return False
        first = self._first_names.setdefault((status.st_dev, status.st_ino), path)
        if first is path:
            return False
        self._emit(path, status, kind=b"1", link=first)
        return True

    def _file(self, dir_fd: int, name: bytes, path: bytes) -> None:
        fd = os.open(name, _FILE, dir_fd=dir_fd)
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode) or self._linked(path, status):
                return
            size = status.st_size
            self._packed.size += size
            head = self._head(path, status, size=size, xattrs=_xattrs(fd))
            padding = _ZEROS[: -size % BLOCK]
            if self._record is not None:
                self._record.literal(head)
                if size:
                    self._record.file(path, size, status.st_ino)
                self._record.literal(padding)
            if size <= CHUNK // 4:
                data = os.read(fd, size) if size else b""
                # A file that shrinks meanwhile is filled up: the header's size is already said.
                self._out.write(b"".join((head, data.ljust(size, b"\0"), padding)))
            else:
                self._out.write(head)
                self._long(fd, size)
                self._out.write(padding)
        finally:
            os.close(fd)

    def _long(self, fd: int, size: int) -> None:
        view = memoryview(self._buffer)
        left = size
        while left:
            count = os.readv(fd, [view[: min(left, CHUNK)]])
            if not count:
                count = min(left, CHUNK)
                view[:count] = bytes(count)
            self._out.write(bytes(view[:count]))
            left -= count

    def _emit(
        self,
        path: bytes,
        status: os.stat_result,
        *,
        kind: bytes = b"",
        link: bytes = b"",
        xattrs: dict[bytes, bytes] | None = None,
    ) -> None:
        self._literal(self._head(path, status, kind=kind, link=link, xattrs=xattrs))

    def _head(
        self,
        path: bytes,
        status: os.stat_result,
        *,
        kind: bytes = b"",
        link: bytes = b"",
        size: int = 0,
        xattrs: dict[bytes, bytes] | None = None,
    ) -> bytes:
        self._packed.entries += 1
        kind = kind or _KINDS[stat.S_IFMT(status.st_mode)]
        device = (os.major(status.st_rdev), os.minor(status.st_rdev)) if kind in (b"3", b"4") else (0, 0)
        uid, gid = self._shown.get(status.st_uid, status.st_uid), self._shown_group.get(status.st_gid, status.st_gid)
        return header(
            path,
            kind,
            mode=stat.S_IMODE(status.st_mode),
            uid=uid,
            gid=gid,
            size=size,
            mtime=status.st_mtime_ns // 10**9,
            link=link,
            device=device,
            xattrs=xattrs,
        )

    def _write_header(self, data: bytes) -> None:
        self._packed.entries += 1
        self._literal(data)


def _xattrs(fd: int) -> dict[bytes, bytes] | None:
    names = os.listxattr(fd)
    if not names:
        return None
    found: dict[bytes, bytes] = {}
    for name in sorted(names):
        raw = os.fsencode(name)
        if name == _CAPABILITY or (name.startswith("user.") and not marks.is_private_xattr(raw)):
            found[raw] = os.getxattr(fd, name)
    return found
