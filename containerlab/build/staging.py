"""Mounts that a RUN is given, made beforehand in the engine's own mount namespace, below the build's folder.

What a ``--mount`` names is opened by descriptor, once, and bound to a place that no container can reach; the runtime
binds that place. So nobody can swap a part of the path for a link in between (CVE-2024-23651), and nothing is made in
the container's root that would have to be removed from it afterwards (CVE-2024-23652).
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from pathlib import Path

from containerlab.errors import HostLacks
from containerlab.images import LayerStore
from containerlab.runtime import constants as c
from containerlab.runtime.syscalls import mount, mount_setattr, move_mount, open_tree, umount2, unshare
from containerlab.runtime.userns import in_user_namespace

__all__ = ["Staging", "unmount_below"]

_CLONE_FS = 0x00000200
_MNT_DETACH = 2
_PAGE = 4096
_SECRETS = "size=16m,mode=0700"


class Staging:
    """The mounts of one RUN below ``folder``, which is made here; ``close`` undoes them, whatever happened."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: list[Path] = []
        self._count = 0
        folder.mkdir(mode=0o700)

    def close(self) -> None:
        """Take every mount away."""
        while self._made:
            with contextlib.suppress(OSError):
                umount2(str(self._made.pop()), _MNT_DETACH)

    def place(self) -> Path:
        """A name that is free."""
        self._count += 1
        return self._folder / str(self._count)

    def bind(self, fd: int, *, lasting: bool = False) -> Path:
        """The open file or directory ``fd`` (O_PATH will do), and nothing of what is around it.

        ``lasting``: what is written there is to last, as in a cache. A mount is the thing itself in any case.
        """
        place = self.place()
        tree = open_tree(fd, "", c.OPEN_TREE_CLONE | c.OPEN_TREE_CLOEXEC)
        try:
            if stat.S_ISDIR(os.fstat(tree).st_mode):
                place.mkdir(mode=0o700)
            else:
                place.touch(mode=0o600)
            mount_setattr(tree, propagation=c.MS_PRIVATE)
            target = os.open(place, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                move_mount(tree, target)
            finally:
                os.close(target)
            self._made.append(place)
        finally:
            os.close(tree)
        return place

    def show(self, layers: LayerStore, chain_id: str | None) -> Path:
        """What the layers up to ``chain_id`` make together; what is written there goes with the build."""
        return self._overlay(layers.folder, layers.lower(chain_id))

    def _overlay(self, layers: Path, lower: list[str]) -> Path:
        """Layers (names relative to the folder ``layers``, top first)."""
        place, upper, work = self.place(), self.place(), self.place()
        for each in (place, upper, work):
            each.mkdir(mode=0o755)
        options = [f"lowerdir={':'.join(lower)}", f"upperdir={upper}", f"workdir={work}", "volatile"]
        options += ["userxattr"] if in_user_namespace() else ["redirect_dir=off", "metacopy=off", "index=off"]
        data = ",".join(options)
        if len(data) >= _PAGE:
            raise HostLacks(f"an overlay of {len(lower)} layers doesn't fit into one page of mount options")
        _mount_from(layers, place, data)
        self._made.append(place)
        return place

    def tmpfs(self) -> Path:
        """A file system in memory, for what must never reach a disk. Raises HostLacks."""
        place = self.place()
        place.mkdir(mode=0o700)
        flags = c.MS_NOSUID | c.MS_NODEV | c.MS_NOEXEC
        try:
            try:
                mount("tmpfs", str(place), "tmpfs", flags, f"{_SECRETS},noswap")
            except OSError:  # Linux before 6.4, or a user namespace
                mount("tmpfs", str(place), "tmpfs", flags, _SECRETS)
        except OSError as error:
            raise HostLacks(f"a secret needs a tmpfs, which can't be mounted here: {error.strerror}") from None
        self._made.append(place)
        return place


def _mount_from(folder: Path, place: Path, data: str) -> None:
    """mount(2) with ``folder`` as working directory: of a thread that has one of its own."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            unshare(_CLONE_FS)
            os.chdir(folder)
            mount("overlay", str(place), "overlay", c.MS_NODEV, data)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, name="overlay-stage")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]


def unmount_below(folder: Path) -> None:
    """Take away what a killed engine left mounted below ``folder``."""
    prefix = f"{folder}/"
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
        points = [line.split()[4].replace("\\040", " ") for line in lines]
    for point in reversed(points):
        if point.startswith(prefix):
            with contextlib.suppress(OSError):
                umount2(point, _MNT_DETACH)
