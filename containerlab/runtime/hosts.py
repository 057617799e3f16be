"""What this host can do, found out by doing: each namespace made, each mount tried, in a child that then ends."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from typing import Any

from containerlab.errors import HostLacks
from containerlab.runtime import cgroups, syscalls, userns
from containerlab.runtime import constants as c
from containerlab.runtime.launch import enter_namespaces

__all__ = ["Host", "probe"]


@dataclass(frozen=True, slots=True)
class Host:
    """``rung`` is ``root``, ``rootless-ids``, ``rootless-one-id`` or ``none``; ``cgroup`` v1, hybrid, v2 or none.

    ``features`` say what worked when tried; ``reasons`` why the others didn't. ``kvm`` means that it can be opened,
    not that a guest boots.
    """

    rung: str
    cgroup: str
    kernel: str
    machine: str
    cpus: int
    features: dict[str, bool]
    reasons: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON types."""
        return asdict(self)


def probe() -> Host:
    """Tries everything in a child process; leaves no namespace, mount or process. The caller must have one thread."""
    outcome = _in_child()
    driver = cgroups.driver()
    features, reasons = dict(outcome["features"]), dict(outcome["reasons"])
    for name, works in driver.features.items():
        features[f"cgroup_{name}"] = works
    reasons |= {f"cgroup_{name}": reason for name, reason in driver.missing.items()}
    features["kvm"] = os.access("/dev/kvm", os.R_OK | os.W_OK)
    return Host(
        rung=outcome["rung"],
        cgroup=driver.kind,
        kernel=platform.release(),
        machine=platform.machine(),
        cpus=len(os.sched_getaffinity(0)),
        features=features,
        reasons=reasons,
    )


def _in_child() -> dict[str, Any]:
    reader, writer = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reader)
            os.write(writer, json.dumps(_try_all()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        answer = file.read()
    os.waitpid(pid, 0)
    if not answer:
        raise OSError("the probe's child ended without an answer")
    result: dict[str, Any] = json.loads(answer)
    return result


def _try_all() -> dict[str, Any]:
    features: dict[str, bool] = {}
    reasons: dict[str, str] = {}
    try:
        if not userns.in_user_namespace() or not syscalls.capget()[0] & 1 << 21:
            enter_namespaces()
        else:
            syscalls.unshare(c.CLONE_NEWNS)
    except (HostLacks, OSError) as error:
        return {"rung": "none", "features": {"namespaces": False}, "reasons": {"namespaces": str(error)}}
    for name in ("network", "uts", "ipc", "pid", "cgroup"):
        _note(features, reasons, f"namespace_{name}", lambda name=name: syscalls.unshare(c.NAMESPACES[name]))
    _note(features, reasons, "overlay", _try_overlay)
    features["seccomp"] = os.path.exists("/proc/sys/kernel/seccomp/actions_avail")  # noqa: PTH110
    return {"rung": _rung(), "features": features, "reasons": reasons}


def _rung() -> str:
    if not userns.in_user_namespace():
        return "root"
    return "rootless-ids" if sum(count for _, _, count in userns.id_map("uid")) > 1 else "rootless-one-id"


def _note(features: dict[str, bool], reasons: dict[str, str], name: str, attempt: Any) -> None:
    try:
        attempt()
        features[name] = True
    except OSError as error:
        features[name] = False
        reasons[name] = error.strerror or str(error)


def _try_overlay() -> None:
    """On a tmpfs of its own over /tmp, which goes with this namespace."""
    syscalls.mount("tmpfs", "/tmp", "tmpfs", 0, "size=1m")
    for name in ("lower", "upper", "work", "root"):
        os.mkdir(f"/tmp/{name}")  # noqa: PTH102
    options = "lowerdir=/tmp/lower,upperdir=/tmp/upper,workdir=/tmp/work"
    if userns.in_user_namespace():
        options += ",userxattr"
    syscalls.mount("overlay", "/tmp/root", "overlay", 0, options)
