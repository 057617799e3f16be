"""What a writable layer changed, told as Docker's ``diff`` tells it.

Docker walks the container's root and the image's side by side (moby go-archive, ``ChangesDirs``); here only the
overlay's upper directory is walked, and each name looked up in the layers below: what isn't there is as it was. A
directory counts as changed when something in it is, or when its mode or owner is; a file also by its size and time.
Of a directory that went away its own path is told, nothing below it.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Collection

from containerlab.errors import InvalidParameter
from containerlab.images import marks, trees

__all__ = ["ADDED", "DELETED", "MODIFIED", "Change", "changes"]

MODIFIED, ADDED, DELETED = 0, 1, 2

Change = tuple[str, int]
"""A path from the root on, and what became of it."""

_MAX_PATH = 4096
_MOST = 2_000_000
_WHITEOUTS = frozenset({"trusted.overlay.whiteout", "user.overlay.whiteout"})
_NANOSECONDS = 10**9


def changes(upper_fd: int, lower_fd: int, *, scaffold: Collection[bytes] = ()) -> list[Change]:
    """Sorted by path. ``upper_fd`` is the writable layer, ``lower_fd`` a view of all that is below it.

    ``scaffold`` are paths that the engine makes for its mounts where the image lacks them: an empty file or a
    directory there is none of the container's doing. What a running container removes meanwhile is left out.
    Raises ``InvalidParameter`` for more than two million changes.
    """
    walk = _Walk(upper_fd, lower_fd, frozenset(scaffold))
    walk.run()
    return sorted((os.fsdecode(path), kind) for path, kind in walk.found.items())


class _Walk:
    def __init__(self, upper_fd: int, lower_fd: int, scaffold: frozenset[bytes]) -> None:
        self._upper, self._lower, self._scaffold = upper_fd, lower_fd, scaffold
        self.found: dict[bytes, int] = {}

    def run(self) -> None:
        # A directory's path in the layer, and whether one of that path lies below and shows through or is hidden.
        pending = [(b"", True)]
        while pending:
            path, below = pending.pop()
            with trees.directory_below(self._upper, path) as fd:
                if fd is not None:
                    pending += self._directory(fd, path, below)

    def _directory(self, fd: int, path: bytes, below: bool) -> list[tuple[bytes, bool]]:
        names = [os.fsencode(name) for name in os.listdir(fd)]
        inner: list[tuple[bytes, bool]] = []
        with trees.directory_below(self._lower, path) if below else contextlib.nullcontext() as lower:
            for name in names:
                here = path + b"/" + name if path else name
                try:
                    status = os.stat(name, dir_fd=fd, follow_symlinks=False)
                    attribute = _is_marked(fd, name, status)
                except OSError as error:
                    if error.errno in trees.ABSENT:
                        continue
                    raise
                before = _status(lower, name)
                if attribute or marks.is_whiteout(status):
                    if before is not None:
                        self._note(here, DELETED)
                    continue
                self._compare(here, status, before, fd, name, lower)
                if stat.S_ISDIR(status.st_mode) and len(here) < _MAX_PATH:
                    inner.append((here, before is not None and stat.S_ISDIR(before.st_mode)))
            if lower is not None and path and marks.is_opaque(fd):
                for hidden in os.listdir(lower):  # noqa: PTH208
                    raw = os.fsencode(hidden)
                    if raw not in names:
                        self._note(path + b"/" + raw, DELETED)
        return inner

    def _compare(
        self,
        path: bytes,
        status: os.stat_result,
        before: os.stat_result | None,
        fd: int,
        name: bytes,
        lower: int | None,
    ) -> None:
        if before is None:
            untouched = stat.S_ISDIR(status.st_mode) or (stat.S_ISREG(status.st_mode) and not status.st_size)
            if not (untouched and path in self._scaffold):
                self._note(path, ADDED)
        elif _differs(before, status) or _capability(lower, name, before) != _capability(fd, name, status):
            self._note(path, MODIFIED)

    def _note(self, path: bytes, kind: int) -> None:
        """The change, and that the directories above it changed, up to one that is noted already."""
        self.found[path] = kind
        if len(self.found) > _MOST:
            raise InvalidParameter(f"the container has more than {_MOST} changes, too many to be told")
        above = path.rpartition(b"/")[0]
        while above and above not in self.found:
            self.found[above] = MODIFIED
            above = above.rpartition(b"/")[0]


def _status(fd: int | None, name: bytes) -> os.stat_result | None:
    if fd is None:
        return None
    try:
        return os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _is_marked(fd: int, name: bytes, status: os.stat_result) -> bool:
    """Whether an attribute makes an empty file a whiteout (overlayfs.rst, "whiteouts and opaque directories")."""
    if not stat.S_ISREG(status.st_mode) or status.st_size:
        return False
    file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=fd)
    try:
        return not _WHITEOUTS.isdisjoint(os.listxattr(file))
    finally:
        os.close(file)


def _capability(fd: int | None, name: bytes, status: os.stat_result) -> bytes:
    if fd is None or not stat.S_ISREG(status.st_mode):
        return b""
    try:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=fd)
    except OSError:
        return b""
    try:
        return os.getxattr(file, "security.capability")
    except OSError:
        return b""
    finally:
        os.close(file)


def _differs(before: os.stat_result, after: os.stat_result) -> bool:
    """moby go-archive ``statDifferent``: of a directory neither size nor time says anything."""
    if (before.st_mode, before.st_uid, before.st_gid) != (after.st_mode, after.st_uid, after.st_gid):
        return True
    if stat.S_ISDIR(after.st_mode):
        return False
    if before.st_rdev != after.st_rdev or before.st_size != after.st_size:
        return True
    old, new = before.st_mtime_ns, after.st_mtime_ns
    exact = old % _NANOSECONDS and new % _NANOSECONDS
    return old != new if exact else old // _NANOSECONDS != new // _NANOSECONDS
