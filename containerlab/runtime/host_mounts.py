"""Mounts as the host has them, which a store's own mount namespace doesn't show.

A store's namespace is the host's slave: what the host mounts comes in, nothing goes out. Whether a mount of the
host's is shared can only be read there, and a bind that leads out (``shared``) must be a copy of the host's own mount.
A thread goes and makes it: setns(2) into a mount namespace wants a root and a working directory that nobody shares.
Without root nobody goes there, and nothing is shared.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from containerlab.runtime import constants as c
from containerlab.runtime import syscalls
from containerlab.runtime.userns import in_user_namespace

__all__ = ["Place", "copy", "look", "mounts_below", "remember"]

_Result = TypeVar("_Result")
_OWN = "/proc/thread-self/ns/mnt"
_MOUNTS = "/proc/thread-self/mountinfo"

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
    return [point for point, _ in reversed(_read()) if point.startswith(f"{folder}/")]


def _on_host(work: Callable[[], _Result]) -> _Result:
    if _host is None or in_user_namespace():
        return work()
    results: list[_Result] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            syscalls.unshare(c.CLONE_FS)
            syscalls.setns(_host, c.CLONE_NEWNS)
            results.append(work())
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run, name="host-mounts", daemon=True)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return results[0]


def _place(path: str) -> Place:
    """The innermost mount; of two at one point the later, which lies on top."""
    found = ("", "")
    for point, optional in _read():
        inside = point == "/" or path == point or path.startswith(f"{point}/")
        if inside and len(point) >= len(found[0]):
            found = (point, optional)
    words = found[1].split()
    return Place(
        found[0],
        shared=any(word.startswith("shared:") for word in words),
        slave=any(word.startswith("master:") for word in words),
    )


def _read() -> list[tuple[str, str]]:
    """(mount point, optional fields) of proc(5)'s mountinfo."""
    with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as file:
        lines = [line.partition(" - ")[0].split(" ") for line in file]
    return [(_unescape(fields[4]), " ".join(fields[6:])) for fields in lines]


def _unescape(text: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text
