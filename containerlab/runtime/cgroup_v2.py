"""cgroup v2: one directory a container, and its devices filtered by a BPF program.

Documentation/admin-guide/cgroup-v2.rst of the kernel. The conversion of shares into a weight is the OCI runtimes'
(crun.1.md, "cgroup v2").
"""

# The supervisor imports this module, and pathlib alone is 1.5 MB of its memory.
# ruff: noqa: PTH102, PTH103, PTH106, PTH110, PTH119, PTH120, PTH112
from __future__ import annotations

import errno
import os

from containerlab.runtime.cgroup_files import read, read_flat, read_int, write
from containerlab.runtime.cgroups import CONTROLLERS, Cgroup, Driver, NoDriver, refuse_missing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from containerlab.runtime.cgroups import Resources, Rules

__all__ = ["LEAF", "CgroupV2", "DriverV2", "detect"]

# The group that the engine's own processes move to, so that their old group may have children with controllers.
LEAF = "containerlab-engine"


class CgroupV2(Cgroup):
    """One container's directory, under the key ``unified``."""

    @property
    def path(self) -> str:
        return self.paths["unified"]

    @property
    def clone_fd(self) -> int | None:
        if self._clone_fd is None:
            self._clone_fd = os.open(self.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        return self._clone_fd

    def update(self, resources: Resources) -> None:
        for part, values in resources.items():
            if part == "devices" or not values:
                continue
            asked = {key: value for key, value in values.items() if value is not None}
            for file, value in self._files(part, asked):
                write(f"{self.path}/{file}", value)

    def _files(self, part: str, values: dict[str, Any]) -> list[tuple[str, object]]:
        if part == "memory":
            return self._memory_files(values)
        if part == "cpu":
            return self._cpu_files(values)
        if part == "pids":
            return [("pids.max", values["limit"] if values["limit"] > 0 else "max")]
        if part == "blockIO" and set(values) == {"weight"}:
            return [("io.weight", values["weight"])]
        if part == "unified":
            if any("/" in file for file in values):
                raise OSError(errno.EINVAL, "a key of linux.resources.unified is a file name, without a slash")
            return list(values.items())
        raise OSError(errno.ENOTSUP, f"the limit {part}.{'/'.join(values)} is not supported on cgroup v2")

    def _memory_files(self, values: dict[str, Any]) -> list[tuple[str, object]]:
        unknown = set(values) - {"limit", "swap", "reservation"}
        if unknown:
            raise OSError(errno.ENOTSUP, f"the limit memory.{min(unknown)} is not supported on cgroup v2")
        files: list[tuple[str, object]] = []
        limit, both = values.get("limit", 0), values.get("swap", 0)
        if both:
            if both > 0 and limit <= 0:
                current = read_int(f"{self.path}/memory.max")
                if current is None:
                    raise OSError(errno.EINVAL, "memory.swap counts memory and swap together: it needs memory.limit")
                limit = current
            if both >= 0 or os.path.exists(f"{self.path}/memory.swap.max"):
                files.append(("memory.swap.max", "max" if both < 0 else both - limit))
        if values.get("limit"):
            files.append(("memory.max", "max" if limit < 0 else limit))
        if values.get("reservation"):
            files.append(("memory.low", values["reservation"]))
        return files

    def _cpu_files(self, values: dict[str, Any]) -> list[tuple[str, object]]:
        unknown = set(values) - {"shares", "quota", "period", "cpus", "mems"}
        if unknown:
            raise OSError(errno.ENOTSUP, f"the limit cpu.{min(unknown)} is not supported on cgroup v2")
        files: list[tuple[str, object]] = []
        if values.get("shares"):
            files.append(("cpu.weight", weight_of_shares(values["shares"])))
        if values.get("quota") or values.get("period"):
            quota, period = read(f"{self.path}/cpu.max").split()
            if values.get("quota"):
                quota = str(values["quota"]) if values["quota"] > 0 else "max"
            files.append(("cpu.max", f"{quota} {values.get('period') or period}"))
        files += [(f"cpuset.{key}", values[key]) for key in ("cpus", "mems") if values.get(key)]
        return files

    def filter_devices(self, rules: Rules) -> None:
        """Attaches a program that decides as the OCI rules say. Raises OSError."""
        from containerlab.runtime import device_filter

        device_filter.attach(self.path, rules)

    def stats(self) -> dict[str, dict[str, int]]:
        path = self.path
        cpu = read_flat(f"{path}/cpu.stat")
        memory = {
            "usage": read_int(f"{path}/memory.current"),
            "max_usage": read_int(f"{path}/memory.peak"),
            "limit": read_int(f"{path}/memory.max"),
            "failcnt": read_flat(f"{path}/memory.events").get("max"),
            "oom_kill": read_flat(f"{path}/memory.events").get("oom_kill"),
            **{f"stat.{key}": value for key, value in read_flat(f"{path}/memory.stat").items()},
        }
        figures: dict[str, dict[str, int | None]] = {
            "memory": memory,
            "cpu": {
                **{f"{k}_ns": cpu[f"{k}_usec"] * 1000 for k in ("usage", "user", "system") if f"{k}_usec" in cpu},
                "periods": cpu.get("nr_periods"),
                "throttled_periods": cpu.get("nr_throttled"),
                "throttled_ns": cpu["throttled_usec"] * 1000 if "throttled_usec" in cpu else None,
            },
            "pids": {"current": read_int(f"{path}/pids.current"), "limit": read_int(f"{path}/pids.max")},
            "io": dict(self._io_stats()),
        }
        known = {part: {k: v for k, v in values.items() if v is not None} for part, values in figures.items()}
        return {part: values for part, values in known.items() if values}

    def _io_stats(self) -> dict[str, int]:
        """io.stat: ``MAJOR:MINOR rbytes=N wbytes=N rios=N wios=N …``, a line a device."""
        try:
            words = read(f"{self.path}/io.stat").split()
        except FileNotFoundError:
            return {}
        pairs = [word.split("=", 1) for word in words if "=" in word]
        names = {"rbytes": "read_bytes", "wbytes": "write_bytes", "rios": "reads", "wios": "writes"}
        return {ours: sum(int(v) for k, v in pairs if k == theirs) for theirs, ours in names.items()}

    def freeze(self) -> None:
        write(f"{self.path}/cgroup.freeze", 1)

    def thaw(self) -> None:
        write(f"{self.path}/cgroup.freeze", 0)

    def frozen(self) -> bool:
        return read_flat(f"{self.path}/cgroup.events").get("frozen") == 1

    def kill(self) -> None:
        write(f"{self.path}/cgroup.kill", 1)

    def oom_kills(self) -> int:
        return read_flat(f"{self.path}/memory.events").get("oom_kill", 0)


class DriverV2(Driver):
    """Groups in ``base``, the directory that the engine was started in."""

    kind = "v2"

    def __init__(self, base: str, missing: dict[str, str]) -> None:
        self.base = base
        self.missing = missing
        self.controllers = frozenset(CONTROLLERS) - frozenset(missing)

    @property
    def features(self) -> dict[str, bool]:
        has = self.controllers.__contains__
        return {
            "memory": has("memory"),
            "memory_swap": has("memory") and os.path.exists(f"{self.base}/{LEAF}/memory.swap.max"),
            "memory_reservation": has("memory"),
            "swappiness": False,
            "oom_kill_disable": False,
            "pids": has("pids"),
            "cpu_shares": has("cpu"),
            "cpu_quota": has("cpu"),
            "cpuset": has("cpuset"),
            "devices": has("devices"),
            "freezer": has("freezer"),
            "io": has("io"),
        }

    def prepare(self) -> None:
        """Moves this process into the leaf, then gives each controller that can be had to the children."""
        leaf = f"{self.base}/{LEAF}"
        try:
            os.makedirs(leaf, 0o755, exist_ok=True)
            write(f"{leaf}/cgroup.procs", 0)
        except OSError as error:
            self._lose(("memory", "pids", "cpu", "cpuset", "io"), f"can't move to {leaf}: {error.strerror}")
            return
        for controller in sorted(self.controllers - {"devices", "freezer"}):
            try:
                write(f"{self.base}/cgroup.subtree_control", f"+{controller}")
            except OSError as error:
                reason = error.strerror or ""
                if error.errno == errno.EBUSY:
                    reason = f"other processes live in {self.base}: start the engine in a group of its own"
                self._lose((controller,), reason)

    def _lose(self, controllers: tuple[str, ...], reason: str) -> None:
        self.missing.update(dict.fromkeys(controllers, reason))
        self.controllers -= frozenset(controllers)

    def create(self, name: str, resources: Resources, *, devices: Rules | None = None) -> Cgroup:
        refuse_missing(self, resources)
        group = CgroupV2({"unified": f"{self.base}/{name}"})
        os.mkdir(group.path, 0o755)
        try:
            group.update(resources)
            rules = resources.get("devices") if devices is None else devices
            if rules and self.can_filter_devices:
                group.filter_devices(rules)
        except OSError:
            os.rmdir(group.path)
            raise
        return group

    def find(self, name: str) -> Cgroup | None:
        path = f"{self.base}/{name}"
        return CgroupV2({"unified": path}) if os.path.isdir(path) else None

    def warm(self) -> None:
        write(f"{self.base}/{LEAF}/cgroup.procs", 0)


def detect(own: str | None) -> Driver:
    """The driver below the group ``own`` (its parent when ``own`` is the leaf already); nothing is moved yet.

    Also its parent's when systemd has delegated that one, and ``own`` can't hand on what it has: that is a unit with
    ``DelegateSubgroup=``, whose limits the containers still have.
    """
    if own is None:
        return NoDriver("the cgroup2 mount doesn't show this process's own group")
    above = os.path.dirname(own)
    base = above if os.path.basename(own) == LEAF or (_is_delegated(above) and _hands_on_less(own, above)) else own
    probe = f"{base}/containerlab-probe-{os.getpid()}"
    try:
        os.mkdir(probe, 0o755)
    except OSError as error:
        return NoDriver(f"no group can be made in {base}: {error.strerror}")
    try:
        missing = _missing(base, probe)
    finally:
        os.rmdir(probe)
    return DriverV2(base, missing)


def _hands_on_less(own: str, above: str) -> bool:
    """Others live in ``own``, which then hands nothing on, or it was given less than there is."""
    if any(pid != str(os.getpid()) for pid in read(f"{own}/cgroup.procs").split()):
        return True
    return bool({*read(f"{above}/cgroup.controllers").split()} - {*read(f"{own}/cgroup.controllers").split()})


def _is_delegated(group: str) -> bool:
    """Whether systemd says so (systemd.resource-control(5), Delegate=): its mark, and nobody in the way."""
    try:
        return os.getxattr(group, "user.delegate") == b"1" and not read(f"{group}/cgroup.procs").split()
    except OSError:
        return False


def _missing(base: str, probe: str) -> dict[str, str]:
    from containerlab.runtime import device_filter

    available = read(f"{base}/cgroup.controllers").split()
    missing = {
        controller: f"it is not delegated to {base}"
        for controller in ("memory", "pids", "cpu", "cpuset", "io")
        if controller not in available
    }
    try:
        device_filter.attach(probe, [{"allow": True, "access": "rwm"}])
    except OSError as error:
        missing["devices"] = f"bpf(2) refused a device filter: {error.strerror}"
    if not os.path.exists(f"{probe}/cgroup.freeze"):
        missing["freezer"] = "the kernel is older than 5.2"
    return missing


def weight_of_shares(shares: int) -> int:
    """cpu.weight (1 to 10,000) for v1's cpu.shares (2 to 262,144)."""
    return 1 + (min(max(shares, 2), 262144) - 2) * 9999 // 262142
