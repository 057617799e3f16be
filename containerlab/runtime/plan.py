"""An OCI bundle turned into what init does, in order; made in the parent, so that a bad spec fails before the clone."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from containerlab.runtime import constants as c
from containerlab.runtime import devices, mounts, rootfs, tini
from containerlab.runtime.mount_cgroup import Cgroup, joined_controllers
from containerlab.runtime.mount_options import parse_options
from containerlab.runtime.mounts import Step
from containerlab.runtime.process import Process
from containerlab.runtime.userns import in_user_namespace

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Plan", "describe", "make_plan"]

# Which sysctl may be set when the container has that namespace of its own (runc's rule); others are the host's.
_SYSCTL_PREFIXES = {"net.": "network", "fs.mqueue.": "ipc"}
_SYSCTL_NAMES = {
    **{
        f"kernel.{name}": "ipc"
        for name in ["msgmax", "msgmnb", "msgmni", "sem", "shmall", "shmmax", "shmmni", "shm_rmid_forced"]
    },
    "kernel.domainname": "uts",
    "kernel.hostname": "uts",
}
_PROPAGATION = {
    "": c.MS_SLAVE,
    "rslave": c.MS_SLAVE,
    "slave": c.MS_SLAVE,
    "rprivate": c.MS_PRIVATE,
    "private": c.MS_PRIVATE,
}


class Plan(NamedTuple):
    """``clone_flags`` makes namespaces, ``joins`` are (path, CLONE_NEW*) of ones that exist already.

    ``pid_namespace`` is the path of a PID namespace to be born in, empty for none: that one can't be joined later.
    """

    clone_flags: int
    joins: list[tuple[str, int]]
    pid_namespace: str
    cgroup_namespace: bool
    root: rootfs.OverlayRoot | rootfs.BindRoot
    root_readonly: bool
    propagation: int
    mounts: list[Step]
    devices: list[Step]
    hostname: str
    domainname: str
    sysctl: dict[str, str]
    process: Process
    join_fds: list[int]
    trees: list[int]


def make_plan(spec: dict[str, Any], bundle: str, join_fds: list[int], trees: Sequence[int] = ()) -> Plan:
    """``trees`` are descriptors of mounts for the binds that ``containerlab.trees`` names, in its order.

    Raises ``ValueError`` for a spec that can't be done, ``OSError`` when a file it names can't be read."""
    annotations, linux = spec.get("annotations", {}), spec.get("linux", {})
    flags, joins, cgroup_namespace = _namespaces(linux.get("namespaces", []))
    if not flags & c.CLONE_NEWNS:
        raise ValueError("a container needs a mount namespace of its own")
    process = Process.from_spec(
        spec.get("process", {}),
        seccomp=annotations.get("containerlab.seccomp"),
        user_words=annotations.get("containerlab.user"),
        group_words=json.loads(annotations.get("containerlab.groups", "[]")),
    )
    device_steps = _device_steps(spec, process, init=annotations.get("containerlab.init") == "1")
    if len(trees) != len(json.loads(annotations.get("containerlab.trees", "[]"))):
        raise ValueError("binds need their mounts to come with the request to start")
    propagation = linux.get("rootfsPropagation", "")
    if propagation not in _PROPAGATION:
        raise ValueError(f"rootfsPropagation {propagation!r}: only private and slave leave the host's mounts alone")
    return Plan(
        clone_flags=flags,
        joins=[(path, kind) for path, kind in joins if kind != c.CLONE_NEWPID],
        pid_namespace=next((path for path, kind in joins if kind == c.CLONE_NEWPID), ""),
        cgroup_namespace=cgroup_namespace,
        root=_root(spec, bundle, annotations),
        root_readonly=bool(spec.get("root", {}).get("readonly", False)),
        propagation=_PROPAGATION[propagation],
        mounts=_mount_steps(spec.get("mounts", []), annotations, join_fds),
        devices=device_steps,
        hostname=spec.get("hostname", ""),
        domainname=spec.get("domainname", ""),
        sysctl=_sysctls(linux.get("sysctl", {}), flags, joins),
        process=process,
        join_fds=join_fds,
        trees=list(trees),
    )


def describe(plan: Plan) -> list[str]:
    """One line a step, in the order of execution."""
    steps: list[Step | rootfs.OverlayRoot | rootfs.BindRoot] = [plan.root, *plan.mounts, *plan.devices]
    return [step.describe() for step in steps]


def _namespaces(entries: list[dict[str, str]]) -> tuple[int, list[tuple[str, int]], bool]:
    flags, joins, cgroup = 0, [], False
    for entry in entries:
        kind, path = entry["type"], entry.get("path", "")
        if kind not in c.NAMESPACES or kind == "user":
            raise ValueError(f"a container can't have a {kind} namespace of its own here")
        if path:
            if kind == "mount":
                raise ValueError("a container can't share a mount namespace")
            joins.append((path, c.NAMESPACES[kind]))
        elif kind == "cgroup":
            cgroup = True  # unshared once the process is in its cgroup, which then is the namespace's root
        else:
            flags |= c.NAMESPACES[kind]
    return flags, joins, cgroup


def _root(spec: dict[str, Any], bundle: str, annotations: dict[str, str]) -> rootfs.OverlayRoot | rootfs.BindRoot:
    path = os.path.join(bundle, spec.get("root", {}).get("path", "rootfs"))  # noqa: PTH118  hot path
    if "containerlab.overlay" not in annotations:
        return rootfs.BindRoot(path)
    overlay = json.loads(annotations["containerlab.overlay"])
    return rootfs.OverlayRoot(
        path,
        overlay["layers"],
        overlay["lower"],
        overlay.get("upper"),
        overlay.get("work"),
        volatile=bool(overlay.get("volatile", False)),
        user_xattr=in_user_namespace(),
    )


def _mount_steps(entries: list[dict[str, Any]], annotations: dict[str, str], join_fds: list[int]) -> list[Step]:
    """``containerlab.below`` and ``containerlab.trees`` say which binds are a part of their source, or came along."""
    below = json.loads(annotations.get("containerlab.below", "{}"))
    trees = json.loads(annotations.get("containerlab.trees", "[]"))
    steps = []
    for mount in entries:
        step = _mount_step(mount, join_fds)
        if isinstance(step, mounts.Bind):
            step.below = below.get(step.destination, "")
            step.tree = mounts.FIRST_TREE + trees.index(step.destination) if step.destination in trees else None
        steps.append(step)
    return steps


def _mount_step(mount: dict[str, Any], join_fds: list[int]) -> Step:
    destination, fstype = mount["destination"], mount.get("type", "")
    if not destination.startswith("/"):
        raise ValueError(f"mount destination must be an absolute path, not {destination!r}")
    options = parse_options(mount.get("options", []))
    source = mount.get("source", "") or fstype
    if options.flags & c.MS_BIND or fstype == "bind":
        return mounts.Bind(destination, source, options)
    if fstype == "cgroup":
        return Cgroup(destination, options, joined_controllers(join_fds))
    if not fstype:
        raise ValueError(f"the mount at {destination} has no type")
    return mounts.Filesystem(fstype, destination, source, options)


def _device_steps(spec: dict[str, Any], process: Process, *, init: bool) -> list[Step]:
    linux = spec.get("linux", {})
    steps: list[Step] = []
    own_dev = any(m["destination"] == "/dev" and m.get("type") == "tmpfs" for m in spec.get("mounts", []))
    if own_dev:
        steps.append(devices.Devices(linux.get("devices", []), bind=in_user_namespace()))
    if init:
        if not own_dev:
            raise ValueError("an init needs a /dev of the container's own")
        steps.append(devices.BindProgram("init", tini.find()))
        process.args[:0] = ["/dev/init", "--"]
    masked = linux.get("maskedPaths", [])
    if masked:
        steps.append(mounts.Mask(masked))
    steps += [mounts.ReadonlyPath(path) for path in linux.get("readonlyPaths", [])]
    return steps


def _sysctls(sysctl: dict[str, str], flags: int, joins: list[tuple[str, int]]) -> dict[str, str]:
    own = flags
    for _, flag in joins:
        own |= flag
    for name in sysctl:
        kind = _SYSCTL_NAMES.get(name)
        kind = kind or next((kind for prefix, kind in _SYSCTL_PREFIXES.items() if name.startswith(prefix)), None)
        if kind is None:
            raise ValueError(f"sysctl {name!r} is not in a separate kernel namespace")
        if not own & c.NAMESPACES[kind]:
            raise ValueError(f"sysctl {name!r} is not allowed in the host's {kind} namespace")
    return sysctl
