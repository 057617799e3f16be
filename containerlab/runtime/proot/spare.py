"""A spare copy of an image's root, made while nothing else happens, so that the image's next container has it at once.

``STORE/layers/HEX/spare`` holds ``rootfs``, the copy, and ``directories.json``, what ``copy_tree`` gave. It appears by
one rename from ``STORE/spares`` and is taken by one, so that no two containers get the same; it goes with its
layer. There are a few at most, none of a large image, and none where the disk is nearly full.
"""

# The supervisor imports this module, and does without pathlib, which alone is 1.5 MB of its memory.
# ruff: noqa: PTH101, PTH102, PTH103, PTH104, PTH110, PTH116, PTH119, PTH120, PTH208
from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import stat

from containerlab.runtime import syscalls
from containerlab.runtime.signals import blocked_signals, reset_signals
from containerlab.treecopy import copy_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from containerlab.runtime.supervisor.loop import Loop, Timer

__all__ = ["Spares", "discard", "drop_all", "take"]

_VIEW, _SPARE, _ROOT, _DIRECTORIES = "view", "spare", "rootfs", "directories.json"
_PR_SET_PDEATHSIG = 1
_MOST = 4
_MOST_BYTES = 512 << 20
_MOST_ENTRIES = 20_000
# What stays free on the disk, beside the copy itself: so much, and so large a part of it.
_FREE_BYTES = 1 << 30
_FREE_PART = 10
# Nothing was started for so long: a class that starts containers one after another isn't kept from it.
_IDLE_S = 0.4
_NICE = 19


def _place(source: str) -> str | None:
    """Where a tree's spare lies; None for one that is no image's."""
    return f"{os.path.dirname(source)}/{_SPARE}" if os.path.basename(source) == _VIEW else None


def take(source: str, target: str) -> dict[str, int] | None:
    """Makes the spare of ``source`` the directory ``target``; what ``copy_tree`` would give, None if there is none."""
    spare, taken = _place(source), f"{target}.spare"
    if spare is None:
        return None
    try:
        os.rename(spare, taken)
    except OSError:
        return None
    try:
        with open(f"{taken}/{_DIRECTORIES}", encoding="utf-8", errors="surrogateescape") as file:
            directories: dict[str, int] = json.load(file)
        # A directory that one may not write to can't change its parent.
        mode = stat.S_IMODE(os.stat(f"{taken}/{_ROOT}").st_mode)
        os.chmod(f"{taken}/{_ROOT}", mode | stat.S_IWUSR)
        os.rename(f"{taken}/{_ROOT}", target)
        os.chmod(target, mode)
        return directories
    except (OSError, ValueError):
        return None
    finally:
        discard(taken)


def drop_all(source: str) -> bool:
    """Removes every spare of the store that ``source`` lies in; whether there was one."""
    layers = os.path.dirname(os.path.dirname(source))
    found = False
    with contextlib.suppress(OSError):
        for name in os.listdir(layers):
            found |= _bury(f"{layers}/{name}/{_SPARE}")
    return found


def _own_folder(spare: str) -> str:
    """``STORE/spares``, made when missing: what is made or removed there nobody else sweeps meanwhile."""
    folder = f"{os.path.dirname(os.path.dirname(os.path.dirname(spare)))}/spares"
    os.makedirs(folder, 0o700, exist_ok=True)
    for name in os.listdir(folder):
        if not os.path.exists(f"/proc/{name.partition('-')[0]}"):
            discard(f"{folder}/{name}")  # of one that was killed
    return folder


def _bury(spare: str) -> bool:
    """Out of the layer by one rename before anything goes: the engine may be removing that. Whether it was there."""
    try:
        grave = f"{_own_folder(spare)}/{os.getpid()}-gone"
        discard(grave)
        os.rename(spare, grave)
    except OSError:
        return False
    discard(grave)
    return True


def discard(folder: str) -> None:
    """Removes a tree of one's own, also what is in directories that one may not write to; a missing one is no error."""
    with contextlib.suppress(OSError):
        for above, _, _ in os.walk(folder):
            os.chmod(above, stat.S_IRWXU)
    shutil.rmtree(folder, ignore_errors=True)


class Spares:
    """Makes them, for the supervisor: one at a time, in a child of the lowest priority."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._timer: Timer | None = None
        self._pending: list[str] = []
        self._made: list[str] = []

    def started(self, source: str) -> None:
        """A container of the tree ``source`` was started: another may come."""
        if _place(source) is None:
            return
        if source in self._pending:
            self._pending.remove(source)
        self._pending.append(source)
        del self._pending[:-_MOST]
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(_IDLE_S, self._make)

    def _make(self) -> None:
        self._timer = None
        sources, self._pending = self._pending, []
        for source in sources:
            if source in self._made:
                self._made.remove(source)
            self._made.append(source)
        dropped, self._made = self._made[:-_MOST], self._made[-_MOST:]
        with contextlib.suppress(OSError):
            _fork(sources, dropped)


def _fork(sources: list[str], dropped: list[str]) -> None:
    parent = os.getpid()
    with blocked_signals():
        if os.fork():
            return
        try:
            syscalls.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            syscalls.close_range(3)
            reset_signals()
            os.nice(_NICE)
            if os.getppid() == parent:
                for source in dropped:
                    _bury(_place(source) or "")
                for source in sources:
                    with contextlib.suppress(OSError):
                        _make(source)
        finally:
            os._exit(0)


def _make(source: str) -> None:
    spare = _place(source)
    if spare is None or os.path.exists(spare) or not _fits(source):
        return
    scratch = f"{_own_folder(spare)}/{os.getpid()}"
    discard(scratch)
    os.mkdir(scratch, 0o700)
    try:
        directories = copy_tree(source, f"{scratch}/{_ROOT}")
        with open(f"{scratch}/{_DIRECTORIES}", "x", encoding="utf-8", errors="surrogateescape") as file:
            json.dump(directories, file)
        os.rename(scratch, spare)
    finally:
        discard(scratch)


def _fits(source: str) -> bool:
    size = entries = 0
    for above, folders, files in os.walk(source):
        entries += len(folders) + len(files)
        size += sum(os.lstat(f"{above}/{name}").st_size for name in files)
        if size > _MOST_BYTES or entries > _MOST_ENTRIES:
            return False
    disk = os.statvfs(source)
    left = disk.f_bavail * disk.f_frsize - size
    return left >= _FREE_BYTES and left >= disk.f_blocks * disk.f_frsize // _FREE_PART
