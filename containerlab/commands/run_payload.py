"""From ``run``'s options to the body of ``POST /containers/create``, one section a function.

Source: Docker Engine API 1.41, ``ContainerCreate``; docker/cli ``container/opts.go`` for what an option means.
"""

from __future__ import annotations

__all__ = ["create_payload", "environment", "streams"]

import json
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from containerlab.commands.run_network import endpoints, network_mode, ports
from containerlab.commands.run_options import RunOptions
from containerlab.commands.values import pairs, read_env_file
from containerlab.errors import UsageError
from containerlab.lab import lessons

Payload = dict[str, Any]

_HYPHENS = re.compile(r"(?<=[a-z])(?=[A-Z])")


def create_payload(options: RunOptions, variable: Callable[[str], str] = str) -> Payload:
    """The request's JSON. ``variable`` gives a Python variable's text for ``@name``. Raises UsageError."""
    exposed, bindings = ports(options)
    payload = {
        **_program(options, variable),
        "Healthcheck": _health(options),
        "Volumes": {volume: {} for volume in options.volume if _is_anonymous(volume)} or None,
        "ExposedPorts": exposed or None,
    }
    payload["HostConfig"] = _without_none(
        {
            **_files(options),
            **_limits(options),
            **_block_io(options),
            **_isolation(options),
            **_network(options),
            **_life(options),
            "PortBindings": bindings or None,
            "LogConfig": _log(options),
        }
    )
    joined = endpoints(options)
    payload["NetworkingConfig"] = {"EndpointsConfig": joined} if joined else None
    return _without_none(payload)


def environment(words: Iterable[str], files: Iterable[Path], variable: Callable[[str], str]) -> list[str]:
    """``Env``: files first, then ``-e``; a name alone takes the caller's own value, if it has one."""
    found = []
    for word in [*(line for path in files for line in read_env_file(path)), *words]:
        name, equals, value = word.partition("=")
        if not name:
            raise UsageError(f"-e {word}: KEY=VALUE is expected.")
        if equals:
            found.append(f"{name}={variable(value)}")
        elif name in os.environ:
            found.append(f"{name}={os.environ[name]}")
    return found


def _program(options: RunOptions, variable: Callable[[str], str]) -> Payload:
    joined = streams(options)
    labels = [*(line for path in options.label_file for line in read_env_file(path, "--label-file")), *options.label]
    return {
        "Image": options.image,
        "Cmd": list(options.command) or None,
        "Entrypoint": None if options.entrypoint is None else [options.entrypoint],
        "Env": environment(options.env, options.env_file, variable),
        "Labels": {**lessons.labels(), **(pairs(labels, "--label", bare=True) or {})},
        "WorkingDir": options.workdir,
        "User": options.user,
        "Hostname": options.hostname,
        "Domainname": options.domainname,
        "Tty": options.tty,
        "OpenStdin": options.interactive,
        "StdinOnce": options.interactive and "stdin" in joined,
        "AttachStdin": "stdin" in joined,
        "AttachStdout": "stdout" in joined,
        "AttachStderr": "stderr" in joined,
        "StopSignal": options.stop_signal,
        "StopTimeout": options.stop_timeout,
    }


def streams(options: RunOptions) -> tuple[str, ...]:
    """The streams to be joined: those of ``-a``, else stdout and stderr; with ``-i`` stdin too. Raises UsageError."""
    if options.attach and options.detach:
        raise UsageError("conflicting options: cannot specify both --attach and --detach")
    if options.detach:
        return ()
    return (("stdin",) if options.interactive else ()) + (options.attach or ("stdout", "stderr"))


def _health(options: RunOptions) -> Payload | None:
    """``Healthcheck``, spans in nanoseconds; nothing where no option speaks of it."""
    spans = {
        "Interval": options.health_interval,
        "Timeout": options.health_timeout,
        "StartPeriod": options.health_start_period,
        "StartInterval": options.health_start_interval,
        "Retries": options.health_retries,
    }
    said: Payload = {key: value for key, value in spans.items() if value}
    if options.health_cmd:
        said["Test"] = ["CMD-SHELL", options.health_cmd]
    if options.no_healthcheck:
        if said:
            raise UsageError("--no-healthcheck conflicts with --health-* options")
        return {"Test": ["NONE"]}
    for key, value in spans.items():
        if value < 0:
            raise UsageError(f"--health-{_HYPHENS.sub('-', key).lower()} cannot be negative")
    return said or None


def _log(options: RunOptions) -> Payload | None:
    if options.log_driver == "none" and options.log_opt:
        raise UsageError("invalid logging opts for driver none")
    if options.log_driver is None and not options.log_opt:
        return None
    return {"Type": options.log_driver or "", "Config": pairs(options.log_opt, "--log-opt", bare=True)}


def _files(options: RunOptions) -> Payload:
    return {
        "Binds": [_bind(volume) for volume in options.volume if not _is_anonymous(volume)] or None,
        "Mounts": list(options.mount) or None,
        "Tmpfs": dict(_tmpfs(word) for word in options.tmpfs) or None,
        "VolumesFrom": list(options.volumes_from) or None,
        "VolumeDriver": options.volume_driver,
        "ReadonlyRootfs": options.read_only or None,
        "ShmSize": options.shm_size,
        "StorageOpt": pairs(options.storage_opt, "--storage-opt") or None,
        "Devices": list(options.device) or None,
        "DeviceCgroupRules": list(options.device_cgroup_rule) or None,
        "DeviceRequests": [options.gpus] if options.gpus else None,
    }


def _limits(options: RunOptions) -> Payload:
    if options.memory_swappiness is not None and not -1 <= options.memory_swappiness <= 100:
        raise UsageError(f"invalid value: {options.memory_swappiness}. Valid memory swappiness range is 0-100")
    return {
        "Memory": options.memory,
        "MemoryReservation": options.memory_reservation,
        "MemorySwap": options.memory_swap,
        "MemorySwappiness": None if options.memory_swappiness == -1 else options.memory_swappiness,
        "KernelMemory": options.kernel_memory,
        "OomKillDisable": options.oom_kill_disable or None,
        "OomScoreAdj": options.oom_score_adj,
        "NanoCpus": options.cpus,
        "CpuShares": options.cpu_shares,
        "CpuPeriod": options.cpu_period,
        "CpuQuota": options.cpu_quota,
        "CpuRealtimePeriod": options.cpu_rt_period,
        "CpuRealtimeRuntime": options.cpu_rt_runtime,
        "CpuCount": options.cpu_count,
        "CpuPercent": options.cpu_percent,
        "CpusetCpus": options.cpuset_cpus,
        "CpusetMems": options.cpuset_mems,
        "PidsLimit": options.pids_limit,
        "Ulimits": list(options.ulimit) or None,
    }


def _block_io(options: RunOptions) -> Payload:
    return {
        "BlkioWeight": options.blkio_weight,
        "BlkioWeightDevice": list(options.blkio_weight_device) or None,
        "BlkioDeviceReadBps": list(options.device_read_bps) or None,
        "BlkioDeviceWriteBps": list(options.device_write_bps) or None,
        "BlkioDeviceReadIOps": list(options.device_read_iops) or None,
        "BlkioDeviceWriteIOps": list(options.device_write_iops) or None,
        "IOMaximumBandwidth": options.io_maxbandwidth,
        "IOMaximumIOps": options.io_maxiops,
    }


def _isolation(options: RunOptions) -> Payload:
    return {
        "CapAdd": list(options.cap_add) or None,
        "CapDrop": list(options.cap_drop) or None,
        "SecurityOpt": [_security(word) for word in options.security_opt] or None,
        "Privileged": options.privileged or None,
        "GroupAdd": list(options.group_add) or None,
        "Sysctls": pairs(options.sysctl, "--sysctl") or None,
        "PidMode": options.pid,
        "IpcMode": options.ipc,
        "UTSMode": options.uts,
        "UsernsMode": options.userns,
        "CgroupnsMode": options.cgroupns,
        "CgroupParent": options.cgroup_parent,
        "Isolation": options.isolation,
    }


def _network(options: RunOptions) -> Payload:
    return {
        "NetworkMode": network_mode(options),
        "ExtraHosts": list(options.add_host) or None,
        "Dns": list(options.dns) or None,
        "DnsOptions": list(options.dns_option) or None,
        "DnsSearch": list(options.dns_search) or None,
        "Links": list(options.link) or None,
        "PublishAllPorts": options.publish_all or None,
    }


def _life(options: RunOptions) -> Payload:
    if options.rm and options.restart is not None and options.restart["Name"] != "no":
        raise UsageError("conflicting options: cannot specify both --restart and --rm")
    return {
        "AutoRemove": options.rm or None,
        "RestartPolicy": options.restart,
        "Init": options.init or None,
        "Runtime": options.runtime,
        "Annotations": pairs(options.annotation, "--annotation") or None,
        "ContainerIDFile": str(options.cidfile) if options.cidfile else None,
    }


def _is_anonymous(volume: str) -> bool:
    """A destination alone: a volume without a name, that the container takes with it."""
    return ":" not in volume


def _bind(word: str) -> str:
    """``.`` and ``~`` are the caller's folders, which the engine can't know."""
    source, _, rest = word.partition(":")
    if source.startswith((".", "~")):
        source = str(Path(source).expanduser().resolve())
    return f"{source}:{rest}"


def _tmpfs(word: str) -> tuple[str, str]:
    target, _, options = word.partition(":")
    return target, options


def _security(word: str) -> str:
    """``seccomp=FILE`` carries the file's text: the engine may not see the caller's files."""
    name, equals, value = word.partition("=")
    if name != "seccomp" or not equals or value in ("unconfined", "builtin"):
        return word
    try:
        profile = json.loads(Path(value).read_text())
    except (OSError, ValueError) as error:
        raise UsageError(f"--security-opt {word}: {getattr(error, 'strerror', None) or 'not JSON'}.") from error
    return f"seccomp={json.dumps(profile, separators=(',', ':'))}"


def _without_none(payload: Payload) -> Payload:
    return {key: value for key, value in payload.items() if value is not None}
