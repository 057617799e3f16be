"""What a build may be asked for, beside its Dockerfile and its context."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field

from containerlab.errors import InvalidParameter

__all__ = ["PREDEFINED_ARGS", "BuildOptions", "Resources", "check_platform", "host_architecture", "platform_args"]

PREDEFINED_ARGS = frozenset(
    name
    for word in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
    for name in (word, word.lower())
)
"""Build arguments that RUN sees without an ARG; they stay out of cache and history unless there is one."""

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_NETWORKS = ("", "default", "none", "host")


@dataclass(frozen=True, slots=True)
class Resources:
    """Limits of each RUN, as ``docker build`` takes them: bytes, shares, microseconds; 0 or empty is no limit."""

    memory: int = 0
    memory_swap: int = 0
    cpu_shares: int = 0
    cpu_period: int = 0
    cpu_quota: int = 0
    cpuset_cpus: str = ""
    cpuset_mems: str = ""

    def to_oci(self) -> dict[str, object]:
        """``linux.resources`` without the device rules."""
        cpu = {
            "shares": self.cpu_shares,
            "period": self.cpu_period,
            "quota": self.cpu_quota,
            "cpus": self.cpuset_cpus,
            "mems": self.cpuset_mems,
        }
        result: dict[str, object] = {"cpu": {name: value for name, value in cpu.items() if value}}
        if self.memory:
            # Docker's default lets as much again be swapped.
            result["memory"] = {"limit": self.memory, "swap": self.memory_swap or 2 * self.memory}
        return {name: value for name, value in result.items() if value}


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """The options of ``docker build``.

    ``build_args`` maps to None where the value was to come from the client's environment and there was none.
    ``extra_hosts`` are ``NAME:ADDRESS``. ``shm_size`` is bytes, 0 the default. ``secrets`` are what
    ``RUN --mount=type=secret`` may show, by id. ``platform``, ``squash``, ``ssh`` and ``outputs`` are refused where
    this builder can't grant them, never ignored.
    """

    tags: tuple[str, ...] = ()
    dockerfile: str = "Dockerfile"
    build_args: Mapping[str, str | None] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    target: str = ""
    platform: str = ""
    no_cache: bool = False
    pull: bool = False
    quiet: bool = False
    network_mode: str = ""
    extra_hosts: tuple[str, ...] = ()
    shm_size: int = 0
    resources: Resources = field(default_factory=Resources)
    squash: bool = False
    cache_from: tuple[str, ...] = ()
    secrets: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    ssh: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()

    def check(self) -> None:
        """Raise InvalidParameter for what this builder can't grant."""
        refused = {
            "squash": "--squash isn't supported: layers are kept as the Dockerfile makes them",
            "ssh": "--ssh isn't supported: no agent is forwarded",
            "outputs": "--output isn't supported: a build's result is an image of this store",
        }
        for name, message in refused.items():
            if getattr(self, name):
                raise InvalidParameter(message)
        if self.network_mode not in _NETWORKS:
            raise InvalidParameter(
                f"network mode {self.network_mode!r} isn't supported by build", hint="it is default, none or host"
            )
        check_platform(self.platform)
        for entry in self.extra_hosts:
            name, _, address = entry.replace("=", ":", 1).partition(":")
            if not name or not address or any(character.isspace() for character in entry):
                raise InvalidParameter(f"invalid extra host {entry!r}", hint="expected NAME:ADDRESS")


def check_platform(asked: str) -> None:
    """Raise InvalidParameter for a platform other than this host's."""
    if not asked:
        return
    system, _, architecture = asked.partition("/")
    architecture = architecture.split("/")[0] or host_architecture()
    if system != "linux" or architecture != host_architecture():
        raise InvalidParameter(
            f"platform {asked} can't be built here", hint=f"this host builds linux/{host_architecture()}"
        )


def host_architecture() -> str:
    """This host's architecture under Go's name: ``amd64``, ``arm64``."""
    machine = platform.machine()
    return _ARCHITECTURES.get(machine, machine)


def platform_args() -> dict[str, str]:
    """The automatic arguments of the global scope: ``TARGETPLATFORM`` and its kin."""
    architecture = host_architecture()
    return {
        f"{kind}{name}": value
        for kind in ("BUILD", "TARGET")
        for name, value in (("PLATFORM", f"linux/{architecture}"), ("OS", "linux"), ("ARCH", architecture))
    }
