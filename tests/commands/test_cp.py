"""Our own ``cp`` and ``diff``, on our engine or the one that ``DOCKER_HOST`` names."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from containerlab.commands.context import Context
from containerlab.commands.registry import invoke
from containerlab.errors import Conflict, ContainerlabError, InvalidParameter, NotFound, UsageError

IMAGE = "lab/busybox"


@pytest.fixture(params=["running", "created"])
def box(request, client, name):
    made = client.containers.create(IMAGE, "sleep 1000", name=name)
    if request.param == "running":
        made.start()
    return name


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "here"
    (made / "folder/sub").mkdir(parents=True)
    (made / "file").write_text("of the host\n")
    (made / "folder/one").write_text("1\n")
    (made / "folder/sub/two").write_text("2\n")
    (made / "link").symlink_to("file")
    (made / "folder-link").symlink_to("folder")
    monkeypatch.chdir(made)
    return made


def text(client, box: str, path: str) -> str:
    pieces, _ = client.api.get_archive(box, path)
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as archive:
        held = archive.extractfile(archive.getmembers()[0])
        assert held is not None
        return held.read().decode()


@pytest.mark.parametrize(
    ("source", "destination", "arrives"),
    [
        ("file", "/tmp", "/tmp/file"),
        ("./file", "/tmp/.", "/tmp/file"),
        ("file", "/tmp/new", "/tmp/new"),
        ("file", "tmp/new", "/tmp/new"),
        ("file", "/etc/passwd", "/etc/passwd"),
        ("folder", "/tmp", "/tmp/folder/one"),
        ("folder/.", "/tmp", "/tmp/one"),
        ("folder", "/tmp/new/", "/tmp/new/sub/two"),
        ("folder/.", "/tmp/new", "/tmp/new/sub/two"),
        ("folder-link/", "/tmp", "/tmp/folder-link/one"),
        ("-L link", "/tmp", "/tmp/link"),
        ("-L folder-link", "/tmp/new", "/tmp/new/sub/two"),
    ],
)
def test_cp_in_goes_where_docker_puts_it(verb, client, box, here, source, destination, arrives):
    verb(f"cp {source} {box}:{destination}")
    assert text(client, box, arrives) in ("of the host\n", "1\n", "2\n")


@pytest.mark.parametrize(
    ("source", "destination", "arrives"),
    [
        ("/etc/passwd", ".", "passwd"),
        ("etc/passwd", "new", "new"),
        ("/etc/passwd", "file", "file"),
        ("/etc", ".", "etc/passwd"),
        ("/etc/", "folder/", "folder/etc/passwd"),
        ("/etc/.", "folder", "folder/passwd"),
        ("/etc", "new", "new/passwd"),
        ("/etc/.", "./new", "new/passwd"),
        ("/etc/passwd", "folder-link", "folder/passwd"),
        ("/etc/passwd", "link", "file"),
    ],
)
def test_cp_out_goes_where_docker_puts_it(verb, box, here, source, destination, arrives):
    verb(f"cp {box}:{source} {destination}")
    assert "root" in (here / arrives).read_text()
    assert (here / "link").is_symlink()


@pytest.mark.parametrize(
    ("words", "kind", "said"),
    [
        ("cp file {}:/nowhere/new", NotFound, "Could not find the file /nowhere"),
        ("cp file {}:/tmp/new/", InvalidParameter, "no such directory"),
        ("cp folder {}:/etc/passwd", InvalidParameter, "cannot copy directory"),
        ("cp nothing {}:/tmp", ContainerlabError, "No such file"),
        ("cp {}:/nothing .", NotFound, "Could not find the file /nothing in container"),
        ("cp {}:/etc file", InvalidParameter, "cannot copy directory"),
        ("cp {}:/etc/passwd nowhere/new", InvalidParameter, "does not exist"),
        ("cp {}:/etc/passwd new/", InvalidParameter, "no such directory"),
        ("cp {}:/etc {}:/tmp", UsageError, "copying between containers is not supported"),
        ("cp file folder", UsageError, "must specify at least one container source"),
        ("cp file nobody-here:/tmp", ContainerlabError, "No such container: nobody-here"),
        ("cp nobody-here:/etc/passwd .", ContainerlabError, "No such container: nobody-here"),
    ],
)
def test_cp_refuses_in_dockers_words(verb, box, here, words, kind, said):
    with pytest.raises(kind, match=said):
        verb(words.format(box, box))


def test_cp_keeps_kinds_apart(verb, client, box, here):
    verb(f"cp folder {box}:/tmp/file")
    with pytest.raises((Conflict, ContainerlabError), match="cannot overwrite directory"):
        verb(f"cp file {box}:/tmp")
    (here / "passwd").mkdir()
    with pytest.raises(Conflict, match="cannot overwrite directory"):
        verb(f"cp {box}:/etc/passwd .")


def test_cp_follows_a_link_in_the_container_when_asked(verb, box, here):
    verb(f"cp link {box}:/tmp")
    verb(f"cp file {box}:/tmp")
    verb(f"cp {box}:/tmp/link out-link")
    verb(f"cp -L {box}:/tmp/link out-file")
    verb(f"cp -L {box}:/tmp/link folder")
    assert (here / "out-link").readlink() == Path("file")
    assert (here / "out-file").read_text() == (here / "folder/link").read_text() == "of the host\n"


def test_cp_of_tars_on_standard_input_and_output(verb, client, output, box, here):
    verb(f"cp {box}:/etc/passwd -")
    with tarfile.open(fileobj=io.BytesIO(output.out)) as archive:
        assert archive.getnames() == ["passwd"]
    context = Context(output=output, connect=lambda: client, body=output.out)
    invoke(["cp", "-", f"{box}:/tmp"], context)
    assert "root" in text(client, box, "/tmp/passwd")
    with pytest.raises(UsageError, match="must be a directory"):
        invoke(["cp", "-", f"{box}:/etc/passwd"], context)


def test_cp_tells_what_it_did_unless_it_is_quiet(verb, output, box, here):
    result = verb(f"cp file {box}:/tmp")
    assert output.notices == [f"Successfully copied 12B to {box}:/tmp"]
    assert str(result) == ""
    assert repr(result) == f"Successfully copied 12B to {box}:/tmp"
    verb(f"cp -q file {box}:/tmp")
    assert len(output.notices) == 1


def test_diff_is_dockers_lines_in_a_terminal_and_a_table_in_a_notebook(client, output, name):
    client.containers.run(IMAGE, ["sh", "-c", "touch /new; rm /etc/group"], name=name)
    lines = invoke(["diff", name], Context(output=output, connect=lambda: client))
    assert str(lines) == "C /etc\nD /etc/group\nA /new"
    table = invoke(["diff", name], Context(output=output, connect=lambda: client, notebook=True))
    assert [(row["kind"], row["path"]) for row in table] == [("C", "/etc"), ("D", "/etc/group"), ("A", "/new")]
    assert "<table" in table._repr_mimebundle_()["text/html"]
    assert "D deleted" in repr(table)
