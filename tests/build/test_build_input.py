"""Input that is odd or wrong: the right result, or an error at its line that says what was expected."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from containerlab.build import BuildOptions, Context
from containerlab.errors import BuildFailed, ContainerlabError, DockerfileError, NotFound
from tests.build.conftest import Site, run

pytestmark = pytest.mark.root


@pytest.mark.parametrize(
    ("dockerfile", "line", "words"),
    [
        ("FROM base\nCOPY *.none /x/\n", 2, "no source files were specified"),
        ("FROM base\nCOPY $nothing /x/\n", 2, "no source files were specified"),
        ("FROM base\nCOPY none /x/\n", 2, "file not found in build context"),
        ("FROM base\n\nCOPY a[ /x/\n", 3, "a [ has no ]"),
        ("FROM base\nCOPY --exclude=a[ f /x/\n", 2, "a [ has no ]"),
        ("FROM base\nCOPY --exclude=f f /x/\n", 2, "no source files were specified"),
        ("FROM base\nCOPY --chown=a:b:c f /x\n", 2, "expected USER or USER:GROUP"),
        ("FROM base\nCOPY --chown=nobody-here f /x\n", 2, "unable to find user nobody-here"),
        ("FROM base\nCOPY --chown=0:nogroup-here f /x\n", 2, "unable to find group nogroup-here"),
        ("FROM base\nCOPY --chown=4294967296 f /x\n", 2, "must be in range"),
        ("FROM base\nCOPY --chmod=rwx f /x\n", 2, "expected an octal mode"),
        ("FROM base\nCOPY f /bin/sh/x\n", 2, "isn't a directory"),
        ("FROM base\nCOPY d /etc/passwd\n", 2, "/etc/passwd"),
        ("FROM base AS one\nFROM base\nCOPY --from=oen /x /y\n", 3, "oen"),
        ("FROM base\nCOPY --from=5 /x /y\n", 2, "there are 0 earlier stages"),
        ("ARG v\nFROM $v\n", 2, "base name should not be blank"),
        ("FROM base\nUSER nobody-here\nRUN true\n", 3, "nobody-here"),
        ("FROM base\nRUN --network=none --network=host true\n", 2, "duplicate flag"),
        ("FROM base\nWORKDIR $nothing\n", 2, "cannot normalize nothing"),
        ("FROM base\nENV a=${b?needed}\n", 2, "b: needed"),
        ("FROM base\nEXPOSE 70000\n", 2, "invalid containerPort"),
        ("FROM base\nSTOPSIGNAL SIGNOPE\n", 2, "invalid signal"),
        ("FROM base\nRUN exit 7\n", 2, "non-zero code: 7"),
        ("# check=error=true\nFROM base\nRUN true \\\n\n && true\n", 4, "NoEmptyContinuation: Empty continuation line"),
    ],
)
def test_what_is_wrong_is_said_at_its_line(site: Site, dockerfile: str, line: int, words: str) -> None:
    site.write(f="f", d__g="g")
    error = site.build(dockerfile).error
    assert isinstance(error, ContainerlabError)
    if isinstance(error, DockerfileError | BuildFailed):
        assert error.line == line
    assert words in str(error)
    assert "Traceback" not in str(error)


def test_names_that_are_not_utf8_are_copied_as_they_are(site: Site) -> None:
    raw = os.fsencode(site.context)
    (Path(os.fsdecode(raw + b"/d\xff"))).mkdir()
    Path(os.fsdecode(raw + b"/d\xff/\xc3(\xfe")).write_text("odd")
    Path(os.fsdecode(raw + b"/l\xe9nk")).symlink_to(os.fsdecode(b"d\xff"))
    built = site.build("FROM base AS a\nCOPY . /all/\nCOPY d* /one/\nFROM base\nCOPY --from=a /all /b\n")
    image = built.ok()
    names = [os.fsencode(name) for name in site.tree(image, "/b")]
    assert {b"d\xff/", b"d\xff/\xc3(\xfe", b"l\xe9nk"} <= set(names)
    json.dumps(built.messages, ensure_ascii=False).encode()
    assert all(
        site.build("FROM base AS a\nCOPY . /all/\nCOPY d* /one/\nFROM base\nCOPY --from=a /all /b\n").cached[1:3]
    )


def test_an_error_about_such_a_name_can_be_sent(site: Site) -> None:
    Path(os.fsdecode(os.fsencode(site.context) + b"/f\xff")).symlink_to("/etc/passwd")
    built = site.build("FROM base\nCOPY f* /x/\n")
    assert built.error is not None
    json.dumps(built.messages, ensure_ascii=False).encode("utf-8")


@pytest.mark.parametrize("name", [".dockerfile.c1894cb4df6f1218e753", ".containerlab.Dockerfile"])
def test_a_dockerfile_that_was_sent_along_has_no_made_up_name(site: Site, name: str) -> None:
    site.write(**{name.replace(".", "_dot_"): "FROM base\nCOPY f /f\n"})

    async def build() -> None:
        builder, client = await site.connected()
        try:
            with Context.from_directory(site.context) as context:
                await builder.build(context, BuildOptions(dockerfile=name), lambda _: None)
        finally:
            client.close()

    with pytest.raises(DockerfileError) as caught:
        run(build())
    error = caught.value
    assert str(error).startswith("Dockerfile:2:1: COPY failed: file not found")


def test_the_dockerfile_may_be_left_out_of_the_context(site: Site) -> None:
    site.write(_dot_dockerignore="Dockerfile\n.dockerignore\n", f="f")
    image = site.build("FROM base\nCOPY . /all/\n").ok()
    assert site.tree(image, "/all") == ["f"]


def test_everything_may_be_left_out(site: Site) -> None:
    site.write(_dot_dockerignore="**\n", f="f")
    image = site.build("FROM base\nRUN echo > /x\n").ok()
    assert "x" in site.tree(image, "/")
    missing = site.build("FROM base\nCOPY f /f\n").error
    assert isinstance(missing, DockerfileError)


def test_a_dockerfile_that_is_no_file_is_refused(site: Site) -> None:
    from containerlab.build.context import Context

    (site.context / "Folder").mkdir()
    os.mkfifo(site.context / "Pipe")
    with Context.from_directory(site.context) as context:
        for name in ("Folder", "Pipe", "None"):
            with pytest.raises((NotFound, ContainerlabError)):
                context.dockerfile(name)


def test_sockets_are_left_out_and_pipes_are_copied(site: Site) -> None:
    import socket

    os.mkfifo(site.context / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(site.context / "socket"))
        image = site.build("FROM base\nCOPY . /all/\n").ok()
    assert stat.S_ISFIFO(site.stat(image, "/all/pipe").st_mode)
    assert "socket" not in site.tree(image, "/all")


def test_a_file_that_goes_while_it_is_copied_is_an_error_of_that_step(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    from containerlab.build.copying import Copier

    site.write(f="f", g="g")
    original = Copier.copy_tree

    def removed(self: Copier, *arguments: object) -> None:
        (site.context / "g").unlink()
        original(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Copier, "copy_tree", removed)
    built = site.build("FROM base\nCOPY . /all/\n")
    assert isinstance(built.error, ContainerlabError)
    assert list((site.store / "builds").iterdir()) == []


def test_a_deep_and_a_long_path_are_copied(site: Site) -> None:
    folder = site.context / "/".join(["d" * 200] * 6)
    folder.mkdir(parents=True)
    (folder / ("f" * 255)).write_text("deep")
    image = site.build("FROM base AS a\nCOPY . /all/\nFROM base\nCOPY --from=a /all /b\n").ok()
    assert any(name.endswith("f" * 255) for name in site.tree(image, "/b"))


def test_a_hundred_stages_build(site: Site) -> None:
    lines = ["FROM base AS s0\nRUN echo 0 > /n\n"]
    lines += [f"FROM s{number - 1} AS s{number}\nENV n={number}\n" for number in range(1, 100)]
    built = site.build("".join(lines))
    config = built.ok().config.config
    assert "n=99" in (config.Env or [])
    assert built.steps[-1]["total"] == 200
