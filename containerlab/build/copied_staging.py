"""What RUN --mount shows, where nothing can be mounted: copies, because under proot nobody is kept from writing.

A cache is the folder itself, for what is written there is to last. A secret lies in memory, in the host's /dev/shm.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path

from containerlab.build.staging import Staging
from containerlab.errors import HostLacks
from containerlab.images import LayerStore
from containerlab.runtime.syscalls import fstatfs_type
from containerlab.treecopy import copy_file, copy_tree

__all__ = ["CopiedStaging"]

_SHARED_MEMORY = "/dev/shm"
_TMPFS = 0x01021994  # linux/magic.h


class CopiedStaging(Staging):
    """As ``Staging``, for one RUN."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._in_memory: list[str] = []

    def close(self) -> None:
        """Remove what lies in memory; the copies go with the build's folder."""
        while self._in_memory:
            shutil.rmtree(self._in_memory.pop(), ignore_errors=True)

    def bind(self, fd: int, *, lasting: bool = False) -> Path:
        """A copy of the open file or directory; the folder itself where what is written to it is ``lasting``."""
        real = Path(f"/proc/self/fd/{fd}").readlink()
        if lasting:
            return real
        place, status = self.place(), os.fstat(fd)
        if stat.S_ISDIR(status.st_mode):
            copy_tree(str(real), str(place))
            return place
        place.mkdir(mode=0o700)
        source, target = (os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) for path in (real.parent, place))
        try:
            copy_file(source, target, real.name, status)
        finally:
            os.close(source)
            os.close(target)
        return place / real.name

    def show(self, layers: LayerStore, chain_id: str | None) -> Path:
        """The layers' own tree, to be read: what is bound of it is copied."""
        return layers.view(chain_id)

    def tmpfs(self) -> Path:
        """A folder in the host's shared memory. Raises HostLacks where that isn't memory."""
        try:
            fd = os.open(_SHARED_MEMORY, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            fd = -1
        try:
            if fd < 0 or fstatfs_type(fd) != _TMPFS:
                raise HostLacks(f"a secret must not reach a disk, and {_SHARED_MEMORY} isn't memory here")
        finally:
            if fd >= 0:
                os.close(fd)
        self._in_memory.append(tempfile.mkdtemp(prefix="containerlab-", dir=_SHARED_MEMORY))
        return Path(self._in_memory[-1])
