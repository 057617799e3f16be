"""The process that looks into one container's root: ``python -m containerlab.engine.visitor REQUEST``.

A process, because a file system of the container's (FUSE) may never answer: it can be killed, where a thread can't. It
stays outside of the root, which it knows by a descriptor alone: nothing of the container's is ever run, loaded or
looked up as the host's. REQUEST is JSON: ``op`` (stat, get, put), ``path``, and the root as a descriptor (``root``, of
a running container) or a bundle to mount (``bundle``). The first line of the answer is JSON, ``{"stat"}`` or
``{"error": {"kind", "message"}}``; behind it comes what ``get`` packs. ``put`` reads the archive from its input.
"""

from __future__ import annotations

import json
import os
import posixpath
import signal
import sys
from typing import Any

from containerlab.errors import ContainerlabError
from containerlab.images.places import Place, real_path, split
from containerlab.rung import copies_roots
from containerlab.runtime import syscalls
from containerlab.runtime.constants import PR_SET_PDEATHSIG
from containerlab.runtime.inroot import Root
from containerlab.runtime.users import resolve_user
from containerlab.runtime.visit import copied_place, holds_files, mount_stopped

__all__ = ["main"]


def main(arguments: list[str]) -> int:
    """Answer one request; 0 unless it failed."""
    syscalls.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    request = json.loads(arguments[0])
    out = os.fdopen(1, "wb")
    try:
        _answer(request, out)
    except BrokenPipeError:
        return 1  # nobody listens any more
    except Exception as error:
        out.write(_line({"error": _told(error, request)}))
        out.flush()
        return 1
    out.flush()
    return 0


def _answer(request: dict[str, Any], out: Any) -> None:
    path = os.fsencode(request["path"])
    if copies_roots():
        root, path = _copied(request)
    else:
        root = request["root"] if request["root"] is not None else _mounted(request)
    if request["op"] == "put":
        _put(root, path, request)
        out.write(_line({"stat": {}}))
        return
    place = Place.at(root, path, enter=holds_files)
    out.write(_line({"stat": place.describe()}))
    if request["op"] == "get":
        out.flush()
        place.archive(out, enter=holds_files)


def _mounted(request: dict[str, Any]) -> int:
    try:
        return mount_stopped(request["bundle"], request["trees"], writable=request["op"] == "put")
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise _Refused("ContainerlabError", f"mounting the container's files: {error.filename or ''}: {why}") from error


def _copied(request: dict[str, Any]) -> tuple[int, bytes]:
    """A copied root, made if no start has made it yet; or what is bound where the path leads, and the rest of it."""
    try:
        place, rest = copied_place(request["bundle"], request["path"])
        return os.open(place, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC), os.fsencode(rest)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise _Refused("ContainerlabError", f"copying the container's files: {error.filename or ''}: {why}") from error


def _put(root: int, path: bytes, request: dict[str, Any]) -> None:
    """``readonly`` is what the engine knows: destinations of mounts, and whether nothing may be written there."""
    real = real_path(root, split(path)[0])
    place = Place.at(root, b"/" + b"/".join(real))
    if not place.is_directory:
        raise _Refused("InvalidParameter", "extraction point is not a directory")
    # In a copy ``real`` begins in what is bound there, so the path that was asked for tells where that is.
    where = (
        posixpath.normpath("/" + request["path"].lstrip("/")) if copies_roots() else os.fsdecode(b"/" + b"/".join(real))
    )
    mount, readonly = _mount_of(where, request["mounts"])
    if readonly:
        what = "mounted volume" if mount else "container rootfs"
        raise _Refused("InvalidParameter", f"{what} is marked read-only")
    owner = None
    if request["user"]:
        user = resolve_user(Root(root), request["user"])
        owner = (user.uid, user.gid)
    with os.fdopen(0, "rb", buffering=0) as stream:
        place.unpack(stream, owner=owner, keep_kinds=request["keep_kinds"])


def _mount_of(path: str, mounts: dict[str, bool]) -> tuple[str, bool]:
    """The innermost of ``mounts`` (destination to read-only, "" for the root itself) that ``path`` lies in."""
    inside = [place for place in mounts if path == place or path.startswith(f"{place}/")]
    innermost = max(inside, key=len)
    return innermost, mounts[innermost]


class _Refused(Exception):
    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def _told(error: Exception, request: dict[str, Any]) -> dict[str, str]:
    if isinstance(error, _Refused):
        return {"kind": error.kind, "message": str(error)}
    if isinstance(error, ContainerlabError):
        return {"kind": type(error).__name__, "message": error.message}
    if isinstance(error, FileNotFoundError):
        message = f"Could not find the file {request['path']} in container {request['container']}"
        return {"kind": "NotFound", "message": message}
    if isinstance(error, OSError):
        return {"kind": "ContainerlabError", "message": f"{request['path']}: {(error.strerror or str(error)).lower()}"}
    return {"kind": "ContainerlabError", "message": f"{type(error).__name__}: {error}"}


def _line(answer: dict[str, Any]) -> bytes:
    return json.dumps(answer).encode() + b"\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
