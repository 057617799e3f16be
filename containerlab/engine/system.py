"""``info``, ``version`` and what the host can do, in Docker's shape and with honest values."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import re
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from containerlab import __version__
from containerlab.engine.build_cache import cache_view
from containerlab.engine.image_views import list_view as image_view
from containerlab.engine.log_options import DRIVERS
from containerlab.engine.parts import Parts
from containerlab.engine.settings import Settings
from containerlab.engine.sizes import sizes_of
from containerlab.engine.views import GRAPH_DRIVER, list_view
from containerlab.engine.volumes import Volumes
from containerlab.runtime import cgroups
from containerlab.runtime.userns import in_user_namespace

__all__ = ["API_VERSION", "DISK_KINDS", "MIN_API_VERSION", "System"]

API_VERSION = "1.50"
MIN_API_VERSION = "1.24"

DISK_KINDS = frozenset({"container", "image", "volume", "build-cache"})

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_PROBE_SECONDS = 60.0


class System:
    """Answers about the engine as a whole."""

    def __init__(self, parts: Parts, volumes: Volumes) -> None:
        self._parts = parts
        self._volumes = volumes
        self._host: dict[str, Any] | None = None

    async def info(self) -> dict[str, Any]:
        """Docker's info; what this engine has no word for is left out rather than made up."""
        return {**self._counts(), **self._about_host(), **self._about_engine(), **_limits(), "Warnings": _warnings()}

    def _counts(self) -> dict[str, int]:
        states = [container.state.status for container in self._parts.registry]
        running, paused = states.count("running"), states.count("paused")
        return {
            "Containers": len(states),
            "ContainersRunning": running,
            "ContainersPaused": paused,
            "ContainersStopped": len(states) - running - paused,
            "Images": len(self._parts.images.list()),
        }

    def _about_host(self) -> dict[str, Any]:
        return {
            "Name": platform.node(),
            "KernelVersion": platform.release(),
            "OperatingSystem": _os_release().get("PRETTY_NAME", "Linux"),
            "OSVersion": _os_release().get("VERSION_ID", ""),
            "OSType": "linux",
            "Architecture": platform.machine(),
            "NCPU": len(os.sched_getaffinity(0)),
            "MemTotal": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGESIZE"),
            "SystemTime": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "CgroupDriver": "cgroupfs" if cgroups.driver().controllers else "none",
            "CgroupVersion": "2" if cgroups.driver().kind == "v2" else "1",
        }

    def _about_engine(self) -> dict[str, Any]:
        settings = self._parts.settings
        options = ["name=seccomp,profile=builtin"] + (["name=rootless"] if in_user_namespace() else [])
        return {
            "ID": self._parts.engine_id,
            "Driver": GRAPH_DRIVER,
            "DriverStatus": [
                ["Backing Filesystem", _file_system(settings.store)],
                ["userxattr", str(in_user_namespace()).lower()],
                ["Processes a container", str(settings.pids_limit or "unlimited")],
                ["Log rotation", f"{settings.log_max_size} bytes, {settings.log_max_file} files"],
                ["Ports publish on", settings.publish_ip],
            ],
            "DockerRootDir": str(settings.store),
            "ServerVersion": __version__,
            "Plugins": {
                "Volume": ["local"],
                "Network": ["bridge", "host", "null"],
                "Authorization": None,
                "Log": _LOG_DRIVERS,
            },
            "LoggingDriver": "json-file",
            "Runtimes": {"native": {"path": "containerlab"}, "vm": {"path": "containerlab-vm"}},
            "DefaultRuntime": "native",
            "Swarm": {"LocalNodeState": "inactive", "NodeID": "", "NodeAddr": "", "ControlAvailable": False},
            "LiveRestoreEnabled": True,
            "SecurityOptions": options,
            "InitBinary": "tini",
            "IndexServerAddress": "https://index.docker.io/v1/",
            "RegistryConfig": _registries(settings),
            "ExperimentalBuild": False,
            "Debug": False,
            "NFd": len(os.listdir("/proc/self/fd")),  # noqa: PTH208
            "NEventsListener": self._parts.events.subscribers,
            "Labels": [],
        }

    def version(self) -> dict[str, Any]:
        """Docker's version."""
        machine = platform.machine()
        details = {
            "ApiVersion": API_VERSION,
            "MinAPIVersion": MIN_API_VERSION,
            "Os": "linux",
            "Arch": _ARCHITECTURES.get(machine, machine),
            "KernelVersion": platform.release(),
        }
        return {
            "Platform": {"Name": "containerlab"},
            "Components": [
                {"Name": "Engine", "Version": __version__, "Details": {**details, "Python": platform.python_version()}}
            ],
            "Version": __version__,
            "GitCommit": "",
            "GoVersion": f"Python {platform.python_version()}",
            "BuildTime": "",
            **details,
        }

    async def host(self) -> dict[str, Any]:
        """The body of ``GET /containerlab/host``; tried once, by ``doctor`` in a process of its own with one thread."""
        if self._host is None:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "containerlab", "doctor", "--json"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
            async with asyncio.timeout(_PROBE_SECONDS):
                out, _ = await process.communicate()
            self._host = json.loads(out)
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGESIZE")
        return {**self._host, "boot_id": self._parts.boot_id, "memory": memory}

    async def check(self) -> list[str]:
        """What database, files and processes disagree about, a sentence each."""
        from containerlab.engine.check import check

        return await check(self._parts) + await asyncio.to_thread(self._volumes.problems)

    async def repair(self) -> list[str]:
        """Mend what can be mended; what was done, a sentence each."""
        from containerlab.engine.check import repair

        await self._volumes.mounts.reconcile()
        return await repair(self._parts) + await asyncio.to_thread(self._volumes.repair)

    async def disk_usage(self, kinds: frozenset[str] = DISK_KINDS) -> dict[str, Any]:
        """The body of ``GET /system/df``, of the asked ``kinds`` alone."""
        parts = self._parts
        answer: dict[str, Any] = {}
        if "image" in kinds:
            answer |= await asyncio.to_thread(self._image_usage)
        if "container" in kinds:
            answer["Containers"] = await asyncio.to_thread(self._container_usage)
        if "volume" in kinds:
            answer["Volumes"] = await asyncio.to_thread(self._volumes.usage)
        if "build-cache" in kinds:
            answer["BuildCache"] = await asyncio.to_thread(
                cache_view, parts.images, parts.settings.store / "build-cache"
            )
        return answer

    def _image_usage(self) -> dict[str, Any]:
        users = [container.record.image for container in self._parts.registry]
        images = self._parts.images.list()
        needed = {chain for image in images for chain in image.chain_ids}
        shares = Counter(chain for image in images for chain in image.chain_ids)
        layers = [layer for layer in self._parts.images.layers.all() if layer.chain_id in needed]
        sizes = {layer.chain_id: layer.size for layer in layers}
        return {
            "LayersSize": sum(layer.size for layer in layers),
            "Images": [
                {
                    **image_view(image),
                    "Containers": users.count(image.id),
                    "SharedSize": sum(sizes[chain] for chain in image.chain_ids if shares[chain] > 1),
                }
                for image in images
            ],
        }

    def _container_usage(self) -> list[dict[str, Any]]:
        views = []
        for container in self._parts.registry:
            written, whole = sizes_of(self._parts, container)
            views.append({**list_view(container), "SizeRw": written, "SizeRootFs": whole})
        return views


_LOG_DRIVERS = list(DRIVERS)


def _registries(settings: Settings) -> dict[str, Any]:
    """Docker's ``RegistryConfig``: mirrors, and who may do without TLS."""
    networks = [entry for entry in settings.insecure_registries if "/" in entry]
    hosts = [entry for entry in settings.insecure_registries if "/" not in entry]
    mirrors = [f"{mirror}/" for mirror in settings.registry_mirrors]
    indexes = {"docker.io": {"Name": "docker.io", "Mirrors": mirrors, "Secure": True, "Official": True}}
    indexes |= {host: {"Name": host, "Mirrors": [], "Secure": False, "Official": False} for host in hosts}
    return {"InsecureRegistryCIDRs": ["127.0.0.0/8", *networks], "IndexConfigs": indexes, "Mirrors": mirrors}


def _limits() -> dict[str, bool]:
    """Docker's words for the limits that this host can give."""
    features = cgroups.driver().features
    words = {
        "MemoryLimit": "memory",
        "SwapLimit": "memory_swap",
        "CpuCfsPeriod": "cpu_quota",
        "CpuCfsQuota": "cpu_quota",
        "CPUShares": "cpu_shares",
        "CPUSet": "cpuset",
        "PidsLimit": "pids",
        "OomKillDisable": "oom_kill_disable",
    }
    return {
        **{word: features.get(feature, False) for word, feature in words.items()},
        "IPv4Forwarding": Path("/proc/sys/net/ipv4/ip_forward").read_text().strip() == "1",
        "BridgeNfIptables": False,
        "BridgeNfIp6tables": False,
    }


def _warnings() -> list[str]:
    """One for each limit that can't be had here, with its reason."""
    return [f"WARNING: No {name} limit support: {reason}" for name, reason in sorted(cgroups.driver().missing.items())]


def _os_release() -> dict[str, str]:
    try:
        text = Path("/etc/os-release").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    return {key: value.strip("\"'") for key, value in re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE)}


def _file_system(folder: Path) -> str:
    """The type of the file system that holds ``folder`` (proc(5), mountinfo)."""
    device = folder.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        fields, _, tail = line.partition(" - ")
        if fields.split()[2] == wanted:
            return tail.split()[0]
    return "unknown"
