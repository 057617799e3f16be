"""Whether a store's file system can carry it, found out before the engine opens it.

What an overlay can't be mounted on, what forbids execution, what is served over a network, and what is full: each is
said with what to set. Magic numbers are those of statfs(2) and linux/magic.h.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from containerlab.errors import ContainerlabError, HostLacks, StorageFull
from containerlab.runtime import syscalls

__all__ = ["Storage", "check_store", "look_at"]

_NETWORK = {
    0x6969: "NFS",
    0xFF534D42: "CIFS",
    0xFE534D42: "SMB",
    0x517B: "SMB",
    0x01021997: "9p",
    0x5346414F: "AFS",
    0x00C36400: "Ceph",
}
_OVERLAY = 0x794C7630
_LEAST_BYTES = 16 << 20
_COPIES = "copies"
"""The file in a store that says that its containers' roots are copies."""
_ELSEWHERE = "Set CONTAINERLAB_STORE to a folder on another file system"


@dataclass(frozen=True, slots=True)
class Storage:
    """What lies under a folder: ``network`` is the protocol's name or empty, ``free`` bytes that the user may write."""

    network: str
    is_overlay: bool
    is_noexec: bool
    is_readonly: bool
    free: int

    def problem(self, *, mounts: bool, is_new: bool) -> ContainerlabError | None:
        """Why no store can lie there: ``mounts`` where roots are overlays, ``is_new`` where it has yet to be made."""
        if self.network:
            return HostLacks(
                f"it lies on {self.network}, which keeps neither a database's locks nor a layer's attributes",
                hint=f"{_ELSEWHERE}, a local one.",
            )
        if self.is_readonly:
            return HostLacks("its file system is mounted read-only", hint=f"{_ELSEWHERE}.")
        if self.is_noexec:
            return HostLacks(
                "its file system is mounted noexec, and no container's program could run from it",
                hint=f"{_ELSEWHERE}, one without noexec.",
            )
        if self.is_overlay and mounts:
            return HostLacks(
                "it lies on an overlay (a container's own root), on which overlayfs writes no other one",
                hint=f"{_ELSEWHERE}, such as a volume, or CONTAINERLAB_RUNG=proot for containers without mounts.",
            )
        if is_new and self.free < _LEAST_BYTES:
            return StorageFull(
                f"only {self.free >> 20} MiB are free there",
                hint=f"Make room, or {_ELSEWHERE[0].lower()}{_ELSEWHERE[1:]}.",
            )
        return None


def look_at(folder: Path) -> Storage:
    """The file system of ``folder``, or of the nearest folder above it that is there. Raises OSError."""
    there = folder
    while not there.exists():
        there = there.parent
    fd = os.open(there, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        kind, status = syscalls.fstatfs_type(fd), os.fstatvfs(fd)
    finally:
        os.close(fd)
    return Storage(
        network=_NETWORK.get(kind, ""),
        is_overlay=kind == _OVERLAY,
        is_noexec=bool(status.f_flag & os.ST_NOEXEC),
        is_readonly=bool(status.f_flag & os.ST_RDONLY),
        free=status.f_bavail * status.f_frsize,
    )


def check_store(store: Path, *, mounts: bool) -> None:
    """Raises HostLacks or StorageFull for a store that its file system can't carry.

    A full one that exists is opened all the same: removing makes room.
    """
    problem = _of_another_rung(store, copies=not mounts) or look_at(store).problem(
        mounts=mounts, is_new=not (store / "db.sqlite").exists()
    )
    if problem is not None:
        problem.message = f"the store {store} can't be used: {problem.message}"
        raise problem
    if not mounts:
        (store / _COPIES).touch()


def _of_another_rung(store: Path, *, copies: bool) -> ContainerlabError | None:
    """Layers that were unpacked under proot have other owners, and perhaps other marks, than overlayfs wants."""
    made_by_copies = (store / _COPIES).exists()
    if made_by_copies == copies or not (store / "db.sqlite").exists():
        return None
    there, here = ("under proot", "with mounts") if made_by_copies else ("with mounts", "under proot")
    return HostLacks(
        f"its layers were unpacked {there}, and containers run {here} now",
        hint=f"{_ELSEWHERE.replace('a folder on another file system', 'another folder')}, "
        "or remove this one (containerlab system reset).",
    )
