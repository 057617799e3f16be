"""The structs that are kept in the database and travel on the wire, under Docker's own names.

Source: the Docker Engine API reference 1.43, ``ContainerConfig``, ``HostConfig``, ``ExecConfig``.
Decoding is as lenient as Docker's: an unknown field is dropped, a name may be in any case (Go's encoding/json),
``null`` means the field's default, and where Docker takes a list of words it takes one string too. ``decode`` and
``encode`` are the only doors.
"""

from __future__ import annotations

import functools
from typing import Any, TypeVar, get_args, get_origin

import msgspec

from containerlab.errors import InvalidParameter

__all__ = [
    "ContainerConfig",
    "DeviceMapping",
    "EndpointConfig",
    "ExecConfig",
    "HealthConfig",
    "HostConfig",
    "LogConfig",
    "Mount",
    "NetworkCreate",
    "NetworkingConfig",
    "PortBinding",
    "RestartPolicy",
    "Ulimit",
    "decode",
    "encode",
]

_WIRE = {
    "uts_mode": "UTSMode",
    "container_id_file": "ContainerIDFile",
    "kernel_memory_tcp": "KernelMemoryTCP",
    "io_maximum_iops": "IOMaximumIOps",
    "io_maximum_bandwidth": "IOMaximumBandwidth",
    "blkio_device_read_iops": "BlkioDeviceReadIOps",
    "blkio_device_write_iops": "BlkioDeviceWriteIOps",
    "ipam_config": "IPAMConfig",
    "ip_address": "IPAddress",
    "network_id": "NetworkID",
    "ip_range": "IPRange",
    "ipam": "IPAM",
    "enable_ipv4": "EnableIPv4",
    "enable_ipv6": "EnableIPv6",
}


def _wire_name(name: str) -> str:
    return _WIRE.get(name) or "".join(word.capitalize() for word in name.split("_"))


class _Model(msgspec.Struct, rename=_wire_name, kw_only=True, omit_defaults=False):
    """A struct whose attribute ``stop_signal`` is ``StopSignal`` on the wire."""


class HealthConfig(_Model):
    """``HEALTHCHECK``; durations in nanoseconds, 0 for inherited."""

    test: list[str] = []
    interval: int = 0
    timeout: int = 0
    retries: int = 0
    start_period: int = 0
    start_interval: int = 0


class ContainerConfig(_Model):
    """What runs in the container, independent of the host; the same struct as an image's ``config``.

    ``cmd``, ``entrypoint`` and ``shell`` are None where the request said nothing, which inherits the image's.
    """

    hostname: str = ""
    domainname: str = ""
    user: str = ""
    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    exposed_ports: dict[str, dict[str, Any] | None] = {}
    tty: bool = False
    open_stdin: bool = False
    stdin_once: bool = False
    env: list[str] = []
    cmd: list[str] | None = None
    healthcheck: HealthConfig | None = None
    args_escaped: bool = False
    image: str = ""
    volumes: dict[str, dict[str, Any] | None] = {}
    working_dir: str = ""
    entrypoint: list[str] | None = None
    network_disabled: bool = False
    mac_address: str = ""
    on_build: list[str] | None = None
    labels: dict[str, str] = {}
    stop_signal: str = ""
    stop_timeout: int | None = None
    shell: list[str] | None = None


class LogConfig(_Model):
    """``json-file`` or ``none``; ``config`` may say ``max-size`` and ``max-file``."""

    type: str = ""
    config: dict[str, str] = {}


class RestartPolicy(_Model):
    """``no`` (or empty), ``always``, ``unless-stopped``, ``on-failure`` with its count (0: no end)."""

    name: str = ""
    maximum_retry_count: int = 0


class Ulimit(_Model):
    """One resource limit, named as in setrlimit(2), in small letters without ``RLIMIT_``."""

    name: str
    soft: int
    hard: int


class PortBinding(_Model):
    """One end of a published port, on the host."""

    host_ip: str = ""
    host_port: str = ""


class DeviceMapping(_Model):
    """A host's device node that the container sees; ``cgroup_permissions`` of ``r``, ``w``, ``m``."""

    path_on_host: str
    path_in_container: str = ""
    cgroup_permissions: str = "rwm"


class BindOptions(_Model):
    """Options of a mount of type ``bind``."""

    propagation: str = ""
    non_recursive: bool = False
    create_mountpoint: bool = False
    read_only_non_recursive: bool = False
    read_only_force_recursive: bool = False


class VolumeOptions(_Model):
    """Options of a mount of type ``volume``."""

    no_copy: bool = False
    labels: dict[str, str] = {}
    driver_config: dict[str, Any] | None = None
    subpath: str = ""


class TmpfsOptions(_Model):
    """Options of a mount of type ``tmpfs``; size in bytes, mode as a number, ``[["exec"]]`` or ``[["noexec"]]``."""

    size_bytes: int = 0
    mode: int = 0
    options: list[list[str]] = []


class Mount(_Model):
    """``--mount``: type ``bind``, ``tmpfs`` or ``volume``."""

    type: str
    source: str = ""
    target: str = ""
    read_only: bool = False
    consistency: str = ""
    bind_options: BindOptions | None = None
    volume_options: VolumeOptions | None = None
    tmpfs_options: TmpfsOptions | None = None


class HostConfig(_Model):
    """What the container gets of the host: Docker's ``HostConfig``, its defaults included."""

    binds: list[str] = []
    container_id_file: str = ""
    log_config: LogConfig = msgspec.field(default_factory=LogConfig)
    network_mode: str = ""
    port_bindings: dict[str, list[PortBinding] | None] = {}
    restart_policy: RestartPolicy = msgspec.field(default_factory=RestartPolicy)
    auto_remove: bool = False
    volume_driver: str = ""
    volumes_from: list[str] = []
    console_size: list[int] = msgspec.field(default_factory=lambda: [0, 0])
    annotations: dict[str, str] = {}
    cap_add: list[str] = []
    cap_drop: list[str] = []
    cgroupns_mode: str = ""
    dns: list[str] = []
    dns_options: list[str] = []
    dns_search: list[str] = []
    extra_hosts: list[str] = []
    group_add: list[str] = []
    ipc_mode: str = ""
    cgroup: str = ""
    links: list[str] = []
    oom_score_adj: int = 0
    pid_mode: str = ""
    privileged: bool = False
    publish_all_ports: bool = False
    readonly_rootfs: bool = False
    security_opt: list[str] = []
    storage_opt: dict[str, str] = {}
    tmpfs: dict[str, str] = {}
    uts_mode: str = ""
    userns_mode: str = ""
    shm_size: int = 0
    sysctls: dict[str, str] = {}
    runtime: str = ""
    isolation: str = ""
    cpu_shares: int = 0
    memory: int = 0
    nano_cpus: int = 0
    cgroup_parent: str = ""
    blkio_weight: int = 0
    blkio_weight_device: list[dict[str, Any]] = []
    blkio_device_read_bps: list[dict[str, Any]] = []
    blkio_device_write_bps: list[dict[str, Any]] = []
    blkio_device_read_iops: list[dict[str, Any]] = []
    blkio_device_write_iops: list[dict[str, Any]] = []
    cpu_period: int = 0
    cpu_quota: int = 0
    cpu_realtime_period: int = 0
    cpu_realtime_runtime: int = 0
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    devices: list[DeviceMapping] = []
    device_cgroup_rules: list[str] = []
    device_requests: list[dict[str, Any]] = []
    kernel_memory: int = 0
    kernel_memory_tcp: int = 0
    memory_reservation: int = 0
    memory_swap: int = 0
    memory_swappiness: int | None = None
    oom_kill_disable: bool | None = None
    pids_limit: int | None = None
    ulimits: list[Ulimit] = []
    cpu_count: int = 0
    cpu_percent: int = 0
    io_maximum_iops: int = 0
    io_maximum_bandwidth: int = 0
    mounts: list[Mount] = []
    masked_paths: list[str] | None = None
    readonly_paths: list[str] | None = None
    init: bool | None = None


class EndpointConfig(_Model):
    """How a container joins one network."""

    ipam_config: dict[str, Any] | None = None
    links: list[str] = []
    aliases: list[str] = []
    network_id: str = ""
    ip_address: str = ""
    mac_address: str = ""
    driver_opts: dict[str, str] = {}
    gw_priority: int = 0


class IpamConfig(_Model):
    """One subnet of a network to be made."""

    subnet: str = ""
    ip_range: str = ""
    gateway: str = ""
    auxiliary_addresses: dict[str, str] = {}


class Ipam(_Model):
    """Address management of a network to be made."""

    driver: str = ""
    options: dict[str, str] = {}
    config: list[IpamConfig] = []


class NetworkCreate(_Model):
    """The body of ``POST /networks/create``."""

    name: str = ""
    driver: str = ""
    scope: str = ""
    internal: bool = False
    attachable: bool = False
    ingress: bool = False
    config_only: bool = False
    config_from: dict[str, str] = {}
    enable_ipv4: bool | None = None
    enable_ipv6: bool | None = None
    ipam: Ipam | None = None
    options: dict[str, str] = {}
    labels: dict[str, str] = {}


class NetworkingConfig(_Model):
    """``NetworkingConfig`` of the create request: network name to endpoint."""

    endpoints_config: dict[str, EndpointConfig | None] = {}


class ExecConfig(_Model):
    """The body of ``POST /containers/NAME/exec``."""

    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    detach_keys: str = ""
    tty: bool = False
    env: list[str] = []
    cmd: list[str] = []
    privileged: bool = False
    user: str = ""
    working_dir: str = ""
    console_size: list[int] | None = None


_Decoded = TypeVar("_Decoded", bound=msgspec.Struct)

# Docker's strslice: one string stands for a list of one.
_STRING_OR_LIST = frozenset({"Cmd", "Entrypoint", "Shell", "CapAdd", "CapDrop"})


def decode(model: type[_Decoded], data: object, *, within: str = "") -> _Decoded:
    """``model`` out of JSON that is parsed already (a dict, or None for an empty body).

    Raises InvalidParameter naming the field that has the wrong type; ``within`` is the field that ``data`` was.
    """
    try:
        return msgspec.convert(_without_nulls(model, {} if data is None else data), model)
    except msgspec.ValidationError as exc:
        said, _, place = str(exc).partition(" - at `$")
        where = f".{within}" * bool(within) + place.removesuffix("`")
        raise InvalidParameter(
            f"invalid request: {said} - at `${where}`" if where else f"invalid request: {exc}"
        ) from exc


def encode(model: msgspec.Struct) -> dict[str, Any]:
    """The struct as the dict that JSON shows, under wire names."""
    built: dict[str, Any] = msgspec.to_builtins(model)
    return built


def _without_nulls(expected: Any, value: object) -> object:
    """``value`` with every null field of every struct left out; a map's null values stay."""
    struct = next((t for t in (expected, *get_args(expected)) if _is_struct(t)), None)
    if struct is not None and isinstance(value, dict):
        known = _fields(struct)
        found = ((known.get(key.lower()), item) for key, item in value.items() if item is not None)
        return {
            field.encode_name: _without_nulls(
                field.type, [item] if field.encode_name in _STRING_OR_LIST and isinstance(item, str) else item
            )
            for field, item in found
            if field is not None
        }
    if struct is None or value is None:
        return _inside(expected, value)
    return [_without_nulls(struct, item) for item in value] if isinstance(value, list) else value


@functools.cache
def _fields(struct: type[msgspec.Struct]) -> dict[str, msgspec.structs.FieldInfo]:
    """By wire name in small letters."""
    return {field.encode_name.lower(): field for field in msgspec.structs.fields(struct)}


def _inside(expected: Any, value: object) -> object:
    """The same for a map whose values hold structs (endpoints, port bindings)."""
    origin, arguments = get_origin(expected), get_args(expected)
    if origin is dict and isinstance(value, dict):
        return {key: _without_nulls(arguments[1], item) for key, item in value.items()}
    nested = next((a for a in arguments if get_origin(a) is list), None)
    if nested is not None and isinstance(value, list):
        return [_without_nulls(nested, item) for item in value]
    return value


def _is_struct(candidate: Any) -> bool:
    return isinstance(candidate, type) and issubclass(candidate, msgspec.Struct)
