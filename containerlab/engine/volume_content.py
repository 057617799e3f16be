"""What a new volume begins with: the image's own content at its place."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from containerlab.engine.bind_sources import open_part
from containerlab.engine.state import MountPoint
from containerlab.errors import ContainerlabError
from containerlab.images import LayerStore, extract, pack
from containerlab.runtime.inroot import Root

__all__ = ["fill_volumes", "with_content"]

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def with_content(layers: LayerStore, chain_id: str | None, volumes: list[MountPoint]) -> list[MountPoint]:
    """Those of ``volumes`` that the image has a folder for; for a thread."""
    wanted = [volume for volume in volumes if not volume.no_copy]
    if chain_id is None or not wanted:
        return []
    with layers.mounted(chain_id) as root_fd:
        return [volume for volume in wanted if _is_folder(Root(root_fd), volume.destination)]


def fill_volumes(layers: LayerStore, chain_id: str | None, volumes: list[MountPoint]) -> None:
    """Copy the image's content, owners and modes into each volume that is empty, as Docker does; for a thread.

    A destination that the image lacks, or that isn't a folder there, leaves the volume empty. So does a part of a
    volume (``volume-subpath``) that can't be opened: the start says what is wrong with it. Raises ContainerlabError.
    """
    if chain_id is None:
        return
    empty = [(volume, fd) for volume in volumes if (fd := _open_empty(volume)) is not None]
    try:
        if empty:
            with layers.mounted(chain_id) as root_fd:
                for volume, fd in empty:
                    try:
                        _fill(root_fd, volume.destination, fd, layers.folder.with_name("tmp"))
                    except OSError as error:
                        # A folder of somebody else's, behind an option `device`, mayn't be given the image's owners.
                        why = (error.strerror or str(error)).lower()
                        raise ContainerlabError(
                            f"failed to copy the image's content into volume {volume.name}: {why}",
                            hint="`volume-nocopy` leaves it empty.",
                        ) from error
    finally:
        for _, fd in empty:
            os.close(fd)


def _is_folder(root: Root, path: str) -> bool:
    try:
        found = root.open(path)
    except OSError:
        return False
    try:
        return stat.S_ISDIR(os.fstat(found).st_mode)
    finally:
        os.close(found)


def _open_empty(volume: MountPoint) -> int | None:
    """The folder to fill; None for a volume that stays as it is."""
    if volume.no_copy:
        return None
    try:
        place = open_part(volume)
    except ContainerlabError:
        return None
    try:
        opened = os.open(f"/proc/self/fd/{place}", _DIRECTORY)
    except NotADirectoryError:
        return None
    finally:
        os.close(place)
    if not os.listdir(opened):  # noqa: PTH208  a descriptor, no path
        return opened
    os.close(opened)
    return None


def _fill(root_fd: int, path: str, target: int, scratch: Path) -> None:
    try:
        source = Root(root_fd).open(path, _DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        with tempfile.TemporaryFile(dir=scratch) as spool:
            pack(source, spool, top=True)
            spool.seek(0)
            extract(spool, target)
    finally:
        os.close(source)
