"""A container's copied root: made at its first start, kept as long as the container.

``BUNDLE/rootfs`` is the copy, ``BUNDLE/copied.json`` its record: ``{"made": [paths], "directories": {path: inode}}``.
``made`` are the places that mounts needed and the image lacks; they are none of the container's doing. The record is
written last: with its change time and the directories' inodes one finds out later what the container has changed
(``images/copied.py``).
"""

# The supervisor imports this module, and does without pathlib, which alone is 1.5 MB of its memory.
# ruff: noqa: PTH105, PTH110, PTH118
from __future__ import annotations

import errno
import json
import os
from typing import Any

from containerlab.runtime.inroot import Root
from containerlab.runtime.proot import spare
from containerlab.treecopy import copy_tree

__all__ = ["RECORD", "SOURCE", "make_root", "root_path"]

RECORD = "copied.json"
SOURCE = "containerlab.copy"
"""The annotation that names the tree to copy."""

_ROOT_MODE = 0o755


def root_path(spec: dict[str, Any], bundle: str) -> str:
    """Where the root file system lies."""
    return os.path.join(bundle, spec.get("root", {}).get("path", "rootfs"))


def make_root(spec: dict[str, Any], bundle: str, points: list[tuple[str, bool]]) -> str:
    """The root's path; unless it is there it is copied, and gets those of ``points`` (path, is a directory) it lacks.

    Raises OSError.
    """
    path, source = root_path(spec, bundle), spec.get("annotations", {}).get(SOURCE)
    record = os.path.join(bundle, RECORD)
    if source is None or os.path.exists(record):
        return path
    if os.path.exists(path):
        spare.discard(path)  # half a copy, of a start that was cut short
    directories = spare.take(source, path) or _copy(source, path)
    made = _make_points(path, points)
    with open(os.open(f"{record}.tmp", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
        json.dump({"made": made, "directories": directories}, file)
    os.replace(f"{record}.tmp", record)
    return path


def _copy(source: str, path: str) -> dict[str, int]:
    """Spares are the first to go from a disk that is full."""
    try:
        return copy_tree(source, path)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT) or not spare.drop_all(source):
            raise
    spare.discard(path)
    return copy_tree(source, path)


def _make_points(path: str, points: list[tuple[str, bool]]) -> list[str]:
    """The paths that had to be made, parents too; a directory's time stays what it was."""
    made: list[str] = []
    root = Root(os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
    try:
        for point, is_directory in points:
            made += _make_point(root, os.path.normpath(f"/{point}"), is_directory)
    finally:
        os.close(root.fd)
    return made


def _make_point(root: Root, point: str, is_directory: bool) -> list[str]:
    lacking = []
    above = point
    while above != "/":
        try:
            kept = root.open(above)
            break
        except FileNotFoundError:
            lacking.append(above.lstrip("/"))
            above = os.path.dirname(above)  # noqa: PTH120
    else:
        kept = root.open("/")
    try:
        if lacking:
            status = os.fstat(kept)
            os.close(root.ensure_directory(point) if is_directory else root.ensure_file(point))
            os.utime(f"/proc/self/fd/{kept}", ns=(status.st_atime_ns, status.st_mtime_ns))
    finally:
        os.close(kept)
    return lacking
