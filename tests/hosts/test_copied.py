"""What was changed in a copied root: gathered into the upper directory that an overlay would have."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from containerlab import rung
from containerlab.images import marks, trees
from containerlab.images.changes import changes
from containerlab.images.copied import Copied, gather, merge
from containerlab.treecopy import copy_tree


@pytest.fixture(autouse=True)
def proot_rung(monkeypatch: pytest.MonkeyPatch) -> None:
    """Marks may be sockets from here on."""
    monkeypatch.setenv(rung.VARIABLE, rung.PROOT)


class Copy:
    """A tree, a copy of it as a container has it, and what differs."""

    def __init__(self, folder: Path) -> None:
        self.base, self.root, self._folder, self._turn = folder / "base", folder / "root", folder, 0
        (self.base / "d" / "inner").mkdir(parents=True)
        (self.base / "other").mkdir()
        (self.base / "d" / "file").write_text("one\n")
        (self.base / "other" / "file").write_text("two\n")
        (self.base / "link").symlink_to("d/file")
        (self.base / "same").write_text("same\n")
        os.link(self.base / "same", self.base / "again")
        for path in (self.base / "d" / "file", self.base / "other" / "file"):
            os.utime(path, (1000, 1000))
        self._directories = copy_tree(str(self.base), str(self.root))
        (folder / "stamp").touch()
        self._at = (folder / "stamp").stat().st_ctime_ns

    def upper(self, made: frozenset[bytes] = frozenset()) -> Path:
        self._turn += 1
        upper = self._folder / f"upper-{self._turn}"
        upper.mkdir()
        with trees.directory(self.root) as root, trees.directory(self.base) as base:
            gather(root, base, Copied(self._at, self._directories, made), upper)
        return upper

    def changes(self, made: frozenset[bytes] = frozenset()) -> list[tuple[str, int]]:
        with trees.directory(self.upper(made)) as upper, trees.directory(self.base) as base:
            return changes(upper, base)


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


def test_an_untouched_copy_has_no_changes(copy: Copy) -> None:
    assert list(copy.upper().iterdir()) == []


def test_no_file_of_a_copy_is_the_layers_own(copy: Copy) -> None:
    (copy.root / "same").write_text("changed\n")
    assert (copy.base / "same").read_text() == "same\n"
    assert (copy.root / "same").stat().st_ino == (copy.root / "again").stat().st_ino


def test_added_changed_and_removed_files_are_told(copy: Copy) -> None:
    (copy.root / "new").write_text("new")
    (copy.root / "same").write_text("changed\n")
    (copy.root / "d" / "file").unlink()
    assert copy.changes() == [("again", 0), ("d", 0), ("d/file", 2), ("new", 1), ("same", 0)]


def test_another_content_of_the_same_size_and_time_is_told(copy: Copy) -> None:
    path = copy.root / "d" / "file"
    before = path.stat()
    path.write_text("ONE\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert [each.name for each in (copy.upper() / "d").iterdir()] == ["file"]


def test_directories_that_change_places_are_told_though_their_files_look_alike(copy: Copy) -> None:
    (copy.root / "d").rename(copy.root / "t")
    (copy.root / "other").rename(copy.root / "d")
    (copy.root / "t").rename(copy.root / "other")
    upper = copy.upper()
    assert (upper / "d" / "file").read_text() == "two\n"
    assert (upper / "other" / "file").read_text() == "one\n"


def test_what_was_written_back_as_it_was_is_no_change(copy: Copy) -> None:
    path = copy.root / "d" / "file"
    before = path.stat()
    path.write_text("one\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert list(copy.upper().iterdir()) == []


def test_a_file_in_a_directorys_place_and_the_other_way_round(copy: Copy) -> None:
    (copy.root / "d" / "inner").rmdir()
    (copy.root / "d" / "inner").write_text("a file now")
    (copy.root / "link").unlink()
    (copy.root / "link").mkdir(mode=0o700)
    upper = copy.upper()
    assert (upper / "d" / "inner").read_text() == "a file now"
    assert stat.S_IMODE((upper / "link").stat().st_mode) == 0o700


def test_a_mode_and_a_links_target_are_changes(copy: Copy) -> None:
    (copy.root / "d").chmod(0o711)
    (copy.root / "link").unlink()
    (copy.root / "link").symlink_to("elsewhere")
    assert copy.changes() == [("d", 0), ("link", 0)]


def test_a_place_made_for_a_mount_is_no_change_until_something_lies_in_it(copy: Copy) -> None:
    (copy.root / "proc").mkdir()
    (copy.root / "d" / "hosts").touch()
    made = frozenset({b"proc", b"d/hosts"})
    assert copy.changes(made) == []
    (copy.root / "proc" / "own").touch()
    assert copy.changes(made) == [("proc", 1), ("proc/own", 1)]


def test_sockets_are_left_out(copy: Copy) -> None:
    os.mknod(copy.root / "socket", stat.S_IFSOCK | 0o600)
    assert copy.changes() == []


def test_layers_are_laid_over_each_other(tmp_path: Path) -> None:
    lower, upper, target = tmp_path / "lower", tmp_path / "upper", tmp_path / "target"
    for path in (lower / "kept", lower / "hidden", upper / "hidden", target):
        path.mkdir(parents=True)
    (lower / "gone").write_text("gone")
    (lower / "kept" / "file").write_text("old")
    (lower / "hidden" / "below").write_text("below")
    (upper / "kept").mkdir(mode=0o700)
    (upper / "kept" / "file").write_text("new")
    (upper / "hidden" / "above").write_text("above")
    os.utime(upper / "kept", (5, 5))
    with trees.directory(upper) as fd:
        os.mknod("gone", stat.S_IFSOCK, dir_fd=fd)
        with trees.directory("hidden", dir_fd=fd) as hidden:
            marks.mark_opaque(hidden)
    merge([lower, upper], target)
    found = sorted(str(path.relative_to(target)) for path in target.rglob("*"))
    assert found == ["hidden", "hidden/above", "kept", "kept/file"]
    assert (target / "kept" / "file").read_text() == "new"
    assert (target / "kept").stat().st_mtime == 5


def test_a_tree_deeper_than_the_descriptors_of_a_process_is_copied(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    with trees.directory(tmp_path / "source") as fd:
        for depth in range(1, 1201):
            os.mkdir("/".join(["a"] * depth), dir_fd=fd)
    try:
        copied = copy_tree(str(tmp_path / "source"), str(tmp_path / "target"))
        assert len(copied) == 1201
    finally:
        # pytest's own removal of old folders doesn't get to the bottom of these.
        with trees.directory(tmp_path) as fd:
            trees.remove_at(fd, "source")
            trees.remove_at(fd, "target")
