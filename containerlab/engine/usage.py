"""The processes of a running container, in Docker's JSON, and the lab's ``memory``."""

from __future__ import annotations

import asyncio
import json
import shlex
import shutil
import time
from datetime import datetime
from typing import Any

from containerlab.engine.container import Container
from containerlab.errors import HostLacks, InvalidParameter, NoSuchImage
from containerlab.images import Image, ImageStore
from containerlab.rung import PROOT
from containerlab.runtime import cgroups, facts
from containerlab.runtime.proot.tree import programs

__all__ = ["descendants", "memory", "pids_of", "top"]

_PS_SECONDS = 10.0
_EF = ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]


async def top(container: Container, ps_args: str) -> dict[str, Any]:
    """``{"Titles": [...], "Processes": [[...]]}``.

    Docker's default, ``-ef``, is answered from /proc; other arguments need the host's ``ps``, as they do in Docker.
    Raises HostLacks where there is none, InvalidParameter for arguments that it doesn't take.
    """
    pids = pids_of(container)
    if ps_args == "-ef":
        return {"Titles": _EF, "Processes": [_ef_row(process) for process in facts.processes(pids)]}
    program = shutil.which("ps")
    if program is None:
        raise HostLacks(f"top with ps arguments ({ps_args}) needs the host's ps", hint="Debian's package is procps.")
    return await _ps(program, ps_args, pids)


async def memory(container: Container) -> dict[str, Any]:
    """The body of ``GET /containerlab/containers/NAME/memory`` (docs/interfaces.md)."""
    backend = container.record.backend
    pids = pids_of(container)
    answer: dict[str, Any] = {
        "backend": backend,
        "cgroup_bytes": facts.memory(container.cgroup),
        "pss_bytes": await asyncio.to_thread(facts.pss, pids),
        "processes": len(pids),
        "accel": None,
        "assigned_bytes": container.record.host_config.memory or None,
        "disk_bytes": 0,
    }
    if backend == "vm":
        machine = _machine(container)
        if "qemu_pid" in machine:
            answer["pss_bytes"] = await asyncio.to_thread(facts.pss, [machine["qemu_pid"]])
        answer["accel"] = machine.get("accel")
        answer["assigned_bytes"] = machine.get("memory_mb", 0) << 20
        answer["disk_bytes"] = machine.get("disk_bytes", 0)
        answer |= {key: machine[key] for key in ("kernel", "machine", "boot_ms", "stages_ms") if key in machine}
    return answer


def descendants(images: ImageStore, value: str) -> set[str]:
    """The ids of the image ``value`` and of those made on top of it; none for an unknown image, as in Docker."""
    try:
        ancestor = images.resolve(value)
    except (NoSuchImage, InvalidParameter):
        return set()
    return {image.id for image in images.list() if _stands_on(image, ancestor)}


def _stands_on(image: Image, ancestor: Image) -> bool:
    layers, history = ancestor.diff_ids, ancestor.config.history
    return image.diff_ids[: len(layers)] == layers and image.config.history[: len(history)] == history


def pids_of(container: Container) -> list[int]:
    """Its processes: those of its cgroup, or, on a host without any, those of its PID namespace."""
    group = cgroups.open_cgroup(container.cgroup)
    try:
        found = group.pids()
    finally:
        group.close()
    if container.record.backend == PROOT:
        # The init that every container has there shows where it was asked for.
        return programs(container.state.pid, with_init=bool(container.record.host_config.init))
    return found or facts.namespace_pids(container.state.pid)


def _ef_row(process: facts.ProcessFacts) -> list[str]:
    uptime = time.clock_gettime(time.CLOCK_BOOTTIME)
    age = max(uptime - process.started_s, 0.001)
    started = datetime.fromtimestamp(time.time() - age)
    today = started.date() == datetime.now().date()
    minutes, seconds = divmod(int(process.cpu_s), 60)
    return [
        _user(process.uid),
        str(process.pid),
        str(process.ppid),
        str(min(99, int(100 * process.cpu_s / age))),
        started.strftime("%H:%M" if today else "%b%d"),
        process.tty,
        f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}",
        process.command,
    ]


def _user(uid: int) -> str:
    import pwd  # late: it loads the host's name services, which an engine at rest doesn't need

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


async def _ps(program: str, ps_args: str, pids: list[int]) -> dict[str, Any]:
    """Run ``ps`` over the whole host and keep the container's lines (moby daemon/top_unix.go)."""
    try:
        words = shlex.split(ps_args)
    except ValueError as error:
        raise InvalidParameter(f"Error running ps: {ps_args[:200]!r}: {error}") from None
    process = await asyncio.create_subprocess_exec(
        program,
        *words,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        stdin=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(_PS_SECONDS):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode:
        raise InvalidParameter(f"Error running ps: {err.decode(errors='replace').strip()[:200]}")
    lines = out.decode(errors="replace").splitlines()
    titles = lines[0].split() if lines else []
    if "PID" not in titles:
        raise InvalidParameter("Couldn't find PID field in ps output")
    wanted, column, width = {str(pid) for pid in pids}, titles.index("PID"), len(titles)
    rows = [line.split(None, width - 1) for line in lines[1:]]
    return {"Titles": titles, "Processes": [row for row in rows if len(row) > column and row[column] in wanted]}


def _machine(container: Container) -> dict[str, Any]:
    """What the launcher of a virtual machine wrote; nothing until it has."""
    try:
        told: dict[str, Any] = json.loads((container.folder / "vm.json").read_bytes())
    except FileNotFoundError:
        return {}
    return told
