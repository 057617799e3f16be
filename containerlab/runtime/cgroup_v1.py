"""cgroup v1, also in hybrid mode: one directory a container in each hierarchy.

Documentation/admin-guide/cgroup-v1/{memory,pids,cpusets,devices,freezer-subsystem,blkio-controller}.rst
and Documentation/scheduler/sched-bwc.rst of the kernel.
"""

# The supervisor imports this module, and pathlib alone is 1.5 MB of its memory.
# ruff: noqa: PTH102, PTH106, PTH110, PTH112
from __future__ import annotations

import contextlib
import errno
import os
import signal

from containerlab.runtime.cgroup_files import read, read_flat, read_int, write
from containerlab.runtime.cgroups import CONTROLLERS, Cgroup, Driver, NoDriver, refuse_missing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from containerlab.runtime.cgroups import Resources, Rules

__all__ = ["CgroupV1", "DriverV1", "detect"]

# What every container joins where it can be had. cpuset and blkio only when a limit asks for them: a new cpuset
# refuses processes until it is filled (ENOSPC), and each further hierarchy costs a start a write.
_ALWAYS = ("memory", "pids", "cpu", "cpuacct", "devices", "freezer")
_ON_DEMAND = ("cpuset", "blkio")
_V2_NAME = {"blkio": "io"}

# OCI key to file, for what is one number written as it stands.
_FILES = {
    "memory": {"reservation": "memory.soft_limit_in_bytes", "swappiness": "memory.swappiness"},
    "cpu": {"shares": "cpu.shares", "period": "cpu.cfs_period_us", "quota": "cpu.cfs_quota_us"},
    "blockIO": {"weight": "blkio.bfq.weight"},
}
# memory.limit_in_bytes reads so when no limit is set: the largest page-aligned number (PAGE_COUNTER_MAX).
_UNLIMITED = 1 << 62


class CgroupV1(Cgroup):
    """One container's directories, by v1 controller.

    A container joins by ``tasks``: its process has one thread yet, which is then all of it. That write leaves out the
    host-wide lock of ``cgroup.procs`` and its wait for an RCU grace period, 5 to 20 ms of a start (the kernel's
    ``cgroup_procs_write_start``, since 5.5).
    """

    join_file = "tasks"

    def update(self, resources: Resources) -> None:
        for part, values in resources.items():
            if part == "devices" or not values:
                continue
            self._update_part(part, {key: value for key, value in values.items() if value is not None})

    def _update_part(self, part: str, values: dict[str, Any]) -> None:
        if part == "memory":
            self._set_memory(values)
        elif part == "pids" and "limit" in values:
            limit = values.pop("limit")
            write(f"{self._in('pids')}/pids.max", limit if limit > 0 else "max")
        elif part == "cpu":
            for key in ("cpus", "mems"):
                if key in values:
                    write(f"{self._in('cpuset')}/cpuset.{key}", values.pop(key))
        directory = {"memory": "memory", "cpu": "cpu", "blockIO": "blkio"}.get(part, part)
        for key, value in values.items():
            file = _FILES.get(part, {}).get(key)
            if file is None:
                raise OSError(errno.ENOTSUP, f"the limit {part}.{key} is not supported on cgroup v1")
            write(f"{self._in(directory)}/{file}", value)

    def _set_memory(self, values: dict[str, Any]) -> None:
        """limit, and swap (memory and swap together), which may never be below it: the order depends."""
        limit, both = values.pop("limit", None), values.pop("swap", None)
        if values.pop("disableOOMKiller", None):
            write(f"{self._in('memory')}/memory.oom_control", 1)
        directory = self._in("memory")
        if both == -1 and not os.path.exists(f"{directory}/memory.memsw.limit_in_bytes"):
            both = None  # no limit, where none can be had
        writes = [(f"{directory}/memory.limit_in_bytes", limit), (f"{directory}/memory.memsw.limit_in_bytes", both)]
        asked = [(path, value) for path, value in writes if value not in (None, 0)]
        try:
            for path, value in asked:
                write(path, value)
        except OSError as error:
            if error.errno != errno.EINVAL or len(asked) < 2:
                raise
            for path, value in reversed(asked):
                write(path, value)

    def filter_devices(self, rules: Rules) -> None:
        """Writes OCI device rules in their order (devices.rst: ``TYPE MAJOR:MINOR ACCESS``, ``a`` for all)."""
        directory = self._in("devices")
        for rule in rules:
            kind = rule.get("type") or "a"
            numbers = [_number(rule.get(key)) for key in ("major", "minor")]
            access = rule.get("access") or "rwm"
            every = kind == "a" and numbers == ["*", "*"] and set(access) == set("rwm")
            line = "a" if every else f"{kind} {numbers[0]}:{numbers[1]} {access}"
            write(f"{directory}/devices.{'allow' if rule['allow'] else 'deny'}", line)

    def _in(self, controller: str) -> str:
        try:
            return self.paths[controller]
        except KeyError:
            raise OSError(errno.ENOTSUP, f"the container is in no {controller} cgroup") from None

    def stats(self) -> dict[str, dict[str, int]]:
        figures = {"memory": self._memory_stats(), "cpu": self._cpu_stats(), "io": self._io_stats()}
        pids = self.paths.get("pids", "")
        figures["pids"] = _known(current=read_int(f"{pids}/pids.current"), limit=read_int(f"{pids}/pids.max"))
        return {part: values for part, values in figures.items() if values}

    def _memory_stats(self) -> dict[str, int]:
        path = self.paths.get("memory")
        if path is None:
            return {}
        limit = read_int(f"{path}/memory.limit_in_bytes")
        figures = _known(
            usage=read_int(f"{path}/memory.usage_in_bytes"),
            max_usage=read_int(f"{path}/memory.max_usage_in_bytes"),
            failcnt=read_int(f"{path}/memory.failcnt"),
            limit=limit if limit is not None and limit < _UNLIMITED else None,
            oom_kill=self.oom_kills(),
        )
        return figures | {f"stat.{k}": v for k, v in read_flat(f"{path}/memory.stat").items()}

    def _cpu_stats(self) -> dict[str, int]:
        accounting, path = self.paths.get("cpuacct", ""), self.paths.get("cpu", "")
        bandwidth = read_flat(f"{path}/cpu.stat")
        return _known(
            usage_ns=read_int(f"{accounting}/cpuacct.usage"),
            user_ns=read_int(f"{accounting}/cpuacct.usage_user"),
            system_ns=read_int(f"{accounting}/cpuacct.usage_sys"),
            periods=bandwidth.get("nr_periods"),
            throttled_periods=bandwidth.get("nr_throttled"),
            throttled_ns=bandwidth.get("throttled_time"),
        )

    def _io_stats(self) -> dict[str, int]:
        path = self.paths.get("blkio")
        if path is None:
            return {}
        figures = {}
        for file, suffix in (("service_bytes", "_bytes"), ("serviced", "s")):
            for operation, verb in (("Read", "read"), ("Write", "write")):
                lines = read(f"{path}/blkio.throttle.io_{file}").splitlines()
                counts = [line.split() for line in lines]
                figures[verb + suffix] = sum(int(c[2]) for c in counts if len(c) == 3 and c[1] == operation)
        return figures

    def freeze(self) -> None:
        write(f"{self._in('freezer')}/freezer.state", "FROZEN")

    def thaw(self) -> None:
        write(f"{self._in('freezer')}/freezer.state", "THAWED")

    def frozen(self) -> bool:
        return "freezer" in self.paths and read(f"{self.paths['freezer']}/freezer.state").strip() == "FROZEN"

    def kill(self) -> None:
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        # v1 holds a killed task in the freezer until it is thawed.
        if "freezer" in self.paths and self.pids():
            self.thaw()

    def oom_kills(self) -> int:
        return read_flat(f"{self.paths.get('memory', '')}/memory.oom_control").get("oom_kill", 0)


class DriverV1(Driver):
    """``own`` maps a v1 controller to the caller's own directory, for those proved to be writable."""

    def __init__(self, own: Mapping[str, str], missing: dict[str, str], kind: str) -> None:
        self.kind = kind
        self.missing = missing
        self._own = dict(own)
        self.controllers = frozenset(_V2_NAME.get(name, name) for name in own if name != "cpuacct")

    @property
    def features(self) -> dict[str, bool]:
        memory, cpu, io = (self._own.get(name, "") for name in ("memory", "cpu", "blkio"))
        return {
            "memory": "memory" in self.controllers,
            "memory_swap": os.path.exists(f"{memory}/memory.memsw.limit_in_bytes"),
            "memory_reservation": os.path.exists(f"{memory}/memory.soft_limit_in_bytes"),
            "swappiness": os.path.exists(f"{memory}/memory.swappiness"),
            "oom_kill_disable": os.path.exists(f"{memory}/memory.oom_control"),
            "pids": "pids" in self.controllers,
            "cpu_shares": os.path.exists(f"{cpu}/cpu.shares"),
            "cpu_quota": "cpu" in self.controllers,
            "cpuset": "cpuset" in self.controllers,
            "devices": "devices" in self.controllers,
            "freezer": "freezer" in self.controllers,
            "io": os.path.exists(f"{io}/blkio.bfq.weight"),
        }

    def create(self, name: str, resources: Resources, *, devices: Rules | None = None) -> Cgroup:
        refuse_missing(self, resources)
        wanted = [controller for controller in _ALWAYS if controller in self._own]
        wanted += [controller for controller in _ON_DEMAND if _asks_for(controller, resources)]
        group = CgroupV1({controller: f"{self._own[controller]}/{name}" for controller in wanted})
        made: list[str] = []
        try:
            for directory in group.directories:
                os.mkdir(directory, 0o755)
                made.append(directory)
            if "cpuset" in wanted:
                self._fill_cpuset(group.paths["cpuset"])
            group.update(resources)
            rules = resources.get("devices") if devices is None else devices
            if rules and "devices" in wanted:
                group.filter_devices(rules)
        except OSError:
            for directory in made:
                os.rmdir(directory)
            raise
        return group

    def widen(self, group: Cgroup) -> Mapping[str, str]:
        if "cpuset" in group.paths or "cpuset" not in self._own:
            return group.paths
        name = group.directories[0].rpartition("/")[2]
        directory = f"{self._own['cpuset']}/{name}"
        os.mkdir(directory, 0o755)
        try:
            self._fill_cpuset(directory)
            # A process that is forked meanwhile is where its parent was: until nobody is left behind.
            while behind := set(group.pids()) - {int(pid) for pid in read(f"{directory}/cgroup.procs").split()}:
                for pid in behind:
                    with contextlib.suppress(ProcessLookupError):
                        write(f"{directory}/cgroup.procs", pid)
        except OSError:
            with contextlib.suppress(OSError):
                os.rmdir(directory)
            raise
        group.close()
        group.paths["cpuset"] = directory
        return group.paths

    def find(self, name: str) -> Cgroup | None:
        paths = {controller: f"{directory}/{name}" for controller, directory in self._own.items()}
        there = {controller: path for controller, path in paths.items() if os.path.isdir(path)}
        return CgroupV1(there) if there else None

    def _fill_cpuset(self, directory: str) -> None:
        for file in ("cpuset.cpus", "cpuset.mems"):
            write(f"{directory}/{file}", read(f"{self._own['cpuset']}/{file}").strip())

    def warm(self) -> None:
        """Nothing: a join takes no lock that could be warmed, and a warming write would hold up other users of it."""


def detect(own: Mapping[str, str | None], *, hybrid: bool) -> Driver:
    """The driver over the v1 directories ``own`` (None: not visible here), each proved by making a group in it."""
    usable: dict[str, str] = {}
    missing: dict[str, str] = {}
    proved: dict[str, str] = {}
    for controller in (*_ALWAYS, *_ON_DEMAND):
        directory = own.get(controller)
        if directory is None:
            reason = "its hierarchy is not mounted here"
        else:
            reason = proved[directory] if directory in proved else _prove(directory)
            proved[directory] = reason
        if directory is not None and not reason:
            usable[controller] = directory
        elif _V2_NAME.get(controller, controller) in CONTROLLERS:
            missing[_V2_NAME.get(controller, controller)] = reason
    if not usable:
        return NoDriver(next(iter(missing.values())))
    return DriverV1(usable, missing, "hybrid" if hybrid else "v1")


def _prove(directory: str) -> str:
    """Makes and removes a group in ``directory``; why that can't be done, or nothing."""
    probe = f"{directory}/containerlab-probe-{os.getpid()}"
    try:
        os.mkdir(probe, 0o755)
    except OSError as error:
        return f"no group can be made in {directory}: {error.strerror}"
    os.rmdir(probe)
    return ""


def _asks_for(controller: str, resources: Resources) -> bool:
    if controller == "blkio":
        return any(value is not None for value in (resources.get("blockIO") or {}).values())
    cpu = resources.get("cpu") or {}
    return bool(cpu.get("cpus") or cpu.get("mems"))


def _number(value: int | None) -> str:
    """A device number in a rule; the spec's None and -1 mean every one."""
    return "*" if value is None or value < 0 else str(value)


def _known(**figures: int | None) -> dict[str, int]:
    return {name: figure for name, figure in figures.items() if figure is not None}
