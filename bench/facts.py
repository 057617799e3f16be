"""On what the figures were taken: the machine and the versions, without a name or a path of either."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
from typing import Any

from containerlab.runtime.cgroups import driver

__all__ = ["facts", "load"]

_PROGRAMS = {
    "crun": ["crun", "--version"],
    "dockerd": ["dockerd", "--version"],
    "docker CLI": ["docker", "--version"],
    "containerd": ["containerd", "--version"],
    "runc": ["runc", "--version"],
    "busybox": ["busybox"],
}
_PACKAGES = ("containerlab", "docker", "aiohttp", "msgspec")


def facts() -> dict[str, Any]:
    """``machine`` and ``versions``, for build/bench.json and the report."""
    machine = {
        "cpus": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "cgroup": driver().kind,
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", ""),
    }
    versions = {"python": platform.python_version()}
    versions |= {package: importlib.metadata.version(package) for package in _PACKAGES}
    versions |= {name: _first_line(command) for name, command in _PROGRAMS.items()}
    return {"machine": machine, "versions": versions}


def load() -> float:
    """Processes that wanted a CPU, averaged over the last minute: above the number of CPUs, figures are noise."""
    return round(os.getloadavg()[0], 2)


def _first_line(command: list[str]) -> str:
    if shutil.which(command[0]) is None:
        return "not installed"
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip().split("\n")[0]
