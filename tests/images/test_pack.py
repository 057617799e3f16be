"""Archives we make: the same bytes each time, read by others, and by us, as what they were made of."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest

from containerlab.errors import InvalidParameter
from containerlab.images import extract, pack
from containerlab.images.marks import mark_opaque, mark_whiteout


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    top = tmp_path / "tree"
    (top / "b/deep").mkdir(parents=True)
    (top / "a").write_text("alpha")
    (top / "b/deep/large").write_bytes(os.urandom(3_000_000))
    (top / ("long" * 40)).write_text("long")
    (top / "ü").write_text("umlaut")
    (top / "link").symlink_to("b/deep")
    (top / "longlink").symlink_to("t" * 200)
    os.link(top / "a", top / "b/same")
    os.mkfifo(top / "fifo", 0o600)
    (top / "a").chmod(0o4751)
    os.setxattr(top / "a", "user.note", b"\0binary\xff")
    for path in [top, *top.rglob("*")]:
        os.utime(path, ns=(0, 1_600_000_000_999_999_999), follow_symlinks=False)
    return top


def packed(tree: Path, /, **options: object) -> bytes:
    out = io.BytesIO()
    fd = os.open(tree, os.O_RDONLY)
    try:
        pack(fd, out, **options)
    finally:
        os.close(fd)
    return out.getvalue()


def test_same_tree_same_bytes(tree: Path, tmp_path: Path) -> None:
    first = packed(tree)
    subprocess.run(["cp", "-a", tree, tmp_path / "copy"], check=True)
    (tree / "z").write_text("")
    (tree / "z").unlink()
    os.utime(tree / "b", ns=(5, 1_600_000_000_000_000_001))
    assert packed(tree) == first == packed(tmp_path / "copy")


def test_everything_comes_back(tree: Path, root: Path, root_fd: int) -> None:
    extract(io.BytesIO(packed(tree)), root_fd)
    assert packed(root) == packed(tree)
    assert (root / "a").stat().st_ino == (root / "b/same").stat().st_ino
    assert stat.S_IMODE((root / "a").stat().st_mode) == 0o4751
    assert os.getxattr(root / "a", "user.note") == b"\0binary\xff"
    assert (root / "longlink").readlink() == Path("t" * 200)


def test_others_read_it(tree: Path, tmp_path: Path) -> None:
    data = packed(tree)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        members = {member.name: member for member in tar}
        assert tar.extractfile("b/deep/large").read() == (tree / "b/deep/large").read_bytes()
    assert members["b/same"].linkname == "a"
    assert members["a"].mtime == 1_600_000_000
    assert members["ü"].size == 6
    listing = subprocess.run(["tar", "-t"], input=data, capture_output=True, check=True)
    assert len(listing.stdout.splitlines()) == len(members)
    assert not listing.stderr


def test_plain_names_need_no_pax_header(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    assert len(packed(tmp_path)) == 512 + 512 + 1024


def test_numbers_beyond_ustar(root_fd: int, root: Path) -> None:
    from containerlab.images.ustar import header

    block = header(b"f", b"0", uid=3_000_000_000, gid=2_097_152, mtime=-7)
    member = tarfile.TarFile(fileobj=io.BytesIO(block + bytes(1024))).getmember("f")
    assert (member.uid, member.gid, member.mtime) == (3_000_000_000, 2_097_152, -7)
    big = tarfile.TarInfo.frombuf(header(b"f", b"0", size=9 << 30)[1024:1536], "utf-8", "strict")
    assert big.size == 0  # the real one stands in the PAX header


def test_prefix_and_top(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    with tarfile.open(fileobj=io.BytesIO(packed(tmp_path, prefix=b"etc/", top=True))) as tar:
        assert tar.getnames() == ["etc", "etc/f"]


def test_sockets_are_left_out(tmp_path: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as listener:
        here = os.open(tmp_path, os.O_PATH)
        listener.bind(f"/proc/self/fd/{here}/s")
        os.close(here)
    assert packed(tmp_path) == bytes(1024)


def test_overlays_marks_go_out_as_whiteouts(tmp_path: Path, root: Path, root_fd: int) -> None:
    top = tmp_path / "upper"
    (top / "etc").mkdir(parents=True)
    (top / "etc/new").write_text("x")
    fd = os.open(top / "etc", os.O_RDONLY)
    mark_opaque(fd)
    mark_whiteout(fd, b"gone")
    os.close(fd)
    data = packed(top, whiteouts=True)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert tar.getnames() == ["etc", "etc/.wh..wh..opq", "etc/.wh.gone", "etc/new"]
        assert not any("overlay" in key for member in tar for key in member.pax_headers)
    extract(io.BytesIO(data), root_fd, whiteouts=True)
    assert packed(root, whiteouts=True) == data


@pytest.mark.root
def test_directory_that_overlayfs_renamed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    os.setxattr(tmp_path / "d", "trusted.overlay.redirect", b"/elsewhere")
    with pytest.raises(InvalidParameter, match="renamed by overlayfs"):
        packed(tmp_path, whiteouts=True)


def test_path_no_archive_could_name_is_refused(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * 250, dir_fd=fd)
        below = os.open("d" * 250, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)
    with pytest.raises(InvalidParameter, match="too long"):
        packed(tmp_path)
    subprocess.run(["rm", "-rf", tmp_path / ("d" * 250)], check=True)


def test_link_in_place_of_a_file_isnt_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("outside")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/l").symlink_to(secret)
    assert b"outside" not in packed(tmp_path / "tree")


def test_file_named_like_a_whiteout_cant_be_in_a_layer(tmp_path: Path) -> None:
    (tmp_path / ".wh.x").write_text("")
    assert len(packed(tmp_path)) == 512 + 1024
    with pytest.raises(InvalidParameter, match="can't be kept in a layer"):
        packed(tmp_path, whiteouts=True)


def test_tree_that_changes_meanwhile(tmp_path: Path) -> None:
    """A container renames and removes while its files are read: what is read is a whole archive."""
    import threading

    top = tmp_path / "live"
    (top / "d").mkdir(parents=True)
    (tmp_path / "secret").write_text("outside")
    stop = threading.Event()

    def change() -> None:
        while not stop.is_set():
            (top / "d/f").write_text("inside" * 1000)
            (top / "d/g").symlink_to(tmp_path / "secret")
            (top / "d/g").replace(top / "d/f")
            (top / "d").rename(top / "e")
            (top / "d").symlink_to(tmp_path)
            (top / "d").unlink()
            (top / "e").rename(top / "d")
            (top / "d/f").unlink()

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(300):
            data = packed(top)
            assert b"outside" not in data
            tarfile.TarFile(fileobj=io.BytesIO(data)).getnames()
    finally:
        stop.set()
        thread.join()
