"""Bytes that an image carries and doesn't show: written in one layer, removed or written again in a later one."""

from __future__ import annotations

import os
import stat

from containerlab.images import marks, trees
from containerlab.images._syscalls import RESOLVE_IN_ROOT, RESOLVE_NO_SYMLINKS, openat2
from containerlab.images.layers import LayerStore

__all__ = ["wasted"]

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def wasted(layers: LayerStore, chain_id: str | None) -> dict[str, int]:
    """For each layer of the image with this top, base first, its bytes of files that a later layer hides.

    A file of several names counts where all of them are hidden.
    """
    chain = layers.chain(chain_id)
    if len(chain) == 1:
        return {chain[0].chain_id: 0}
    found: dict[str, int] = {}
    above = _Above()
    for layer in reversed(chain):
        with trees.directory(layers.diff(layer.chain_id)) as fd:
            found[layer.chain_id] = _walk(fd, above)
    return {layer.chain_id: found[layer.chain_id] for layer in chain}


class _Above:
    """What the layers above have: ``whole`` paths hide all at and below them, ``inner`` only what is below them."""

    def __init__(self) -> None:
        self.whole: set[bytes] = set()
        self.inner: set[bytes] = set()
        self.folders: set[bytes] = set()


def _walk(root: int, above: _Above) -> int:
    hidden: dict[int, int] = {}
    shown: set[int] = set()
    new = _Above()
    pending = [(b"", False)]
    while pending:
        path, lost = pending.pop()
        fd = openat2(root, path or b".", _DIRECTORY, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS)
        try:
            if path and marks.is_opaque(fd):
                new.inner.add(path)
            for name in map(os.fsencode, os.listdir(fd)):  # noqa: PTH208
                here = path + b"/" + name if path else name
                status = os.stat(name, dir_fd=fd, follow_symlinks=False)
                gone = lost or path in above.inner or here in above.whole
                if stat.S_ISDIR(status.st_mode):
                    new.folders.add(here)
                    pending.append((here, gone))
                    continue
                new.whole.add(here)
                if stat.S_ISREG(status.st_mode):
                    if gone or here in above.folders:
                        hidden[status.st_ino] = status.st_size
                    else:
                        shown.add(status.st_ino)
        finally:
            os.close(fd)
    above.whole |= new.whole
    above.inner |= new.inner
    above.folders |= new.folders
    return sum(size for inode, size in hidden.items() if inode not in shown)
