"""``system reset``: everything of a store goes, nothing else does, and nobody's containers end unasked."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hosting.students import Student, students
from tests.store import Store

pytestmark = pytest.mark.root

_NAME = "containerlab-student"


@contextlib.contextmanager
def _account(student: Student) -> Iterator[int]:
    """An entry in passwd and a range of subordinate ids, without which newuidmap maps none; gives the range's first."""
    subprocess.run(["useradd", "--no-create-home", "--uid", str(student.uid), _NAME], check=True)
    try:
        ranges = ["--add-subuids", "7000000-7065535", "--add-subgids", "7000000-7065535"]
        subprocess.run(["usermod", *ranges, _NAME], check=True)
        lines = [line.split(":") for line in Path("/etc/subuid").read_text().splitlines()]
        yield next(int(first) for name, first, _ in lines if name == _NAME)
    finally:
        subprocess.run(["userdel", _NAME], check=True)


@pytest.fixture
def student() -> Iterator[Student]:
    with students(1) as [found]:
        yield found


def test_files_of_subordinate_ids_go_with_the_store(student: Student) -> None:
    with _account(student) as first:
        script = "touch /data/file; chown 1000:1000 /data/file; chmod 700 /data; id -u"
        done = student.lab("run", "--name", "kept", "-v", "data:/data", "lab/busybox", "sh", "-c", script)
        assert done.returncode == 0, done.stderr
        owners = {path.lstat().st_uid for path in (student.store / "volumes").rglob("*")}
        assert first + 999 in owners  # the namespace's 0 is the student
        (student.store / "config.json").write_text("{}")
        (student.store / "notes.txt").write_text("mine")
        done = student.lab("system", "reset", "-f")
        assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in student.store.iterdir()) == ["config.json", "notes.txt"]
    assert _processes_of(student) == []


def test_it_asks_first_and_no_answer_means_no(student: Student) -> None:
    student.lab("create", "lab/busybox")
    done = student.lab("system", "reset")
    assert (done.returncode, "[y/N] Nothing was removed." in done.stdout) == (1, True)
    assert len(student.lab("ps", "-aq").stdout.split()) == 1
    done = student.run("sh", "-c", f"echo y | {sys.executable} -m containerlab system reset")
    assert done.returncode == 0, done.stderr
    assert not student.store.exists()
    assert student.lab("ps", "-aq").stdout == ""


def test_containers_that_run_keep_it_unless_forced(student: Student) -> None:
    student.lab("run", "-d", "--name", "busy", "lab/busybox", "sleep", "1000")
    done = student.lab("system", "reset")
    assert (done.returncode, "1 containers run" in done.stderr) == (1, True)
    assert student.lab("ps", "-q").stdout != ""
    assert student.lab("system", "reset", "--force").returncode == 0
    assert not student.store.exists()
    assert _processes_of(student) == []


def test_a_folder_that_is_no_store_is_left_alone(student: Student) -> None:
    documents = student.home / "documents"
    documents.mkdir()
    (documents / "thesis").write_text("mine")
    os.chown(documents, student.uid, student.uid)
    done = student.lab("system", "reset", "-f", "--store", str(documents))
    assert (done.returncode, done.stdout) == (0, f"There is no store at {documents}.\n")
    (student.home / "link").symlink_to(documents)
    assert student.lab("system", "reset", "-f", "--store", str(student.home / "link")).returncode == 1
    assert (documents / "thesis").read_text() == "mine"


def test_somebody_else_s_store_is_refused() -> None:
    with students(2) as [one, other]:
        one.lab("create", "lab/busybox")
        other.lab("system", "reset", "-f", "--store", str(one.store))
        assert len(one.lab("ps", "-aq").stdout.split()) == 1


def test_what_is_mounted_below_is_not_emptied(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").touch()
    try:
        store.start()
        place = store.folder / "volumes/inside"
        place.mkdir(parents=True)
        subprocess.run(["mount", "--bind", str(precious), str(place)], check=True)
        try:
            command = [sys.executable, "-m", "containerlab", "system", "reset", "-f", "--store", str(store.folder)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert (done.returncode, "something is mounted on" in done.stderr) == (1, True)
        finally:
            subprocess.run(["umount", str(place)], check=True)
        assert (precious / "file").exists()
    finally:
        store.end()


def _processes_of(student: Student) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if entry.stat().st_uid == student.uid and (entry / "cmdline").read_bytes():
                    found.append((entry / "cmdline").read_text().replace("\0", " "))
    return found
