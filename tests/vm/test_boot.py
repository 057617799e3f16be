"""Bundles booted for real, by the launcher as the supervisor starts it."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from containerlab.errors import HostLacks
from containerlab.images.embedded import busybox
from containerlab.runtime.vm import kernel
from containerlab.runtime.vm.busybox import read_busybox
from containerlab.runtime.vm.qemu import find_qemu

pytestmark = pytest.mark.vm

LIMIT = 120.0
Launch = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache and a root file system for every boot of this module."""
    folder = tmp_path_factory.mktemp("vm")
    try:
        find_qemu()
        read_busybox()
        kernel.find(folder / "cache/containerlab/vm")
    except HostLacks as lacks:
        pytest.skip(str(lacks))
    (folder / "rootfs").mkdir()
    archive = busybox.layer().stream().read()
    subprocess.run(["tar", "-C", folder / "rootfs", "-xf", "-"], input=archive, check=True)
    return folder


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "XDG_CACHE_HOME": str(home / "cache")}


def write_bundle(home: Path, bundle: Path, *args: str, **process: Any) -> None:
    bundle.mkdir(exist_ok=True)
    spec: dict[str, Any] = {
        "hostname": "guest",
        "root": {"path": str(home / "rootfs")},
        "process": {"args": args, "cwd": "/", "env": ["PATH=/bin:/usr/bin"], **process},
        "annotations": process.pop("annotations", {}),
    }
    (bundle / "config.json").write_text(json.dumps(spec))


def command(bundle: Path) -> list[str]:
    return [sys.executable, "-m", "containerlab.runtime.vm", str(bundle)]


@pytest.fixture
def launch(home: Path, tmp_path: Path) -> Launch:
    def run(*args: str, stdin: str = "", **process: Any) -> subprocess.CompletedProcess[str]:
        write_bundle(home, tmp_path / "bundle", *args, **process)
        return subprocess.run(
            command(tmp_path / "bundle"),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT,
            env=environment(home),
        )

    return run


@pytest.fixture
def started(home: Path, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    processes: list[subprocess.Popen[bytes]] = []

    def start(*args: str) -> subprocess.Popen[bytes]:
        write_bundle(home, tmp_path / "bundle", *args)
        process = subprocess.Popen(
            command(tmp_path / "bundle"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(home),
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def wait_for(process: subprocess.Popen[bytes], wanted: bytes) -> None:
    assert process.stdout is not None
    seen = b""
    deadline = time.monotonic() + LIMIT
    while wanted not in seen:
        assert select.select([process.stdout], [], [], deadline - time.monotonic())[0], seen
        part = os.read(process.stdout.fileno(), 4096)
        assert part, seen
        seen += part


def facts(tmp_path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((tmp_path / "bundle/vm.json").read_text())
    return found


def test_streams_environment_and_exit_code(launch: Launch) -> None:
    script = 'cat; echo "$GREETING"; pwd; id -u; hostname; echo problem >&2; echo again >/dev/stderr; exit 7'
    done = launch("sh", "-c", script, stdin="from outside\n", env=["PATH=/bin", "GREETING=a 'b' $c"], cwd="/tmp")
    assert done.stdout == "from outside\na 'b' $c\n/tmp\n0\nguest\n"
    assert done.stderr == "problem\nagain\n"
    assert done.returncode == 7


def test_it_is_another_kernel(launch: Launch) -> None:
    done = launch("uname", "-r")
    assert done.stdout.strip() != os.uname().release
    assert "cloud" in done.stdout or done.stdout.strip()


def test_much_output_arrives_whole(launch: Launch) -> None:
    done = launch("sh", "-c", "seq 1 40000; seq 1 20000 >&2")
    assert done.stdout == "".join(f"{number}\n" for number in range(1, 40001))
    assert done.stderr == "".join(f"{number}\n" for number in range(1, 20001))
    assert done.returncode == 0


def test_another_user_in_a_folder_that_is_made(launch: Launch) -> None:
    done = launch(
        "sh", "-c", "id -u; id -g; echo $HOME; pwd", cwd="/made/here", annotations={"containerlab.user": "www-data"}
    )
    assert done.stdout == "33\n33\n/var/www\n/made/here\n"


@pytest.mark.parametrize(
    ("args", "code"), [(["/no/such/program"], 127), (["/etc/passwd"], 126), (["sh", "-c", "kill -9 $$"], 137)]
)
def test_exit_codes_are_dockers(launch: Launch, args: list[str], code: int) -> None:
    assert launch(*args).returncode == code


def test_facts_name_the_accelerator_and_the_stages(launch: Launch, tmp_path: Path) -> None:
    done = launch("true", annotations={"containerlab.memory_mb": "192"})
    assert done.returncode == 0, done.stderr
    found = facts(tmp_path)
    assert found["accel"] in {"kvm", "tcg"}
    assert found["memory_mb"] == 192
    stages = found["stages_ms"]
    assert list(stages) == sorted(stages, key=stages.__getitem__)
    assert {"kernel", "disk", "qemu", "init", "root", "exec"} <= stages.keys()
    assert 0 < found["boot_ms"] < LIMIT * 1000
    assert not (tmp_path / "bundle/vm").exists()


def test_the_guest_has_the_memory_it_was_given(launch: Launch) -> None:
    done = launch("sh", "-c", "grep MemTotal /proc/meminfo", annotations={"containerlab.memory_mb": "200"})
    total = int(done.stdout.split()[1]) // 1024
    assert 120 < total <= 200


def test_a_killed_launcher_leaves_no_qemu(started: Callable[..., subprocess.Popen[bytes]], tmp_path: Path) -> None:
    process = started("sh", "-c", "echo up; sleep 600")
    wait_for(process, b"up\n")
    qemu = os.pidfd_open(facts(tmp_path)["qemu_pid"])
    try:
        process.kill()
        process.wait()
        assert select.select([qemu], [], [], 10)[0], "QEMU is still there"
    finally:
        os.close(qemu)


def test_signals_reach_the_command(started: Callable[..., subprocess.Popen[bytes]]) -> None:
    process = started("sh", "-c", "trap 'echo got it; exit 3' TERM; echo up; while :; do sleep 0.1; done")
    wait_for(process, b"up\n")
    process.send_signal(signal.SIGTERM)
    wait_for(process, b"got it\n")
    assert process.wait(LIMIT) == 3


def test_standard_input_ends_for_the_command_when_it_ends_outside(
    started: Callable[..., subprocess.Popen[bytes]],
) -> None:
    process = started("sh", "-c", "echo up; cat; echo over")
    wait_for(process, b"up\n")
    output, _ = process.communicate(b"line\n", timeout=LIMIT)
    assert output == b"line\nover\n"


def test_a_terminal_is_one(home: Path, tmp_path: Path) -> None:
    write_bundle(
        home,
        tmp_path / "bundle",
        "sh",
        "-c",
        "stty size; tty; read word; echo <$word>".replace("<", "[").replace(">", "]"),
        terminal=True,
    )
    pid, master = pty.fork()
    if pid == 0:
        os.execvpe(sys.executable, command(tmp_path / "bundle"), environment(home))
    try:
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))
        assert b"33 99" in read_until(master, b"hvc0")
        os.write(master, b"typed\n")
        assert b"[typed]" in read_until(master, b"[typed]")
        ended = os.pidfd_open(pid)
        assert select.select([ended], [], [], LIMIT)[0], "the launcher doesn't end"
        os.close(ended)
    finally:
        os.kill(pid, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.close(master)
    assert code == 0


def read_until(master: int, wanted: bytes) -> bytes:
    seen = b""
    deadline = time.monotonic() + LIMIT
    while wanted not in seen:
        assert select.select([master], [], [], deadline - time.monotonic())[0], seen
        seen += os.read(master, 4096)
    return seen


@pytest.mark.root
def test_an_overlay_is_booted_with_what_its_writable_layer_says(home: Path, tmp_path: Path) -> None:
    layers = tmp_path / "store/layers"
    for folder in ("l", "base", "top", "../upper", "../work"):
        (layers / folder).mkdir(parents=True)
    archive = busybox.layer().stream().read()
    subprocess.run(["tar", "-C", layers / "base", "-xf", "-"], input=archive, check=True)
    (layers / "base/old").write_text("old")
    (layers / "top/new").write_text("new")
    (layers / "l/A").symlink_to("../base")
    (layers / "l/B").symlink_to("../top")
    upper = tmp_path / "store/upper"
    os.mknod(upper / "old", 0o600 | 0o020000, 0)
    (upper / "mine").write_text("mine")
    overlay = {
        "layers": str(layers),
        "lower": ["l/B", "l/A"],
        "upper": str(upper),
        "work": str(tmp_path / "store/work"),
    }
    script = "cat /new /mine; ls /old 2>/dev/null; touch /written"
    write_bundle(
        home, tmp_path / "bundle", "sh", "-c", script, annotations={"containerlab.overlay": json.dumps(overlay)}
    )
    done = subprocess.run(command(tmp_path / "bundle"), capture_output=True, text=True, check=False, timeout=LIMIT)
    assert (done.stdout, done.stderr) == ("newmine", "")
    assert sorted(entry.name for entry in upper.iterdir()) == ["mine", "old"]
    assert "bundle" not in Path("/proc/self/mountinfo").read_text()


def test_what_a_guest_cannot_see_is_refused(launch: Launch, home: Path, tmp_path: Path) -> None:
    write_bundle(home, tmp_path / "bundle", "true")
    path = tmp_path / "bundle/config.json"
    spec = json.loads(path.read_text())
    spec["mounts"] = [{"type": "bind", "source": "/tmp", "destination": "/data", "options": ["rbind"]}]
    path.write_text(json.dumps(spec))
    done = subprocess.run(
        command(tmp_path / "bundle"), capture_output=True, text=True, check=False, env=environment(home)
    )
    assert done.returncode == 125
    assert "can't mount /data" in done.stderr


def test_without_qemu_the_reason_and_the_package_are_named(home: Path, tmp_path: Path) -> None:
    write_bundle(home, tmp_path / "bundle", "true")
    nowhere = {**environment(home), "PATH": str(tmp_path)}
    done = subprocess.run(command(tmp_path / "bundle"), capture_output=True, text=True, check=False, env=nowhere)
    assert done.returncode == 125
    assert "QEMU is missing" in done.stderr
    assert "qemu-system-x86" in done.stderr
    assert "Traceback" not in done.stderr
