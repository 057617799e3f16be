"""What a hostile image or command tries at a start, and that it stays inside (or is refused)."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.root

KINDS = ("link", "relative link", "FIFO", "file", "missing", "dangling link", "loop")


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Path]:
    """A folder outside every root, whose full state must be the same at the end."""
    canary = tmp_path / "canary"
    canary.mkdir()
    (canary / "file").write_text("host secret\n")
    os.mkfifo(canary / "fifo")
    before = _state(canary)
    yield canary
    assert _state(canary) == before


def _state(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted([folder, *folder.rglob("*")]):
        status = path.lstat()
        digest.update(f"{path} {status.st_mode} {status.st_uid} {status.st_mtime_ns} {status.st_nlink}".encode())
        if stat.S_ISREG(status.st_mode):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _place(base: Path, path: str, kind: str, canary: Path) -> None:
    """Puts something of ``kind`` at ``path`` of the image."""
    place = base / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.is_file():
        place.unlink()
    elif place.is_dir():
        place.rmdir()
    if kind == "link":
        place.symlink_to(canary)
    elif kind == "relative link":
        place.symlink_to("../" * 20 + str(canary).lstrip("/"))
    elif kind == "dangling link":
        place.symlink_to(canary / "nothing" / "here")
    elif kind == "loop":
        place.symlink_to(path)
    elif kind == "FIFO":
        os.mkfifo(place)
    elif kind == "file":
        place.write_text("image's own\n")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("path", ["/dev", "/proc", "/sys", "/dev/pts", "/dev/null", "/dev/shm", "/sys/fs/cgroup"])
def test_special_path_of_the_image_never_leads_outside(sandbox: Any, canary: Path, path: str, kind: str) -> None:
    _place(sandbox.base, path, kind, canary)
    ended = sandbox.run("sh", "-c", f"cat {canary}/file 2>/dev/null; echo x > /dev/null; echo ran")
    if ended.failed is not None:
        assert ended.failed.stage in {"mount", "dev"}
        assert kind != "missing"
    else:
        assert ended.out == "ran\n"
    assert not (canary / "nothing").exists()


@pytest.mark.parametrize("path", ["/proc", "/sys"])
def test_proc_and_sys_must_be_ordinary_directories(sandbox: Any, path: str) -> None:
    (sandbox.base / "elsewhere").mkdir()
    (sandbox.base / path[1:]).symlink_to("/elsewhere")
    failed = sandbox.run("true").failed
    assert (failed.stage, failed.path) == ("mount", path)
    assert "must be mounted on an ordinary directory" in failed.message


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("path", ["/etc/passwd", "/etc/group"])
def test_user_tables_are_read_only_inside_the_root(sandbox: Any, canary: Path, path: str, kind: str) -> None:
    (canary / "file").chmod(0o644)
    _place(sandbox.base, path, kind, canary / "file")
    failed = sandbox.run("true", user="ana:lab" if path == "/etc/group" else "ana").failed
    assert failed.stage == "user"
    assert "host secret" not in failed.message


def test_a_passwd_file_without_end_is_refused_in_bounded_time(sandbox: Any) -> None:
    with open(sandbox.base / "etc/passwd", "ab") as file:
        file.truncate(50 << 30)
    failed = sandbox.run("true", user="ana").failed
    assert (failed.stage, failed.path) == ("user", "/etc/passwd")


def test_working_directory_on_a_descriptor_is_refused(sandbox: Any, tmp_path: Path) -> None:
    leaked = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.set_inheritable(leaked, True)
        for number in range(3, 64):
            failed = sandbox.run("pwd", cwd=f"/proc/self/fd/{number}").failed
            assert failed is not None and failed.stage == "cwd", number
    finally:
        os.close(leaked)


def test_no_descriptor_of_the_runtime_is_open_in_the_container(sandbox: Any, tmp_path: Path) -> None:
    leaked = [os.open(tmp_path, os.O_RDONLY) for _ in range(20)]
    try:
        for fd in leaked:
            os.set_inheritable(fd, True)
        # ls itself opens the directory it lists, as 3.
        assert sandbox.run("ls", "/proc/self/fd").out.split() == ["0", "1", "2", "3"]
        running = sandbox.start("sleep", "60")
        assert sandbox.execute(running.pid, "ls", "/proc/self/fd").out.split() == ["0", "1", "2", "3"]
    finally:
        for fd in leaked:
            os.close(fd)


def test_exec_in_a_descriptors_directory_is_refused(sandbox: Any) -> None:
    running = sandbox.start("sleep", "60")
    for number in range(3, 20):
        failed = sandbox.execute(running.pid, "pwd", cwd=f"/proc/self/fd/{number}").failed
        assert failed is not None and failed.stage == "cwd"


@pytest.mark.parametrize("destination", ["/proc", "/proc/sys", "/proc/self/attr", "/proc/../proc/sys"])
def test_a_mount_over_proc_is_refused(sandbox: Any, canary: Path, destination: str) -> None:
    def edit(spec: dict[str, Any]) -> None:
        spec["mounts"].append(
            {"destination": destination, "type": "bind", "source": str(canary), "options": ["rbind", "rprivate"]}
        )

    failed = sandbox.run("true", edit=edit).failed
    assert failed.stage == "mount"
    assert "inside /proc" in failed.message or "not permitted" in failed.message


def test_a_mount_through_a_link_to_proc_is_refused(sandbox: Any, canary: Path) -> None:
    (sandbox.base / "innocent").symlink_to("/proc/sys")

    def edit(spec: dict[str, Any]) -> None:
        spec["mounts"].append({"destination": "/innocent", "type": "bind", "source": str(canary), "options": ["rbind"]})

    assert "inside /proc" in sandbox.run("true", edit=edit).failed.message


def test_a_null_device_of_somebody_else_masks_nothing(sandbox: Any) -> None:
    fake = sandbox.folder / "fake"
    fake.write_text("writable by the container\n")

    def edit(spec: dict[str, Any]) -> None:
        spec["mounts"].append({"destination": "/dev/null", "type": "bind", "source": str(fake), "options": ["bind"]})

    failed = sandbox.run("true", edit=edit).failed
    assert (failed.stage, failed.path) == ("dev", "/dev/null")
    assert "not the null device" in failed.message


def test_mount_target_through_an_absolute_link_stays_inside(sandbox: Any, canary: Path, tmp_path: Path) -> None:
    (sandbox.base / "data").symlink_to(canary)
    volume = tmp_path / "volume"
    volume.mkdir()
    (volume / "mark").write_text("volume\n")

    def edit(spec: dict[str, Any]) -> None:
        spec["mounts"].append(
            {"destination": "/data/deep/er", "type": "bind", "source": str(volume), "options": ["rbind", "ro"]}
        )

    ended = sandbox.run("sh", "-c", "cat /data/deep/er/mark; touch /data/deep/er/x", edit=edit)
    assert ended.out == "volume\n"
    assert "Read-only file system" in ended.err


def test_the_interpreter_cannot_be_reached_through_proc_while_it_starts(sandbox: Any) -> None:
    """CVE-2019-5736: the starting process isn't dumpable, so its /proc/PID/exe opens for nobody inside."""
    script = """
    opened=0
    while [ ! -e /tmp/stop ]; do
        for p in /proc/[0-9]*; do
            case "$(readlink $p/exe 2>/dev/null)" in *python*) opened=1;; esac
        done
    done
    echo opened=$opened
    """
    running = sandbox.start("sh", "-c", script)
    for _ in range(50):
        sandbox.execute(running.pid, "true")
    sandbox.execute(running.pid, "touch", "/tmp/stop")
    assert running.finish().out == "opened=0\n"


def test_an_entrypoint_that_names_proc_self_exe_runs_no_runtime(sandbox: Any) -> None:
    script = sandbox.base / "bin/evil"
    script.write_text("#!/proc/self/exe\nimport os\n")
    script.chmod(0o755)
    ended = sandbox.run("evil")
    assert ended.failed is not None or ended.exit_code != 0
    assert ended.failed is None or ended.failed.stage == "exec"


def test_modules_of_the_image_are_never_imported(sandbox: Any, canary: Path) -> None:
    for folder in ("usr/lib/python3.11", "usr/lib/python3/dist-packages"):
        (sandbox.base / folder).mkdir(parents=True)
        for name in ("pwd", "grp", "array", "encodings", "json", "_bootlocale"):
            (sandbox.base / folder / f"{name}.py").write_text("import os; os.write(2, b'hostile import')\n")
    running = sandbox.start("sleep", "60")
    ended = sandbox.execute(running.pid, "id", user="ana")
    assert "hostile" not in ended.err
    assert ended.out.startswith("uid=1000(ana)")
