"""What a Compose project is once its files are read, merged and checked: the normalised forms, and nothing left to
decide.

Names are those of the Compose specification (https://github.com/compose-spec/compose-spec). Short forms are expanded,
paths are absolute, times are nanoseconds, sizes are bytes; ``None``, ``""`` and an empty collection mean that no file
says it.
"""

from __future__ import annotations

__all__ = [
    "Blob",
    "BlobUse",
    "Build",
    "Dependency",
    "Deploy",
    "Device",
    "ExternalLink",
    "Healthcheck",
    "IpamPool",
    "Logging",
    "Mount",
    "Network",
    "NetworkUse",
    "Port",
    "Project",
    "Resources",
    "RestartPolicy",
    "Service",
    "Ulimit",
    "Volume",
    "VolumesFrom",
]

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from containerlab.compose.nodes import Place
from containerlab.errors import ComposeError

Condition = Literal["service_started", "service_healthy", "service_completed_successfully"]


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a project; equal parts are the same configuration."""


class Port(_Part, frozen=True, kw_only=True):
    """One target port. ``published`` is a host's port, a range to choose from (``8000-8010``) or ``""`` (any free one);
    ``host_ip`` is ``""`` where the file names none."""

    target: int
    published: str = ""
    host_ip: str = ""
    protocol: str = "tcp"
    mode: str = "ingress"
    name: str = ""
    app_protocol: str = ""


class Mount(_Part, frozen=True, kw_only=True):
    """``source`` is a key of ``Project.volumes`` (``""``: an anonymous volume), or an absolute path of the host for a
    bind."""

    type: Literal["volume", "bind", "tmpfs"]
    target: str
    source: str = ""
    read_only: bool = False
    consistency: str = ""
    propagation: str = ""  # bind: rprivate, rshared, …
    create_host_path: bool = False  # bind: make a missing directory, as ``-v`` does
    selinux: str = ""  # bind: "z" or "Z"
    nocopy: bool = False  # volume
    subpath: str = ""  # volume
    tmpfs_size: int | None = None  # bytes
    tmpfs_mode: int | None = None  # permission bits
    short: bool = False  # written as SOURCE:TARGET[:MODE]


class NetworkUse(_Part, frozen=True, kw_only=True):
    """How a service sits on one of ``Project.networks``."""

    aliases: tuple[str, ...] = ()
    ipv4_address: str = ""
    ipv6_address: str = ""
    link_local_ips: tuple[str, ...] = ()
    mac_address: str = ""
    driver_opts: dict[str, str] = {}
    priority: int = 0
    gw_priority: int = 0


class Dependency(_Part, frozen=True, kw_only=True):
    """What must be true of another service first. ``restart``: restart this one when that one is recreated;
    not ``required``: go on with a warning where it can't be had."""

    condition: Condition = "service_started"
    restart: bool = False
    required: bool = True


class Build(_Part, frozen=True, kw_only=True):
    """``context`` is an absolute path; ``dockerfile`` a path relative to it, unless absolute. An argument of None
    takes no value."""

    context: str
    dockerfile: str = ""
    dockerfile_inline: str = ""
    args: dict[str, str | None] = {}
    target: str = ""
    cache_from: tuple[str, ...] = ()
    no_cache: bool = False
    pull: bool = False
    labels: dict[str, str] = {}
    network: str = ""
    shm_size: int | None = None
    extra_hosts: tuple[str, ...] = ()
    secrets: tuple[BlobUse, ...] = ()
    tags: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()


class Healthcheck(_Part, frozen=True, kw_only=True):
    """``test`` is Docker's: ``("CMD", …)``, ``("CMD-SHELL", …)``, ``("NONE",)``, or empty for the image's own."""

    test: tuple[str, ...] = ()
    interval: int | None = None
    timeout: int | None = None
    start_period: int | None = None
    start_interval: int | None = None
    retries: int | None = None
    disable: bool = False


class Resources(_Part, frozen=True, kw_only=True):
    """Limits or reservations of ``deploy.resources``: processors, bytes, processes."""

    cpus: float | None = None
    memory: int | None = None
    pids: int | None = None


class RestartPolicy(_Part, frozen=True, kw_only=True):
    """``deploy.restart_policy``."""

    condition: Literal["none", "on-failure", "any"] = "any"
    max_attempts: int | None = None

    def restart(self) -> str:
        """The same as Docker's word."""
        if self.condition == "on-failure":
            return f"on-failure:{self.max_attempts}" if self.max_attempts else "on-failure"
        return "no" if self.condition == "none" else "always"


class Deploy(_Part, frozen=True, kw_only=True):
    """The part of ``deploy`` that one host can carry out."""

    replicas: int | None = None
    labels: dict[str, str] = {}
    limits: Resources = Resources()
    reservations: Resources = Resources()
    restart_policy: RestartPolicy | None = None


class Logging(_Part, frozen=True, kw_only=True):
    driver: str = ""
    options: dict[str, str] = {}


class Ulimit(_Part, frozen=True, kw_only=True):
    soft: int
    hard: int


class Device(_Part, frozen=True, kw_only=True):
    source: str
    target: str
    permissions: str = "rwm"


class ExternalLink(_Part, frozen=True, kw_only=True):
    """A container outside the project, and its name inside."""

    container: str
    alias: str


class VolumesFrom(_Part, frozen=True, kw_only=True):
    """``name`` is a service's, or with ``container`` a container's outside the project."""

    name: str
    container: bool = False
    read_only: bool = False


class BlobUse(_Part, frozen=True, kw_only=True):
    """A secret or config inside a container. ``source`` is a key of the project's; ``target`` absolute (of a build: the
    secret's id); ``mode`` permission bits, None for the default (0444)."""

    source: str
    target: str
    uid: str = ""
    gid: str = ""
    mode: int | None = None


class Service(_Part, frozen=True, kw_only=True):
    """One service, everything said about it.

    ``command`` and ``entrypoint``: None is the image's own, ``()`` clears it. In ``environment``, where ``env_file``
    is merged in already, None takes the variable away. ``scale`` is the number of containers (``scale``, else
    ``deploy.replicas``, else 1), ``restart`` Docker's word (``no``, ``always``, ``unless-stopped``,
    ``on-failure[:N]``; from ``deploy.restart_policy`` where the service itself says none), and limits of
    ``deploy.resources`` stand in ``cpus``, ``mem_limit``, ``mem_reservation`` and ``pids_limit`` too. A service
    without ``network_mode`` is on ``networks``, which then isn't empty.
    """

    name: str
    image: str = ""
    build: Build | None = None
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    environment: dict[str, str | None] = {}
    ports: tuple[Port, ...] = ()
    expose: tuple[str, ...] = ()  # "80", "80-90/udp"
    volumes: tuple[Mount, ...] = ()
    volumes_from: tuple[VolumesFrom, ...] = ()
    tmpfs: tuple[str, ...] = ()  # PATH[:OPTIONS], as --tmpfs
    networks: dict[str, NetworkUse] = {}
    network_mode: str = ""  # none, host, bridge, service:NAME, container:NAME, a network's name
    depends_on: dict[str, Dependency] = {}  # implied ones (links, volumes_from, service:NAME) among them
    links: dict[str, tuple[str, ...]] = {}  # service to its names inside
    external_links: tuple[ExternalLink, ...] = ()
    healthcheck: Healthcheck | None = None
    deploy: Deploy | None = None
    scale: int = 1
    profiles: tuple[str, ...] = ()
    secrets: tuple[BlobUse, ...] = ()
    configs: tuple[BlobUse, ...] = ()
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    container_name: str = ""
    hostname: str = ""
    domainname: str = ""
    mac_address: str = ""
    extra_hosts: tuple[str, ...] = ()  # HOST:ADDRESS
    dns: tuple[str, ...] = ()
    dns_opt: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    user: str = ""
    group_add: tuple[str, ...] = ()
    working_dir: str = ""
    restart: str = ""
    stop_signal: str = ""
    stop_grace_period: int | None = None
    init: bool | None = None
    tty: bool = False
    stdin_open: bool = False
    attach: bool = True  # its output is shown by ``up``
    privileged: bool = False
    read_only: bool = False
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    devices: tuple[Device, ...] = ()
    device_cgroup_rules: tuple[str, ...] = ()
    sysctls: dict[str, str] = {}
    ulimits: dict[str, Ulimit] = {}
    logging: Logging | None = None
    ipc: str = ""  # service:NAME too
    pid: str = ""  # service:NAME too
    uts: str = ""
    userns_mode: str = ""
    cgroup: str = ""
    cgroup_parent: str = ""
    cpus: float | None = None
    cpuset: str = ""
    cpu_shares: int | None = None
    cpu_period: int | None = None  # microseconds
    cpu_quota: int | None = None
    cpu_rt_period: int | None = None
    cpu_rt_runtime: int | None = None
    mem_limit: int | None = None
    mem_reservation: int | None = None
    memswap_limit: int | None = None  # -1: no limit
    mem_swappiness: int | None = None
    oom_kill_disable: bool = False
    oom_score_adj: int | None = None
    pids_limit: int | None = None
    shm_size: int | None = None
    storage_opt: dict[str, str] = {}
    pull_policy: str = ""  # always, never, missing, build, daily, weekly, every_DURATION
    platform: str = ""
    runtime: str = ""
    isolation: str = ""


class IpamPool(_Part, frozen=True, kw_only=True):
    subnet: str = ""
    ip_range: str = ""
    gateway: str = ""
    aux_addresses: dict[str, str] = {}


class Network(_Part, frozen=True, kw_only=True):
    """``name`` is the engine's name for it (``PROJECT_KEY`` unless the file or ``external`` says another)."""

    name: str
    driver: str = ""
    driver_opts: dict[str, str] = {}
    external: bool = False
    internal: bool = False
    attachable: bool = False
    enable_ipv4: bool | None = None
    enable_ipv6: bool | None = None
    ipam_driver: str = ""
    ipam_options: dict[str, str] = {}
    ipam: tuple[IpamPool, ...] = ()
    labels: dict[str, str] = {}


class Volume(_Part, frozen=True, kw_only=True):
    """As ``Network``."""

    name: str
    driver: str = ""
    driver_opts: dict[str, str] = {}
    external: bool = False
    labels: dict[str, str] = {}


class Blob(_Part, frozen=True, kw_only=True):
    """A secret or a config: exactly one of ``file`` (absolute), ``environment`` (a variable of
    ``Project.environment``), ``content`` (configs) and ``external`` is set."""

    name: str
    file: str = ""
    environment: str = ""
    content: str | None = None
    external: bool = False
    labels: dict[str, str] = {}


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """All of an application.

    ``services`` are those that run: their profiles are on, or they have none; the rest stands in ``disabled``
    (``select.select`` moves what a command names). ``environment`` is what interpolation saw: the caller's variables
    over the ``.env`` files'. ``warnings`` are sentences for the user. ``places`` says where each part is written: its
    path (``services.web.ports[0]``) to a ``Place``, which is ``file:line:column`` as text. ``faults`` is what stands
    in the way of a service that isn't enabled. ``files`` is empty where the file was a cell's body.
    """

    name: str
    working_dir: Path
    files: tuple[Path, ...] = ()
    services: dict[str, Service] = {}
    disabled: dict[str, Service] = {}
    networks: dict[str, Network] = {}
    volumes: dict[str, Volume] = {}
    secrets: dict[str, Blob] = {}
    configs: dict[str, Blob] = {}
    profiles: tuple[str, ...] = ()
    environment: Mapping[str, str] = {}
    warnings: tuple[str, ...] = ()
    places: Mapping[str, Place] = {}
    faults: dict[str, ComposeError] = {}
