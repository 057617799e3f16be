"""From ``run``'s options to the body of ``POST /containers/create``, one section a function.

Source: Docker Engine API 1.41, ``ContainerCreate``; docker/cli ``container/opts.go`` for what an option means.
"""

from __future__ import annotations

__all__ = ["create_payload", "environment"]

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from containerlab.commands.run_options import RunOptions
from containerlab.commands.values import pairs, read_env_file
from containerlab.errors import UsageError

Payload = dict[str, Any]


def create_payload(options: RunOptions, variable: Callable[[str], str] = str) -> Payload:
    """The request's JSON. ``variable`` gives a Python variable's text for ``@name``. Raises UsageError."""
    payload = _program(options, variable)
    payload["HostConfig"] = _without_none(
        {**_files(options), **_limits(options), **_isolation(options), **_life(options)}
    )
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
    attached = not options.detach
    return {
        "Image": options.image,
        "Cmd": list(options.command) or None,
        "Entrypoint": None if options.entrypoint is None else [options.entrypoint],
        "Env": environment(options.env, options.env_file, variable),
        "Labels": pairs(options.label, "--label", bare=True),
        "WorkingDir": options.workdir,
        "User": options.user,
        "Hostname": options.hostname,
        "Tty": options.tty,
        "OpenStdin": options.interactive,
        "StdinOnce": options.interactive and attached,
        "AttachStdin": options.interactive and attached,
        "AttachStdout": attached,
        "AttachStderr": attached,
        "StopSignal": options.stop_signal,
        "StopTimeout": options.stop_timeout,
    }


def _files(options: RunOptions) -> Payload:
    return {
        "Binds": [_bind(volume) for volume in options.volume] or None,
        "Mounts": list(options.mount) or None,
        "Tmpfs": dict(_tmpfs(word) for word in options.tmpfs) or None,
        "ReadonlyRootfs": options.read_only or None,
        "ShmSize": options.shm_size,
        "Devices": list(options.device) or None,
    }


def _limits(options: RunOptions) -> Payload:
    return {
        "Memory": options.memory,
        "MemorySwap": options.memory_swap,
        "NanoCpus": options.cpus,
        "CpusetCpus": options.cpuset_cpus,
        "PidsLimit": options.pids_limit,
        "Ulimits": list(options.ulimit) or None,
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
        "NetworkMode": options.network,
        "ExtraHosts": list(options.add_host) or None,
    }


def _life(options: RunOptions) -> Payload:
    return {
        "AutoRemove": options.rm or None,
        "RestartPolicy": options.restart,
        "Init": options.init or None,
        "Runtime": options.runtime,
    }


def _bind(word: str) -> str:
    """``.`` and ``~`` are the caller's folders, which the engine can't know."""
    source, colon, rest = word.partition(":")
    if not colon:
        raise UsageError(
            f"-v {word}: HOST:DIR is expected.", hint="Both sides: what the host shows, and where it appears."
        )
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
