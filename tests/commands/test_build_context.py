"""What a build sends: alone, as a tar, or as a folder's name."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from containerlab.commands.build_context import Sent, send
from containerlab.errors import UsageError


def names(sent: Sent) -> set[str]:
    with tarfile.open(fileobj=sent.archive) as archive:
        return set(archive.getnames())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "context"
    (made / "src").mkdir(parents=True)
    (made / "Dockerfile").write_text("FROM x\n")
    (made / "src/app.py").write_text("1\n")
    (made / "secret").write_text("2\n")
    (made / ".dockerignore").write_text("# a comment\n\nsecret\n")
    return made


def test_a_cell_alone_is_a_dockerfile_and_nothing_else() -> None:
    sent = send(None, b"FROM x\n", None, engine_reads_folders=True)
    assert sent.params == [("dockerfile", "Dockerfile")]
    assert names(sent) == {"Dockerfile"}
    assert send(None, b"FROM x\n", "web.Dockerfile", engine_reads_folders=False).params[0][1] == "web.Dockerfile"


def test_a_folder_is_a_tar_without_what_is_ignored(folder: Path) -> None:
    sent = send(folder, None, None, engine_reads_folders=False)
    assert sent.params == [("dockerfile", "Dockerfile")]
    assert names(sent) == {"Dockerfile", ".dockerignore", "src", "src/app.py"}


def test_the_own_engine_reads_the_folder_where_it_lies(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    sent = send(Path("context"), None, None, engine_reads_folders=True)
    assert sent.params == [("dockerfile", "Dockerfile"), ("remote", f"containerlab-directory:{folder}")]
    assert sent.archive.read() == b""


def test_a_cells_dockerfile_travels_beside_the_folder_that_our_engine_reads(folder: Path) -> None:
    sent = send(folder, b"FROM cell\n", None, engine_reads_folders=True)
    assert dict(sent.params)["remote"] == f"containerlab-directory:{folder}"
    assert sent.archive.read() == b"FROM cell\n"


def test_a_cells_dockerfile_travels_with_the_folder(folder: Path) -> None:
    sent = send(folder, b"FROM cell\n", None, engine_reads_folders=False)
    name = dict(sent.params)["dockerfile"]
    with tarfile.open(fileobj=sent.archive) as archive:
        held = archive.extractfile(name)
        assert held is not None and held.read() == b"FROM cell\n"
        assert "secret" not in archive.getnames()


def test_f_is_a_path_of_the_callers_or_one_inside(folder: Path) -> None:
    outside = folder.parent / "other"
    outside.write_text("FROM other\n")
    (folder / "src/web").write_text("FROM web\n")
    assert send(folder, None, "src/web", engine_reads_folders=False).params == [("dockerfile", "src/web")]
    sent = send(folder, None, str(outside), engine_reads_folders=True)
    assert dict(sent.params)["dockerfile"] == "other" and sent.archive.read() == b"FROM other\n"
    sent = send(folder, None, str(outside), engine_reads_folders=False)
    assert dict(sent.params)["dockerfile"] in names(sent) and "remote" not in dict(sent.params)


def test_what_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(UsageError, match="not a folder"):
        send(folder / "nothing", None, None, engine_reads_folders=True)
    with pytest.raises(UsageError, match=r"There is no .*nothing"):
        send(folder, None, "nothing", engine_reads_folders=True)
