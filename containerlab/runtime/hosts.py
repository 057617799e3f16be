"""What this host can do, found out by doing: each rung of the ladder climbed, each namespace made, each mount tried.

Everything happens in children that then end, and leaves no namespace, mount or process. What stands in the way of a
better rung is recognised where the kernel says so somewhere (``hindrances``).
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from containerlab import paths, rung
from containerlab.errors import ContainerlabError, HostLacks
from containerlab.runtime import cgroups, hindrances, syscalls, userns
from containerlab.runtime import constants as c
from containerlab.runtime.hindrances import Hindrance
from containerlab.runtime.launch import enter_namespaces, find_rung

__all__ = ["Host", "probe"]


@dataclass(frozen=True, slots=True)
class Host:
    """``rung`` is the one that an engine takes here (``rung.RUNGS``), or ``none``; ``cgroup`` v1, hybrid, v2 or none.

    ``rungs`` tell for each rung why it can't be had, empty where it can. ``features`` say what worked when tried;
    ``reasons`` why the others didn't. ``kvm`` means that it can be opened, not that a guest boots. ``hindrances`` are
    what was recognised, with what to do; ``store`` is where the store lies.
    """

    rung: str
    cgroup: str
    kernel: str
    machine: str
    cpus: int
    features: dict[str, bool]
    reasons: dict[str, str] = field(default_factory=dict)
    rungs: dict[str, str] = field(default_factory=dict)
    hindrances: list[Hindrance] = field(default_factory=list)
    store: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON types."""
        return asdict(self)


def probe() -> Host:
    """Tries everything in child processes. The caller must have one thread."""
    rungs = {name: str(_in_child(lambda name=name: _climb(name))) for name in rung.RUNGS}  # type: ignore[misc]
    outcome: dict[str, Any] = _in_child(_try_all)
    driver = cgroups.driver()
    features, reasons = dict(outcome["features"]), dict(outcome["reasons"])
    for name, works in driver.features.items():
        features[f"cgroup_{name}"] = works
    reasons |= {f"cgroup_{name}": reason for name, reason in driver.missing.items()}
    features["kvm"] = os.access("/dev/kvm", os.R_OK | os.W_OK)
    features["proot"] = not rungs[rung.PROOT]
    store = _store()
    return Host(
        rung=outcome["rung"],
        cgroup=driver.kind,
        kernel=platform.release(),
        machine=platform.machine(),
        cpus=len(os.sched_getaffinity(0)),
        features=features,
        reasons=reasons,
        rungs=rungs,
        hindrances=hindrances.recognise(rungs, driver, store, mounts=outcome["rung"] != rung.PROOT),
        store=str(store or ""),
    )


def _store() -> Path | None:
    """None for a user without a home, as in a container that was given a number for a user."""
    try:
        return paths.store_folder()
    except RuntimeError:
        return None


def _in_child(work: Callable[[], Any]) -> Any:
    """What ``work`` gives in a child, by way of JSON."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reader)
            os.write(writer, json.dumps(work()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        answer = file.read()
    os.waitpid(pid, 0)
    if not answer:
        raise OSError("the probe's child ended without an answer")
    return json.loads(answer)


def _climb(name: str) -> str:
    """Why this rung can't be had; empty where it can."""
    try:
        if name == rung.PROOT:
            from containerlab.runtime.proot.program import prove

            prove()
        else:
            enter_namespaces(name)
            _try_overlay()
    except ContainerlabError as error:
        return error.message
    except OSError as error:
        return f"overlayfs can't be mounted ({error.strerror or error})"
    return ""


def _try_all() -> dict[str, Any]:
    features: dict[str, bool] = {}
    reasons: dict[str, str] = {}
    try:
        if not userns.in_user_namespace() or not syscalls.capget()[0] & 1 << 21:
            find_rung()
        else:
            syscalls.unshare(c.CLONE_NEWNS)
    except (HostLacks, OSError) as error:
        message = error.message if isinstance(error, HostLacks) else str(error)
        return {"rung": "none", "features": {"namespaces": False}, "reasons": {"namespaces": message}}
    if rung.copies_roots():
        return {"rung": rung.PROOT, "features": {"namespaces": False}, "reasons": {"namespaces": _refusal()}}
    for name in ("network", "uts", "ipc", "pid", "cgroup"):
        _note(features, reasons, f"namespace_{name}", lambda name=name: syscalls.unshare(c.NAMESPACES[name]))
    _note(features, reasons, "overlay", _try_overlay)
    features["seccomp"] = os.path.exists("/proc/sys/kernel/seccomp/actions_avail")  # noqa: PTH110
    return {"rung": _rung(), "features": features, "reasons": reasons}


def _refusal() -> str:
    """Why there are no namespaces, for somebody who stands on the lowest rung."""
    try:
        enter_namespaces()
    except HostLacks as error:
        return error.message
    return f"{rung.VARIABLE} asks for a host without them"


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
        Path(f"/tmp/{name}").mkdir()
    options = "lowerdir=/tmp/lower,upperdir=/tmp/upper,workdir=/tmp/work"
    if userns.in_user_namespace():
        options += ",userxattr"
    syscalls.mount("overlay", "/tmp/root", "overlay", 0, options)
