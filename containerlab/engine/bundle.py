"""A container's bundle: the OCI runtime spec and the small files that it binds into the root.

The spec starts as ``runtime.spec``'s copy of Docker's defaults; each function here carries out one group of
options of ``ContainerConfig`` and ``HostConfig`` on it.
"""

from __future__ import annotations

import json
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
from containerlab.engine.options import network_mode
from containerlab.runtime import capabilities
from containerlab.runtime.spec import default_spec

__all__ = ["BundleRequest", "build_spec", "hostname_of", "write_files"]

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
    seccomp: Callable[[frozenset[str]], Path]

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
    spec = default_spec()
    for carry_out in (
        _process,
        _root,
        _annotations,
        _namespaces,
        _mounts,
        _limits,
        _devices,
        _capabilities,
        _security,
        _sysctls,
    ):
        carry_out(spec, request)
    return spec


def write_files(request: BundleRequest, spec: Spec) -> None:
    """Make the bundle's folder; nothing is fsynced, a folder without its row is swept at the next start."""
    folder = request.folder
    folder.mkdir(mode=0o710)
    for name in ("upper", "work"):
        (folder / name).mkdir(mode=0o755 if name == "upper" else 0o700)
    for volume in request.plan.volumes:
        Path(volume.source).mkdir(parents=True, mode=0o755)
    name = hostname_of(request.container_id, request.config, request.host)
    if network_mode(request.host) == "host":
        hosts, resolv = _host_file("/etc/hosts"), _host_file("/etc/resolv.conf")
    else:
        hosts, resolv = _hosts(request, name), _resolv(request.host)
    for file, text in (("hostname", f"{name}\n"), ("hosts", hosts), ("resolv.conf", resolv)):
        (folder / file).write_text(text, encoding="utf-8")
    (folder / "config.json").write_text(json.dumps(spec), encoding="utf-8")


def _process(spec: Spec, request: BundleRequest) -> None:
    config, host = request.config, request.host
    process = spec["process"]
    process["terminal"] = config.tty
    process["args"] = command_line(config)
    process["cwd"] = config.working_dir or "/"
    name = hostname_of(request.container_id, config, host)
    process["env"] = environment(config.env, hostname=name, tty=config.tty)
    if config.tty and any(host.console_size):
        process["consoleSize"] = {"height": host.console_size[0], "width": host.console_size[1]}
    process["oomScoreAdj"] = host.oom_score_adj
    if host.ulimits:
        process["rlimits"] = resources.rlimits(host.ulimits)
    if host.group_add:
        process["user"]["additionalGids"] = [int(group) for group in host.group_add]


def _root(spec: Spec, request: BundleRequest) -> None:
    spec["root"]["readonly"] = request.host.readonly_rootfs


def _annotations(spec: Spec, request: BundleRequest) -> None:
    folder = request.folder
    overlay = {
        "layers": str(request.layers),
        "lower": request.lower,
        "upper": str(folder / "upper"),
        "work": str(folder / "work"),
        "volatile": request.volatile,
    }
    annotations = spec.setdefault("annotations", {})
    annotations.update(request.host.annotations)
    annotations["containerlab.overlay"] = json.dumps(overlay)
    if request.config.user:
        annotations["containerlab.user"] = request.config.user
    if request.host.init:
        annotations["containerlab.init"] = "1"
    if request.host.runtime == "vm":
        annotations["containerlab.backend"] = "vm"
        if request.host.memory:
            annotations["containerlab.memory_mb"] = str(request.host.memory >> 20)


def _namespaces(spec: Spec, request: BundleRequest) -> None:
    host = request.host
    shared = {
        "network": network_mode(host) == "host",
        "pid": host.pid_mode == "host",
        "ipc": host.ipc_mode == "host",
        "uts": host.uts_mode == "host",
        "cgroup": host.cgroupns_mode == "host",
    }
    namespaces = [entry for entry in spec["linux"]["namespaces"] if not shared.get(entry["type"])]
    if host.cgroupns_mode == "private" and not any(entry["type"] == "cgroup" for entry in namespaces):
        namespaces.append({"type": "cgroup"})
    spec["linux"]["namespaces"] = namespaces
    if shared["uts"]:
        spec.pop("hostname", None)
    else:
        spec["hostname"] = hostname_of(request.container_id, request.config, host)
        if request.config.domainname:
            spec["domainname"] = request.config.domainname


def _mounts(spec: Spec, request: BundleRequest) -> None:
    host = request.host
    for entry in spec["mounts"]:
        if entry["destination"] == "/dev/shm":
            size = host.shm_size or request.shm_size
            entry["options"] = [o for o in entry["options"] if not o.startswith("size=")] + [f"size={size}"]
    if host.ipc_mode == "host":
        _replace(spec, _bind("/dev/shm", "/dev/shm"))
        _replace(spec, _bind("/dev/mqueue", "/dev/mqueue"))
    elif host.ipc_mode == "none":
        _drop(spec, "/dev/shm")
    files = [_bind(str(request.folder / name), f"/etc/{name}") for name in ("resolv.conf", "hostname", "hosts")]
    asked = request.plan.oci()
    kept = [file for file in files if file["destination"] not in request.plan.points]
    # Outer ones first: a folder bound over /etc must not hide /etc/hosts.
    for entry in sorted(kept + asked, key=lambda mount: str(mount["destination"]).count("/")):
        _replace(spec, entry)


def _limits(spec: Spec, request: BundleRequest) -> None:
    spec["linux"].setdefault("resources", {}).update(resources.limits(request.host, request.pids_limit))


def _devices(spec: Spec, request: BundleRequest) -> None:
    nodes = resources.devices(request.host.devices)
    rules = [
        rule
        for mapping in request.host.devices
        for rule in resources.device_rules(resources.devices([mapping]), mapping.cgroup_permissions)
    ]
    if request.host.privileged:
        nodes = resources.host_devices() + nodes
        rules = [{"allow": True, "access": "rwm"}]
    if nodes:
        taken = {node["path"] for node in nodes}
        kept = [node for node in spec["linux"].get("devices", []) if node["path"] not in taken]
        spec["linux"]["devices"] = kept + list({node["path"]: node for node in nodes}.values())
    spec["linux"].setdefault("resources", {}).setdefault("devices", []).extend(rules)


def _capabilities(spec: Spec, request: BundleRequest) -> None:
    host = request.host
    possible = _possible()
    add = ["ALL"] if host.privileged else host.cap_add
    granted = tweaks.tweak(capabilities.DEFAULT, capabilities.NAMES, add, [] if host.privileged else host.cap_drop)
    asked = [name if name.startswith("CAP_") else f"CAP_{name}" for name in (n.upper() for n in host.cap_add)]
    # ALL means all that the host can give; a capability asked for by its name must really be there.
    granted = [name for name in granted if name in possible or name in asked]
    for kind in ("bounding", "permitted", "effective"):
        spec["process"]["capabilities"][kind] = granted


def _possible() -> frozenset[str]:
    return frozenset(capabilities.names(capabilities.bounding_set()))


def _security(spec: Spec, request: BundleRequest) -> None:
    host, linux = request.host, spec["linux"]
    options = dict(option.replace(":", "=", 1).partition("=")[::2] for option in host.security_opt)
    spec["process"]["noNewPrivileges"] = options.get("no-new-privileges", "false") in ("", "true")
    if host.privileged:
        linux["maskedPaths"], linux["readonlyPaths"] = [], []
        for entry in spec["mounts"]:
            if entry["type"] in ("sysfs", "cgroup", "cgroup2"):
                entry["options"] = ["rw" if option == "ro" else option for option in entry["options"]]
    if host.masked_paths is not None:
        linux["maskedPaths"] = host.masked_paths
    if host.readonly_paths is not None:
        linux["readonlyPaths"] = host.readonly_paths
    if not host.privileged and options.get("seccomp") != "unconfined":
        granted = frozenset(spec["process"]["capabilities"]["bounding"])
        spec["annotations"]["containerlab.seccomp"] = str(request.seccomp(granted))


def _sysctls(spec: Spec, request: BundleRequest) -> None:
    if network_mode(request.host) == "host":
        defaults = spec["linux"].get("sysctl", {})
        spec["linux"]["sysctl"] = {key: value for key, value in defaults.items() if not key.startswith("net.")}
    spec["linux"].setdefault("sysctl", {}).update(request.host.sysctls)


def _bind(source: str, destination: str) -> dict[str, Any]:
    return {
        "destination": destination,
        "type": "bind",
        "source": source,
        "options": ["rbind", "rprivate"],
    }


def _replace(spec: Spec, entry: dict[str, Any]) -> None:
    """A mount of the request's takes the place of the default one with its destination."""
    _drop(spec, entry["destination"])
    spec["mounts"].append(entry)


def _drop(spec: Spec, destination: str) -> None:
    spec["mounts"] = [entry for entry in spec["mounts"] if entry["destination"] != destination]


def _hosts(request: BundleRequest, name: str) -> str:
    """Docker's /etc/hosts (libnetwork etchosts), ``--add-host`` at its end."""
    lines = [
        "127.0.0.1\tlocalhost",
        "::1\tlocalhost ip6-localhost ip6-loopback",
        "fe00::\tip6-localnet",
        "ff00::\tip6-mcastprefix",
        "ff02::1\tip6-allnodes",
        "ff02::2\tip6-allrouters",
    ]
    for entry in request.host.extra_hosts:
        host, _, address = entry.replace("=", ":", 1).partition(":")
        lines.append(f"{address}\t{host}")
    return "\n".join(lines) + "\n"


def _resolv(host: HostConfig) -> str:
    """The host's resolver settings, each kind replaced by what the request names."""
    lines = [line for line in _host_file("/etc/resolv.conf").splitlines() if line and line[0] not in "#;"]
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
