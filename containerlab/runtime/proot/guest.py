"""What a program sees under proot: the root and what is bound over it, in the spec's order.

A path is looked up as proot will: the innermost bound folder that it lies in, by its words, else the root. A link that
leads from one into another isn't followed here; proot does, when the program runs.
"""

# ruff: noqa: PTH110, PTH118
from __future__ import annotations

import errno
import json
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from containerlab.runtime import tini
from containerlab.runtime.constants import MS_BIND
from containerlab.runtime.inroot import Root
from containerlab.runtime.mount_options import parse_options
from containerlab.runtime.mounts import open_below

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["INIT", "Bound", "arguments", "bounds", "find_program", "opened", "place_of", "points"]

INIT = "/dev/.containerlab-init"
"""Where the static init is bound, which reports how the program ended."""

# The host's own, as nothing can be mounted; what lies below comes with them.
_OF_HOST = {"proc": "/proc", "sysfs": "/sys"}
_WITH_HOST = ("/dev", "/sys")


@dataclass(frozen=True, slots=True)
class Bound:
    """``source`` on the host shows at ``destination``."""

    source: str
    destination: str
    is_directory: bool


def bounds(spec: dict[str, Any], bundle: str) -> list[Bound]:
    """What is bound, outer ones first. A tmpfs is a folder of the bundle, emptied by ``fresh``. Raises ValueError."""
    found: dict[str, Bound] = {}
    below = json.loads(spec.get("annotations", {}).get("containerlab.below", "{}"))
    for number, mount in enumerate(spec.get("mounts", [])):
        destination, kind = os.path.normpath(mount["destination"]), mount.get("type", "")
        if not destination.startswith("/"):
            raise ValueError(f"mount destination must be an absolute path, not {destination!r}")
        source = _source(mount, kind, destination, f"{bundle}/tmpfs/{number}")
        if destination in below:
            source = _part(source, below[destination])
        if source:
            is_directory = not os.path.exists(source) or os.path.isdir(source)  # noqa: PTH112
            found.pop(destination, None)
            found[destination] = Bound(source, destination, is_directory)
    return sorted(found.values(), key=lambda bound: bound.destination.count("/"))


def _part(source: str, below: str) -> str:
    """The real path of a part of a volume, which the kernel finds inside the volume. Raises OSError."""
    fd = open_below(source, below)
    try:
        return os.readlink(f"/proc/self/fd/{fd}")  # noqa: PTH115
    finally:
        os.close(fd)


def _source(mount: dict[str, Any], kind: str, destination: str, scratch: str) -> str:
    if parse_options(mount.get("options", [])).flags & MS_BIND or kind == "bind":
        return str(mount["source"])
    if kind in _OF_HOST:
        return _OF_HOST[kind]
    if destination == "/dev":
        return "/dev"
    if any(destination.startswith(f"{place}/") for place in _WITH_HOST):
        return ""
    return scratch if kind == "tmpfs" else ""


def points(found: Iterable[Bound]) -> list[tuple[str, bool]]:
    """Where a root needs something to bind over; what lies in another bound folder needs nothing."""
    places = [(bound.destination, bound.is_directory) for bound in found]
    return [
        (path, is_directory)
        for path, is_directory in places
        if not any(other != path and path.startswith(f"{other}/") for other, _ in places)
    ]


def place_of(found: Iterable[Bound], root: str, path: str) -> tuple[str, str]:
    """The folder (or file) of the host, and the rest of ``path`` in it."""
    path = os.path.normpath(f"/{path}").replace("//", "/")
    inside = [b for b in found if path == b.destination or path.startswith(b.destination.rstrip("/") + "/")]
    if not inside:
        return root, path
    innermost = max(inside, key=lambda bound: len(bound.destination))
    return innermost.source, path[len(innermost.destination.rstrip("/")) :] or "/"


def opened(found: Iterable[Bound], root: str, path: str, *, make: bool = False) -> int:
    """An O_PATH descriptor of ``path`` as the program will see it; ``make`` makes a directory that isn't there."""
    place, rest = place_of(found, root, path)
    top = os.open(place, os.O_PATH | os.O_CLOEXEC)
    if rest == "/":
        return top
    try:
        inner = Root(top)
        return inner.ensure_directory(rest) if make else inner.open(rest)
    finally:
        os.close(top)


def find_program(found: list[Bound], root: str, cwd: str, name: str, path: str) -> None:
    """Whether there is a program ``name``; OSError in the words of Go's ``exec.LookPath`` (ENOENT, EACCES, EISDIR)."""
    if "/" in name:
        _check(found, root, os.path.join(cwd, name), name)
        return
    for directory in path.split(":") if path else ():
        try:
            _check(found, root, os.path.join(cwd, directory or ".", name), name)
        except OSError:
            continue
        return
    raise OSError(errno.ENOENT, f'exec: "{name}": executable file not found in $PATH', name)


def _check(found: list[Bound], root: str, path: str, name: str) -> None:
    try:
        fd = opened(found, root, path)
    except OSError as error:
        words = (error.strerror or str(error)).lower()
        raise OSError(error.errno, f'exec: "{name}": stat {path}: {words}', path) from None
    try:
        mode = os.fstat(fd).st_mode
    finally:
        os.close(fd)
    if stat.S_ISDIR(mode):
        raise OSError(errno.EISDIR, f'exec: "{name}": is a directory', path)
    if not mode & 0o111:
        raise OSError(errno.EACCES, f'exec: "{name}": permission denied', path)


def arguments(found: list[Bound], root: str, cwd: str, ids: tuple[int, int]) -> list[str]:
    """proot's options, and the init with what goes before the program's own words (proot(1), tini(1))."""
    words = ["-v", "-1", "-r", root, "-i", f"{ids[0]}:{ids[1]}"]
    for bound in found:
        words += ["-b", f"{bound.source}:{bound.destination}"]
    return [*words, "-b", f"{tini.find()}:{INIT}", "-w", cwd, INIT, "-s", "--"]
