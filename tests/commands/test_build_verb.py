"""``build`` by the program itself: secrets, a tar or a Dockerfile on stdin, Dockerfiles that lie elsewhere, prunes."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.store import Store

TOKEN = "t0k3n-of-a-test-that-is-kept-nowhere"


def run(store: Store, *words: str | Path, data: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    variables = {name: value for name, value in os.environ.items() if name not in ("DOCKER_HOST", "CONTAINERLAB_HOST")}
    return subprocess.run(
        [sys.executable, "-m", "containerlab", *words],
        input=data,
        capture_output=True,
        check=False,
        env={**variables, "CONTAINERLAB_STORE": str(store.folder), **environment},
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "context").mkdir()
    return tmp_path / "context"


def ok(done: subprocess.CompletedProcess[bytes]) -> str:
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def test_a_secret_reaches_its_run_and_nothing_else(store: Store, folder: Path) -> None:
    (folder / "Dockerfile").write_text(
        "FROM lab/busybox\nRUN --mount=type=secret,id=file,required --mount=type=secret,id=var,target=/v "
        "wc -c < /run/secrets/file; wc -c < /v\n"
    )
    (folder.parent / "token").write_text(TOKEN)
    words = ("--secret", f"id=file,src={folder.parent}/token", "--secret", "id=var,env=MY_TOKEN", "--no-cache")
    said = ok(run(store, "build", *words, folder, MY_TOKEN=TOKEN))
    assert [line.strip() for line in said.splitlines()].count(str(len(TOKEN))) == 2  # layers have digits too
    assert TOKEN not in said
    for path in store.folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            assert TOKEN.encode() not in path.read_bytes(), path


@pytest.mark.parametrize("secret", ["src=x", "id=a,src=/none", "id=a,env=NOT_THERE", "id=a,what=b", "id=a,type=ssh"])
def test_a_secret_that_cannot_be_read_is_refused_before_the_build(store: Store, folder: Path, secret: str) -> None:
    (folder / "Dockerfile").write_text("FROM lab/busybox\n")
    done = run(store, "build", "--secret", secret, folder)
    assert done.returncode != 0
    assert b"--secret" in done.stderr


def test_ssh_and_squash_are_refused_by_name(store: Store, folder: Path) -> None:
    (folder / "Dockerfile").write_text("FROM lab/busybox\n")
    for option in (("--ssh", "default"), ("--squash",)):
        done = run(store, "build", *option, folder)
        assert done.returncode != 0
        assert option[0].encode() in done.stderr


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_a_tar_on_stdin_is_the_whole_context(store: Store, mode: str) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, text in (("Dockerfile", b"FROM lab/busybox\nCOPY f /f\nRUN cat /f\n"), ("f", b"from the tar\n")):
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text))
    assert "from the tar" in ok(run(store, "build", "--no-cache", "-", data=out.getvalue()))
    said = ok(run(store, "build", "-q", "-", data=b"FROM lab/busybox\nLABEL a=b\n"))
    assert said.startswith("sha256:")


def test_a_dockerfile_beside_the_context_is_built_with_it(store: Store, folder: Path) -> None:
    (folder / "f").write_text("in the context\n")
    (folder.parent / "Other").write_text("FROM lab/busybox\nCOPY . /all/\nRUN ls /all; cat /all/f\n")
    said = ok(run(store, "build", "--no-cache", "-f", folder.parent / "Other", "--iidfile", folder / "iid", folder))
    assert "in the context" in said
    assert "Other" not in said.split("RUN ls", 1)[1].split("in the context")[0]
    assert (folder / "iid").read_text().startswith("sha256:")
    assert ok(run(store, "build", "--progress", "quiet", "-f", folder.parent / "Other", folder)).startswith("Built ")


def test_a_dockerfile_on_stdin_is_built_with_the_folder(store: Store, folder: Path) -> None:
    (folder / "f").write_text("in the context\n")
    said = ok(run(store, "build", "--no-cache", "-f", "-", folder, data=b"FROM lab/busybox\nCOPY f /\nRUN cat /f\n"))
    assert "in the context" in said
    done = run(store, "build", "-f", "-", folder, data=b"FROM lab/busybox\nRUNN x\n")
    assert b"Dockerfile:2:1: unknown instruction: RUNN" in done.stderr
    done = run(store, "build", "-f", "-", "-", data=b"FROM lab/busybox\n")
    assert b"can't use stdin for both build context and dockerfile" in done.stderr


def test_check_prints_findings_alone_and_its_exit_code_tells(store: Store, folder: Path) -> None:
    (folder / "Dockerfile").write_text("FROM lab/busybox\nCMD echo a\n")
    done = run(store, "build", "--check", "-t", "nothing:1", folder)
    assert (done.returncode, done.stderr) == (1, b"")
    assert done.stdout.startswith(b"The Dockerfile could be better in 1 place:\n  line 2: JSON arguments")
    assert b"Step" not in done.stdout and "nothing" not in ok(run(store, "images"))
    (folder / "Dockerfile").write_text("FROM debian\n")
    assert "debian:VERSION" in ok(run(store, "build", "--check", folder))  # a hint is no fault
    assert ok(run(store, "build", "--check", "-", data=b"FROM lab/busybox\n")).startswith("Nothing to say")
    (folder / "Dockerfile").write_text("FRM lab/busybox\n")
    assert b"Dockerfile:1:1: unknown instruction" in run(store, "build", "--check", folder).stderr


def test_a_build_says_what_could_be_better_on_stdout(store: Store, folder: Path) -> None:
    (folder / "Dockerfile").write_text("FROM lab/busybox\nENV a b\n")
    done = run(store, "build", folder)
    assert b"(LegacyKeyValueFormat)" in done.stdout and (done.returncode, done.stderr) == (0, b"")
    assert ok(run(store, "build", "-q", folder)).count("\n") == 1


def test_every_name_the_network_and_a_cache_source_are_taken(store: Store, folder: Path) -> None:
    (folder / "Dockerfile").write_text("FROM lab/busybox\nRUN ls /sys/class/net | wc -l > /n; cat /n\n")
    names = ("-t", "named:1", "-t", "named:2", "-t", "127.0.0.1:5000/named")
    options = (*names, "--network", "none", "--cache-from", "127.0.0.1:1/elsewhere")
    said = ok(run(store, "build", *options, "--iidfile", folder.parent / "iid", folder))
    assert "\n1\n" in said and "[Warning] --cache-from=127.0.0.1:1/elsewhere is left out: " in said
    identity = (folder.parent / "iid").read_text()
    for name in ("named:1", "named:2", "127.0.0.1:5000/named:latest"):
        assert ok(run(store, "inspect", "--format", "{{.Id}}", name)).strip() == identity
    assert b"container:x" in run(store, "build", "--network", "container:x", folder).stderr


def test_a_build_argument_without_a_value_is_the_environments(
    store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "Dockerfile").write_text("FROM lab/busybox\nARG A=default B=default\nRUN echo $A $B\n")
    monkeypatch.setenv("A", "given")
    monkeypatch.delenv("B", raising=False)
    assert "\ngiven default\n" in ok(run(store, "build", "--build-arg", "A", "--build-arg", "B", folder))


def test_a_rebuild_in_a_terminal_says_why(store: Store, folder: Path) -> None:
    (folder / "f").write_text("one")
    (folder / "Dockerfile").write_text(f"FROM lab/busybox\nARG V=1\nCOPY f /f\nRUN echo $V {folder} > /v\n")
    ok(run(store, "build", "-t", "why:1", folder))
    (folder / "f").write_text("two!")
    said = ok(run(store, "build", "-t", "why:1", folder))
    assert "Step 3/4: COPY f /f\n  not cached: f changed\n" in said
    assert "  not cached: the step above\n" in said
    again = ok(run(store, "build", "-t", "why:2", "--build-arg", "V=2", folder))
    assert again.count("CACHED") == 2 and "  not cached: ARG V: 1 → 2\n" in again


def test_builder_prune_forgets_the_cache_and_the_next_build_says_so(store: Store, folder: Path) -> None:
    (folder / "Dockerfile").write_text(
        f"FROM lab/busybox AS one\nRUN head -c 300000 /dev/zero > /big; echo {folder} > /id\n"
        "FROM lab/busybox\nCOPY --from=one /id /id\n"
    )
    ok(run(store, "build", "-t", "pruned:1", folder))
    assert ok(run(store, "build", "-t", "pruned:1", folder)).count("CACHED") == 2
    assert "Total" in ok(run(store, "builder", "prune", "-f"))
    said = ok(run(store, "build", "-t", "pruned:1", folder))
    assert said.count("CACHED") == 1 and "  not cached: its layer is no longer kept\n" in said
