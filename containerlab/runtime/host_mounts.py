"""Mounts as the host has them, which a store's own mount namespace doesn't show.

A store's namespace is the host's slave: what the host mounts comes in, nothing goes out. Whether a mount of the
host's is shared can only be read there, and a bind that leads out (``shared``) must be a copy of the host's own mount.
A thread goes and makes it: setns(2) into a mount namespace wants a root and a working directory that nobody shares.
Without root nobody goes there, and nothing is shared.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from containerlab.runtime import constants as c
from containerlab.runtime import syscalls
from containerlab.runtime.elsewhere import in_thread
from containerlab.runtime.mountinfo import mounts_of
from containerlab.runtime.userns import in_user_namespace

__all__ = ["Place", "copy", "look", "mounts_below", "remember"]

_Result = TypeVar("_Result")
_OWN = "/proc/thread-self/ns/mnt"

_host: int | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a path is mounted, and what of that mount goes on to others (mount_namespaces(7))."""

    mount_point: str
    shared: bool
    slave: bool


def remember() -> None:
    """Keep the namespace that the process is in, before it leaves it for the store's."""
    global _host
    if _host is None:
        _host = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)


def look(path: str) -> Place:
    """The mount that holds ``path``, links followed. ``OSError`` when it isn't there."""
    return _on_host(lambda: _place(os.path.realpath(path, strict=True)))


def copy(path: str, *, recursive: bool) -> int:
    """A descriptor of a mount of ``path`` that is attached nowhere yet, a peer of the host's where that is shared."""
    flags = c.OPEN_TREE_CLONE | (c.AT_RECURSIVE if recursive else 0)
    return _on_host(lambda: syscalls.open_tree(c.AT_FDCWD, path, flags))


def mounts_below(folder: str) -> list[str]:
    """The mount points below ``folder`` in the caller's own namespace, the one mounted last first."""
    return [mount.point for mount in reversed(mounts_of()) if mount.point.startswith(f"{folder}/")]


def _on_host(work: Callable[[], _Result]) -> _Result:
    host = _host
    if host is None or in_user_namespace():
        return work()

    def enter() -> None:
        syscalls.unshare(c.CLONE_FS)
        syscalls.setns(host, c.CLONE_NEWNS)

    return in_thread("host-mounts", enter, work)


def _place(path: str) -> Place:
    """The innermost mount; of two at one point the later, which lies on top."""
    around = [
        mount
        for mount in mounts_of()
        if mount.point == "/" or path == mount.point or path.startswith(f"{mount.point}/")
    ]
    longest = max(len(mount.point) for mount in around)
    found = [mount for mount in around if len(mount.point) == longest][-1]
    return Place(found.point, shared=found.shared, slave=found.slave)
