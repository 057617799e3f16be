"""Anonymous volumes: a folder of the container's own, that begins with what the image has at its destination."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from containerlab.engine.state import MountPoint
from containerlab.images import LayerStore, extract, pack
from containerlab.runtime.inroot import Root

__all__ = ["fill_volumes"]

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def fill_volumes(layers: LayerStore, chain_id: str | None, volumes: list[MountPoint]) -> None:
    """Copy the image's content, owners and modes into each new volume, as Docker does; for a thread.

    A destination that the image lacks, or that isn't a folder there, leaves the volume empty.
    """
    if chain_id is None:
        return
    with layers.mounted(chain_id) as root_fd:
        for volume in volumes:
            _fill(root_fd, volume)


def _fill(root_fd: int, volume: MountPoint) -> None:
    try:
        source = Root(root_fd).open(volume.destination, _DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        with tempfile.TemporaryFile(dir=Path(volume.source).parent) as spool:
            pack(source, spool, top=True)
            spool.seek(0)
            target = os.open(volume.source, _DIRECTORY | os.O_NOFOLLOW)
            try:
                extract(spool, target)
            finally:
                os.close(target)
    finally:
        os.close(source)
