"""COPY, ADD and WORKDIR: destinations, owners, modes, archives, links, and what is refused."""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
from pathlib import Path

import pytest

from containerlab.errors import BuildFailed, DockerfileError
from tests.build.conftest import Site

pytestmark = pytest.mark.root


@pytest.fixture
def tree(site: Site) -> Site:
    site.write(f="file", d__g="g", d__sub__h="h", e__g="other g")
    (site.context / "link").symlink_to("f")
    (site.context / "dirlink").symlink_to("d")
    (site.context / "d" / "dangling").symlink_to("nowhere")
    (site.context / "d").chmod(0o700)
    (site.context / "d" / "sub").chmod(0o711)
    os.utime(site.context / "f", (1_000_000_000, 1_000_000_000))
    return site


@pytest.mark.parametrize(
    ("copy", "path", "content"),
    [
        ("f /new", "/new", "file"),
        ("f /new/", "/new/f", "file"),
        ("f new/deep/", "/w/new/deep/f", "file"),
        ("f .", "/w/f", "file"),
        ("f /etc", "/etc/f", "file"),
        ("f /etc/passwd", "/etc/passwd", "file"),
        ("d /new", "/new/sub/h", "h"),
        ("d/ /new/", "/new/g", "g"),
        ("d e /new/", "/new/g", "other g"),
        ("link /new", "/new", "file"),
        ("link /new/", "/new/link", "file"),
        ("dirlink /new", "/new/g", "g"),
        ("f* d /new/", "/new/f", "file"),
        ("?/g /new/", "/new/g", "other g"),
        ('["f", "/with space/"]', "/with space/f", "file"),
        ("$name /${where:-x}/", "/x/f", "file"),
        (". /all/", "/all/d/sub/h", "h"),
    ],
)
def test_a_copy_goes_where_docker_puts_it(tree: Site, copy: str, path: str, content: str) -> None:
    image = tree.build(f"FROM base\nENV name=f\nWORKDIR /w\nCOPY {copy}\n").ok()
    assert tree.read(image, path) == content


def test_copies_keep_modes_and_times_and_belong_to_root(tree: Site) -> None:
    os.chown(tree.context / "f", 7, 7)
    (tree.context / "f").chmod(0o640)
    image = tree.build("FROM base\nCOPY f /f\nCOPY d /d\n").ok()
    status = tree.stat(image, "/f")
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (0, 0, 0o640)
    assert status.st_mtime == 1_000_000_000
    # The folder itself is made, as docker makes it; what is in it keeps its mode.
    assert stat.S_IMODE(tree.stat(image, "/d").st_mode) == 0o755
    assert stat.S_IMODE(tree.stat(image, "/d/sub").st_mode) == 0o711
    assert tree.tree(image, "/d") == ["dangling", "g", "sub/", "sub/h"]


@pytest.mark.parametrize(
    ("chown", "owner"),
    [("7", (7, 7)), ("7:8", (7, 8)), ("ana", (1000, 1001)), ("ana:lab", (1000, 2000)), ("5:lab", (5, 2000))],
)
def test_chown_gives_the_copy_and_the_directories_made_for_it(tree: Site, chown: str, owner: tuple[int, int]) -> None:
    image = tree.build(f"FROM base\nCOPY --chown={chown} f /new/deep/f\n").ok()
    for path in ("/new", "/new/deep", "/new/deep/f"):
        status = tree.stat(image, path)
        assert (status.st_uid, status.st_gid) == owner


def test_chmod_is_given_to_files_and_directories(tree: Site) -> None:
    image = tree.build("FROM base\nCOPY --chmod=0750 d /d\n").ok()
    assert {stat.S_IMODE(tree.stat(image, f"/d/{name}").st_mode) for name in ("g", "sub", "sub/h")} == {0o750}


@pytest.mark.parametrize(
    ("dockerfile", "words"),
    [
        ("COPY --chown=nobody-here f /f", "unable to find user nobody-here"),
        ("COPY --chmod=u+x f /f", "expected an octal mode"),
        ("COPY f d /f", "must be a directory and end with a /"),
        ("COPY * /f", "must be a directory and end with a /"),
        ("COPY missing /f", "COPY failed: file not found in build context or excluded by .dockerignore"),
        ("COPY *.none /f/", "COPY failed: no source files were specified"),
        ("COPY ../secret /f", "COPY failed: forbidden path outside the build context: ../secret"),
        ("ADD d/../../secret /f", "ADD failed: forbidden path outside the build context"),
        ("COPY [x /f/", "bad pattern"),
        ("COPY f /etc/passwd/f", "isn't a directory"),
        ("WORKDIR /etc/passwd/x", "isn't a directory"),
    ],
)
def test_what_cannot_be_copied_is_said(tree: Site, dockerfile: str, words: str) -> None:
    built = tree.build(f"FROM base\n{dockerfile}\n")
    assert isinstance(built.error, DockerfileError | BuildFailed)
    assert built.error.line == 2
    assert words in str(built.error)
    assert words in built.messages[-1]["error"]


def test_a_link_of_the_context_that_leads_outside_is_refused_with_its_line(tree: Site, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tree.context / "out").symlink_to(tmp_path / "secret")
    built = tree.build("FROM base\n\nCOPY out /f\n")
    assert isinstance(built.error, DockerfileError)
    assert built.error.line == 3
    assert "forbidden path outside the build context: out is a symbolic link to" in built.error.message


def test_a_link_inside_a_copied_folder_is_copied_as_a_link(tree: Site) -> None:
    (tree.context / "d" / "out").symlink_to("/etc/shadow")
    image = tree.build("FROM base\nCOPY d /d\n").ok()
    assert stat.S_ISLNK(tree.stat(image, "/d/out").st_mode)


def test_links_of_the_image_are_followed_inside_the_image(tree: Site, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    canary.mkdir()
    tree.write(root__real__x="")
    (tree.context / "root" / "abs").symlink_to("/real")
    (tree.context / "root" / "up").symlink_to("../../../../real")
    (tree.context / "root" / "host").symlink_to(str(canary))
    (tree.context / "root" / "file").symlink_to("real/target")
    dockerfile = (
        "FROM base\nCOPY root /\nCOPY f /abs/a\nCOPY f /up/b\nCOPY f /host/c\nCOPY f /file\n"
        "COPY d /abs\nWORKDIR /host/w\n"
    )
    image = tree.build(dockerfile).ok()
    names = tree.tree(image, "/real")
    assert {"a", "b", "target", "g", "sub/h", "x"} <= set(names)
    assert {f"{canary}/c"[1:], f"{canary}/w/"[1:]} <= set(tree.tree(image, "/"))
    assert list(canary.iterdir()) == []


def test_a_file_takes_a_links_place_only_inside_a_copied_folder(tree: Site) -> None:
    tree.write(one__x="1", two__l__y="2")
    (tree.context / "one" / "l").symlink_to("x")
    image = tree.build("FROM base\nCOPY one /m\nCOPY two /m\n").ok()
    assert tree.tree(image, "/m") == ["l/", "l/y", "x"]


def archive(*, compress: bool) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo("inside/x")
        info.size, info.uid, info.gid = 1, 5, 6
        tar.addfile(info, io.BytesIO(b"x"))
    return gzip.compress(out.getvalue()) if compress else out.getvalue()


@pytest.mark.parametrize("compress", [True, False])
def test_add_unpacks_a_local_archive_and_copy_does_not(site: Site, compress: bool) -> None:
    site.write(a_dot_tgz=archive(compress=compress))
    image = site.build("FROM base\nADD a.tgz /unpacked\nCOPY a.tgz /copied/\nADD --chown=9 a.tgz /owned/\n").ok()
    assert site.read(image, "/unpacked/inside/x") == "x"
    status = site.stat(image, "/unpacked/inside/x")
    assert (status.st_uid, status.st_gid) == (5, 6)
    assert site.tree(image, "/copied") == ["a.tgz"]
    assert site.stat(image, "/owned/inside/x").st_uid == 5  # as in Docker


def test_add_copies_what_is_no_archive(site: Site) -> None:
    site.write(plain="text", empty="", almost_dot_gz=b"\x1f\x8b\x08broken")
    image = site.build("FROM base\nADD plain empty almost.gz /x/\nADD --unpack=false plain /y\n").ok()
    assert site.tree(image, "/x") == ["almost.gz", "empty", "plain"]


def test_add_of_an_archive_that_would_write_outside_is_refused(site: Site) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("../../escaped"))
    site.write(a_dot_tar=out.getvalue())
    built = site.build("FROM base\nADD a.tar /x\n")
    assert isinstance(built.error, BuildFailed)


def test_heredocs_are_files(site: Site) -> None:
    image = site.build(
        "FROM base\nENV v=value\n"
        "COPY <<one.txt <<'two.txt' /d/\n$v\none.txt\n$v\ntwo.txt\n"
        "COPY <<EOF /single\nhello\nEOF\n"
        "COPY --chmod=755 --chown=3 <<-X /script\n\t\ttabs\n\tX\n"
    ).ok()
    assert site.read(image, "/d/one.txt") == "value\n"
    assert site.read(image, "/d/two.txt") == "$v\n"
    assert site.read(image, "/single") == "hello\n"
    assert site.read(image, "/script") == "tabs\n"
    status = site.stat(image, "/script")
    assert (stat.S_IMODE(status.st_mode), status.st_uid) == (0o755, 3)


def test_a_build_from_scratch_holds_only_what_was_copied(tree: Site) -> None:
    image = tree.build("FROM scratch\nCOPY f /bin/f\nWORKDIR /w\n").ok()
    assert tree.tree(image, "/") == ["bin/", "bin/f", "w/"]


def test_the_same_copy_makes_the_same_layer_again(tree: Site) -> None:
    first = tree.build("FROM base\nCOPY f /etc/new/f\nCOPY d /d\nWORKDIR /w\n").ok()
    second = tree.build("FROM base\nCOPY f /etc/new/f\nCOPY d /d\nWORKDIR /w\n", no_cache=True).ok()
    assert first.chain_ids == second.chain_ids
    assert first.id != second.id


def test_ignored_files_stay_out(tree: Site) -> None:
    tree.write(_dot_dockerignore="d/sub\n*.txt\n!keep.txt\n", a_dot_txt="a", keep_dot_txt="k")
    image = tree.build("FROM base\nCOPY . /all/\n").ok()
    names = tree.tree(image, "/all")
    assert "keep.txt" in names
    assert not {"a.txt", "d/sub/", "d/sub/h"} & set(names)


def test_a_device_or_fifo_does_not_hang_a_build(tree: Site) -> None:
    os.mkfifo(tree.context / "fifo")
    assert tree.build("FROM base\nCOPY fifo /f\n").error is not None
    image = tree.build("FROM base\nCOPY . /all/\n").ok()
    assert stat.S_ISFIFO(tree.stat(image, "/all/fifo").st_mode)
