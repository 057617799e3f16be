"""From a service to the body of ``POST /containers/create``, one section a function.

Source: the Compose specification and Docker Engine API 1.41, ``ContainerCreate``.
"""

from __future__ import annotations

__all__ = ["Inherited", "Payload", "create_payload", "endpoint", "extra_networks", "image_name", "network_payload"]

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from containerlab.compose.blobs import binds as binds_of_blobs
from containerlab.compose.model import Healthcheck, Mount, Network, NetworkUse, Port, Project, Service

Payload = dict[str, Any]


@dataclass(frozen=True)
class Inherited:
    """Anonymous volumes of the container that this one replaces: where each was mounted, and its name."""

    volumes: Mapping[str, str] = field(default_factory=dict)


def create_payload(
    project: Project,
    service: Service,
    number: int,
    *,
    said: Mapping[str, str],
    container_of: Callable[[str], str],
    inherited: Inherited | None = None,
    aliases: bool = True,
) -> Payload:
    """``said`` are the labels; ``container_of`` gives the id of a service's first container (``network_mode:
    service:NAME``). Without ``aliases`` others don't reach this container by the service's name (``run``).
    """
    old = inherited or Inherited()
    primary = next(iter(by_priority(service)), "")
    payload: Payload = {
        **_program(project, service),
        "Labels": dict(said),
        "Healthcheck": _health(service.healthcheck) if service.healthcheck else None,
        "Volumes": {mount.target: {} for mount in _anonymous(service) if mount.target not in old.volumes} or None,
        "ExposedPorts": _exposed(service),
        "HostConfig": _without_none(
            {
                **_files(project, service, container_of, old),
                **_limits(service),
                **_isolation(service, container_of),
                **_network(project, service, container_of),
                **_life(service),
                "PortBindings": _bindings(service.ports),
            }
        ),
    }
    if primary:
        ends = {project.networks[primary].name: endpoint(project, service, primary, number, aliases=aliases)}
        payload["NetworkingConfig"] = {"EndpointsConfig": ends}
    return _without_none(payload)


def image_name(project: Project, service: Service) -> str:
    """What the file says, or for what is built ``PROJECT-SERVICE``."""
    return service.image or f"{project.name}-{service.name}"


def extra_networks(service: Service) -> list[str]:
    """The keys of the networks beside the one of the create request, which an engine before API 1.44 takes alone."""
    return by_priority(service)[1:]


def by_priority(service: Service) -> list[str]:
    """The keys of a service's networks; the first gives the container its network mode."""
    if service.network_mode:
        return []
    return sorted(service.networks, key=lambda key: (-service.networks[key].priority, key))


def endpoint(project: Project, service: Service, key: str, number: int, *, aliases: bool = True) -> Payload:
    """How a container sits on one network (``EndpointSettings``)."""
    use = service.networks.get(key, NetworkUse())
    name = service.container_name or f"{project.name}-{service.name}-{number}"
    addresses = {
        "IPv4Address": use.ipv4_address,
        "IPv6Address": use.ipv6_address,
        "LinkLocalIPs": list(use.link_local_ips),
    }
    links = [
        f"{container}:{alias}"
        for other, others in service.links.items()
        for container in [f"{project.name}-{other}-1"]
        for alias in others
        if alias != other
    ] + [f"{link.container}:{link.alias}" for link in service.external_links]
    settings: Payload = {
        "Aliases": [name, service.name, *use.aliases] if aliases else list(use.aliases),
        "IPAMConfig": {key: value for key, value in addresses.items() if value} or None,
        "MacAddress": use.mac_address or service.mac_address or None,
        "DriverOpts": dict(use.driver_opts) or None,
        "GwPriority": use.gw_priority or None,
        "Links": links or None,
    }
    return _without_none(settings)


def network_payload(network: Network, said: Mapping[str, str]) -> Payload:
    """The body of ``POST /networks/create``."""
    pools = [
        _without_none(
            {
                "Subnet": pool.subnet or None,
                "IPRange": pool.ip_range or None,
                "Gateway": pool.gateway or None,
                "AuxiliaryAddresses": dict(pool.aux_addresses) or None,
            }
        )
        for pool in network.ipam
    ]
    ipam = {"Driver": network.ipam_driver or "default", "Config": pools, "Options": dict(network.ipam_options) or None}
    return _without_none(
        {
            "Name": network.name,
            "CheckDuplicate": True,
            "Driver": network.driver or "bridge",
            "Options": dict(network.driver_opts) or None,
            "Internal": network.internal or None,
            "Attachable": network.attachable or None,
            "EnableIPv6": network.enable_ipv6,
            "EnableIPv4": network.enable_ipv4,
            "IPAM": _without_none(ipam) if pools or network.ipam_driver or network.ipam_options else None,
            "Labels": dict(said),
        }
    )


def _program(project: Project, service: Service) -> Payload:
    seconds = service.stop_grace_period
    return {
        "Image": image_name(project, service),
        "Cmd": None if service.command is None else list(service.command),
        "Entrypoint": None if service.entrypoint is None else list(service.entrypoint),
        "Env": [key if value is None else f"{key}={value}" for key, value in service.environment.items()] or None,
        "WorkingDir": service.working_dir or None,
        "User": service.user or None,
        "Hostname": service.hostname or None,
        "Domainname": service.domainname or None,
        "MacAddress": service.mac_address or None,
        "Tty": service.tty,
        "OpenStdin": service.stdin_open,
        "AttachStdout": True,
        "AttachStderr": True,
        "StopSignal": service.stop_signal or None,
        "StopTimeout": None if seconds is None else -(-seconds // 10**9),
    }


def _health(check: Healthcheck) -> Payload:
    if check.disable:
        return {"Test": ["NONE"]}
    return _without_none(
        {
            "Test": list(check.test) or None,
            "Interval": check.interval,
            "Timeout": check.timeout,
            "StartPeriod": check.start_period,
            "StartInterval": check.start_interval,
            "Retries": check.retries,
        }
    )


def _exposed(service: Service) -> dict[str, Payload] | None:
    found: dict[str, Payload] = {f"{port.target}/{port.protocol}": {} for port in service.ports}
    for word in service.expose:
        ports, _, protocol = word.partition("/")
        first, _, last = ports.partition("-")
        found.update({f"{port}/{protocol or 'tcp'}": {} for port in range(int(first), int(last or first) + 1)})
    return found or None


def _bindings(ports: tuple[Port, ...]) -> dict[str, list[Payload]] | None:
    found: dict[str, list[Payload]] = {}
    for port in ports:
        binding = {"HostIp": port.host_ip, "HostPort": port.published}
        found.setdefault(f"{port.target}/{port.protocol}", []).append(binding)
    return found or None


def _anonymous(service: Service) -> list[Mount]:
    return [mount for mount in service.volumes if mount.type == "volume" and not mount.source]


def _files(project: Project, service: Service, container_of: Callable[[str], str], old: Inherited) -> Payload:
    """Short forms become ``Binds``, as they are Docker's own; the rest ``Mounts``."""
    binds = [bind for mount in service.volumes if mount.source and (bind := _bind(project, mount))]
    mounts = [_mount(project, mount) for mount in service.volumes if mount.source and not _bind(project, mount)]
    mounts += [_mount(project, mount) for mount in service.volumes if mount.type == "tmpfs"]
    mounts += [{"Type": "volume", "Source": name, "Target": target} for target, name in old.volumes.items()]
    mounts += binds_of_blobs(project, service)
    tmpfs = [word.partition(":") for word in service.tmpfs]
    return {
        "Binds": binds or None,
        "Mounts": mounts or None,
        "Tmpfs": {path: options for path, _, options in tmpfs} or None,
        "VolumesFrom": [
            (source.name if source.container else container_of(source.name)) + (":ro" if source.read_only else "")
            for source in service.volumes_from
        ]
        or None,
        "ReadonlyRootfs": service.read_only or None,
        "ShmSize": service.shm_size,
        "StorageOpt": dict(service.storage_opt) or None,
        "Devices": [
            {"PathOnHost": device.source, "PathInContainer": device.target, "CgroupPermissions": device.permissions}
            for device in service.devices
        ]
        or None,
        "DeviceCgroupRules": list(service.device_cgroup_rules) or None,
    }


def _bind(project: Project, mount: Mount) -> str:
    """``SOURCE:TARGET[:MODE]``, or nothing for what only a mount can say."""
    if mount.subpath or mount.type == "tmpfs" or (mount.type == "bind" and not mount.create_host_path):
        return ""
    if mount.type == "volume" and not mount.short:
        return ""
    source = project.volumes[mount.source].name if mount.type == "volume" else mount.source
    if ":" in source or ":" in mount.target:
        return ""
    words = [mount.propagation, mount.selinux, "nocopy" if mount.nocopy else "", "ro" if mount.read_only else "rw"]
    return f"{source}:{mount.target}:{','.join(word for word in words if word)}"


def _mount(project: Project, mount: Mount) -> Payload:
    source = project.volumes[mount.source].name if mount.type == "volume" and mount.source else mount.source
    bind = {"Propagation": mount.propagation or None, "CreateMountpoint": mount.create_host_path or None}
    volume = {"NoCopy": mount.nocopy or None, "Subpath": mount.subpath or None}
    tmpfs = {"SizeBytes": mount.tmpfs_size, "Mode": mount.tmpfs_mode}
    return _without_none(
        {
            "Type": mount.type,
            "Source": source or None,
            "Target": mount.target,
            "ReadOnly": mount.read_only or None,
            "Consistency": mount.consistency or None,
            "BindOptions": _without_none(bind) or None,
            "VolumeOptions": _without_none(volume) or None,
            "TmpfsOptions": _without_none(tmpfs) or None,
        }
    )


def _limits(service: Service) -> Payload:
    return {
        "Memory": service.mem_limit,
        "MemoryReservation": service.mem_reservation,
        "MemorySwap": service.memswap_limit,
        "MemorySwappiness": service.mem_swappiness,
        "OomKillDisable": service.oom_kill_disable or None,
        "OomScoreAdj": service.oom_score_adj,
        "NanoCpus": None if service.cpus is None else round(service.cpus * 10**9),
        "CpuShares": service.cpu_shares,
        "CpuPeriod": service.cpu_period,
        "CpuQuota": service.cpu_quota,
        "CpuRealtimePeriod": service.cpu_rt_period,
        "CpuRealtimeRuntime": service.cpu_rt_runtime,
        "CpusetCpus": service.cpuset or None,
        "PidsLimit": service.pids_limit,
        "Ulimits": [{"Name": name, "Soft": limit.soft, "Hard": limit.hard} for name, limit in service.ulimits.items()]
        or None,
    }


def _isolation(service: Service, container_of: Callable[[str], str]) -> Payload:
    return {
        "Privileged": service.privileged or None,
        "CapAdd": list(service.cap_add) or None,
        "CapDrop": list(service.cap_drop) or None,
        "SecurityOpt": list(service.security_opt) or None,
        "Sysctls": dict(service.sysctls) or None,
        "GroupAdd": list(service.group_add) or None,
        "IpcMode": _namespace(service.ipc, container_of),
        "PidMode": _namespace(service.pid, container_of),
        "UTSMode": service.uts or None,
        "UsernsMode": service.userns_mode or None,
        "CgroupnsMode": service.cgroup or None,
        "CgroupParent": service.cgroup_parent or None,
        "Isolation": service.isolation or None,
        "Annotations": dict(service.annotations) or None,
        "Runtime": service.runtime or None,
    }


def _namespace(word: str, container_of: Callable[[str], str]) -> str | None:
    """``service:NAME`` as ``container:ID``."""
    kind, _, name = word.partition(":")
    return f"container:{container_of(name)}" if kind == "service" else word or None


def _network(project: Project, service: Service, container_of: Callable[[str], str]) -> Payload:
    keys = by_priority(service)
    mode = project.networks[keys[0]].name if keys else _namespace(service.network_mode, container_of) or "none"
    return {
        "NetworkMode": mode,
        "ExtraHosts": list(service.extra_hosts) or None,
        "Dns": list(service.dns) or None,
        "DnsOptions": list(service.dns_opt) or None,
        "DnsSearch": list(service.dns_search) or None,
    }


def _life(service: Service) -> Payload:
    name, _, count = service.restart.partition(":")
    logging = service.logging
    return {
        "RestartPolicy": {"Name": name, "MaximumRetryCount": int(count or 0)} if name else None,
        "Init": service.init,
        "LogConfig": {"Type": logging.driver, "Config": dict(logging.options)} if logging else None,
    }


def _without_none(payload: Payload) -> Payload:
    return {key: value for key, value in payload.items() if value is not None}
