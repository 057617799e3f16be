"""The options of ``run`` and ``create``: one table, Docker's names, and the struct that they fill."""

from __future__ import annotations

__all__ = ["RunOptions", "container_options", "run_options"]

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from containerlab.commands import values

_Command = TypeVar("_Command", bound=Callable[..., Any])


@dataclass
class RunOptions:
    """What was said on the line; field names are click's, types are those of :mod:`~containerlab.commands.values`."""

    image: str
    command: tuple[str, ...] = ()
    name: str | None = None
    replace: bool = False
    interactive: bool = False
    tty: bool = False
    detach: bool = False
    rm: bool = False
    raising: bool = True
    env: tuple[str, ...] = ()
    env_file: tuple[Path, ...] = ()
    workdir: str | None = None
    user: str | None = None
    entrypoint: str | None = None
    label: tuple[str, ...] = ()
    stop_signal: str | None = None
    stop_timeout: int | None = None
    restart: dict[str, Any] | None = None
    init: bool = False
    runtime: str | None = None
    volume: tuple[str, ...] = ()
    mount: tuple[dict[str, Any], ...] = ()
    tmpfs: tuple[str, ...] = ()
    read_only: bool = False
    shm_size: int | None = None
    device: tuple[dict[str, str], ...] = ()
    memory: int | None = None
    memory_swap: int | None = None
    cpus: int | None = None
    cpuset_cpus: str | None = None
    pids_limit: int | None = None
    ulimit: tuple[dict[str, Any], ...] = ()
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    privileged: bool = False
    group_add: tuple[str, ...] = ()
    sysctl: tuple[str, ...] = ()
    pid: str | None = None
    ipc: str | None = None
    uts: str | None = None
    network: str | None = None
    hostname: str | None = None
    add_host: tuple[str, ...] = ()


def _many(*names: str, help: str, **rest: Any) -> Callable[[_Command], _Command]:
    return click.option(*names, multiple=True, help=help, **rest)


def _flag(*names: str, help: str) -> Callable[[_Command], _Command]:
    return click.option(*names, is_flag=True, help=help)


_PROGRAM = [
    click.option("--name", metavar="NAME", help="Name the container; without it a name is made up."),
    _flag("--replace", help="First remove the container that has this --name, running or not."),
    _flag("-i", "--interactive", help="Keep the program's standard input open."),
    _flag("-t", "--tty", help="Give the program a terminal of its own."),
    _many("-e", "--env", metavar="K=V", help="Set an environment variable; K=@name takes a Python variable."),
    _many("--env-file", type=click.Path(path_type=Path), help="Read environment variables from a file."),
    click.option("-w", "--workdir", metavar="DIR", help="Start in this folder of the container."),
    click.option("-u", "--user", metavar="USER[:GROUP]", help="Run as this user of the container."),
    click.option("--entrypoint", metavar="PROGRAM", help="Run this in place of the image's ENTRYPOINT."),
    _many("-l", "--label", metavar="K=V", help="Note something on the container."),
    click.option("--stop-signal", metavar="SIGNAL", help="What `stop` sends (the image's STOPSIGNAL, else SIGTERM)."),
    click.option("--stop-timeout", type=int, metavar="SECONDS", help="How long `stop` waits before it kills (10)."),
    click.option("--restart", type=values.RESTART, help="Start again: no, always, unless-stopped, on-failure[:N]."),
    _flag("--init", help="Run a small init as PID 1: it passes signals on and reaps orphans."),
    click.option(
        "--runtime", metavar="NAME", help="What runs the container; `vm` boots the image in a virtual machine."
    ),
]
_FILES = [
    _many("-v", "--volume", metavar="HOST:DIR[:ro]", help="Show a folder of the host inside (a bind mount)."),
    _many("--mount", type=values.MOUNT, metavar="MOUNT", help="The same, spelled out: type=bind,src=DIR,dst=DIR[,ro]."),
    _many("--tmpfs", metavar="DIR[:OPTIONS]", help="An empty folder in memory."),
    _flag("--read-only", help="Make the container's root file system read-only."),
    click.option("--shm-size", type=values.BYTES, help="Size of /dev/shm (64m)."),
    _many("--device", type=values.DEVICE, metavar="HOST[:DIR[:rwm]]", help="Let it use a device of the host."),
]
_LIMITS = [
    click.option("-m", "--memory", type=values.BYTES, help="Memory limit, as in 64m."),
    click.option("--memory-swap", type=values.BYTES, help="Memory and swap together; -1 for no limit on swap."),
    click.option("--cpus", type=values.CPUS, help="Processor time, in processors, as in 0.5."),
    click.option("--cpuset-cpus", metavar="LIST", help="Run on these processors alone, as in 0-1 or 0,2."),
    click.option("--pids-limit", type=int, metavar="N", help="At most this many processes; -1 for no limit."),
    _many("--ulimit", type=values.ULIMIT, help="A resource limit of each process, as in nofile=64:128."),
]
_ISOLATION = [
    _many("--cap-add", metavar="CAP", help="Add a Linux capability, as in NET_ADMIN, or ALL."),
    _many("--cap-drop", metavar="CAP", help="Take a Linux capability away, or ALL."),
    _many("--security-opt", metavar="OPTION", help="no-new-privileges, seccomp=unconfined or seccomp=FILE."),
    _flag("--privileged", help="All capabilities and devices, no seccomp: hardly a sandbox any more."),
    _many("--group-add", metavar="GROUP", help="One more group for the user."),
    _many("--sysctl", metavar="K=V", help="Set a kernel parameter of the container's namespaces."),
    click.option("--pid", metavar="MODE", help="PID namespace: host, or container:NAME to share."),
    click.option("--ipc", metavar="MODE", help="IPC namespace: private, shareable, none, host, or container:NAME."),
    click.option("--uts", metavar="MODE", help="UTS (host name) namespace: host."),
    click.option("--network", "--net", metavar="NETWORK", help="Network: none, host, or container:NAME."),
    click.option("-h", "--hostname", metavar="NAME", help="The container's host name (its short id)."),
    _many("--add-host", metavar="HOST:IP", help="A line for the container's /etc/hosts."),
]
_RUN = [
    _flag("-d", "--detach", help="Run in the background; give the container's id."),
    _flag("--rm", help="Remove the container when its program ends."),
    click.option(
        "--no-raise", "raising", is_flag=True, flag_value=False, default=True,
        help="In a notebook: let the cell succeed whatever the program's exit code is.",
    ),
]  # fmt: skip


def container_options(command: _Command) -> _Command:
    """The options that ``create`` and ``run`` share."""
    for option in reversed([*_PROGRAM, *_FILES, *_LIMITS, *_ISOLATION]):
        command = option(command)
    return command


def run_options(command: _Command) -> _Command:
    """Those of ``run`` alone, first."""
    command = container_options(command)
    for option in reversed(_RUN):
        command = option(command)
    return command
