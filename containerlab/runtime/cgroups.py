"""Limits and accounting of a container, the same words over cgroup v1, hybrid and v2.

``driver()`` finds out, by making a group and not by guessing, what this process may use, and makes a
container's group below the caller's own one, so that a limit that the host set on the user still holds.
Resources are the OCI runtime spec's ``linux.resources``. What can't be granted is an ``OSError``, never
silence: ``Driver.missing`` says beforehand which controllers can't be had, and why.

Formats: Documentation/admin-guide/cgroup-v1/ and cgroup-v2.rst of the kernel; cgroups(7).
"""

# The supervisor imports this module, and pathlib alone is 1.5 MB of its memory.
# ruff: noqa: PTH106
from __future__ import annotations

import errno
import os
import time
from abc import ABC, abstractmethod

from containerlab.rung import copies_roots
from containerlab.runtime.cgroup_files import mounted, own_directory, own_paths, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    Resources = Mapping[str, Any]
    Rules = Sequence[Mapping[str, Any]]

__all__ = ["Cgroup", "Driver", "detect", "driver", "open_cgroup", "warm"]

# Every controller that a container may be given, under cgroup v2's names (``io`` is v1's ``blkio``).
CONTROLLERS = ("memory", "pids", "cpu", "cpuset", "io", "devices", "freezer")


_CLEAR_TRIES, _CLEAR_WAIT_S = 200, 0.005


class Cgroup(ABC):
    """One container's group: a directory, or on v1 one in each hierarchy.

    ``paths`` maps a controller (on v2 the one key ``unified``) to its directory; with it another process
    opens the same group again (``open_cgroup``).
    """

    join_file = "cgroup.procs"

    def __init__(self, paths: Mapping[str, str]) -> None:
        self.paths = dict(paths)
        self._join_fds: list[int] = []
        self._clone_fd: int | None = None

    @property
    def directories(self) -> list[str]:
        """The directories, each once."""
        return list(dict.fromkeys(self.paths.values()))

    @property
    def join_fds(self) -> list[int]:
        """Write descriptors (close-on-exec) of each ``join_file``; a process of one thread that writes ``0`` to all has
        joined.

        Opened at the first use, closed by ``close``. Raises OSError.
        """
        if not self._join_fds:
            opened: list[int] = []
            try:
                for directory in self.directories:
                    opened.append(os.open(f"{directory}/{self.join_file}", os.O_WRONLY | os.O_CLOEXEC))
            except OSError:
                _close_all(opened)
                raise
            self._join_fds = opened
        return self._join_fds

    @property
    def clone_fd(self) -> int | None:
        """For clone3's CLONE_INTO_CGROUP the directory, opened and closed as ``join_fds``; None but on v2."""
        return None

    def close(self) -> None:
        """Closes ``join_fds`` and ``clone_fd``; the group stays."""
        descriptors, self._join_fds = self._join_fds, []
        if self._clone_fd is not None:
            descriptors.append(self._clone_fd)
            self._clone_fd = None
        _close_all(descriptors)

    def pids(self) -> list[int]:
        """The processes in the group, as this process's pid namespace counts them; none once it is gone."""
        try:
            return [int(pid) for pid in read(f"{self.directories[0]}/cgroup.procs").split()]
        except FileNotFoundError:
            return []

    def remove(self) -> bool:
        """Removes what is left of the group; False while a process is still leaving it: ask again later.

        Raises OSError for anything but a busy directory.
        """
        self.close()
        gone = True
        for directory in self.directories:
            try:
                os.rmdir(directory)
            except FileNotFoundError:
                continue
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise
                gone = False
        return gone

    @abstractmethod
    def update(self, resources: Resources) -> None:
        """Sets the limits that ``resources`` names and leaves the others (``docker update``). Raises OSError."""

    @abstractmethod
    def stats(self) -> dict[str, dict[str, int]]:
        """Raw figures. A limit that isn't set and a controller that isn't there have no key.

        ``memory``: usage, max_usage, limit (bytes), failcnt, oom_kill, and ``stat.*``; ``cpu``: usage_ns, user_ns,
        system_ns, periods, throttled_periods, throttled_ns; ``pids``: current, limit; ``io``: read_bytes,
        write_bytes, reads, writes.
        """

    @abstractmethod
    def freeze(self) -> None:
        """Begins to freeze every process; done once ``frozen`` says so. Raises OSError."""

    @abstractmethod
    def thaw(self) -> None:
        """Lets them run again. Raises OSError."""

    @abstractmethod
    def frozen(self) -> bool:
        """Whether every process of the group stands still."""

    @abstractmethod
    def kill(self) -> None:
        """SIGKILL to every process that is in the group now, frozen or not."""

    @abstractmethod
    def oom_kills(self) -> int:
        """How often the kernel killed a process of the group for want of memory."""


class Driver(ABC):
    """What this process may use of the host's cgroups.

    ``kind`` is ``v1``, ``hybrid`` (v1's controllers, an empty v2 tree beside them), ``v2`` or ``none``; ``controllers``
    are those that a container gets, out of CONTROLLERS; ``missing`` maps each of the others to the reason.
    """

    kind: str
    controllers: frozenset[str]
    missing: dict[str, str]

    @property
    def can_filter_devices(self) -> bool:
        """Whether a device rule can be enforced; where it can't, CAP_MKNOD must not be given to a container."""
        return "devices" in self.controllers

    @property
    @abstractmethod
    def features(self) -> dict[str, bool]:
        """Which limits can be had; all False or missing where there are none.

        memory, memory_swap, memory_reservation, swappiness, oom_kill_disable, pids, cpu_shares, cpu_quota, cpuset,
        devices, freezer, io.
        """

    @abstractmethod
    def create(self, name: str, resources: Resources, *, devices: Rules | None = None) -> Cgroup:
        """Makes the group ``name`` (one path component) below the caller's own group and sets its limits.

        ``devices`` overrides the list in ``resources``. Where devices can't be filtered their rules are left aside; the
        caller has asked ``can_filter_devices``. Raises OSError (EEXIST; ENOTSUP for a limit that can't be had here).
        """

    def widen(self, group: Cgroup) -> Mapping[str, str]:
        """Has the group, and what runs in it, join v1's cpuset, that only a limit of cpus or mems asks for.

        Gives its paths, which are else as they were. Raises OSError.
        """
        return group.paths

    @abstractmethod
    def find(self, name: str) -> Cgroup | None:
        """The group of that name where there is one: what a supervisor that was killed has left."""

    def clear(self, name: str) -> None:
        """Kills every process of the group of that name and removes it; no group is no error.

        Waits for the processes' end, a second at most. Raises OSError(EBUSY) when they don't leave.
        """
        group = self.find(name)
        if group is None:
            return
        for _ in range(_CLEAR_TRIES):
            group.kill()
            if group.remove():
                return
            time.sleep(_CLEAR_WAIT_S)
        raise OSError(errno.EBUSY, "processes don't leave the cgroup", group.directories[0])

    @abstractmethod
    def warm(self) -> None:
        """See ``warm``."""


class NoDriver(Driver):
    """A host, or a user, without any cgroup to write to."""

    kind = "none"

    def __init__(self, reason: str) -> None:
        self.controllers = frozenset()
        self.missing = dict.fromkeys(CONTROLLERS, reason)

    @property
    def features(self) -> dict[str, bool]:
        return {}

    def create(self, name: str, resources: Resources, *, devices: Rules | None = None) -> Cgroup:
        refuse_missing(self, resources)
        return NoCgroup({})

    def find(self, name: str) -> Cgroup | None:
        return None

    def warm(self) -> None:
        pass


class NoCgroup(Cgroup):
    """The group of a container on a host without groups; it limits nothing and knows nothing."""

    def update(self, resources: Resources) -> None:
        refuse_missing(NoDriver("no cgroup"), resources)

    def pids(self) -> list[int]:
        return []

    def stats(self) -> dict[str, dict[str, int]]:
        return {}

    def freeze(self) -> None:
        raise OSError(errno.ENOTSUP, "this host has no cgroup that could freeze a container")

    thaw = freeze

    def frozen(self) -> bool:
        return False

    def kill(self) -> None:
        pass

    def oom_kills(self) -> int:
        return 0


def detect() -> Driver:
    """The driver for this process, found by making and removing a group; nothing else is changed."""
    if copies_roots():
        return NoDriver("the rung proot has no cgroup of a container's own")
    mounts, own = mounted(), own_paths()
    v1 = {name: own_directory(mounts[name], path) for name, path in own.items() if name in mounts and name != "unified"}
    if any(name in v1 for name in ("memory", "pids", "cpu", "devices")):
        from containerlab.runtime import cgroup_v1

        return cgroup_v1.detect(v1, hybrid="unified" in mounts)
    if "unified" in mounts:
        from containerlab.runtime import cgroup_v2

        return cgroup_v2.detect(own_directory(mounts["unified"], own.get("unified", "/")))
    return NoDriver("no cgroup file system is mounted here")


_driver: Driver | None = None


def driver() -> Driver:
    """``detect`` once a process. On v2 the caller moves into a leaf of its own group first, because a group
    with processes can't give controllers to its children (cgroup-v2.rst, "No Internal Process Constraint")."""
    global _driver
    if _driver is None:
        _driver = detect()
        prepare: Callable[[], None] | None = getattr(_driver, "prepare", None)
        if prepare is not None:
            prepare()
    return _driver


def open_cgroup(paths: Mapping[str, str]) -> Cgroup:
    """The group that another process made, by its ``paths``."""
    if not paths:
        return NoCgroup({})
    if "unified" in paths:
        from containerlab.runtime import cgroup_v2

        return cgroup_v2.CgroupV2(paths)
    from containerlab.runtime import cgroup_v1

    return cgroup_v1.CgroupV1(paths)


def warm() -> int:
    """Makes the next write to a ``cgroup.procs``, anywhere on the host, a fast one; call it from a thread.

    Moving a process takes a host-wide lock whose first writer waits for an RCU grace period, 5 to 20 ms; for about
    10 ms after that the lock is cheap. One move of the caller from its own group to the same group pays the wait ahead
    of a start. Only an exec on v2 needs it: elsewhere that lock isn't taken (``CgroupV1.join_file``, ``clone_fd``).
    Returns the nanoseconds that it took; 0 where nothing can be written.
    """
    begun = time.monotonic_ns()
    try:
        driver().warm()
    except OSError:
        return 0
    return time.monotonic_ns() - begun


# The parts of ``linux.resources`` that are understood, and the controller of each.
_NEEDS = {"memory": "memory", "pids": "pids", "cpu": "cpu", "blockIO": "io"}
_CPUSET = ("cpus", "mems")


def refuse_missing(available: Driver, resources: Resources) -> None:
    """Raises OSError(ENOTSUP) when ``resources`` asks for what ``available`` can't give."""
    for part, value in resources.items():
        if part == "devices" or not value:
            continue
        if part not in _NEEDS and part != "unified":
            raise OSError(errno.ENOTSUP, f"the resource {part} is not supported")
        for key in _asked(value):
            need = "cpuset" if part == "cpu" and key in _CPUSET else _NEEDS.get(part, "memory")
            if need not in available.controllers:
                reason = available.missing.get(need, "it is not delegated")
                raise OSError(errno.ENOTSUP, f"the limit {part}.{key} needs the {need} controller: {reason}")


def _asked(value: Mapping[str, Any]) -> Iterable[str]:
    return (key for key, limit in value.items() if limit is not None)


def _close_all(descriptors: Iterable[int]) -> None:
    for fd in descriptors:
        os.close(fd)
