"""Archives that attack: published bypasses of Python's own filters, smuggled marks of overlayfs, names that climb."""

from __future__ import annotations

import os
import stat
import tarfile
from pathlib import Path

import pytest

from containerlab.errors import BadArchive
from containerlab.images import extract

pytestmark = pytest.mark.usefixtures("canary", "open_files")


@pytest.mark.parametrize("name", ["../x", "../../x", "a/../../x", "/../x", "./../x", "a/b/../../../x", "..", "../"])
@pytest.mark.parametrize("kind", ["file", "dir"])
def test_name_above_the_root_is_refused(name: str, kind: str, root_fd: int, archive) -> None:
    getattr(archive, kind)(name)
    with pytest.raises(BadArchive, match="outside its root"):
        extract(archive.stream(), root_fd)


@pytest.mark.parametrize("name", ["x" * 256, "d/" * 2100 + "f"])
def test_name_no_file_system_could_hold_is_refused(name: str, root_fd: int, archive) -> None:
    with pytest.raises(BadArchive, match="longer than"):
        extract(archive.file(name).stream(), root_fd)


def test_zero_byte_in_a_name_is_refused(root_fd: int, archive) -> None:
    archive.add(tarfile.REGTYPE, "f", pax={"path": "a\0b"})
    with pytest.raises(BadArchive, match="zero byte"):
        extract(archive.stream(), root_fd)


def test_absolute_name_stays_inside(root: Path, root_fd: int, archive, canary: Path) -> None:
    extract(archive.file(str(canary / "etc/passwd"), b"evil").stream(), root_fd)
    assert root.joinpath(*canary.parts[1:], "etc/passwd").read_text() == "evil"


def test_symlinked_parent_and_its_chains(root: Path, root_fd: int, archive, canary: Path) -> None:
    archive.symlink(str(canary), "d").file("d/f", b"1")
    archive.symlink("b/..", "a").symlink("/../../../..", "b").file("a/b/c/g", b"2")
    archive.symlink(f"../../../../../..{canary}/etc", "e").file("e/passwd", b"3")
    extract(archive.stream(), root_fd)
    assert root.joinpath(*canary.parts[1:], "f").read_text() == "1"
    assert root.joinpath(*canary.parts[1:], "etc/passwd").read_text() == "3"


def test_symlink_replaced_by_directory_and_back(root: Path, root_fd: int, archive, canary: Path) -> None:
    archive.symlink(str(canary), "d").dir("d").file("d/one", b"1").symlink(str(canary), "d").file("d/two", b"2")
    extract(archive.stream(), root_fd)
    assert root.joinpath(*canary.parts[1:], "two").read_text() == "2"


def test_directory_that_was_open_is_not_used_after_its_replacement(root: Path, root_fd: int, archive) -> None:
    archive.dir("a").dir("a/b").file("a/b/x", b"1").dir("other").symlink("other", "a").file("a/b/x", b"2")
    extract(archive.stream(), root_fd)
    assert (root / "other/b/x").read_text() == "2"


def test_links_that_go_in_circles_are_refused(root_fd: int, archive) -> None:
    with pytest.raises(BadArchive):
        extract(archive.symlink("b", "a").symlink("a", "b").file("a/x").stream(), root_fd)


def test_file_as_a_parent_is_refused(root_fd: int, archive) -> None:
    with pytest.raises(BadArchive, match="isn't a directory"):
        extract(archive.file("a", b"").file("a/b", b"").stream(), root_fd)


def test_realpath_beyond_path_max(root: Path, root_fd: int, archive, canary: Path) -> None:
    """CVE-2025-4517, CVE-2025-4330, CVE-2025-4138: directories and links so long that ``realpath`` gives up halfway."""
    component = "d" * 247
    path = ""
    for letter in "abcdefghijklmnop":
        archive.dir(path + component)
        archive.symlink(component, path + letter)
        path += component + "/"
    short = "/".join("abcdefghijklmnop")
    archive.symlink("../" * 16, f"{short}/{'l' * 254}")
    archive.symlink(f"{short}/{'l' * 254}/..{canary}", "escape")
    archive.link("escape/perm400", "flag").file("escape/passwd", b"evil")
    with pytest.raises(BadArchive):
        extract(archive.stream(), root_fd)
    assert not (root / "flag").exists()


def test_write_through_a_long_chain_stays_inside(root: Path, root_fd: int, archive, canary: Path) -> None:
    archive.dir("a").symlink("../" * 30 + str(canary)[1:], "a/l").symlink("a/l", "m").file("m/etc/passwd", b"evil")
    extract(archive.stream(), root_fd)
    assert root.joinpath(*canary.parts[1:], "etc/passwd").read_text() == "evil"


def test_mode_and_time_of_a_link_never_reach_its_target(root: Path, root_fd: int, archive, canary: Path) -> None:
    """CVE-2024-12718, CVE-2021-41089: a directory's late mode and time, after a link took the directory's name."""
    archive.dir("d", 0o500, mtime=1).symlink(str(canary), "d")
    archive.add(tarfile.SYMTYPE, "l", linkname=str(canary / "perm400"), mode=0o777)
    extract(archive.stream(), root_fd)
    assert (root / "d").is_symlink()


def test_skipped_entry_doesnt_bring_others_along(root_fd: int, archive) -> None:
    """CVE-2025-4435: what was refused must end the whole unpacking, or be left out alone."""
    archive.file("../refused", b"x").file("after", b"y")
    with pytest.raises(BadArchive):
        extract(archive.stream(), root_fd)


def test_chain_of_links_with_empty_names(root: Path, root_fd: int, archive, canary: Path) -> None:
    """cpython#149486."""
    archive.symlink("..", "").symlink("..", "./").symlink("", "/.").symlink(str(canary), "/").file("f", b"1")
    done = extract(archive.stream(), root_fd)
    assert [path.name for path in root.iterdir()] == ["f"]
    assert "without a name" in done.notes[0]


def test_symlink_without_target_is_refused(root_fd: int, archive) -> None:
    with pytest.raises(BadArchive, match="no target"):
        extract(archive.symlink("", "l").stream(), root_fd)


def test_hard_link_to_symlink_links_the_symlink(root: Path, root_fd: int, archive, canary: Path) -> None:
    """cpython#151558, cpython#157190: neither followed, nor copied in its place; writing to it replaces the link."""
    target = str(canary / "perm400")
    archive.symlink(target, "s").link("s", "h").file("h", b"evil")
    extract(archive.stream(), root_fd)
    assert (root / "s").readlink() == Path(target)
    assert (root / "h").read_text() == "evil"


@pytest.mark.parametrize(
    "target", ["../../canary/etc/passwd", "{canary}/etc/passwd", "missing", "d/missing", "", "/", "d"]
)
def test_hard_link_to_what_the_archive_doesnt_hold_is_refused(target: str, root_fd: int, archive, canary: Path) -> None:
    archive.dir("d").link(target.format(canary=canary), "h")
    with pytest.raises(BadArchive):
        extract(archive.stream(), root_fd)


def test_hard_link_through_a_link_to_outside_is_refused(root_fd: int, archive, canary: Path) -> None:
    with pytest.raises(BadArchive):
        extract(archive.symlink(str(canary), "d").link("d/etc/passwd", "h").stream(), root_fd)


SMUGGLED = [
    "trusted.overlay.redirect",
    "trusted.overlay.opaque",
    "trusted.overlay.metacopy",
    "trusted.overlay.origin",
    "trusted.overlay.overlay.opaque",
    "user.overlay.redirect",
    "user.overlay.opaque",
    "user.overlay.metacopy",
    "user.overlay.whiteouts",
    "user.fuseoverlayfs.opaque",
    "user.containers.override_stat",
    "trusted.other",
]


@pytest.mark.parametrize("name", SMUGGLED)
@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.DIRTYPE])
def test_overlay_attributes_are_left_out(name: str, kind: bytes, root: Path, root_fd: int, archive) -> None:
    archive.add(kind, "f", mode=0o755, pax={f"SCHILY.xattr.{name}": "y", "SCHILY.xattr.user.mine": "kept"})
    done = extract(archive.stream(), root_fd, whiteouts=True)
    assert os.listxattr(root / "f") == ["user.mine"]
    assert name in done.notes[0]


def test_device_that_would_be_a_whiteout_is_left_out(root: Path, root_fd: int, archive) -> None:
    done = extract(archive.device("w", 0, 0).stream(), root_fd, whiteouts=True)
    assert not os.path.lexists(root / "w")
    assert "overlayfs" in done.notes[0]


def test_hard_link_cant_multiply_a_whiteout(root_fd: int, archive) -> None:
    with pytest.raises(BadArchive):
        extract(archive.file(".wh.a", b"").link("a", "b").stream(), root_fd, whiteouts=True)


def test_whiteouts_own_content_and_place(root: Path, root_fd: int, archive, canary: Path) -> None:
    archive.symlink(str(canary), "link").file("link/.wh.perm400", b"payload" * 500).dir("etc").file(
        "etc/.wh.passwd", b""
    )
    extract(archive.stream(), root_fd, whiteouts=True)
    assert stat.S_ISCHR(root.joinpath(*canary.parts[1:], "perm400").lstat().st_mode)
    assert (root / "etc/passwd").lstat().st_rdev == 0


def test_opaque_through_a_link_marks_only_inside(root: Path, root_fd: int, archive, canary: Path) -> None:
    extract(archive.symlink(str(canary), "link").file("link/.wh..wh..opq", b"").stream(), root_fd, whiteouts=True)
    assert "user.overlay.opaque" in os.listxattr(root.joinpath(*canary.parts[1:]))


def test_hiding_the_whole_root_is_refused(root_fd: int, archive) -> None:
    with pytest.raises(BadArchive, match="whole root"):
        extract(archive.file(".wh..wh..opq", b"").stream(), root_fd, whiteouts=True)


@pytest.mark.parametrize("name", [".wh.", ".wh..", ".wh...", "etc/.wh.", "etc/.wh.."])
def test_whiteout_of_no_name_is_refused(name: str, root_fd: int, archive) -> None:
    with pytest.raises(BadArchive):
        extract(archive.file(name, b"").stream(), root_fd, whiteouts=True)


@pytest.mark.parametrize(("major", "minor"), [(4096, 0), (1, 1 << 20)])
def test_impossible_device_is_refused(major: int, minor: int, root_fd: int, archive) -> None:
    with pytest.raises(BadArchive, match="impossible number"):
        extract(archive.device("d", major, minor).stream(), root_fd)
