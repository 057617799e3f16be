"""What the engine asks of a live container: memory, processes, accounting, and a descriptor of its root."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from containerlab.runtime import cgroups
from containerlab.runtime.identity import Identity, boot_id, open_process, starttime

__all__ = [
    "ProcessFacts",
    "cgroup_stats",
    "memory",
    "namespace_pids",
    "network_counters",
    "open_root",
    "processes",
    "pss",
]

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGESIZE")
_COUNTED = ("bytes", "packets", "errors", "dropped")
# A program's arguments can be megabytes; a list of processes needs their beginning.
_COMMAND_LIMIT = 4096


@dataclass(frozen=True, slots=True)
class ProcessFacts:
    """A line of ``top``: ids as the host has them, ``cpu_s`` and ``started_s`` (since boot) in seconds, RSS bytes.

    ``tty`` is the controlling terminal as ps(1) names it: ``pts/0`` as the container's devpts counts, ``?`` for none.
    """

    pid: int
    ppid: int
    uid: int
    name: str
    command: str
    tty: str
    cpu_s: float
    started_s: float
    rss: int


def pss(pids: Iterable[int]) -> int:
    """Bytes of proportional set size (proc(5), smaps_rollup) of the processes that are still there."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii", errors="replace") as file:
                total += sum(int(line.split()[1]) << 10 for line in file if line.startswith("Pss:"))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total


def memory(paths: Mapping[str, str]) -> int | None:
    """Bytes that a container's cgroup accounts to it; None where memory isn't accounted."""
    return cgroup_stats(paths).get("memory", {}).get("usage")


def cgroup_stats(paths: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """The accounting of the cgroup that these paths are (see ``cgroups.Cgroup.stats``)."""
    cgroup = cgroups.open_cgroup(paths)
    try:
        return cgroup.stats()
    finally:
        cgroup.close()


def processes(pids: Iterable[int]) -> list[ProcessFacts]:
    """Facts of each process that is still there, in order of pid."""
    found = (_process(pid) for pid in sorted(pids))
    return [facts for facts in found if facts is not None]


def namespace_pids(pid: int) -> list[int]:
    """Every process in the PID namespace of ``pid``, and in those below it that it can see; none once it has ended."""
    try:
        wanted = os.stat(f"/proc/{pid}/ns/pid").st_ino  # noqa: PTH116
    except (FileNotFoundError, ProcessLookupError):
        return []
    found = []
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdigit():
            try:
                if os.stat(f"/proc/{name}/ns/pid").st_ino == wanted:  # noqa: PTH116
                    found.append(int(name))
            except OSError:
                continue
    return found


def network_counters(pid: int) -> dict[str, dict[str, int]]:
    """Bytes, packets, errors and drops of each interface that the process sees, but loopback; none once it has ended.

    See proc(5), /proc/PID/net/dev: two lines of titles, eight columns received, eight sent.
    """
    try:
        with open(f"/proc/{pid}/net/dev", encoding="ascii") as file:
            lines = file.read().splitlines()[2:]
    except OSError:
        return {}
    counters = {}
    for line in lines:
        name, _, columns = line.partition(":")
        if name.strip() != "lo":
            numbers = [int(word) for word in columns.split()]
            received = dict(zip(_COUNTED, numbers, strict=False))
            sent = dict(zip(_COUNTED, numbers[8:], strict=False))
            counters[name.strip()] = {
                **{f"rx_{what}": count for what, count in received.items()},
                **{f"tx_{what}": count for what, count in sent.items()},
            }
    return counters


def open_root(pid: int, started: int) -> int:
    """An O_PATH descriptor of the root of the process with that start time; ``ProcessLookupError`` when it has ended.

    The process is held by a pidfd and looked at again after the open, so that the root is never a later one's.
    """
    identity = Identity(pid, started, boot_id())
    pidfd = open_process(identity)
    root = -1
    try:
        root = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        if starttime(pid) != started:
            raise ProcessLookupError(3, "No such process", str(pid))
    except (FileNotFoundError, ProcessLookupError):
        if root >= 0:
            os.close(root)
        raise ProcessLookupError(3, "No such process", str(pid)) from None
    finally:
        os.close(pidfd)
    return root


def _process(pid: int) -> ProcessFacts | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            before, _, after = file.read().rpartition(b")")
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read(_COMMAND_LIMIT).rstrip(b"\0").replace(b"\0", b" ")
        uid = os.stat(f"/proc/{pid}").st_uid  # noqa: PTH116
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = after.split()
    name = before.partition(b"(")[2].decode(errors="replace")
    return ProcessFacts(
        pid=pid,
        ppid=int(fields[1]),
        uid=uid,
        name=name,
        command=words.decode(errors="replace") or f"[{name}]",
        tty=_terminal(int(fields[4])),
        cpu_s=(int(fields[11]) + int(fields[12])) / _TICKS,
        started_s=int(fields[19]) / _TICKS,
        rss=int(fields[21]) * _PAGE,
    )


def _terminal(device: int) -> str:
    """The name of a ``tty_nr`` (proc(5), /proc/PID/stat, field 7); Unix98 terminals have the majors 136 to 143."""
    major, minor = os.major(device), os.minor(device)
    if 136 <= major <= 143:
        return f"pts/{(major - 136) * 256 + minor}"
    return f"tty{minor}" if major == 4 else "?"
