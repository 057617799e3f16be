"""The sources of a container's mounts, as its start finds them: opened where the host has them, and looked at.

A bind is opened in the host's own mount namespace and handed to the runtime as a mount that is attached nowhere yet: so
it shows what the host mounts today, and a shared one leads out. Source: moby daemon/oci_linux.go (``ensureShared``,
``ensureSharedOrSlave``), daemon/volume/mounts (``Setup``) and daemon/volume/safepath.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable

from containerlab.engine.failures import bind_failed
from containerlab.engine.state import MountPoint
from containerlab.errors import ContainerlabError, InvalidParameter, NotFound
from containerlab.rung import copies_roots
from containerlab.runtime import host_mounts
from containerlab.runtime.mounts import open_below

__all__ = ["MOST_BINDS", "have_sources", "make_source", "open_part", "open_sources"]

MOST_BINDS = 250
"""As many as one message to the supervisor carries, and a few more."""

_SHARED = frozenset({"shared", "rshared"})
_SLAVE = frozenset({"slave", "rslave"})


def have_sources(points: Iterable[MountPoint]) -> bool:
    """Whether ``open_sources`` has anything to do."""
    return any(point.subpath or point.type == "bind" for point in points)


def open_sources(points: Iterable[MountPoint]) -> list[int]:
    """Descriptors of the mounts of binds, in their order, for ``containerlab.trees``; for a thread.

    Raises ContainerlabError in Docker's words: for a source that is gone, a propagation that the host's mount doesn't
    have, a part of a volume that isn't there or leads out of it. The runtime resolves that part once more, by itself.
    """
    opened: list[int] = []
    try:
        for point in points:
            if point.subpath:
                os.close(open_part(point))
            if point.type == "bind":
                opened.append(_open_bind(point))
    except BaseException:
        for fd in opened:
            os.close(fd)
        raise
    return opened


def _open_bind(point: MountPoint) -> int:
    if point.made:
        make_source(point.source)
    try:
        if copies_roots():  # nothing is mounted: proot goes by the path
            return os.open(point.source, os.O_PATH | os.O_CLOEXEC)
        if point.propagation in _SHARED | _SLAVE:
            _check_propagation(point)
        return host_mounts.copy(point.source, recursive=point.recursive)
    except FileNotFoundError as error:
        # What ``create`` looked at is looked at again (moby daemon/start.go).
        raise InvalidParameter(
            f'invalid mount config for type "bind": bind source path does not exist: {point.source}'
        ) from error
    except OSError as error:
        raise bind_failed(error, point.source, point.destination) from error


def open_part(point: MountPoint) -> int:
    """An O_PATH descriptor of ``volume-subpath`` inside its volume. Raises NotFound, InvalidParameter."""
    if not point.subpath:
        return os.open(point.source, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        return open_below(point.source, point.subpath)
    except OSError as error:
        if error.errno in (errno.EXDEV, errno.ELOOP):
            raise InvalidParameter(
                f"path concatenation escapes the base directory, base: {point.source}, subpath: {point.subpath}"
            ) from error
        path = f"{point.source}/{point.subpath}"
        reason = (error.strerror or str(error)).lower()
        raise NotFound(f"cannot access path {path}: lstat {path}: {reason}") from error


def _check_propagation(point: MountPoint) -> None:
    place = host_mounts.look(point.source)
    head = f"path {point.source} is mounted on {place.mount_point} but it is not a shared"
    if point.propagation in _SHARED and not place.shared:
        raise ContainerlabError(f"{head} mount")
    if point.propagation in _SLAVE and not (place.shared or place.slave):
        raise ContainerlabError(f"{head} or slave mount")


def make_source(source: str) -> None:
    """A folder of the host's, as Docker makes it where ``-v`` names one that isn't there. Raises InvalidParameter."""
    try:
        if not os.path.lexists(source):
            os.makedirs(source, exist_ok=True)  # noqa: PTH103
    except OSError as exc:
        raise InvalidParameter(f"error while creating mount source path '{source}': {exc.strerror}") from exc
    except ValueError as exc:  # a NUL, or no character at all
        raise InvalidParameter(f"error while creating mount source path {source!r}: {exc}") from exc
