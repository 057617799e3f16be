"""How much a container has written, and how large its root file system is with the image under it."""

from __future__ import annotations

import os
import stat

from containerlab.engine.container import Container
from containerlab.engine.parts import Parts
from containerlab.engine.written import written

__all__ = ["sizes_of", "tree_size"]


def sizes_of(parts: Parts, container: Container) -> tuple[int, int]:
    """``SizeRw`` and ``SizeRootFs`` in bytes; for a thread."""
    with written(parts, container) as upper:
        own = tree_size(os.fspath(upper))
    layers = parts.images.layers.chain(container.record.chain_id or None)
    return own, own + sum(layer.size for layer in layers)


def tree_size(top: str) -> int:
    """Bytes of the files below ``top``: a hard-linked one once, no link followed, what vanishes meanwhile not counted.

    A directory whose path is longer than the kernel takes (PATH_MAX) is not descended into.
    """
    total = 0
    seen: set[tuple[int, int]] = set()
    pending = [top]
    while pending:
        try:
            entries = os.scandir(pending.pop())
        except OSError:
            continue
        with entries:
            for entry in entries:
                try:
                    status = entry.stat(follow_symlinks=False)
                except OSError:
                    continue
                if stat.S_ISDIR(status.st_mode):
                    pending.append(entry.path)
                elif (status.st_dev, status.st_ino) not in seen:
                    total += status.st_size
                    if status.st_nlink > 1:
                        seen.add((status.st_dev, status.st_ino))
    return total
