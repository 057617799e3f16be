"""The options of ``run`` and ``create``: one table, Docker's names, and the struct that they fill.

All of Docker's are here. What the engine can't carry out it refuses by name; only what is the client's own to do is
refused here. Options that nothing on this host can carry out don't stand in the help.
"""

from __future__ import annotations

__all__ = ["RunOptions", "container_options", "run_options"]

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from containerlab.commands import values
from containerlab.commands.mount_value import MOUNT
from containerlab.commands.parsing import Option, content_trust, refused_flag

_Command = TypeVar("_Command", bound=Callable[..., Any])
_Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


@dataclass
class RunOptions:
    """What was said on the line; field names are click's, types are those of :mod:`~containerlab.commands.values`."""

    image: str
    command: tuple[str, ...] = ()
    name: str | None = None
    replace: bool = False
    interactive: bool = False
    tty: bool = False
    attach: tuple[str, ...] = ()
    detach: bool = False
    detach_keys: str | None = None
    sig_proxy: bool = True
    rm: bool = False
    raising: bool = True
    cidfile: Path | None = None
    pull: str = "missing"
    quiet: bool = False
    platform: str | None = None
    env: tuple[str, ...] = ()
    env_file: tuple[Path, ...] = ()
    workdir: str | None = None
    user: str | None = None
    entrypoint: str | None = None
    label: tuple[str, ...] = ()
    label_file: tuple[Path, ...] = ()
    annotation: tuple[str, ...] = ()
    stop_signal: str | None = None
    stop_timeout: int | None = None
    restart: dict[str, Any] | None = None
    init: bool = False
    runtime: str | None = None
    health_cmd: str | None = None
    health_interval: int = 0
    health_timeout: int = 0
    health_retries: int = 0
    health_start_period: int = 0
    health_start_interval: int = 0
    no_healthcheck: bool = False
    log_driver: str | None = None
    log_opt: tuple[str, ...] = ()
    volume: tuple[str, ...] = ()
    mount: tuple[dict[str, Any], ...] = ()
    tmpfs: tuple[str, ...] = ()
    volumes_from: tuple[str, ...] = ()
    volume_driver: str | None = None
    read_only: bool = False
    shm_size: int | None = None
    storage_opt: tuple[str, ...] = ()
    device: tuple[dict[str, str], ...] = ()
    device_cgroup_rule: tuple[str, ...] = ()
    gpus: dict[str, Any] | None = None
    memory: int | None = None
    memory_reservation: int | None = None
    memory_swap: int | None = None
    memory_swappiness: int | None = None
    kernel_memory: int | None = None
    oom_kill_disable: bool = False
    oom_score_adj: int | None = None
    cpus: int | None = None
    cpu_shares: int | None = None
    cpu_period: int | None = None
    cpu_quota: int | None = None
    cpu_rt_period: int | None = None
    cpu_rt_runtime: int | None = None
    cpu_count: int | None = None
    cpu_percent: int | None = None
    cpuset_cpus: str | None = None
    cpuset_mems: str | None = None
    blkio_weight: int | None = None
    blkio_weight_device: tuple[dict[str, Any], ...] = ()
    device_read_bps: tuple[dict[str, Any], ...] = ()
    device_write_bps: tuple[dict[str, Any], ...] = ()
    device_read_iops: tuple[dict[str, Any], ...] = ()
    device_write_iops: tuple[dict[str, Any], ...] = ()
    io_maxbandwidth: int | None = None
    io_maxiops: int | None = None
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
    userns: str | None = None
    cgroupns: str | None = None
    cgroup_parent: str | None = None
    isolation: str | None = None
    network: tuple[str, ...] = ()
    hostname: str | None = None
    domainname: str | None = None
    add_host: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    dns_option: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    publish: tuple[str, ...] = ()
    publish_all: bool = False
    expose: tuple[str, ...] = ()
    link: tuple[str, ...] = ()
    ip: str | None = None
    ip6: str | None = None
    link_local_ip: tuple[str, ...] = ()
    mac_address: str | None = None
    network_alias: tuple[str, ...] = ()


class _Section:
    """Makes the options that stand under one heading."""

    def __init__(self, title: str) -> None:
        self._title = title

    def one(self, *names: str, help: str = "", **rest: Any) -> _Decorator:
        """An option with a value; without ``help`` it doesn't stand in the help."""
        return click.option(*names, cls=Option, section=self._title, help=help, hidden=not help, **rest)

    def many(self, *names: str, help: str = "", **rest: Any) -> _Decorator:
        """The same, any number of times."""
        return self.one(*names, help=help, multiple=True, **rest)

    def flag(self, *names: str, help: str, **rest: Any) -> _Decorator:
        return self.one(*names, help=help, is_flag=True, **rest)


_program, _files, _network = _Section("The program"), _Section("Files and devices"), _Section("Network")
_limits, _isolation, _watch, _client = (
    _Section("Limits"),
    _Section("Isolation"),
    _Section("Health and logs"),
    _Section("Options"),
)
_FILE = click.Path(path_type=Path)
_STREAM = click.Choice(["stdin", "stdout", "stderr"], case_sensitive=False)

_RUN = [
    _client.flag("-d", "--detach", help="Run in the background; give the container's id."),
    _client.one("--detach-keys", metavar="KEYS", help="The keys that go away and leave it running (ctrl-p,ctrl-q)."),
    _client.flag("--sig-proxy", default=True, help="Pass signals on (as it is; =false keeps them)."),
    _client.flag(
        "--no-raise", "raising", flag_value=False, default=True,
        help="In a notebook: let the cell succeed whatever the program's exit code is.",
    ),
]  # fmt: skip
_CLIENT: list[_Decorator] = [
    _client.flag("--rm", help="Remove the container, and its anonymous volumes, when its program ends."),
    _client.one("--name", metavar="NAME", help="Name the container; without it a name is made up."),
    _client.flag("--replace", help="First remove the container that has this --name, running or not."),
    _client.flag("-i", "--interactive", help="Keep the program's standard input open."),
    _client.flag("-t", "--tty", help="Give the program a terminal of its own."),
    _client.many("-a", "--attach", type=_STREAM, help="Join these streams alone: stdin, stdout, stderr."),
    _client.one("--cidfile", type=_FILE, metavar="FILE", help="Write the container's id to this file."),
    _client.one(
        "--pull", type=click.Choice(["always", "missing", "never"]), default="missing",
        help="When to ask the registry for the image (missing).",
    ),
    _client.flag("-q", "--quiet", help="Say nothing of a pull."),
    _client.one("--platform", metavar="OS/ARCH", help="The image's platform, which must be this host's."),
    content_trust,
    refused_flag("--use-api-socket", why="a container that drives its engine owns it; bind the socket by -v instead"),
]  # fmt: skip
_PROGRAM = [
    _program.many("-e", "--env", metavar="K=V", help="Set an environment variable; K=@name takes a Python variable."),
    _program.many("--env-file", type=_FILE, metavar="FILE", help="Read environment variables from a file."),
    _program.one("-w", "--workdir", metavar="DIR", help="Start in this folder of the container."),
    _program.one("-u", "--user", metavar="USER[:GROUP]", help="Run as this user of the container."),
    _program.many("--group-add", metavar="GROUP", help="One more group for the user."),
    _program.one("--entrypoint", metavar="PROGRAM", help="Run this in place of the image's ENTRYPOINT."),
    _program.many("-l", "--label", metavar="K=V", help="Note something on the container."),
    _program.many("--label-file", type=_FILE, metavar="FILE", help="Read labels from a file."),
    _program.many("--annotation", metavar="K=V", help="Note something for the runtime."),
    _program.one("--stop-signal", metavar="SIGNAL", help="What `stop` sends (the image's STOPSIGNAL, else SIGTERM)."),
    _program.one("--stop-timeout", type=int, metavar="SECONDS", help="How long `stop` waits before it kills (10)."),
    _program.one("--restart", type=values.RESTART, help="Start again: no, always, unless-stopped, on-failure[:N]."),
    _program.flag("--init", help="Run a small init as PID 1: it passes signals on and reaps orphans."),
    _program.one(
        "--runtime", metavar="NAME", help="What runs the container; `vm` boots the image in a virtual machine."
    ),
]
_WATCH = [
    _watch.one("--health-cmd", metavar="COMMAND", help="Check health by this shell command."),
    _watch.one("--health-interval", type=values.DURATION, default=0, help="Time between two checks (30s)."),
    _watch.one("--health-timeout", type=values.DURATION, default=0, help="A check that takes longer has failed (30s)."),
    _watch.one("--health-retries", type=int, default=0, metavar="N", help="Unhealthy after so many failures (3)."),
    _watch.one("--health-start-period", type=values.DURATION, default=0, help="No failure counts for so long (0s)."),
    _watch.one(
        "--health-start-interval", type=values.DURATION, default=0, help="Time between checks in that period (5s)."
    ),
    _watch.flag("--no-healthcheck", help="No check, whatever the image says."),
    _watch.one("--log-driver", metavar="NAME", help="Where output is kept: json-file, local or none."),
    _watch.many("--log-opt", metavar="K=V", help="max-size=10m or max-file=3."),
]
_FILES = [
    _files.many(
        "-v", "--volume", metavar="HOST:DIR[:ro]", help="Show a host folder or a named volume; DIR alone: a fresh one."
    ),
    _files.many("--mount", type=MOUNT, metavar="MOUNT", help="The same, spelled out: type=bind,src=DIR,dst=DIR[,ro]."),
    _files.many("--tmpfs", metavar="DIR[:OPTIONS]", help="An empty folder in memory."),
    _files.many("--volumes-from", metavar="CONTAINER", help="Mount what this container has mounted."),
    _files.one("--volume-driver"),
    _files.flag("--read-only", help="Make the container's root file system read-only."),
    _files.one("--shm-size", type=values.BYTES, help="Size of /dev/shm (64m)."),
    _files.many("--storage-opt"),
    _files.many("--device", type=values.DEVICE, metavar="HOST[:DIR[:rwm]]", help="Let it use a device of the host."),
    _files.many("--device-cgroup-rule", metavar="RULE", help="Let it use devices by number, as in 'c 1:3 rw'."),
    _files.one("--gpus", type=values.GPUS),
]
_LIMITS = [
    _limits.one("-m", "--memory", type=values.BYTES, help="Memory limit, as in 64m."),
    _limits.one("--memory-swap", type=values.SWAP, help="Memory and swap together; -1 for no limit on swap."),
    _limits.one("--memory-reservation", type=values.BYTES, help="Memory that it keeps when the host runs short."),
    _limits.one("--memory-swappiness", type=int, metavar="0-100", help="How willingly its memory is swapped out."),
    _limits.one("--kernel-memory", type=values.BYTES),
    _limits.flag("--oom-kill-disable", help="Don't kill it for memory: let it wait."),
    _limits.one("--oom-score-adj", type=int, metavar="N", help="Kill it sooner or later than others (-1000 to 1000)."),
    _limits.one("--cpus", type=values.CPUS, help="Processor time, in processors, as in 0.5."),
    _limits.one("-c", "--cpu-shares", type=int, metavar="N", help="Its weight where processors are short (1024)."),
    _limits.one("--cpu-period", type=int, metavar="US", help="The period of --cpu-quota, in microseconds."),
    _limits.one("--cpu-quota", type=int, metavar="US", help="Processor time in each period, in microseconds."),
    _limits.one("--cpuset-cpus", metavar="LIST", help="Run on these processors alone, as in 0-1 or 0,2."),
    _limits.one("--cpuset-mems", metavar="LIST", help="Use the memory of these NUMA nodes alone."),
    *(_limits.one(name, type=int) for name in ("--cpu-rt-period", "--cpu-rt-runtime", "--cpu-count", "--cpu-percent")),
    _limits.one("--pids-limit", type=int, metavar="N", help="At most this many processes; -1 for no limit."),
    _limits.many("--ulimit", type=values.ULIMIT, help="A resource limit of each process, as in nofile=64:128."),
    _limits.one("--blkio-weight", type=click.IntRange(0, 65535)),
    _limits.many("--blkio-weight-device", type=values.WEIGHT),
    *(_limits.many(f"--device-{way}-bps", type=values.BYTES_RATE) for way in ("read", "write")),
    *(_limits.many(f"--device-{way}-iops", type=values.IO_RATE) for way in ("read", "write")),
    _limits.one("--io-maxbandwidth", type=values.BYTES),
    _limits.one("--io-maxiops", type=click.IntRange(0)),
]
_ISOLATION = [
    _isolation.many("--cap-add", metavar="CAP", help="Add a Linux capability, as in NET_ADMIN, or ALL."),
    _isolation.many("--cap-drop", metavar="CAP", help="Take a Linux capability away, or ALL."),
    _isolation.many("--security-opt", metavar="OPTION", help="no-new-privileges, seccomp=unconfined or seccomp=FILE."),
    _isolation.flag("--privileged", help="All capabilities and devices, no seccomp: hardly a sandbox any more."),
    _isolation.many("--sysctl", metavar="K=V", help="Set a kernel parameter of the container's namespaces."),
    _isolation.one("--pid", metavar="MODE", help="PID namespace: host, or container:NAME to share."),
    _isolation.one("--ipc", metavar="MODE", help="IPC namespace: private, shareable, none, host, or container:NAME."),
    _isolation.one("--uts", metavar="MODE", help="UTS (host name) namespace: host."),
    _isolation.one("--cgroupns", metavar="MODE", help="Cgroup namespace: private or host."),
    _isolation.one("--userns", metavar="MODE", help="User namespace: host, which is the engine's."),
    *(_isolation.one(name) for name in ("--cgroup-parent", "--isolation")),
]
_NETWORK = [
    _network.many("--network", "--net", metavar="NETWORK", help="Network: none, host, or container:NAME."),
    _network.one("-h", "--hostname", metavar="NAME", help="The container's host name (its short id)."),
    _network.one("--domainname", metavar="NAME", help="The container's NIS domain name."),
    _network.many("--add-host", metavar="HOST:IP", help="A line for the container's /etc/hosts."),
    _network.many("--dns", metavar="IP", help="Ask this name server."),
    _network.many("--dns-option", "--dns-opt", metavar="OPTION", help="An option line of /etc/resolv.conf."),
    _network.many("--dns-search", metavar="DOMAIN", help="Look names up in this domain too."),
    _network.many("-p", "--publish", metavar="[IP:][HOST:]PORT", help="Publish a port of the container on the host."),
    _network.flag("-P", "--publish-all", help="Publish every exposed port on a free port of the host."),
    _network.many("--expose", metavar="PORT", help="Note that the program listens on this port."),
    _network.many("--network-alias", "--net-alias", metavar="NAME"),
    _network.many("--link", metavar="CONTAINER"),
    *(_network.one(name) for name in ("--ip", "--ip6", "--mac-address")),
    _network.many("--link-local-ip"),
]  # fmt: skip


def container_options(command: _Command) -> _Command:
    """The options that ``create`` and ``run`` share."""
    return _decorated(command, [*_CLIENT, *_PROGRAM, *_FILES, *_NETWORK, *_LIMITS, *_ISOLATION, *_WATCH])


def run_options(command: _Command) -> _Command:
    """Those of ``run`` alone, first."""
    container_options(command)
    return _decorated(command, _RUN)


def _decorated(command: _Command, options: Sequence[_Decorator]) -> _Command:
    """click collects the options on the function itself."""
    for option in reversed(options):
        option(command)
    return command
