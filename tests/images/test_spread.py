"""Folders whose own folders ext4 spreads over the disk."""

from __future__ import annotations

import array
import fcntl
import os
from pathlib import Path

import pytest

from containerlab.images.folder import LayerFolder
from containerlab.images.spread import spread

_GETFLAGS, _SETFLAGS, _TOPDIR, _NODUMP = 0x80086601, 0x40086602, 0x20000, 0x40  # linux/fs.h


def flags(folder: Path, given: int | None = None) -> int:
    """The inode's flags, ``given`` ones set before; a skip where the file system has none of this kind."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        found = array.array("l", [0 if given is None else given])
        fcntl.ioctl(fd, _GETFLAGS if given is None else _SETFLAGS, found)
    except OSError as error:
        pytest.skip(f"no file system with such flags: {error.strerror}")
    finally:
        os.close(fd)
    return found[0]


def test_a_folder_is_marked_and_keeps_its_other_flags(tmp_path: Path) -> None:
    before = flags(tmp_path)
    flags(tmp_path, before | _TOPDIR)
    flags(tmp_path, before | _NODUMP)
    spread(tmp_path)
    assert flags(tmp_path) == before | _NODUMP | _TOPDIR
    spread(tmp_path)
    (tmp_path / "below").mkdir()
    assert not flags(tmp_path / "below") & _TOPDIR


def test_half_made_layers_are_spread(tmp_path: Path) -> None:
    flags(tmp_path, flags(tmp_path) | _TOPDIR)
    LayerFolder(tmp_path / "layers", tmp_path / "scratch")
    assert flags(tmp_path / "scratch") & _TOPDIR


def test_what_knows_no_such_mark_is_left_alone(tmp_path: Path) -> None:
    spread(Path("/proc/self"))
    spread(tmp_path / "absent")
