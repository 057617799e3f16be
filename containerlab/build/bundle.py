"""A RUN step's bundle: Docker's default container, with the stage so far as its root.

Same capabilities, seccomp filter, masks and namespaces as ``docker run`` without options, never wider
(CVE-2024-23653). The network is the default one's, a namespace with loopback only, or the host's where the build was
asked for that.
"""

from __future__ import annotations

import json
import os
import posixpath
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from containerlab.build.mount_points import HOST_FILES, MountPoints
from containerlab.build.network import Joined
from containerlab.build.options import BuildOptions
from containerlab.build.run_mounts import Staged
from containerlab.images import LayerStore
from containerlab.rung import PROOT, copies_roots
from containerlab.runtime import capabilities
from containerlab.runtime.cgroups import driver
from containerlab.runtime.inroot import Root
from containerlab.runtime.seccomp import profile_path
from containerlab.runtime.spec import DEFAULT_PATH, DEFAULT_SHM_SIZE, default_spec
from containerlab.runtime.userns import in_user_namespace

__all__ = ["HEREDOC_FOLDER", "RunRequest", "write_bundle"]

HEREDOC_FOLDER = "/dev/pipes"
"""Where a here-document that begins with ``#!`` lies, as in BuildKit."""

_PIDS_LIMIT = 4096
_HOSTS = """127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
"""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What a RUN needs. ``script`` is the body of a here-document that is the program itself."""

    container: str
    args: list[str]
    environment: dict[str, str]
    working_dir: str
    user: str
    chain_id: str | None
    network: str
    joined: Joined | None
    script: tuple[str, str] | None
    options: BuildOptions
    seccomp_cache: Path
    staged: Staged = field(default_factory=Staged)
    reproducible: bool = False

    @property
    def hostname(self) -> str:
        """As ``docker run``: the host's name with its network, else the short id; always the same when reproducible."""
        if self.reproducible:
            return "build"
        return socket.gethostname() if self.network == "host" else self.container[:12]


def write_bundle(request: RunRequest, layers: LayerStore, points: MountPoints, folder: Path) -> Path:
    """Fill ``folder``; gives the overlay's upper directory."""
    upper, work, init = folder / "upper", folder / "work", folder / "points" / "init"
    for each in (upper, work, init.parent, init):
        each.mkdir(mode=0o755)
    _write_host_files(request, folder)
    spec = default_spec(
        request.args,
        env=_environment(request),
        cwd=request.working_dir or "/",
        hostname=request.hostname,
        network="host" if request.network == "host" else "private",
        shm_size=request.options.shm_size or DEFAULT_SHM_SIZE,
        user=request.user,
    )
    if request.joined is not None:
        entry = next(entry for entry in spec["linux"]["namespaces"] if entry["type"] == "network")
        entry["path"] = request.joined.namespace
    spec["mounts"] += [_bind(folder / name, f"/etc/{name}") for name in HOST_FILES]
    if request.script is not None:
        name, text = request.script
        script = folder / "script"
        script.write_text(text, encoding="utf-8", errors="surrogateescape")
        script.chmod(0o755)
        spec["mounts"].append(_bind(script, f"{HEREDOC_FOLDER}/{name}", "ro"))
    spec["mounts"] += request.staged.mounts
    if copies_roots():
        spec["annotations"] |= {"containerlab.backend": PROOT, "containerlab.copy": str(layers.view(request.chain_id))}
        (folder / "config.json").write_text(json.dumps(spec), encoding="utf-8", errors="surrogateescape")
        return upper
    _restrict(spec, request)
    lower = layers.lower(request.chain_id)
    made = points.make(layers, request.chain_id, init)
    if _make_places(layers, request, init) or made:
        lower.insert(0, os.path.relpath(init, layers.folder))
    spec["annotations"]["containerlab.overlay"] = json.dumps(
        {"layers": str(layers.folder), "lower": lower, "upper": str(upper), "work": str(work), "volatile": True}
    )
    (folder / "config.json").write_text(json.dumps(spec), encoding="utf-8", errors="surrogateescape")
    return upper


def _environment(request: RunRequest) -> list[str]:
    values = {"PATH": DEFAULT_PATH, "HOSTNAME": request.hostname, **request.environment}
    return [f"{name}={value}" for name, value in values.items()]


def _restrict(spec: dict[str, Any], request: RunRequest) -> None:
    possible = frozenset(capabilities.names(capabilities.bounding_set()))
    granted = [name for name in spec["process"]["capabilities"]["bounding"] if name in possible]
    if not driver().can_filter_devices and not in_user_namespace():
        # A node of the host's disk could be made and read.
        granted = [name for name in granted if name != "CAP_MKNOD"]
    for kind in ("bounding", "permitted", "effective"):
        spec["process"]["capabilities"][kind] = granted
    seccomp = profile_path(request.seccomp_cache, frozenset(granted))
    spec["annotations"]["containerlab.seccomp"] = str(seccomp)
    resources = spec["linux"]["resources"]
    if "pids" in driver().controllers:
        resources["pids"] = {"limit": _PIDS_LIMIT}
    else:
        # Counted in the store's user namespace (user_namespaces(7)); the host's root has no such bound.
        spec["process"]["rlimits"] = [{"type": "RLIMIT_NPROC", "soft": _PIDS_LIMIT, "hard": _PIDS_LIMIT}]
    resources.update(request.options.resources.to_oci())


def _write_host_files(request: RunRequest, folder: Path) -> None:
    if request.network == "host":
        hosts = _host_file("/etc/hosts")
    else:
        pairs = (entry.replace("=", ":", 1).partition(":") for entry in request.options.extra_hosts)
        hosts = _HOSTS + "".join(f"{address}\t{name}\n" for name, _, address in pairs)
    resolv = _host_file("/etc/resolv.conf")
    if request.joined is not None:
        hosts += f"{request.joined.address}\t{request.hostname}\n"
        resolv = request.joined.resolv_conf
    texts = {"hosts": hosts, "hostname": f"{request.hostname}\n", "resolv.conf": resolv}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def _host_file(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _bind(source: Path, destination: str, *options: str) -> dict[str, Any]:
    return {
        "destination": destination,
        "type": "bind",
        "source": str(source),
        "options": ["rbind", "rprivate", *options],
    }


def _make_places(layers: LayerStore, request: RunRequest, init: Path) -> bool:
    """The same for what ``--mount`` names: the image's own links decide where that is. Raises OSError."""
    if not request.staged.points:
        return False
    with layers.mounted(request.chain_id, init, volatile=True) as view:
        root = Root(view)
        for path, is_directory in request.staged.points:
            with _time_kept(root, path):
                os.close(root.ensure_directory(path) if is_directory else root.ensure_file(path))
    with os.scandir(init) as entries:
        return next(entries, None) is not None


@contextmanager
def _time_kept(root: Root, path: str) -> Iterator[None]:
    """The nearest directory that is there keeps its time while something is made in it."""
    above, status = path, None
    while status is None:
        above = posixpath.dirname(above)
        try:
            fd = root.open(above)
        except FileNotFoundError:
            continue
        status = os.fstat(fd)
        os.close(fd)
    yield
    fd = root.open(above)
    try:
        if os.fstat(fd).st_mtime_ns != status.st_mtime_ns:
            os.utime(f"/proc/self/fd/{fd}", ns=(status.st_atime_ns, status.st_mtime_ns))
    finally:
        os.close(fd)
