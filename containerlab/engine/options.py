"""Which options of a create request this engine carries out, and a refusal by name for every other.

An option that is accepted and then ignored would teach something false; so each field of ``HostConfig`` is
carried out by ``bundle``, ``mounts`` or ``resources``, or it must have Docker's default here.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable
from typing import Any

from containerlab.engine.cpusets import check_cpusets
from containerlab.engine.health import check_health
from containerlab.engine.log_options import check_log
from containerlab.engine.models import ContainerConfig, HostConfig
from containerlab.engine.restart import check_policy
from containerlab.engine.signals import parse_signal
from containerlab.errors import HostLacks, InvalidParameter

__all__ = ["check_limits", "check_not_carried_out", "check_request", "network_mode", "split_security"]

_INSTEAD = "Leave it out: no option is accepted here that would be ignored."

# Field of HostConfig: the option's name, its harmless values.
_NOT_CARRIED_OUT: dict[str, tuple[str, tuple[Any, ...]]] = {
    "volume_driver": ("--volume-driver", ("", "local")),
    "cgroup": ("Cgroup", ("",)),
    "cgroup_parent": ("--cgroup-parent", ("",)),
    "storage_opt": ("--storage-opt", ({},)),
    "userns_mode": ("--userns", ("", "host")),  # no container has one of its own here, so host is what each has
    "blkio_weight": ("--blkio-weight", (0,)),
    "blkio_weight_device": ("--blkio-weight-device", ([],)),
    "blkio_device_read_bps": ("--device-read-bps", ([],)),
    "blkio_device_write_bps": ("--device-write-bps", ([],)),
    "blkio_device_read_iops": ("--device-read-iops", ([],)),
    "blkio_device_write_iops": ("--device-write-iops", ([],)),
    "cpu_realtime_period": ("--cpu-rt-period", (0,)),
    "cpu_realtime_runtime": ("--cpu-rt-runtime", (0,)),
    "kernel_memory": ("--kernel-memory", (0,)),
    "kernel_memory_tcp": ("KernelMemoryTCP", (0,)),
    "cpu_count": ("--cpu-count", (0,)),
    "cpu_percent": ("--cpu-percent", (0,)),
    "io_maximum_iops": ("--io-maxiops", (0,)),
    "io_maximum_bandwidth": ("--io-maxbandwidth", (0,)),
}

_MODES = {"--cgroupns": "cgroup namespace"}

_IPC_SYSCTLS = frozenset(
    f"kernel.{name}" for name in ("msgmax", "msgmnb", "msgmni", "sem", "shmall", "shmmax", "shmmni", "shm_rmid_forced")
)

# What the engine tells the runtime in the same place (docs/interfaces.md).
_OWN_ANNOTATIONS = "containerlab."


def network_mode(host: HostConfig) -> str:
    """``none``, ``host``, ``container:NAME``, a network's name or id or, for Docker's default, ``default``."""
    mode = host.network_mode or "default"
    return "default" if mode == "bridge" else mode


def check_request(config: ContainerConfig, host: HostConfig) -> None:
    """Raise for what can't be granted; of networks that is ``network_plan``'s to say."""
    check_not_carried_out(host)
    for check in _CHECKS:
        check(config, host)
    check_policy(host.restart_policy, auto_remove=host.auto_remove)


def check_not_carried_out(host: HostConfig) -> None:
    """Raise InvalidParameter, by its name, for an option that nothing here carries out."""
    for request in host.device_requests or []:
        kinds = " ".join(f"[{' '.join(either)}]" for either in request.get("Capabilities") or [])
        raise InvalidParameter(
            f'could not select device driver "{request.get("Driver") or ""}" with capabilities: [{kinds}]',
            hint="--gpus isn't carried out by this engine.",
        )
    if host.isolation not in ("", "default"):
        raise InvalidParameter(f"Invalid isolation: {host.isolation!r} - linux only supports 'default'")
    for field, (option, harmless) in _NOT_CARRIED_OUT.items():
        if getattr(host, field) not in harmless:
            raise InvalidParameter(f"{option} isn't carried out by this engine yet.", hint=_INSTEAD)


def split_security(option: str) -> tuple[str, str]:
    """Name and value of a ``--security-opt``, that Docker takes with ``=`` or with ``:`` (a profile has colons too)."""
    ends = [at for at in (option.find("="), option.find(":")) if at >= 0]
    return (option[: min(ends)], option[min(ends) + 1 :]) if ends else (option, "")


def _check_network_settings(config: ContainerConfig, host: HostConfig) -> None:
    if config.network_disabled:
        raise InvalidParameter("NetworkDisabled isn't carried out by this engine.", hint="Use --network none.")
    mode = host.network_mode.partition(":")[0]
    if host.links and mode in ("host", "container"):
        kind = "host type networking" if mode == "host" else "container type network"
        raise InvalidParameter(
            f"conflicting options: {kind} can't be used with links. This would result in undefined behavior"
        )
    # On a user network they are a note: what holds are the links of its endpoint, as in Docker.
    if host.links and mode == "none":
        raise InvalidParameter("conflicting options: without a network nothing can be linked")
    if config.hostname and host.uts_mode == "host":
        raise InvalidParameter("conflicting options: hostname and the UTS mode")


def _check_modes(config: ContainerConfig, host: HostConfig) -> None:
    for option, value, allowed in (
        ("--pid", host.pid_mode, ("", "private", "host")),
        ("--ipc", host.ipc_mode, ("", "private", "shareable", "none", "host")),
        ("--uts", host.uts_mode, ("", "private", "host")),
        ("--cgroupns", host.cgroupns_mode, ("", "private", "host")),
    ):
        if option == "--pid" and value.startswith("container:"):
            continue
        if value.startswith("container:"):
            raise InvalidParameter(f"{option} {value}: joining another container isn't carried out yet.", hint=_INSTEAD)
        if value not in allowed:
            raise InvalidParameter(f"invalid {_MODES.get(option, option[2:].upper())} mode: {value}")


def _check_log(config: ContainerConfig, host: HostConfig) -> None:
    check_log(host.log_config)


def _check_runtime(config: ContainerConfig, host: HostConfig) -> None:
    if host.runtime not in ("", "containerlab", "runc", "native", "vm"):
        raise InvalidParameter(f"unknown or invalid runtime name: {host.runtime}", hint="There are native and vm.")


def _check_words(config: ContainerConfig, host: HostConfig) -> None:
    for entry in host.extra_hosts:
        name, separator, address = entry.replace("=", ":", 1).partition(":")
        if not name or not separator:
            raise InvalidParameter(f'bad format for add-host: "{entry}"')
        try:
            ipaddress.ip_address(address.strip("[]"))
        except ValueError:
            raise InvalidParameter(f'invalid IP address in add-host: "{address}"') from None
    for name in host.sysctls:
        _check_sysctl(name, host)
    for name in host.annotations:
        if not name or name.startswith(_OWN_ANNOTATIONS):
            raise InvalidParameter(f"invalid annotation {name!r}: names that begin with {_OWN_ANNOTATIONS} are taken")


def _check_sysctl(name: str, host: HostConfig) -> None:
    """Those alone that a namespace keeps to itself (runc libcontainer/configs/validate)."""
    in_ipc = name in _IPC_SYSCTLS or name.startswith("fs.mqueue.")
    if name.startswith("net."):
        if host.network_mode == "host":
            raise InvalidParameter(f"sysctl '{name}' not allowed in host network namespace")
    elif in_ipc:
        if host.ipc_mode == "host":
            raise InvalidParameter(f"sysctl '{name}' not allowed in host ipc namespace")
    elif name not in ("kernel.domainname", "kernel.hostname"):
        raise InvalidParameter(f"sysctl '{name}' is not in a separate kernel namespace")


def _check_values(config: ContainerConfig, host: HostConfig) -> None:
    check_health(config.healthcheck)
    parse_signal(config.stop_signal)
    if not -1000 <= host.oom_score_adj <= 1000:
        raise InvalidParameter(f"Invalid value {host.oom_score_adj}, range for oom score adj is [-1000, 1000]")
    if host.shm_size < 0:
        raise InvalidParameter("SHM size can not be less than 0")
    if config.working_dir and not config.working_dir.startswith("/"):
        raise InvalidParameter(
            f"the working directory '{config.working_dir}' is invalid, it needs to be an absolute path"
        )
    if len(config.hostname) > 64:
        raise InvalidParameter(f"invalid hostname {config.hostname!r}: more than 64 characters")


def _check_resources(config: ContainerConfig, host: HostConfig) -> None:
    check_limits(host)


def check_limits(host: HostConfig) -> None:
    """Raise InvalidParameter, in Docker's words, for limits that can't be (moby daemon/daemon_unix.go)."""
    if host.memory and host.memory < 6 << 20:
        raise InvalidParameter("Minimum memory limit allowed is 6MB")
    if host.memory_swap > 0 and not host.memory:
        raise InvalidParameter("You should always set the Memory limit when using Memoryswap limit, see usage")
    if host.memory and 0 < host.memory_swap < host.memory:
        raise InvalidParameter("Minimum memoryswap limit should be larger than memory limit, see usage")
    if host.memory_reservation and host.memory_reservation < 6 << 20:
        raise InvalidParameter("Minimum memory reservation allowed is 6MB")
    if host.memory and host.memory_reservation > host.memory:
        raise InvalidParameter("Minimum memory limit can not be less than memory reservation limit, see usage")
    for value, name in ((host.cpu_period, "Period"), (host.cpu_quota, "Quota")):
        if host.nano_cpus and value:
            raise InvalidParameter(f"Conflicting options: Nano CPUs and CPU {name} cannot both be set")
    cpus = os.cpu_count() or 1
    if not 0 <= host.nano_cpus <= cpus * 1_000_000_000:
        raise InvalidParameter(f"Range of CPUs is from 0.01 to {cpus}.00, as there are only {cpus} CPUs available")
    if host.cpu_period and not 1000 <= host.cpu_period <= 1_000_000:
        raise InvalidParameter("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)")
    if 0 < host.cpu_quota < 1000:
        raise InvalidParameter("CPU cfs quota can not be less than 1ms (i.e. 1000)")
    check_cpusets(host)


def _check_security(config: ContainerConfig, host: HostConfig) -> None:
    for option in host.security_opt:
        name, value = split_security(option)
        granted = {
            "no-new-privileges": value in ("", "true", "false"),
            "seccomp": value in ("unconfined", "builtin") or value.startswith("{"),
            "apparmor": value == "unconfined",
            "label": value == "disable",
        }
        if name not in granted:
            raise InvalidParameter(f"invalid --security-opt 2: {option!r}")
        if name == "no-new-privileges" and not granted[name]:
            raise InvalidParameter(f"invalid --security-opt 2: {option!r}")
        if not granted[name]:
            raise HostLacks(f"--security-opt {option}: this engine has no {name} profile of that name.")


_CHECKS: tuple[Callable[[ContainerConfig, HostConfig], None], ...] = (
    _check_network_settings,
    _check_modes,
    _check_log,
    _check_runtime,
    _check_words,
    _check_values,
    _check_resources,
    _check_security,
)
