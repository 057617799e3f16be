"""What a new volume begins with: the image's own content at its place."""

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
    """Copy the image's content, owners and modes into each volume that is empty, as Docker does; for a thread.

    A destination that the image lacks, or that isn't a folder there, leaves the volume empty.
    """
    empty = [volume for volume in volumes if not volume.no_copy and not any(os.scandir(volume.source))]
    if chain_id is None or not empty:
        return
    scratch = layers.folder.with_name("tmp")
    with layers.mounted(chain_id) as root_fd:
        for volume in empty:
            _fill(root_fd, volume, scratch)


def _fill(root_fd: int, volume: MountPoint, scratch: Path) -> None:
    try:
        source = Root(root_fd).open(volume.destination, _DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        with tempfile.TemporaryFile(dir=scratch) as spool:
            pack(source, spool, top=True)
            spool.seek(0)
            target = os.open(volume.source, _DIRECTORY | os.O_NOFOLLOW)
            try:
                extract(spool, target)
            finally:
                os.close(target)
    finally:
        os.close(source)
