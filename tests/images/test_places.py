"""Paths inside a root that somebody else changes meanwhile, and Docker's rules of what a path means."""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from containerlab.errors import ContainerlabError, InvalidParameter
from containerlab.images.changes import ADDED, DELETED, MODIFIED, changes
from containerlab.images.places import Place, go_mode, real_path, rebaser, split

RENAME_EXCHANGE = 2


@contextlib.contextmanager
def swapping(one: Path, other: Path) -> Iterator[None]:
    """Exchange two names without a pause (renameat2(2))."""
    libc = ctypes.CDLL(None, use_errno=True)
    over = threading.Event()
    names = os.fsencode(one), os.fsencode(other)

    def swap() -> None:
        while not over.is_set():
            libc.renameat2(-100, names[0], -100, names[1], RENAME_EXCHANGE)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def packed(root_fd: int, path: bytes) -> dict[str, bytes]:
    out = io.BytesIO()
    Place.at(root_fd, path).archive(out)
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as archive:
        return {entry.name: (archive.extractfile(entry) or io.BytesIO()).read() for entry in archive if entry.isfile()}


@pytest.mark.parametrize("way", ["absolute", "upwards"])
def test_two_thousand_looks_and_writes_meet_a_folder_that_is_swapped_for_a_link(root, root_fd, canary, archive, way):
    inside, evil = root / "place/target", root / "place/evil"
    inside.mkdir(parents=True)
    (inside / "passwd").write_text("inside")
    evil.symlink_to(canary / "etc" if way == "absolute" else "../" * 40 + str(canary / "etc").lstrip("/"))
    archive.dir("./", mode=0o777).dir("d", mode=0o777).file("passwd", b"written", mode=0o777).file("d/new", b"x")
    seen = {"read": 0, "written": 0}
    with swapping(inside, evil):
        for _ in range(1000):
            with contextlib.suppress(OSError, ContainerlabError):
                held = packed(root_fd, b"/place/target/passwd")
                assert held["passwd"] in (b"inside", b"written")
                assert b"outside" not in b"".join(packed(root_fd, b"/place/target/.").values())
                seen["read"] += 1
            with contextlib.suppress(OSError, ContainerlabError):
                Place.at(root_fd, b"/place/target/").unpack(archive.stream())
                seen["written"] += 1
    assert seen["read"] and seen["written"]


def test_a_mode_or_a_time_is_never_set_through_a_link(root, root_fd, canary, new_archive):
    for target in (canary, canary / "etc", canary / "etc/passwd", canary / "perm400"):
        made = new_archive().symlink(str(target), "m").dir("m", mode=0o777)
        made.symlink(str(target), "n").file("n", b"", mode=0o777).symlink(str(target), "o").link("o", "p")
        made.file("p", b"x", mode=0o6777).dir("m/", mode=0o777)
        Place.at(root_fd, b"/").unpack(made.stream())
    assert sorted(path.name for path in root.iterdir()) == ["m", "n", "o", "p"]


@pytest.mark.parametrize(
    ("path", "parts", "is_directory"),
    [
        (b"/", [], True),
        (b".", [], True),
        (b"a/b", [b"a", b"b"], False),
        (b"/a/b/", [b"a", b"b"], True),
        (b"//a/./b/.", [b"a", b"b"], True),
        (b"/../../a/../b", [b"b"], False),
        (b"/..", [], True),
    ],
)
def test_a_path_is_cleaned_as_words_and_its_end_says_directory(path, parts, is_directory):
    assert split(path) == (parts, is_directory)


@pytest.mark.parametrize("path", [b"a\0b", b"a" * 4097])
def test_a_path_that_no_kernel_takes_is_refused(path):
    with pytest.raises(InvalidParameter):
        split(path)


def test_links_are_followed_inside_the_root_and_loops_end(root, root_fd):
    (root / "run").mkdir()
    (root / "var").mkdir()
    (root / "var/run").symlink_to("/run")
    (root / "up").symlink_to("../../../var/run")
    (root / "loop").symlink_to("loop")
    (root / "broken").symlink_to("/no/where")
    assert real_path(root_fd, [b"up"]) == [b"run"]
    assert real_path(root_fd, [b"broken", b"x"], broken=True) == [b"no", b"where", b"x"]
    with pytest.raises(FileNotFoundError):
        real_path(root_fd, [b"broken"])
    with pytest.raises(OSError, match="symbolic links"):
        real_path(root_fd, [b"loop"])
    with pytest.raises(OSError, match="symbolic links"):
        real_path(root_fd, [b"loop"], broken=True)


def test_modes_are_go_s():
    assert go_mode(0o041777) == 1 << 31 | 1 << 20 | 0o777
    assert go_mode(0o020620) == 1 << 26 | 1 << 21 | 0o620
    assert go_mode(0o106755) == 1 << 23 | 1 << 22 | 0o755


@pytest.mark.parametrize(
    ("old", "new", "name", "renamed"),
    [
        (b"etc", b"new", b"etc/passwd", b"new/passwd"),
        (b"etc", b"new", b"etc/", b"new/"),
        (b"etc", b"new", b"etcetera", b"etcetera"),
        (b".", b"new", b"./passwd", b"new/passwd"),
        (b"/", b"new", b"/etc", b"new/etc"),
    ],
)
def test_names_are_rebased_at_their_beginning_alone(old, new, name, renamed):
    assert rebaser(old, new)(name) == renamed


@pytest.fixture
def layers(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    upper, lower = tmp_path / "upper", tmp_path / "lower"
    (lower / "etc/deep").mkdir(parents=True)
    for name in ("etc/a", "etc/b", "etc/deep/c", "top"):
        (lower / name).write_text(name)
        os.utime(lower / name, ns=(10**18, 10**18))
    (upper / "etc").mkdir(parents=True)
    yield upper, lower


def told(layers: tuple[Path, Path], **options: object) -> list[tuple[str, int]]:
    fds = [os.open(path, os.O_RDONLY | os.O_DIRECTORY) for path in layers]
    try:
        return changes(*fds, **options)
    finally:
        for fd in fds:
            os.close(fd)


def test_whiteouts_of_either_form_are_deletions_of_what_was_there(layers):
    upper, _ = layers
    os.mknod(upper / "etc/a", 0o020000, 0)
    (upper / "etc/b").touch()
    os.setxattr(upper / "etc/b", "user.overlay.whiteout", b"y")
    os.mknod(upper / "never-was", 0o020000, 0)
    assert told(layers) == [("etc", MODIFIED), ("etc/a", DELETED), ("etc/b", DELETED)]


def test_an_opaque_folder_deletes_what_it_hides_and_tells_no_more_of_it(layers):
    upper, _ = layers
    os.setxattr(upper / "etc", "user.overlay.opaque", b"y")
    (upper / "etc/new").touch()
    assert told(layers) == [
        ("etc", MODIFIED), ("etc/a", DELETED), ("etc/b", DELETED), ("etc/deep", DELETED), ("etc/new", ADDED),
    ]  # fmt: skip


def test_a_copy_that_is_the_same_is_no_change_and_a_folder_s_time_says_nothing(layers):
    upper, _ = layers
    (upper / "top").write_text("top")
    os.utime(upper / "top", ns=(10**18, 10**18))
    os.utime(upper / "etc", (1, 1))
    assert told(layers) == []
    (upper / "top").chmod(0o600)
    assert told(layers) == [("top", MODIFIED)]


def test_a_folder_in_a_file_s_place_is_changed_and_what_is_in_it_added(layers):
    upper, _ = layers
    (upper / "top/in").mkdir(parents=True)
    (upper / "etc/deep").write_text("a file now")
    assert told(layers) == [("etc", MODIFIED), ("etc/deep", MODIFIED), ("top", MODIFIED), ("top/in", ADDED)]


def test_what_the_engine_makes_for_its_mounts_is_no_change_unless_it_was_written(layers):
    upper, _ = layers
    (upper / "proc").mkdir()
    (upper / "etc/hosts").touch()
    scaffold = (b"proc", b"etc/hosts")
    assert told(layers, scaffold=scaffold) == []
    (upper / "etc/hosts").write_text("x")
    (upper / "proc/x").touch()
    assert told(layers, scaffold=scaffold) == [
        ("etc", MODIFIED), ("etc/hosts", ADDED), ("proc", MODIFIED), ("proc/x", ADDED),
    ]  # fmt: skip
