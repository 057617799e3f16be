"""Images that the users of one host share: read by all, written by the teacher alone, and never believed unseen."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hosting.students import Student, students
from tests.store import Store

pytestmark = pytest.mark.root

_LAYER = "FROM lab/busybox\nRUN head -c 3000000 /dev/urandom > /big && echo small > /small\n"


class Class:
    """The teacher's store, the folder that is shared, and two students."""

    def __init__(self, folder: Path, teacher: Store, found: list[Student]) -> None:
        self.folder, self.teacher, self.students = folder, teacher, found
        self.shared = folder / "shared"

    def teach(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "containerlab", *words]
        environment = {**os.environ, "DOCKER_HOST": self.teacher.host}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)

    def lab(self, number: int, *words: str) -> subprocess.CompletedProcess[str]:
        return self.students[number].lab(*words, CONTAINERLAB_SHARED_STORE=str(self.shared))

    def blobs(self) -> dict[str, int]:
        """Every shared blob, with the moment of its last change."""
        return {path.name: path.stat().st_mtime_ns for path in (self.shared / "blobs/sha256").iterdir()}


def _class(folder: Path) -> Iterator[Class]:
    teacher = Store(folder / "teacher")
    context = folder / "context"
    context.mkdir()
    (context / "Dockerfile").write_text(_LAYER)
    try:
        teacher.start()
        with students(2, folder) as found:
            made = Class(folder, teacher, found)
            assert made.teach("build", "-t", "course:1", str(context)).returncode == 0
            done = made.teach("system", "share", str(made.shared), "course:1", "lab/busybox")
            assert done.returncode == 0, done.stderr
            assert "docker.io/library/course:1" in done.stdout
            yield made
    finally:
        teacher.end()


@contextlib.contextmanager
def _passable() -> Iterator[Path]:
    """A folder that every user may pass through, as pytest's own, for its user alone, is not."""
    with tempfile.TemporaryDirectory(prefix="cl-share-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="module")
def on_disk() -> Iterator[Class]:
    with _passable() as folder:
        yield from _class(folder)


@pytest.fixture(scope="module")
def on_xfs() -> Iterator[Class]:
    """A file system with reflinks, in a file."""
    if shutil.which("mkfs.xfs") is None:
        pytest.skip("needs mkfs.xfs")
    with _passable() as folder:
        image, place = folder / "image", folder / "mounted"
        place.mkdir()
        with open(image, "wb") as file:
            file.truncate(600 << 20)
        subprocess.run(["mkfs.xfs", "-q", "-m", "reflink=1", str(image)], check=True)
        if subprocess.run(["mount", "-o", "loop", str(image), str(place)], check=False).returncode != 0:
            pytest.skip("needs to mount an XFS file system")
        place.chmod(0o755)
        try:
            yield from _class(place)
        finally:
            subprocess.run(["umount", str(place)], check=True)


def test_an_image_that_is_shared_runs_for_each_without_a_registry(on_disk: Class) -> None:
    before = on_disk.blobs()
    for number in (0, 1):
        done = on_disk.lab(number, "run", "--rm", "course:1", "sh", "-c", "id -u; cat /small; wc -c < /big")
        assert (done.returncode, done.stdout.split()) == (0, ["0", "small", "3000000"]), done.stderr
        assert "already" not in done.stderr
    assert on_disk.blobs() == before
    ids = {on_disk.lab(n, "image", "inspect", "-f", "{{.Id}}", "course:1").stdout for n in (0, 1)}
    ids.add(on_disk.teach("image", "inspect", "-f", "{{.Id}}", "course:1").stdout)
    assert len(ids) == 1


def test_an_embedded_image_that_is_shared_is_not_made_again(on_disk: Class) -> None:
    theirs = on_disk.teach("image", "inspect", "-f", "{{.Id}}", "lab/busybox").stdout
    assert on_disk.lab(0, "image", "inspect", "-f", "{{.Id}}", "lab/busybox").stdout == theirs
    assert on_disk.lab(0, "system", "check").returncode == 0


def test_what_a_student_changes_is_nobody_elses(on_disk: Class) -> None:
    on_disk.lab(0, "run", "--name", "mine", "course:1", "sh", "-c", "echo changed > /small")
    assert on_disk.lab(1, "run", "--rm", "course:1", "cat", "/small").stdout == "small\n"
    assert "mine" not in on_disk.lab(1, "ps", "-a").stdout
    assert on_disk.students[1].run("ls", str(on_disk.students[0].store)).returncode != 0


def test_pull_of_a_shared_image_needs_no_registry(on_disk: Class) -> None:
    done = on_disk.lab(1, "pull", "course:1")
    assert done.returncode == 0, done.stderr
    assert "course:1" in done.stdout


def test_doctor_says_which_way_is_taken(on_disk: Class) -> None:
    found = json.loads(on_disk.lab(0, "doctor", "--json").stdout)["shared_store"]
    assert found["images"] == ["docker.io/lab/busybox:latest", "docker.io/library/course:1"]
    assert (found["way"], found["refusal"]) == ("copy", "")
    assert "reflink" in found["why"]


def test_a_blob_that_was_changed_is_refused_by_its_digest(on_disk: Class) -> None:
    copy = on_disk.folder / "changed"
    shutil.copytree(on_disk.shared, copy)
    [large] = [path for path in (copy / "blobs/sha256").iterdir() if path.stat().st_size > 3_000_000 and _is_big(path)]
    with open(large, "r+b") as file:
        file.seek(1_000_000)
        file.write(b"changed")
    with students(1, on_disk.folder) as [third]:
        done = third.lab("run", "--rm", "course:1", "true", CONTAINERLAB_SHARED_STORE=str(copy))
        assert (done.returncode, large.name in done.stderr) == (125, True), done.stderr
        assert "holds other bytes" in done.stderr
    shutil.rmtree(copy)


def _is_big(path: Path) -> bool:
    with open(path, "rb") as file:
        return b"big\0" in file.read(512)


def test_a_folder_that_everybody_can_write_to_is_not_used(on_disk: Class) -> None:
    on_disk.shared.chmod(0o777)
    try:
        found = json.loads(on_disk.lab(0, "doctor", "--json").stdout)["shared_store"]
        assert "can be written to by everybody" in found["refusal"]
    finally:
        on_disk.shared.chmod(0o755)


def test_where_there_are_reflinks_files_share_their_blocks(on_xfs: Class) -> None:
    found = json.loads(on_xfs.lab(0, "doctor", "--json").stdout)["shared_store"]
    assert found["way"] == "reflink", found
    done = on_xfs.lab(0, "run", "--rm", "course:1", "sh", "-c", "cat /small; wc -c < /big")
    assert done.stdout.split() == ["small", "3000000"], done.stderr
    [unpacked] = on_xfs.students[0].store.glob("layers/*/diff/big")
    [body] = [path for path in on_xfs.shared.glob("files/*/*") if path.stat().st_size == 3_000_000]
    assert unpacked.read_bytes() == body.read_bytes()
    assert _blocks(unpacked) == _blocks(body)


def test_a_file_that_differs_from_its_layer_is_written_anew(on_xfs: Class) -> None:
    [body] = [path for path in on_xfs.shared.glob("files/*/*") if path.stat().st_size == 3_000_000]
    with open(body, "r+b") as file:
        file.seek(2_000_000)
        file.write(b"changed by somebody")
    assert on_xfs.lab(1, "run", "--rm", "course:1", "true").returncode == 0
    [unpacked] = on_xfs.students[1].store.glob("layers/*/diff/big")
    [first] = on_xfs.students[0].store.glob("layers/*/diff/big")
    assert unpacked.read_bytes() == first.read_bytes()


def _blocks(path: Path) -> list[str]:
    """Where the file's blocks lie on the disk: filefrag's columns of extents, physical first and last."""
    subprocess.run(["sync", "-f", str(path)], check=True)
    told = subprocess.run(["filefrag", "-v", str(path)], capture_output=True, text=True, check=True).stdout
    return [line.split(":")[2] for line in told.splitlines() if line.strip()[:1].isdigit()]
