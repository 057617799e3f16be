"""Spare copies of an image's root: taken whole, by one container each, and gone when there is no room for them."""

from __future__ import annotations

import errno
import json
import os
from collections import namedtuple
from pathlib import Path

import pytest

from containerlab.runtime.proot import root, spare
from containerlab.runtime.supervisor.loop import Loop
from containerlab.treecopy import copy_tree


@pytest.fixture
def view(tmp_path: Path) -> Path:
    """An image's tree in a store."""
    made = tmp_path / "store/layers/abc/view"
    (made / "etc").mkdir(parents=True)
    (made / "etc/passwd").write_text("root\n")
    (made / "etc").chmod(0o555)
    return made


def make(*views: Path) -> None:
    """As the supervisor does in its idle time, until the children have ended."""
    loop = Loop()
    spares = spare.Spares(loop)
    for view in views:
        spares.started(str(view))
    loop.call_later(spare._IDLE_S * 2, loop.stop)
    loop.run()
    os.wait()


def start(view: Path, bundle: Path) -> dict[str, int]:
    """A first start; the inodes that its record tells."""
    bundle.mkdir()
    root.make_root({"annotations": {root.SOURCE: str(view)}}, str(bundle), [])
    record: dict[str, dict[str, int]] = json.loads((bundle / root.RECORD).read_text())
    return record["directories"]


def test_a_spare_becomes_one_containers_root_and_is_no_ones_else(view: Path, tmp_path: Path) -> None:
    make(view)
    made = view.parent / "spare/rootfs"
    inodes = {"": made.stat().st_ino, "etc": (made / "etc").stat().st_ino}
    assert start(view, tmp_path / "a") == inodes
    assert not made.parent.exists()
    other = start(view, tmp_path / "b")
    assert set(other) == set(inodes)
    assert other["etc"] != inodes["etc"]
    for name in ("a", "b"):
        copy = tmp_path / name / "rootfs/etc"
        assert (copy / "passwd").read_text() == "root\n"
        assert (copy / "passwd").stat().st_ino != (view / "etc/passwd").stat().st_ino
        assert copy.stat().st_mode & 0o777 == 0o555
        assert sorted(path.name for path in (tmp_path / name).iterdir()) == ["copied.json", "rootfs"]
    assert list((tmp_path / "store/spares").iterdir()) == []


def test_a_broken_spare_is_no_ones_root(view: Path, tmp_path: Path) -> None:
    make(view)
    (view.parent / "spare/directories.json").write_text("{")
    assert set(start(view, tmp_path / "a")) == {"", "etc"}
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["copied.json", "rootfs"]


def test_a_few_are_kept_and_the_oldest_goes(view: Path) -> None:
    views = [view]
    for number in range(spare._MOST):
        views.append(view.parents[1] / f"more{number}" / "view")
        copy_tree(str(view), str(views[-1].parent.mkdir() or views[-1]))
    loop = Loop()
    spares = spare.Spares(loop)

    def rounds(left: list[Path]) -> None:
        if not left:
            loop.stop()
            return
        spares.started(str(left[0]))
        loop.call_later(spare._IDLE_S * 1.5, lambda: (os.wait(), rounds(left[1:])))

    rounds(views)
    loop.run()
    assert [(each.parent / "spare").exists() for each in views] == [False] + [True] * spare._MOST


def test_none_is_made_of_a_large_image_nor_on_a_disk_nearly_full(view: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spare, "_MOST_BYTES", 4)
    make(view)
    assert not (view.parent / "spare").exists()
    monkeypatch.undo()
    disk = namedtuple("disk", "f_bavail f_frsize f_blocks")
    monkeypatch.setattr(os, "statvfs", lambda _path: disk(1 << 18, 4096, 1 << 18))
    make(view)
    assert not (view.parent / "spare").exists()


def test_spares_go_when_a_container_finds_no_room(view: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = view.parents[1] / "other/view"
    other.parent.mkdir()
    copy_tree(str(view), str(other))
    make(other)
    kept = other.parent / "spare"
    assert kept.exists()

    def full(source: str, target: str) -> dict[str, int]:
        if kept.exists():
            Path(target).mkdir()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return copy_tree(source, target)

    monkeypatch.setattr(root, "copy_tree", full)
    assert set(start(view, tmp_path / "a")) == {"", "etc"}
    assert not kept.exists()
