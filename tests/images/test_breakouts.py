"""Archives that try to leave their root by links, one test a trick.

The names are those of the cases in containerd's TestBreakouts (pkg/archive/tar_test.go). There a layer is applied to a
tree that is there already; so here, except for whiteouts, which our layers express as overlayfs's marks.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from containerlab.errors import BadArchive
from containerlab.images import extract
from containerlab.images.marks import is_whiteout

pytestmark = pytest.mark.usefixtures("canary", "open_files")

Check = Callable[[Path], bool]

BASE = {"etc": None, "etc/passwd": "inside"}


def inside(root: Path, name: str) -> os.stat_result:
    """The file that ``name`` means within the root: links and ``..`` resolved as in a chroot, by hand."""
    real: list[str] = []
    rest = name.split("/")[::-1]
    while rest:
        part = rest.pop()
        if part in ("", "."):
            continue
        if part == "..":
            real = real[:-1]
            continue
        path = root.joinpath(*real, part)
        if path.is_symlink():
            target = str(path.readlink())
            real = [] if target.startswith("/") else real
            rest += target.split("/")[::-1]
            continue
        real.append(part)
    return root.joinpath(*real).lstat()


def same_file(first: str, second: str) -> Check:
    return lambda root: os.path.samestat(inside(root, first), inside(root, second))


def different_file(first: str, second: str) -> Check:
    return lambda root: not os.path.samestat(inside(root, first), inside(root, second))


def same_symlink(first: str, second: str) -> Check:
    return lambda root: (root / first).readlink() == (root / second).readlink()


def holds(name: str, text: str) -> Check:
    return lambda root: (root / name).read_text() == text


def whiteout(name: str) -> Check:
    return lambda root: is_whiteout((root / name).lstat())


def both(*checks: Check) -> Check:
    return lambda root: all(check(root) for check in checks)


def tree(root: Path, entries: dict[str, str | None]) -> None:
    """Directories (None), symbolic links ("-> target") and files, made in order."""
    for name, content in entries.items():
        if content is None:
            (root / name).mkdir()
        elif content.startswith("-> "):
            (root / name).symlink_to(content[3:])
        else:
            (root / name).write_text(content)


PASSWD = [("dir", "etc", 0o770), ("file", "/etc/passwd", b"inside")]
UNBROKEN = holds("etc/unbroken", "unbroken")

CASES = {
    "SymlinkAbsolute": (
        {},
        [("dir", "etc"), ("symlink", "/etc", "localetc"), ("file", "/localetc/unbroken", b"unbroken")],
        UNBROKEN,
    ),
    "SymlinkUpAndOut": (
        {},
        [
            ("dir", "etc"),
            ("dir", "dummy"),
            ("symlink", "/dummy/../etc", "localetc"),
            ("file", "/localetc/unbroken", b"unbroken"),
        ],
        UNBROKEN,
    ),
    "SymlinkMultipleAbsolute": (
        {},
        [
            ("dir", "etc"),
            ("dir", "dummy"),
            ("symlink", "/etc", "/dummy/etc"),
            ("symlink", "/dummy/etc", "localetc"),
            ("file", "/dummy/etc/unbroken", b"unbroken"),
        ],
        UNBROKEN,
    ),
    "SymlinkMultipleRelative": (
        {},
        [
            ("dir", "etc"),
            ("dir", "dummy"),
            ("symlink", "/etc", "/dummy/etc"),
            ("symlink", "./dummy/etc", "localetc"),
            ("file", "/localetc/unbroken", b"unbroken"),
        ],
        UNBROKEN,
    ),
    "SymlinkEmptyFile": (
        {},
        [
            ("dir", "etc"),
            ("file", "etc/emptied", b"notempty"),
            ("symlink", "/etc", "localetc"),
            ("file", "/localetc/emptied", b""),
        ],
        holds("etc/emptied", ""),
    ),
    "HardlinkRelative": (
        {},
        [
            *PASSWD,
            ("dir", "breakouts"),
            ("symlink", "../../etc", "breakouts/d1"),
            ("link", "/breakouts/d1/passwd", "breakouts/mypasswd"),
        ],
        same_file("/breakouts/mypasswd", "/etc/passwd"),
    ),
    "HardlinkDownAndOut": (
        {},
        [
            *PASSWD,
            ("dir", "breakouts"),
            ("dir", "downandout"),
            ("symlink", "../downandout/../../etc", "breakouts/d1"),
            ("link", "/breakouts/d1/passwd", "breakouts/mypasswd"),
        ],
        same_file("/breakouts/mypasswd", "/etc/passwd"),
    ),
    "HardlinkAbsolute": (
        {},
        [*PASSWD, ("symlink", "/etc", "localetc"), ("link", "/localetc/passwd", "localpasswd")],
        same_file("localpasswd", "/etc/passwd"),
    ),
    "HardlinkRelativeLong": (
        {},
        [*PASSWD, ("symlink", "../../../../../../../etc", "localetc"), ("link", "/localetc/passwd", "localpasswd")],
        same_file("localpasswd", "/etc/passwd"),
    ),
    "HardlinkRelativeUpAndOut": (
        {"upandout": None},
        [*PASSWD, ("symlink", "upandout/../../../etc", "localetc"), ("link", "/localetc/passwd", "localpasswd")],
        same_file("localpasswd", "/etc/passwd"),
    ),
    "HardlinkDirectRelative": (
        {},
        [*PASSWD, ("link", "../../../../../etc/passwd", "localpasswd")],
        same_file("localpasswd", "/etc/passwd"),
    ),
    "HardlinkDirectAbsolute": (
        {},
        [*PASSWD, ("link", "/etc/passwd", "localpasswd")],
        same_file("localpasswd", "/etc/passwd"),
    ),
    # containerd ignores an entry named ".."; to us, as to Docker, a name above the root is a lie.
    "SymlinkParentDirectory": ({}, [*PASSWD, ("symlink", "/etc/", ".."), ("link", "/etc/passwd", "localpasswd")], None),
    "SymlinkEmptyFilename": (
        {},
        [*PASSWD, ("symlink", "/etc/", ""), ("link", "/etc/passwd", "localpasswd")],
        same_file("/localpasswd", "/etc/passwd"),
    ),
    "SymlinkParentRelative": (
        {},
        [*PASSWD, ("symlink", "/etc/", "localetc/sub/.."), ("link", "/etc/passwd", "/localetc/localpasswd")],
        same_file("/localetc/localpasswd", "/etc/passwd"),
    ),
    "SymlinkSlashEnded": (
        {},
        [*PASSWD, ("dir", "localetc/", 0o770), ("link", "/etc/passwd", "/localetc/localpasswd")],
        same_file("/localetc/localpasswd", "/etc/passwd"),
    ),
    "SymlinkOverrideDirectory": (
        {**BASE, "localetc": None},
        [("symlink", "/etc", "localetc"), ("link", "/etc/passwd", "/localetc/localpasswd")],
        same_file("/localetc/localpasswd", "/etc/passwd"),
    ),
    "SymlinkOverrideDirectoryRelative": (
        {**BASE, "localetc": None},
        [("symlink", "../../etc", "localetc"), ("link", "/etc/passwd", "/localetc/localpasswd")],
        same_file("/localetc/localpasswd", "/etc/passwd"),
    ),
    "DirectoryOverrideSymlink": (
        {**BASE, "localetc": "-> /etc"},
        [("dir", "/localetc/"), ("link", "/etc/passwd", "/localetc/localpasswd")],
        same_file("/localetc/localpasswd", "/etc/passwd"),
    ),
    "DirectoryOverrideSymlinkAndHardlink": (
        {**BASE, "localetc": "-> etc"},
        [
            ("link", "etc/passwd", "localetc/localpasswd"),
            ("dir", "/localetc/"),
            ("file", "/localetc/localpasswd", b"different"),
        ],
        different_file("/localetc/localpasswd", "/etc/passwd"),
    ),
    "WhiteoutRootParent": (BASE, [("file", ".wh...", b"")], None),
    "WhiteoutParent": (BASE, [("file", "etc/.wh...", b"")], None),
    "WhiteoutRoot": (BASE, [("file", ".wh..", b"")], None),
    "WhiteoutCurrentDirectory": (BASE, [("file", "etc/.wh..", b"")], None),
    "WhiteoutSymlink": (
        BASE,
        [("file", ".wh.localetc", b"")],
        both(holds("etc/passwd", "inside"), whiteout("localetc")),
    ),
    "WhiteoutSymlinkPath": (
        {**BASE, "localetc": "-> /etc"},
        [("file", "localetc/.wh.whitedout", b"")],
        both(holds("etc/passwd", "inside"), whiteout("etc/whitedout")),
    ),
    "WhiteoutDirectoryName": (
        {**BASE, "localetc": "-> /etc"},
        [("file", ".wh.etc/somefile", b"non-empty")],
        both(holds("etc/passwd", "inside"), holds(".wh.etc/somefile", "non-empty")),
    ),
    "WhiteoutDeadSymlinkParent": (
        {**BASE, "localetc": "-> /dne"},
        [("file", "localetc/.wh.etc", b"")],
        holds("etc/passwd", "inside"),
    ),
    "WhiteoutRelativePath": ({"localetc": "-> /dne"}, [("file", "dne/../.wh.etc", b"")], whiteout("etc")),
    "HardlinkSymlinkBeforeCreateTarget": (
        {},
        [
            ("dir", "etc", 0o770),
            ("symlink", "/etc/passwd", "localpasswd"),
            ("link", "localpasswd", "localpasswd-dup"),
            ("file", "/etc/passwd", b"after"),
        ],
        same_file("localpasswd-dup", "/etc/passwd"),
    ),
    "HardlinkSymlinkRelative": (
        {},
        [*PASSWD, ("symlink", "../../../../../etc/passwd", "passwdlink"), ("link", "/passwdlink", "localpasswd")],
        both(same_symlink("localpasswd", "passwdlink"), same_file("localpasswd", "/etc/passwd")),
    ),
    "HardlinkSymlinkAbsolute": (
        {},
        [*PASSWD, ("symlink", "/etc/passwd", "passwdlink"), ("link", "/passwdlink", "localpasswd")],
        both(same_symlink("localpasswd", "passwdlink"), same_file("localpasswd", "/etc/passwd")),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_breakout(name: str, root: Path, root_fd: int, archive) -> None:
    before, entries, check = CASES[name]
    tree(root, before)
    for method, *arguments in entries:
        getattr(archive, method)(*arguments)
    if check is None:
        with pytest.raises(BadArchive):
            extract(archive.stream(), root_fd, whiteouts=True)
        return
    extract(archive.stream(), root_fd, whiteouts=True)
    assert check(root)


def test_hardlink_to_symlink_does_not_chmod_what_it_points_to(root_fd: int, canary: Path, archive) -> None:
    """HardlinkSymlinkChmod: names and targets are real paths of this machine; the fixture proves the canary's mode."""
    outside = str(canary / "also-exists-outside-root")
    archive.symlink(str(canary / "perm400"), outside).link(outside, "sketchylink")
    extract(archive.stream(), root_fd, whiteouts=True)
