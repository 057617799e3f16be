"""Contexts: what they show, what they hide, what they refuse, and what their digests depend on."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from containerlab.build.context import Context, OutsideContext
from containerlab.errors import BadArchive, InvalidParameter, NotFound


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "context"
    (root / "src" / "deep").mkdir(parents=True)
    (root / "Dockerfile").write_text("FROM scratch\n")
    (root / "a.txt").write_text("a")
    (root / "b.txt").write_text("b")
    (root / "src" / "main.py").write_text("print()")
    (root / "src" / "deep" / "notes.md").write_text("notes")
    (tmp_path / "secret").write_text("secret")
    return root


@pytest.fixture
def context(folder: Path) -> Iterator[Context]:
    with Context.from_directory(folder) as opened:
        yield opened


def paths(context: Context, pattern: str) -> list[str]:
    return [entry.path for _, entry in context.find(pattern)]


def below(context: Context, path: str) -> list[str]:
    return [entry.path for entry in context.walk(context.find(path)[0][1])]


def test_a_source_is_found_by_name_and_by_wildcard(context: Context) -> None:
    assert paths(context, "a.txt") == ["a.txt"]
    assert paths(context, "/src/./main.py") == ["src/main.py"]
    assert paths(context, "*.txt") == ["a.txt", "b.txt"]
    assert paths(context, "s*/*.py") == ["src/main.py"]
    assert paths(context, "[ab].t?t") == ["a.txt", "b.txt"]
    assert paths(context, "*/main.py") == ["src/main.py"]
    assert paths(context, "src/main\\.p?") == ["src/main.py"]
    assert paths(context, ".") == [""]


def test_a_directory_is_walked_parents_first_by_name(context: Context) -> None:
    assert below(context, "src") == ["src/deep", "src/deep/notes.md", "src/main.py"]


@pytest.mark.parametrize("path", ["../secret", "src/../../secret", "/../secret", "..", "src/../../*"])
def test_a_path_outside_the_context_is_refused(context: Context, path: str) -> None:
    with pytest.raises(OutsideContext, match="forbidden path outside the build context"):
        context.find(path)


@pytest.mark.parametrize("target", ["../secret", "/etc/passwd", "src/../../secret", "/proc/self/root/etc/passwd"])
def test_a_link_that_leads_outside_is_refused_and_names_its_target(folder: Path, target: str) -> None:
    (folder / "link").symlink_to(target)
    with Context.from_directory(folder) as context, pytest.raises(OutsideContext) as caught:
        context.find("link")
    assert target in str(caught.value)


def test_links_inside_the_context_are_followed(folder: Path) -> None:
    (folder / "link").symlink_to("src")
    (folder / "absolute").symlink_to("/src/main.py")
    (folder / "src" / "up").symlink_to("../a.txt")
    with Context.from_directory(folder) as context:
        assert paths(context, "link/main.py") == ["src/main.py"]
        assert paths(context, "absolute") == ["src/main.py"]
        assert paths(context, "src/up") == ["a.txt"]


def test_a_circle_of_links_ends(folder: Path) -> None:
    (folder / "x").symlink_to("y")
    (folder / "y").symlink_to("x")
    with Context.from_directory(folder) as context, pytest.raises(InvalidParameter, match="too many"):
        context.find("x")


@pytest.mark.parametrize("path", ["missing", "a.txt/x", "src/missing"])
def test_a_missing_source_is_an_error_in_dockers_words(context: Context, path: str) -> None:
    with pytest.raises(NotFound, match="file not found in build context"):
        context.find(path)


def test_ignored_files_are_not_there(folder: Path) -> None:
    (folder / ".dockerignore").write_text("*.txt\n!b.txt\nsrc\n!src/deep/*.md\nDockerfile\n")
    with Context.from_directory(folder) as context:
        assert context.dockerfile("Dockerfile") == b"FROM scratch\n"
        assert below(context, ".") == [".dockerignore", "b.txt", "src", "src/deep", "src/deep/notes.md"]
        assert paths(context, "*.txt") == ["b.txt"]
        for hidden in ("a.txt", "Dockerfile", "src/main.py"):
            with pytest.raises(NotFound):
                context.find(hidden)


def test_an_ignored_directory_that_holds_nothing_else_is_gone(folder: Path) -> None:
    (folder / ".dockerignore").write_text("**\n!a.txt\n")
    with Context.from_directory(folder) as context:
        context.dockerfile("Dockerfile")
        assert below(context, ".") == ["a.txt"]


def test_a_dockerfiles_own_ignore_file_comes_first(folder: Path) -> None:
    (folder / ".dockerignore").write_text("a.txt\n")
    (folder / "Dockerfile.dockerignore").write_text("b.txt\n")
    with Context.from_directory(folder) as context:
        context.dockerfile("Dockerfile")
        assert paths(context, "a.txt") == ["a.txt"]
        with pytest.raises(NotFound):
            context.find("b.txt")


def test_a_missing_dockerfile_is_an_error_in_dockers_words(context: Context) -> None:
    with pytest.raises(NotFound, match="Cannot locate specified Dockerfile: other"):
        context.dockerfile("other")


def test_a_dockerfile_outside_or_behind_a_link_to_the_outside_is_not_read(folder: Path) -> None:
    (folder / "link").symlink_to(folder.parent / "secret")
    os.mkfifo(folder / "fifo")
    with Context.from_directory(folder) as context:
        with pytest.raises(OutsideContext):
            context.dockerfile("../secret")
        with pytest.raises(NotFound):
            context.dockerfile("link")
        with pytest.raises(InvalidParameter):
            context.dockerfile("fifo")


def digest(folder: Path, path: str = ".") -> str:
    with Context.from_directory(folder) as context:
        return context.digest(context.find(path)[0][1])


def test_a_digest_depends_on_names_modes_and_contents_not_on_times(folder: Path) -> None:
    before = digest(folder)
    os.utime(folder / "a.txt", (1, 1))
    os.utime(folder / "src", (1, 1))
    assert digest(folder) == before
    (folder / "a.txt").chmod(0o755)
    mode = digest(folder)
    (folder / "a.txt").write_text("A")
    content = digest(folder)
    (folder / "a.txt").rename(folder / "c.txt")
    name = digest(folder)
    (folder / "link").symlink_to("c.txt")
    link = digest(folder)
    assert len({before, mode, content, name, link}) == 5


def test_a_digest_depends_only_on_what_is_read(folder: Path) -> None:
    before = digest(folder, "src"), digest(folder, "a.txt")
    (folder / "b.txt").write_text("changed")
    assert (digest(folder, "src"), digest(folder, "a.txt")) == before


def tar_of(*members: tuple[str, bytes | str]) -> io.BytesIO:
    """Members are (name, content), or (name, link target) for a symbolic link."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    out.seek(0)
    return out


def test_a_tar_becomes_a_context_and_leaves_nothing(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    with Context.from_tar(tar_of(("Dockerfile", b"FROM scratch"), ("d/f", b"x")), scratch) as context:
        assert context.dockerfile("Dockerfile") == b"FROM scratch"
        assert below(context, ".") == ["Dockerfile", "d", "d/f"]
    assert not scratch.exists()


def test_a_tar_that_would_write_outside_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    with pytest.raises(BadArchive):
        Context.from_tar(tar_of(("../escaped", b"x")), scratch)
    assert list(tmp_path.iterdir()) == []


def test_a_link_in_a_tar_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    stream = tar_of(("up", "../secret"), ("etc", "/etc"))
    with Context.from_tar(stream, tmp_path / "scratch") as context:
        for path in ("up", "etc/passwd"):
            with pytest.raises(OutsideContext):
                context.find(path)


def test_the_same_folder_has_the_same_digest_as_directory_and_as_tar(folder: Path, tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.add(folder, arcname=".")
    out.seek(0)
    with Context.from_tar(out, tmp_path / "scratch") as context:
        assert context.digest(context.find("src")[0][1]) == digest(folder, "src")


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match="can't be read"):
        Context.from_directory(tmp_path / "missing")
