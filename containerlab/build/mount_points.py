"""The places that every container needs in its root: made beside an image that lacks them, never in it."""

from __future__ import annotations

import os
import posixpath
import stat
from pathlib import Path

from containerlab.images import LayerStore
from containerlab.runtime.inroot import Root

__all__ = ["HOST_FILES", "MountPoints"]

HOST_FILES = ("hosts", "hostname", "resolv.conf")
"""The files of /etc that are a container's own."""

_POINTS = (("/proc", True), ("/dev", True), ("/sys", True), *((f"/etc/{name}", False) for name in HOST_FILES))
_TOPS = ("proc", "dev", "sys", "etc")
_MOST_KNOWN = 10_000


class MountPoints:
    """Remembers which roots lack nothing: a layer that touches no such place on top of one lacks nothing either."""

    def __init__(self) -> None:
        self._whole: set[str] = set()

    def make(self, layers: LayerStore, chain_id: str | None, init: Path) -> bool:
        """Make in ``init`` what the image lacks of mount points; false when it lacks none.

        They lie in a layer of their own below the upper directory, as Docker's init layer, so that they never become
        part of the image. A directory that the image has looks in ``init`` as it does in the image.
        """
        if chain_id is not None and self._is_whole(layers, chain_id):
            return False
        made = _make_missing(layers, chain_id, init)
        if not made and chain_id is not None:
            self._remember(chain_id)
        return made

    def _is_whole(self, layers: LayerStore, chain_id: str) -> bool:
        if chain_id in self._whole:
            return True
        parent = layers.get(chain_id).parent
        if parent is None or parent not in self._whole:
            return False
        own = layers.diff(chain_id)
        # A whiteout has the name of what it hides; a link in place of a folder would be such a name, too.
        if any(os.path.lexists(own / top) for top in _TOPS):
            return False
        self._remember(chain_id)
        return True

    def _remember(self, chain_id: str) -> None:
        if len(self._whole) >= _MOST_KNOWN:
            self._whole.clear()
        self._whole.add(chain_id)


def _make_missing(layers: LayerStore, chain_id: str | None, init: Path) -> bool:
    made = False
    with layers.mounted(chain_id) as view:
        root = Root(view)
        for path, is_directory in _POINTS:
            try:
                os.close(root.open(path))
            except FileNotFoundError:
                _make_point(root, init, path, is_directory=is_directory)
                made = True
            except OSError:
                # Something in the way that is no directory: mounting will say so, in the kernel's words.
                continue
    return made


def _make_point(root: Root, init: Path, path: str, *, is_directory: bool) -> None:
    parent = init
    for part in posixpath.dirname(path).strip("/").split("/"):
        parent = parent / part
        if not parent.exists():
            parent.mkdir(mode=0o755)
            _look_like(root, parent, "/" + str(parent.relative_to(init)))
    point = init / path.lstrip("/")
    if is_directory:
        point.mkdir(mode=0o755)
    else:
        point.touch(mode=0o644)


def _look_like(root: Root, folder: Path, path: str) -> None:
    try:
        fd = root.open(path)
    except OSError:
        return
    try:
        status = os.fstat(fd)
    finally:
        os.close(fd)
    os.chown(folder, status.st_uid, status.st_gid)
    folder.chmod(stat.S_IMODE(status.st_mode))
    os.utime(folder, ns=(status.st_atime_ns, status.st_mtime_ns))
