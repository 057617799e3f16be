"""What a container's configuration becomes once the image's is underneath.

Source: moby daemon/commit.go ``merge`` and daemon/create.go.
"""

from __future__ import annotations

import msgspec

from containerlab.engine.models import ContainerConfig, HealthConfig
from containerlab.errors import InvalidParameter

__all__ = ["command_line", "environment", "filled", "merge"]

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def merge(asked: ContainerConfig, image: ContainerConfig) -> ContainerConfig:
    """The request's word wins, the image's fills the rest; raises InvalidParameter where nothing is to be run.

    SHELL and ONBUILD are a build's alone, and stay the image's.
    """
    merged = filled(asked, image)
    if not merged.entrypoint and not merged.cmd:
        raise InvalidParameter("no command specified", hint="Name a command after the image, or give the image a CMD.")
    return merged


def filled(asked: ContainerConfig, image: ContainerConfig) -> ContainerConfig:
    """The same for what need not run: an image in the making."""
    entrypoint, cmd = _commands(asked, image)
    return msgspec.structs.replace(
        asked,
        user=asked.user or image.user,
        exposed_ports={**image.exposed_ports, **asked.exposed_ports},
        env=asked.env + [entry for entry in image.env if _key(entry) not in {_key(e) for e in asked.env}],
        entrypoint=entrypoint,
        cmd=cmd,
        labels={**image.labels, **asked.labels},
        working_dir=asked.working_dir or image.working_dir,
        volumes={**image.volumes, **asked.volumes},
        stop_signal=asked.stop_signal or image.stop_signal,
        healthcheck=_health(asked.healthcheck, image.healthcheck),
    )


def command_line(config: ContainerConfig) -> list[str]:
    """The words that are executed: entrypoint, then command."""
    return [*(config.entrypoint or []), *(config.cmd or [])]


def environment(env: list[str], *, hostname: str, tty: bool) -> list[str]:
    """The process's environment: Docker's own entries, then the configuration's; ``KEY`` alone takes one away."""
    result = {"PATH": _PATH, "HOSTNAME": hostname}
    if tty:
        result["TERM"] = "xterm"
    for entry in env:
        key, equals, value = entry.partition("=")
        if equals:
            result[key] = value
        else:
            result.pop(key, None)
    return [f"{key}={value}" for key, value in result.items()]


def _commands(asked: ContainerConfig, image: ContainerConfig) -> tuple[list[str] | None, list[str] | None]:
    """A new entrypoint drops the image's command; an entrypoint of one empty word drops the image's entrypoint."""
    entrypoint, cmd = asked.entrypoint, asked.cmd
    if not entrypoint:
        cmd = cmd or image.cmd
        entrypoint = image.entrypoint if entrypoint is None else None
    elif entrypoint == [""]:
        entrypoint = None
    return entrypoint, cmd


def _health(asked: HealthConfig | None, image: HealthConfig | None) -> HealthConfig | None:
    if asked is None or image is None:
        return asked or image
    return HealthConfig(
        test=asked.test or image.test,
        interval=asked.interval or image.interval,
        timeout=asked.timeout or image.timeout,
        retries=asked.retries or image.retries,
        start_period=asked.start_period or image.start_period,
        start_interval=asked.start_interval or image.start_interval,
    )


def _key(entry: str) -> str:
    return entry.partition("=")[0]
