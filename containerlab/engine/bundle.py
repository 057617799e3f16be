"""A container's bundle: the OCI runtime spec and the small files that it binds into the root.

The spec starts as ``runtime.spec``'s copy of Docker's defaults; each function here carries out one group of
options of ``ContainerConfig`` and ``HostConfig`` on it.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from containerlab.engine import capabilities as tweaks
from containerlab.engine import resources
from containerlab.engine.merge import command_line, environment
from containerlab.engine.models import ContainerConfig, HostConfig
from containerlab.engine.mounts import MountPlan
from containerlab.engine.options import network_mode, split_security
from containerlab.rung import PROOT
from containerlab.runtime import capabilities
from containerlab.runtime.cgroups import driver
from containerlab.runtime.spec import default_spec

__all__ = ["BundleRequest", "build_spec", "hostname_of", "hosts_text", "resolv_text", "write_files"]

Spec = dict[str, Any]


@dataclass(frozen=True)
class BundleRequest:
    """What a bundle is made of. ``config`` is merged with the image's; ``lower`` is top first, as ``l/SHORT``."""

    container_id: str
    folder: Path
    layers: Path
    lower: list[str]
    config: ContainerConfig
    host: HostConfig
    plan: MountPlan
    pids_limit: int
    shm_size: int
    seccomp: Callable[[frozenset[str], str], Path | None]
    own_network: bool = False
    """Its network namespace is made before its process, and found at ``netns`` in its folder when it starts."""
    view: Path | None = None
    """Where nothing can be mounted: the image's files as one tree, of which the root is a copy."""
    names: Path | None = None
    """Another container's folder, whose hosts, hostname and resolv.conf are shown: where its network is joined."""

    @property
    def volatile(self) -> bool:
        """No restart can come after, so its writable layer needs no sync at the end."""
        return self.host.auto_remove


def hostname_of(container_id: str, config: ContainerConfig, host: HostConfig) -> str:
    """What the container calls itself: the asked name, the host's where it shares the host's, else the short id."""
    if config.hostname:
        return config.hostname
    if host.uts_mode == "host" or network_mode(host) == "host":
        return socket.gethostname()
    return container_id[:12]


def build_spec(request: BundleRequest) -> Spec:
    """The OCI runtime spec. Raises InvalidParameter for a value that can't be."""
    config, host = request.config, request.host
    name = hostname_of(request.container_id, config, host)
    spec = default_spec(
        command_line(config),
        env=environment(config.env, hostname=name, tty=config.tty),
        cwd=config.working_dir or "/",
        hostname=name,
        readonly=host.readonly_rootfs,
        network="host" if network_mode(host) == "host" else "private",
        ipc="host" if host.ipc_mode == "host" else "private",
        pid="host" if host.pid_mode == "host" else "private",
        uts=host.uts_mode or "private",
        cgroupns=host.cgroupns_mode,
        tty=config.tty,
        privileged=host.privileged,
        shm_size=host.shm_size or request.shm_size,
        user=config.user,
        init=bool(host.init),
        annotations=_annotations(request),
    )
    if request.own_network:
        namespaces = spec["linux"]["namespaces"]
        next(entry for entry in namespaces if entry["type"] == "network")["path"] = str(request.folder / "netns")
    for carry_out in (_process, _mounts, _limits, _devices, _capabilities, _security):
        carry_out(spec, request)
    return spec


def write_files(request: BundleRequest, spec: Spec) -> None:
    """Make the bundle's folder; nothing is fsynced, a folder without its row is swept at the next start."""
    folder = str(request.folder)
    own = () if request.view is not None else ((f"{folder}/upper", 0o755), (f"{folder}/work", 0o700))
    for path, mode in ((folder, 0o710), *own):
        os.mkdir(path, mode)  # noqa: PTH102  every create comes by here
    _write(f"{folder}/config.json", json.dumps(spec))
    if request.names is not None:
        return
    name = hostname_of(request.container_id, request.config, request.host)
    _write(f"{folder}/hostname", f"{name}\n")
    _write(f"{folder}/hosts", hosts_text(request.host))
    _write(f"{folder}/resolv.conf", resolv_text(request.host))


def _write(path: str, text: str) -> None:
    with open(path, "xb", buffering=0) as file:
        file.write(text.encode())


def _annotations(request: BundleRequest) -> dict[str, str]:
    folder, host = request.folder, request.host
    overlay = {
        "layers": str(request.layers),
        "lower": request.lower,
        "upper": str(folder / "upper"),
        "work": str(folder / "work"),
        "volatile": request.volatile,
    }
    annotations = {**host.annotations, "containerlab.overlay": json.dumps(overlay)}
    if request.view is not None:
        annotations = {**host.annotations, "containerlab.backend": PROOT, "containerlab.copy": str(request.view)}
    if host.group_add:
        annotations["containerlab.groups"] = json.dumps(host.group_add)
    points = request.plan.points.values()
    below = {point.destination: point.subpath for point in points if point.subpath}
    if below:
        annotations["containerlab.below"] = json.dumps(below)
    trees = [point.destination for point in request.plan.listed if point.type == "bind"]
    if trees:
        annotations["containerlab.trees"] = json.dumps(trees)
    if host.runtime == "vm":
        annotations["containerlab.backend"] = "vm"
        if host.memory:
            annotations["containerlab.memory_mb"] = str(host.memory >> 20)
    return annotations


def _process(spec: Spec, request: BundleRequest) -> None:
    host, process = request.host, spec["process"]
    if request.config.tty and any(host.console_size):
        process["consoleSize"] = {"height": host.console_size[0], "width": host.console_size[1]}
    process["oomScoreAdj"] = host.oom_score_adj
    if host.ulimits:
        process["rlimits"] = resources.rlimits(host.ulimits)
    if request.config.domainname:
        spec["domainname"] = request.config.domainname
    spec["linux"]["sysctl"].update(host.sysctls)


def _mounts(spec: Spec, request: BundleRequest) -> None:
    if request.host.ipc_mode == "none":
        _drop(spec, "/dev/shm")
    files = [
        _bind(str((request.names or request.folder) / name), f"/etc/{name}")
        for name in ("resolv.conf", "hostname", "hosts")
    ]
    kept = [file for file in files if file["destination"] not in request.plan.points]
    # Outer ones first: a folder bound over /etc must not hide /etc/hosts.
    for entry in sorted(kept + request.plan.oci(), key=lambda mount: str(mount["destination"]).count("/")):
        _drop(spec, entry["destination"])
        spec["mounts"].append(entry)


def _limits(spec: Spec, request: BundleRequest) -> None:
    counted = "pids" in driver().controllers
    if request.view is not None:
        return  # what isn't discarded; a bound on the user's processes would count the engine's own
    spec["linux"]["resources"].update(resources.limits(request.host, request.pids_limit if counted else 0))
    rlimits = spec["process"].setdefault("rlimits", [])
    asked = request.host.pids_limit or any(rlimit["type"] == "RLIMIT_NPROC" for rlimit in rlimits)
    if not counted and request.pids_limit and not asked:
        # Counted in the store's user namespace (user_namespaces(7)); the host's root has no such bound.
        rlimits.append(resources.process_bound(request.pids_limit))


def _devices(spec: Spec, request: BundleRequest) -> None:
    for mapping in request.host.devices:
        nodes = resources.devices(mapping)
        taken = {node["path"] for node in nodes}
        spec["linux"]["devices"] = [n for n in spec["linux"]["devices"] if n["path"] not in taken] + nodes
        rules = resources.device_rules(nodes, mapping.cgroup_permissions)
        spec["linux"]["resources"]["devices"] += rules
    if not request.host.privileged:
        own = [resources.parse_device_rule(rule) for rule in request.host.device_cgroup_rules]
        spec["linux"]["resources"]["devices"] += own


def _capabilities(spec: Spec, request: BundleRequest) -> None:
    host = request.host
    if host.privileged or not (host.cap_add or host.cap_drop):
        return
    granted = tweaks.tweak(capabilities.DEFAULT, capabilities.NAMES, host.cap_add, host.cap_drop)
    # ALL means all that this host can give; one asked for by its name must really be there.
    possible = {*capabilities.names(capabilities.bounding_set()), *tweaks.normalised(host.cap_add, capabilities.NAMES)}
    granted = [name for name in granted if name in possible]
    spec["process"]["capabilities"] = dict.fromkeys(("bounding", "permitted", "effective"), granted)


def _security(spec: Spec, request: BundleRequest) -> None:
    host, linux = request.host, spec["linux"]
    options = dict(split_security(option) for option in host.security_opt)
    spec["process"]["noNewPrivileges"] = options.get("no-new-privileges", "false") in ("", "true")
    if host.masked_paths is not None:
        linux["maskedPaths"] = host.masked_paths
    if host.readonly_paths is not None:
        linux["readonlyPaths"] = host.readonly_paths
    asked = options.get("seccomp", "")
    own = asked if asked.startswith("{") else ""
    # A profile of one's own holds for a privileged container too (moby daemon/seccomp_linux.go).
    if request.view is None and (own or not (host.privileged or asked == "unconfined")):
        granted = frozenset(spec["process"]["capabilities"]["bounding"])
        path = request.seccomp(granted, own)
        if path is not None:
            spec["annotations"]["containerlab.seccomp"] = str(path)


def _bind(source: str, destination: str) -> dict[str, Any]:
    return {
        "destination": destination,
        "type": "bind",
        "source": source,
        "options": ["rbind", "rprivate"],
    }


def _drop(spec: Spec, destination: str) -> None:
    spec["mounts"] = [entry for entry in spec["mounts"] if entry["destination"] != destination]


_HOSTS = (
    "127.0.0.1\tlocalhost",
    "::1\tlocalhost ip6-localhost ip6-loopback",
    "fe00::\tip6-localnet",
    "ff00::\tip6-mcastprefix",
    "ff02::1\tip6-allnodes",
    "ff02::2\tip6-allrouters",
)


def hosts_text(host: HostConfig) -> str:
    """Docker's /etc/hosts (libnetwork etchosts), or the host's along with its network; ``--add-host`` at its end."""
    lines = _host_file("/etc/hosts").splitlines() if network_mode(host) == "host" else list(_HOSTS)
    for entry in host.extra_hosts:
        name, _, address = entry.replace("=", ":", 1).partition(":")
        lines.append(f"{address.strip('[]')}\t{name}")
    return "".join(f"{line}\n" for line in lines)


def resolv_text(host: HostConfig) -> str:
    """The host's resolver settings, each kind replaced by what the request names."""
    lines = [line.strip() for line in _host_file("/etc/resolv.conf").splitlines()]
    lines = [line for line in lines if line and line[0] not in "#;"]
    for keyword, values, joined in (
        ("nameserver", host.dns, False),
        ("search", [word for word in host.dns_search if word != "."], True),
        ("options", host.dns_options, True),
    ):
        if values or (keyword == "search" and host.dns_search):
            lines = [line for line in lines if line.split()[0] != keyword]
            lines += [f"{keyword} {' '.join(values)}"] if joined and values else [f"{keyword} {v}" for v in values]
    return "".join(f"{line}\n" for line in lines)


def _host_file(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
