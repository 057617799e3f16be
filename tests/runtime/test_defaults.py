"""Docker's defaults, read back from inside a container (security-relevant ones have no second source)."""

from __future__ import annotations

import ctypes
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.root

DOCKER_CAPABILITIES = "00000000a80425fb"


def status_of(text: str) -> dict[str, str]:
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def mounts_of(text: str) -> dict[str, tuple[str, set[str]]]:
    """place -> (type, options), the last mount of a place wins."""
    fields = [line.split() for line in text.splitlines()]
    return {line[1]: (line[2], set(line[3].split(","))) for line in fields}


def test_capabilities_are_dockers_fourteen_and_nothing_is_inherited(sandbox: Any) -> None:
    status = status_of(sandbox.run("cat", "/proc/self/status").out)
    assert {name: status[name] for name in ("CapBnd", "CapPrm", "CapEff")} == dict.fromkeys(
        ("CapBnd", "CapPrm", "CapEff"), DOCKER_CAPABILITIES
    )
    assert status["CapInh"] == status["CapAmb"] == "0000000000000000"


def test_an_ordinary_user_has_the_bounding_set_alone(sandbox: Any) -> None:
    status = status_of(sandbox.run("cat", "/proc/self/status", user="ana").out)
    assert status["CapBnd"] == DOCKER_CAPABILITIES
    assert [status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")] == ["0000000000000000"] * 4


def test_privileged_has_what_the_host_has(sandbox: Any) -> None:
    status = status_of(sandbox.run("cat", "/proc/self/status", privileged=True).out)
    with open("/proc/self/status") as file:
        ours = status_of(file.read())
    assert status["CapEff"] == status["CapBnd"] == ours["CapBnd"]
    assert status["CapInh"] == "0000000000000000"


def test_a_signal_of_libc_s_own_that_was_left_ignored_is_not_handed_on(sandbox: Any) -> None:
    """As some parents leave it; by the system call, because libc lets nobody name it."""
    number = {"x86_64": 13, "aarch64": 134}[os.uname().machine]
    libc = ctypes.CDLL(None, use_errno=True)
    ignore = (1).to_bytes(8, "little") + bytes(24)
    before = ctypes.create_string_buffer(32)
    assert libc.syscall(number, 32, ignore, before, ctypes.c_ulong(8)) == 0
    try:
        status = status_of(sandbox.run("cat", "/proc/self/status").out)
    finally:
        libc.syscall(number, 32, before, None, ctypes.c_ulong(8))
    assert status["SigIgn"] == "0000000000000000"


def test_no_signal_is_ignored_or_blocked(sandbox: Any) -> None:
    status = status_of(sandbox.run("cat", "/proc/self/status").out)
    assert [status[name] for name in ("SigBlk", "SigIgn", "SigCgt")] == ["0000000000000000"] * 3


def test_a_writer_without_reader_dies_of_sigpipe(sandbox: Any) -> None:
    assert sandbox.run("sh", "-c", "yes | head -1; true").out == "y\n"


def test_umask_session_and_no_new_privs(sandbox: Any) -> None:
    status = status_of(sandbox.run("cat", "/proc/self/status").out)
    assert (status["Umask"], status["NSsid"], status["NoNewPrivs"]) == ("0022", "1", "0")


def test_no_new_privs_when_asked(sandbox: Any) -> None:
    def edit(spec: dict[str, Any]) -> None:
        spec["process"]["noNewPrivileges"] = True

    assert status_of(sandbox.run("cat", "/proc/self/status", edit=edit).out)["NoNewPrivs"] == "1"


def test_mounts_are_dockers(sandbox: Any) -> None:
    mounts = mounts_of(sandbox.run("cat", "/proc/mounts").out)
    expected = {
        "/": ("overlay", {"rw"}),
        "/proc": ("proc", {"rw", "nosuid", "nodev", "noexec"}),
        "/dev": ("tmpfs", {"rw", "nosuid", "size=65536k", "mode=755"}),
        "/dev/pts": ("devpts", {"rw", "nosuid", "noexec", "gid=5", "mode=620", "ptmxmode=666"}),
        "/sys": ("sysfs", {"ro", "nosuid", "nodev", "noexec"}),
        "/dev/mqueue": ("mqueue", {"rw", "nosuid", "nodev", "noexec"}),
        "/dev/shm": ("tmpfs", {"rw", "nosuid", "nodev", "noexec", "size=65536k"}),
    }
    for place, (fstype, options) in expected.items():
        assert mounts[place][0] == fstype, place
        assert options <= mounts[place][1], place
    assert {"ro", "nosuid", "nodev", "noexec"} <= mounts["/sys/fs/cgroup"][1]
    assert "relatime" not in mounts["/dev"][1], "Docker's /dev is strictatime"


def test_masked_paths_show_nothing_and_read_only_ones_refuse(sandbox: Any) -> None:
    script = """
    for path in /proc/acpi /proc/asound /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats /proc/sched_debug \
        /proc/scsi /proc/timer_list /proc/timer_stats /sys/devices/virtual/powercap /sys/firmware; do
        [ -e $path ] || continue
        if [ -d $path ]; then echo "$path $(ls -A $path | wc -l)"; else echo "$path $(stat -c %t:%T $path)"; fi
    done
    echo 1 > /proc/sys/kernel/core_pattern; echo 1 > /proc/irq/default_smp_affinity; touch /sys/x
    """
    ended = sandbox.run("sh", "-c", script)
    masked = dict(line.split() for line in ended.lines)
    assert len(masked) >= 3
    assert set(masked.values()) <= {"0", "1:3"}
    refusals = ended.err.splitlines()
    assert len([line for line in refusals if "Read-only file system" in line]) == 3, ended.err


def test_every_masked_file_is_the_null_device_and_every_directory_a_read_only_tmpfs(sandbox: Any) -> None:
    lines = sandbox.run("cat", "/proc/self/mountinfo").lines
    masks = [line.split() for line in lines if re.search(r" /proc/(keys|timer_list|interrupts) ", line)]
    assert masks
    assert all(fields[3] == "/null" for fields in masks)
    directories = [line for line in lines if " /sys/firmware " in line]
    assert all(" ro," in line and "tmpfs" in line for line in directories)


def test_privileged_masks_nothing(sandbox: Any) -> None:
    mounts = mounts_of(sandbox.run("cat", "/proc/mounts", privileged=True).out)
    assert "/proc/keys" not in mounts and "/proc/sys" not in mounts
    assert "rw" in mounts["/sys"][1]


def test_devices_are_the_runtimes_defaults(sandbox: Any) -> None:
    script = "cd /dev; for f in *; do echo $f $(stat -c '%F %t:%T %a' $f) $(readlink $f); done"
    found = {line.split()[0]: line.split(maxsplit=1)[1] for line in sandbox.run("sh", "-c", script).lines}
    special = "character special file"
    assert found.pop("core", "").endswith("/proc/kcore") or not Path("/proc/kcore").exists()
    assert {name: value for name, value in found.items() if special in value} == {
        "null": f"{special} 1:3 666",
        "zero": f"{special} 1:5 666",
        "full": f"{special} 1:7 666",
        "random": f"{special} 1:8 666",
        "urandom": f"{special} 1:9 666",
        "tty": f"{special} 5:0 666",
    }
    links = {name: value.split()[-1] for name, value in found.items() if value.startswith("symbolic link")}
    assert links == {
        "ptmx": "pts/ptmx",
        "fd": "/proc/self/fd",
        "stdin": "/proc/self/fd/0",
        "stdout": "/proc/self/fd/1",
        "stderr": "/proc/self/fd/2",
    }
    assert {"shm", "mqueue", "pts"} <= found.keys()


def test_namespaces_are_new_but_for_user_time_and_cgroup(sandbox: Any) -> None:
    script = "for n in mnt net uts pid ipc user time cgroup; do echo $n $(readlink /proc/self/ns/$n); done"
    inside = dict(line.split() for line in sandbox.run("sh", "-c", script).lines)
    same = {name for name, link in inside.items() if str(Path(f"/proc/self/ns/{name}").readlink()) == link}
    unified = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    assert same == ({"user", "time"} if unified else {"user", "time", "cgroup"})


def test_host_namespaces_when_asked(sandbox: Any) -> None:
    script = "for n in net uts pid ipc; do echo $n $(readlink /proc/self/ns/$n); done"
    ended = sandbox.run("sh", "-c", script, network="host", uts="host", pid="host", ipc="host")
    assert dict(line.split() for line in ended.lines) == {
        name: str(Path(f"/proc/self/ns/{name}").readlink()) for name in ("net", "uts", "pid", "ipc")
    }


def test_own_network_has_loopback_up_and_dockers_sysctls(sandbox: Any) -> None:
    script = """
    ping -c 1 -W 2 127.0.0.1 >/dev/null && echo up
    cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ping_group_range
    """
    assert sandbox.run("sh", "-c", script).out.split() == ["up", "0", "0", "2147483647"]


def test_sysctls_of_the_host_are_refused(sandbox: Any) -> None:
    def edit(spec: dict[str, Any]) -> None:
        spec["linux"]["sysctl"]["kernel.core_pattern"] = "|/bin/evil"

    with pytest.raises(OSError, match="not in a separate kernel namespace"):
        sandbox.run("true", edit=edit)


def test_hostname(sandbox: Any) -> None:
    assert sandbox.run("hostname", hostname="lab-1").out == "lab-1\n"
    assert os.uname().nodename != "lab-1"


def test_first_process_is_one_and_the_timeline_has_every_step_in_order(sandbox: Any) -> None:
    ended = sandbox.run("sh", "-c", "echo $$")
    assert ended.out == "1\n"
    steps = " ".join(step for step, _ in ended.timeline)
    assert steps == "request clone cgroup overlay mounts dev pivot_root user seccomp exec"
    times = [at for _, at in ended.timeline]
    assert times == sorted(times)


def test_exit_codes_and_signals(sandbox: Any) -> None:
    assert sandbox.run("sh", "-c", "exit 42").exit_code == 42
    running = sandbox.start("sh", "-c", "trap 'exit 7' TERM; echo ready; while :; do sleep 0.1; done")
    assert os.read(running.out, 64) == b"ready\n"
    os.kill(running.pid, signal.SIGTERM)
    assert running.finish().exit_code == 7


def test_nothing_of_the_container_is_left_in_the_hosts_mounts(sandbox: Any) -> None:
    sandbox.run("true")
    with open("/proc/self/mountinfo") as file:
        assert str(sandbox.folder) not in file.read()


def test_read_only_root(sandbox: Any) -> None:
    ended = sandbox.run("sh", "-c", "touch /x; touch /dev/shm/y && echo shm", readonly=True)
    assert ended.out == "shm\n"
    assert "Read-only file system" in ended.err
