"""Which layer of an image made a path, and which removed it: the layers' own files, read from the top down.

Nothing is mounted: each layer is a folder, in which overlayfs's marks say what it hides of those below
(``marks.py``). Links in the way are followed inside of the image, as a program in it would see them.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from containerlab.errors import InvalidParameter, NotFound
from containerlab.images import marks, trees
from containerlab.images.layer import Layer
from containerlab.images.store import Image, ImageStore

__all__ = ["where"]

_LINKS = 40
_LONGEST = 4096
_KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link"}
_REMOVED = "removed"


def where(store: ImageStore, image: Image, path: str) -> dict[str, Any]:
    """The answer of ``GET /containerlab/where`` (docs/interfaces.md).

    Raises NotFound for a path that no layer has or removed, InvalidParameter for one that can't be looked up.
    """
    if not path or "\0" in path or len(os.fsencode(path)) > _LONGEST:
        raise InvalidParameter(f"{path!r} is no path", hint="expected one as /etc/passwd")
    chain = store.layers.chain(image.chain_id)
    told = [step.created_by for step in image.config.history if not step.empty_layer]
    with ExitStack() as stack:
        roots = [stack.enter_context(trees.directory(store.layers.diff(layer.chain_id))) for layer in chain]
        resolved = _resolved(roots, os.fsencode(path))
        events = list(_events(roots, resolved))
    if not events:
        name = image.tags[0].familiar() if image.tags else image.id
        raise NotFound(f"no layer of {name} has {path}", hint="`diff` tells what a container changed")
    history = [
        {**_layer(chain[number], number, told), "action": action, "kind": kind, "size": size}
        for number, action, kind, size in events
    ]
    made = [each for each in history if each["action"] in ("added", "replaced")]
    gone = history[-1]["action"] == _REMOVED
    return {
        "image": image.id,
        "path": path,
        "resolved": "/" + os.fsdecode(resolved),
        "exists": not gone,
        "made_by": None if gone else made[-1],
        "removed_by": history[-1] if gone else None,
        "history": history,
    }


def _layer(layer: Layer, number: int, told: list[str]) -> dict[str, Any]:
    return {
        "layer": layer.chain_id,
        "number": number + 1,
        "created_by": layer.provenance.created_by or "".join(told[number : number + 1]),
        "dockerfile": layer.provenance.dockerfile,
        "line": layer.provenance.line,
        "instruction": layer.provenance.instruction,
    }


def _events(roots: list[int], path: bytes) -> Iterator[tuple[int, str, str, int]]:
    """What each layer does to ``path``, base first: (its index, action, kind, bytes).

    A directory comes along in every layer that has something below it: that is told only where its mode or owner
    differ.
    """
    before: os.stat_result | None = None
    for number, root in enumerate(roots):
        status, hides = _look(root, path)
        if status is None:
            if hides and before is not None:
                yield number, _REMOVED, "", 0
                before = None
            continue
        both = before is not None and stat.S_ISDIR(before.st_mode) and stat.S_ISDIR(status.st_mode)
        if before is None:
            action = "added"
        elif not both:
            action = "replaced"
        else:
            action = "" if hides is False and _same(before, status) else "changed"
        if action:
            yield number, action, _KINDS.get(stat.S_IFMT(status.st_mode), "special file"), _size(status)
        before = status


def _same(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_mode, one.st_uid, one.st_gid) == (other.st_mode, other.st_uid, other.st_gid)


def _size(status: os.stat_result) -> int:
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


def _look(root: int, path: bytes) -> tuple[os.stat_result | None, bool]:
    """What a layer has at ``path`` (None: nothing), and whether it hides what the layers below have there."""
    hides = False
    parts = path.split(b"/") if path else []
    for depth in range(len(parts)):
        with trees.directory_below(root, b"/".join(parts[:depth])) as fd:
            if fd is None:
                return None, hides
            hides = hides or marks.is_opaque(fd)
            try:
                status = os.stat(parts[depth], dir_fd=fd, follow_symlinks=False)
            except OSError as error:
                if error.errno in trees.ABSENT:
                    return None, hides
                raise
        if marks.is_whiteout(status):
            return None, True
        if depth < len(parts) - 1 and not stat.S_ISDIR(status.st_mode):
            return None, True  # a file or a link stands where the layers below have a directory
    with trees.directory_below(root, path) as fd:
        if fd is not None:
            return os.fstat(fd), hides or (bool(path) and marks.is_opaque(fd))
    return status, hides


def _resolved(roots: list[int], path: bytes) -> bytes:
    """``path`` from the image's root, links among its folders followed; the last part stays what it is."""
    todo = [part for part in reversed(path.split(b"/")) if part and part != b"."]
    done: list[bytes] = []
    links = 0
    while todo:
        part = todo.pop()
        if part == b"..":
            done = done[:-1]
            continue
        here = b"/".join([*done, part])
        target = _link(roots, here) if todo else None
        if target is None:
            done.append(part)
            continue
        links += 1
        if links > _LINKS:
            raise InvalidParameter(f"{os.fsdecode(path)}: too many links")
        if target.startswith(b"/"):
            done = []
        todo += [each for each in reversed(target.split(b"/")) if each and each != b"."]
    return b"/".join(done)


def _link(roots: list[int], path: bytes) -> bytes | None:
    """Where a link leads, as the image shows it; None for what is none."""
    for root in reversed(roots):
        status, hides = _look(root, path)
        if status is not None:
            if not stat.S_ISLNK(status.st_mode):
                return None
            above, _, name = path.rpartition(b"/")
            with trees.directory_below(root, above) as fd:
                return None if fd is None else os.fsencode(os.readlink(name, dir_fd=fd))
        if hides:
            return None
    return None
