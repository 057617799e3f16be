"""Docker's defaults as an OCI runtime spec, to the letter; callers edit the copy.

Sources: moby ``daemon/pkg/oci/defaults.go`` (mounts, masked and read-only paths, device rules),
``daemon/pkg/oci/caps/defaults.go``, ``daemon/oci_linux.go`` (sysctls), ``daemon/config_linux.go`` (namespaces) and
runc's ``libcontainer/specconv`` (devices that every container may use). Where a user namespace or the host's own
namespaces forbid a mount, the same file system of the host is bound, as rootless Docker does.
"""

from __future__ import annotations

import functools
import glob
import os
import stat
from collections.abc import Mapping, Sequence
from typing import Any

from containerlab.runtime import capabilities, syscalls
from containerlab.runtime import constants as c
from containerlab.runtime.userns import in_user_namespace, maps_gid

__all__ = ["DEFAULT_PATH", "DEFAULT_SHM_SIZE", "MASKED_PATHS", "READONLY_PATHS", "default_process", "default_spec"]

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DEFAULT_SHM_SIZE = 64 << 20
"""Bytes of /dev/shm."""

MASKED_PATHS = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
)
"""Beside these, each CPU's ``thermal_throttle`` where the host has it."""

READONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")

# type, major, minor (None: every), what is allowed
_DEVICE_RULES: tuple[tuple[str, int | None, int | None, str], ...] = (
    ("c", 1, 5, "rwm"),  # zero
    ("c", 1, 3, "rwm"),  # null
    ("c", 1, 9, "rwm"),  # urandom
    ("c", 1, 8, "rwm"),  # random
    ("c", 5, 0, "rwm"),  # tty
    ("c", 5, 1, "rwm"),  # console
    ("c", None, None, "m"),  # nodes of any device may be made, though not opened
    ("b", None, None, "m"),
    ("c", 1, 7, "rwm"),  # full
    ("c", 136, None, "rwm"),  # pts
    ("c", 5, 2, "rwm"),  # ptmx
    ("c", 10, 200, "rwm"),  # tun
)


def default_spec(
    args: Sequence[str],
    *,
    env: Sequence[str] = (f"PATH={DEFAULT_PATH}",),
    cwd: str = "/",
    hostname: str = "",
    rootfs: str = "rootfs",
    readonly: bool = False,
    network: str = "private",
    ipc: str = "private",
    pid: str = "private",
    uts: str = "private",
    cgroupns: str = "",
    tty: bool = False,
    privileged: bool = False,
    shm_size: int = DEFAULT_SHM_SIZE,
    user: str = "",
    init: bool = False,
    annotations: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The spec of one container.

    ``network``, ``ipc``, ``pid`` and ``uts`` are ``private``, ``host``, or the path of a namespace to join; ``none`` is
    ``private`` (for a network: loopback only). ``cgroupns`` empty is Docker's default, private on cgroup v2 and the
    host's on v1. ``user`` are Docker's words. ``rootfs`` is relative to the bundle. ``privileged`` lifts masks and the
    device filter and adds every capability that this host holds, and the host's devices.
    """
    kinds = {"network": network, "uts": uts, "pid": pid, "ipc": ipc}
    kinds["cgroup"] = cgroupns or ("private" if syscalls.has_type("/sys/fs/cgroup", c.CGROUP2_SUPER_MAGIC) else "host")
    own_network, own_ipc, own_pid = network != "host", ipc != "host", pid != "host"
    extra = {"containerlab.user": user}
    if init:
        extra["containerlab.init"] = "1"
    return {
        "ociVersion": "1.0.2",
        "root": {"path": rootfs, "readonly": readonly},
        "hostname": hostname if uts != "host" else "",
        "process": default_process(args, env=env, cwd=cwd, tty=tty, privileged=privileged),
        "mounts": _mounts(
            own_network=own_network, own_ipc=own_ipc, own_pid=own_pid, shm_size=shm_size, privileged=privileged
        ),
        "annotations": {**extra, **(annotations or {})},
        "linux": {
            "namespaces": _namespaces(kinds),
            "sysctl": _sysctls() if own_network and not _is_path(network) else {},
            "resources": {"devices": _device_rules(privileged=privileged)},
            "devices": _host_devices() if privileged else [],
            "maskedPaths": [] if privileged else [*MASKED_PATHS, *_thermal_throttle()],
            "readonlyPaths": [] if privileged else list(READONLY_PATHS),
        },
    }


def default_process(
    args: Sequence[str],
    *,
    env: Sequence[str] = (f"PATH={DEFAULT_PATH}",),
    cwd: str = "/",
    tty: bool = False,
    privileged: bool = False,
) -> dict[str, Any]:
    """OCI's ``process`` with Docker's capabilities; for ``exec`` too."""
    held = capabilities.bounding_set()
    caps = list(capabilities.names(held) if privileged else capabilities.DEFAULT)
    return {
        "terminal": tty,
        "user": {"uid": 0, "gid": 0},
        "args": list(args),
        "env": list(env),
        "cwd": cwd,
        "capabilities": {"bounding": caps, "effective": list(caps), "permitted": list(caps)},
        "noNewPrivileges": False,
        "oomScoreAdj": 0,
    }


def _namespaces(kinds: dict[str, str]) -> list[dict[str, str]]:
    entries = [{"type": "mount"}]
    for kind, choice in kinds.items():
        if _is_path(choice):
            entries.append({"type": kind, "path": choice})
        elif choice in {"private", "none"}:
            entries.append({"type": kind})
        elif choice != "host":
            raise ValueError(f"{kind}: {choice!r} is neither private, none, host nor the path of a namespace")
    return entries


def _is_path(choice: str) -> bool:
    return choice.startswith("/")


def _mounts(
    *, own_network: bool, own_ipc: bool, own_pid: bool, shm_size: int, privileged: bool
) -> list[dict[str, Any]]:
    nothing = ["nosuid", "noexec", "nodev"]
    access = [] if privileged else ["ro"]
    pts = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]
    if maps_gid(5):
        pts.append("gid=5")
    sys = _mount("/sys", "sysfs", "sysfs", [*nothing, *access])
    mqueue = _mount("/dev/mqueue", "mqueue", "mqueue", nothing)
    shm = _mount("/dev/shm", "tmpfs", "shm", [*nothing, "mode=1777", f"size={shm_size}"])
    if in_user_namespace() and not own_network:
        # sysfs belongs to a network namespace: EPERM when it isn't the user namespace's own. Everything below is
        # read-only too, because a cgroup of the host may lie there (CVE-2023-25809).
        sys = _mount("/sys", "bind", "/sys", ["rbind", "rro", "nosuid", "noexec", "nodev", "rprivate"])
    proc = _mount("/proc", "proc", "proc", nothing)
    if in_user_namespace() and not own_pid:
        # A proc belongs to a PID namespace, as sysfs does to a network's.
        proc = _mount("/proc", "bind", "/proc", ["rbind", *nothing, "rprivate"])
    if not own_ipc:
        shm = _mount("/dev/shm", "bind", "/dev/shm", ["rbind", "rprivate"])
        if in_user_namespace():
            mqueue = _mount("/dev/mqueue", "bind", "/dev/mqueue", ["rbind", *nothing, "rprivate"])
    return [
        proc,
        _mount("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        _mount("/dev/pts", "devpts", "devpts", pts),
        sys,
        _mount("/sys/fs/cgroup", "cgroup", "cgroup", [*access, *nothing]),
        mqueue,
        shm,
    ]


def _mount(destination: str, fstype: str, source: str, options: list[str]) -> dict[str, Any]:
    return {"destination": destination, "type": fstype, "source": source, "options": options}


def _sysctls() -> dict[str, str]:
    sysctls = {"net.ipv4.ip_unprivileged_port_start": "0"}
    if not in_user_namespace():
        sysctls["net.ipv4.ping_group_range"] = "0 2147483647"
    return sysctls


def _device_rules(*, privileged: bool) -> list[dict[str, Any]]:
    if privileged:
        return [{"allow": True, "access": "rwm"}]
    rules: list[dict[str, Any]] = [{"allow": False, "access": "rwm"}]
    for kind, major, minor, access in _DEVICE_RULES:
        rule: dict[str, Any] = {"allow": True, "type": kind, "access": access}
        rule |= {name: number for name, number in (("major", major), ("minor", minor)) if number is not None}
        rules.append(rule)
    rules.append({"allow": False, "type": "c", "major": 10, "minor": 229, "access": "rwm"})  # fuse
    return rules


@functools.cache
def _thermal_throttle() -> list[str]:
    return sorted(glob.glob("/sys/devices/system/cpu/cpu[0-9]*/thermal_throttle"))  # noqa: PTH207  imported early


# moby's devices.HostDevices skips what the runtime makes by itself.
_SKIPPED = {"pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev", "console", "tty"}


def _host_devices() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    _collect_devices("/dev", found)
    return found


def _collect_devices(directory: str, found: list[dict[str, Any]]) -> None:
    try:
        entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
    except PermissionError:
        return
    for entry in entries:
        if entry.name in _SKIPPED or entry.is_symlink():
            continue
        status = entry.stat(follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            _collect_devices(entry.path, found)
        elif stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
            found.append(
                {
                    "path": entry.path,
                    "type": "c" if stat.S_ISCHR(status.st_mode) else "b",
                    "major": os.major(status.st_rdev),
                    "minor": os.minor(status.st_rdev),
                    "fileMode": stat.S_IMODE(status.st_mode),
                    "uid": status.st_uid,
                    "gid": status.st_gid,
                }
            )
