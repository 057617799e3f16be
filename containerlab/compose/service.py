"""The fields of a service, each with its reader; and those of the specification that one host, this engine, can't
carry out."""

from __future__ import annotations

__all__ = ["SERVICE"]

import ipaddress
from typing import Any

from containerlab.compose import model, mounts, ports
from containerlab.compose.nodes import Fields, Items, Node, Scalar, fields_of, kind
from containerlab.compose.reading import (
    boolean,
    byte_size,
    choice,
    command,
    duration,
    file_mode,
    integer,
    listing,
    mapping,
    matching,
    number,
    one_of_a_kind,
    pairs,
    string,
    strings,
    struct,
    table,
    word,
    words_by_name,
)

_SWARM = "it is a swarm's, and this is one host"
_WINDOWS = "it is Windows'"
_BUILDKIT = "it is BuildKit's, and this builder is the classic one"
_words = listing(word)
_limit = integer


def _address(node: Node) -> str:
    value = string(node)
    try:
        ipaddress.ip_address(value)
    except ValueError:
        raise node.place.error(f"invalid ip address: {value}") from None
    return value


def _target_port(node: Node) -> int:
    value = integer(node)
    if not 0 < value < 65536:
        raise node.place.error(f"invalid containerPort: {value}")
    return value


def _published(node: Node) -> str:
    value = word(node)
    if value:
        try:
            ports.port_range(value, "hostPort")
        except ValueError as error:
            raise node.place.error(str(error)) from error
    return value


def _protocol(node: Node) -> str:
    value = string(node).lower()
    if value not in ("tcp", "udp", "sctp"):
        raise node.place.error(f"invalid proto: {value}")
    return value


_port = struct(
    model.Port,
    {
        "target": _target_port,
        "published": _published,
        "host_ip": _address,
        "protocol": _protocol,
        "mode": choice("ingress", "host"),
        "name": string,
        "app_protocol": string,
    },
    required=("target",),
)


def _exposed(node: Node) -> str:
    value = word(node)
    first, _, protocol = value.partition("/")
    try:
        ports.port_range(first, "start port")
    except ValueError as error:
        raise node.place.error(
            f"invalid port range: {value}", hint="Write a port, or a range as in 8000-8010."
        ) from error
    if protocol not in ("", "tcp", "udp", "sctp"):
        raise node.place.error(f"invalid proto: {protocol}")
    return value


_read_mount = table(
    {
        "type": choice("volume", "bind", "tmpfs", what="Mounts of other types can't be had here."),
        "source": string,
        "target": string,
        "read_only": boolean,
        "consistency": string,
        "short": boolean,
        "bind": table(
            {
                "propagation": choice(*mounts.PROPAGATIONS),
                "create_host_path": boolean,
                "selinux": choice("z", "Z"),
            },
            {"recursive": "a bind is made with what is mounted below it"},
        ),
        "volume": table({"nocopy": boolean, "subpath": string}, {"labels": "name the volume, and label it there"}),
        "tmpfs": table({"size": byte_size, "mode": file_mode}),
    }
)


def _mount(node: Node) -> model.Mount:
    found = _read_mount(node)
    sort = found.get("type")
    if sort is None:
        raise node.place.error("missing property 'type'")
    target = found.get("target", "")
    if not target.startswith("/"):
        raise node.place.error(f"invalid mount path: '{target}' mount path must be absolute")
    found["target"] = target.rstrip("/") or "/"
    for other in {"bind", "volume", "tmpfs"} - {sort}:
        # The short form's modes may say z of a volume, which docker compose passes over.
        if found.pop(other, None) and not found.get("short"):
            raise fields_of(node).key(other).error(f"{other} options are not for a mount of type {sort}")
    options = found.pop(sort, {})
    if sort == "bind":
        if not found.get("source"):
            raise node.place.error("missing property 'source'")
        options.setdefault("create_host_path", True)
    elif sort == "tmpfs":
        if found.get("source"):
            raise fields_of(node).key("source").error("a tmpfs has no source")
        options = {f"tmpfs_{name}": value for name, value in options.items()}
    return model.Mount(**{**found, **options})


def _build(node: Node) -> model.Build:
    fields = fields_of(node)
    context = fields.entries.get("context")
    if isinstance(context, Scalar) and not context.text.startswith("/"):
        raise context.place.error(
            f"{context.text} is not supported: a context is a folder of this host, not an address"
        )
    found: dict[str, Any] = _read_build(node)
    if found.get("dockerfile") and found.get("dockerfile_inline"):
        raise fields.key("dockerfile_inline").error("declares mutualy exclusive dockerfile and dockerfile_inline")
    if not found.get("dockerfile_inline"):
        found.setdefault("dockerfile", "Dockerfile")
    return model.Build(**found)


def _blob_use(root: str) -> Any:
    read = table({"source": string, "target": string, "uid": word, "gid": word, "mode": file_mode})

    def read_use(node: Node) -> model.BlobUse:
        found = read(node)
        if "source" not in found:
            raise node.place.error("missing property 'source'")
        target = found.get("target") or found["source"]
        found["target"] = target if not root or target.startswith("/") else root + target
        return model.BlobUse(**found)

    return listing(read_use)


def _only(expected: str, why: str) -> Any:
    """A field with one value that can be had."""

    def read(node: Node) -> str:
        value = string(node)
        if value != expected:
            raise node.place.error(f"{value} is not supported: {why}")
        return value

    return read


_isolation = _only("default", _WINDOWS)
_read_build = table(
    {
        "context": string,
        "dockerfile": string,
        "dockerfile_inline": string,
        "args": pairs,
        "target": string,
        "cache_from": strings,
        "no_cache": boolean,
        "pull": boolean,
        "labels": words_by_name,
        "network": string,
        "shm_size": byte_size,
        "extra_hosts": strings,
        "secrets": _blob_use(""),
        "tags": strings,
        "platforms": strings,
        "isolation": _isolation,
    },
    {
        "additional_contexts": _BUILDKIT,
        "cache_to": _BUILDKIT,
        "entitlements": _BUILDKIT,
        "no_cache_filter": _BUILDKIT,
        "privileged": "a step's container has the capabilities of any other",
        "provenance": _BUILDKIT,
        "sbom": _BUILDKIT,
        "ssh": "no agent is forwarded; pass a key with secrets",
        "ulimits": "a step's container has the engine's",
    },
)


def _healthcheck(node: Node) -> model.Healthcheck:
    found = _read_healthcheck(node)
    test = found.get("test", ())
    if found.get("disable") or test[:1] == ("NONE",):
        found["disable"], found["test"] = True, ("NONE",)
    return model.Healthcheck(**found)


def _test(node: Node) -> tuple[str, ...]:
    if not isinstance(node, Items):
        return ("CMD-SHELL", string(node))
    test = strings(node)
    if test and test[0] not in ("CMD", "CMD-SHELL", "NONE"):
        raise node.place.error('healthcheck.test must start either by "CMD", "CMD-SHELL" or "NONE"')
    return test


_read_healthcheck = table(
    {
        "test": _test,
        "interval": duration,
        "timeout": duration,
        "start_period": duration,
        "start_interval": duration,
        "retries": integer,
        "disable": boolean,
    }
)
_resources = {"cpus": number, "memory": byte_size}
_DEPLOY_RESOURCES = table(
    {
        "limits": struct(model.Resources, {**_resources, "pids": integer}),
        "reservations": struct(
            model.Resources,
            _resources,
            {"devices": "no graphics card or its kin is handed to a container", "generic_resources": _SWARM},
        ),
    }
)
_DEPLOY = table(
    {
        "mode": _only("replicated", _SWARM),
        "replicas": integer,
        "labels": words_by_name,
        "resources": _DEPLOY_RESOURCES,
        "restart_policy": struct(
            model.RestartPolicy,
            {"condition": choice("none", "on-failure", "any"), "max_attempts": integer},
            {"delay": "the engine waits 100 ms, and longer each time", "window": _SWARM},
        ),
    },
    dict.fromkeys(("endpoint_mode", "placement", "rollback_config", "update_config"), _SWARM),
)


def _deploy(node: Node) -> model.Deploy:
    found = _DEPLOY(node)
    resources = found.pop("resources", {})
    found.pop("mode", None)
    return model.Deploy(**found, **resources)


def _link(node: Node) -> tuple[str, str]:
    name, _, alias = string(node).partition(":")
    if not name:
        raise node.place.error(f"invalid link: '{string(node)}'", hint="Write SERVICE or SERVICE:ALIAS.")
    return name, alias or name


def _links(node: Node) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name, alias in listing(_link)(node):
        found[name] = (*found.get(name, ()), alias)
    return found


def _external_link(node: Node) -> model.ExternalLink:
    container, alias = _link(node)
    return model.ExternalLink(container=container, alias=alias)


def _volumes_from(node: Node) -> model.VolumesFrom:
    text = string(node)
    text = text.removeprefix("service:")  # as docker-compose 1 prints it
    container = text.startswith("container:")
    name, _, mode = text.removeprefix("container:").partition(":")
    if not name or mode not in ("", "ro", "rw"):
        raise node.place.error(f"invalid volumes_from: '{text}'", hint="Write [container:]NAME[:ro].")
    return model.VolumesFrom(name=name, container=container, read_only=mode == "ro")


def _memory_or_all(node: Node) -> int:
    """A size, or -1 for no limit."""
    if isinstance(node, Scalar) and node.text == "-1":
        return -1
    return byte_size(node)


def _restart(node: Node) -> str:
    value = string(node)
    name, colon, retries = value.partition(":")
    if name not in ("no", "always", "on-failure", "unless-stopped"):
        raise node.place.error(
            f"invalid restart policy: unknown policy '{name}'; "
            "use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
        )
    if colon and (name != "on-failure" or not retries.isdecimal() or len(retries) > 9):
        raise node.place.error(
            f"invalid restart policy: '{value}'", hint="A count goes with on-failure alone, as in on-failure:3."
        )
    return value


def _pull_policy(node: Node) -> str:
    value = matching(
        r"always|never|build|if_not_present|missing|daily|weekly|every_([0-9]+[wdhms])+",
        "always, never, missing, build, daily, weekly or every_DURATION",
    )(node)
    return "missing" if value == "if_not_present" else value


def _container_name(node: Node) -> str:
    return matching(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+", "a container's name ([a-zA-Z0-9][a-zA-Z0-9_.-]+)")(node)


def _ulimit(node: Node) -> model.Ulimit:
    return struct(model.Ulimit, {"soft": integer, "hard": integer}, required=("soft", "hard"))(node)


_NETWORK_USE = struct(
    model.NetworkUse,
    {
        "aliases": one_of_a_kind(string),
        "ipv4_address": _address,
        "ipv6_address": _address,
        "link_local_ips": listing(_address),
        "mac_address": string,
        "driver_opts": words_by_name,
        "priority": integer,
        "gw_priority": integer,
    },
    {"interface_name": "interfaces are named eth0, eth1 and so on"},
)
_DEPENDENCY = struct(
    model.Dependency,
    {
        "condition": choice("service_started", "service_healthy", "service_completed_successfully"),
        "restart": boolean,
        "required": boolean,
    },
)


def _named(reader: Any) -> Any:
    """A mapping of names, where null stands for an empty one."""

    def read(node: Node) -> dict[str, Any]:
        entries = fields_of(node).entries
        empty = {name: Fields({}, {}, node.place) for name, node in entries.items()}
        return mapping(lambda entry: reader(entry))(
            Fields(
                {
                    name: empty[name] if isinstance(entry, Scalar) and kind(entry) is None else entry
                    for name, entry in entries.items()
                },
                {},
                node.place,
            )
        )

    return read


SERVICE = table(
    {
        "image": string,
        "build": _build,
        "command": command,
        "entrypoint": command,
        "environment": pairs,
        "env_file": listing(table({"path": string, "required": boolean, "format": choice("raw")})),
        "label_file": strings,
        "ports": listing(_port),
        "expose": one_of_a_kind(_exposed),
        "volumes": listing(_mount),
        "volumes_from": listing(_volumes_from),
        "tmpfs": strings,
        "networks": _named(_NETWORK_USE),
        "network_mode": string,
        "depends_on": _named(_DEPENDENCY),
        "links": _links,
        "external_links": listing(_external_link),
        "healthcheck": _healthcheck,
        "deploy": _deploy,
        "scale": integer,
        "profiles": one_of_a_kind(matching(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*", "a name ([a-zA-Z0-9][a-zA-Z0-9_.-]*)")),
        "secrets": _blob_use("/run/secrets/"),
        "configs": _blob_use("/"),
        "labels": words_by_name,
        "annotations": words_by_name,
        "container_name": _container_name,
        "hostname": string,
        "domainname": string,
        "mac_address": string,
        "extra_hosts": strings,
        "dns": strings,
        "dns_opt": strings,
        "dns_search": strings,
        "user": string,
        "group_add": _words,
        "working_dir": string,
        "restart": _restart,
        "stop_signal": string,
        "stop_grace_period": duration,
        "init": boolean,
        "tty": boolean,
        "stdin_open": boolean,
        "attach": boolean,
        "privileged": boolean,
        "read_only": boolean,
        "cap_add": strings,
        "cap_drop": strings,
        "security_opt": strings,
        "devices": listing(
            struct(
                model.Device, {"source": string, "target": string, "permissions": string}, required=("source", "target")
            )
        ),
        "device_cgroup_rules": strings,
        "sysctls": words_by_name,
        "ulimits": mapping(_ulimit),
        "logging": struct(model.Logging, {"driver": string, "options": words_by_name}),
        "ipc": string,
        "pid": string,
        "uts": string,
        "userns_mode": string,
        "cgroup": choice("host", "private"),
        "cgroup_parent": string,
        "cpus": number,
        "cpuset": word,
        "cpu_shares": _limit,
        "cpu_period": _limit,
        "cpu_quota": _limit,
        "cpu_rt_period": _limit,
        "cpu_rt_runtime": _limit,
        "mem_limit": byte_size,
        "mem_reservation": byte_size,
        "memswap_limit": _memory_or_all,
        "mem_swappiness": _limit,
        "oom_kill_disable": boolean,
        "oom_score_adj": _limit,
        "pids_limit": _limit,
        "shm_size": byte_size,
        "storage_opt": words_by_name,
        "pull_policy": _pull_policy,
        "platform": string,
        "runtime": string,
        "isolation": _isolation,
    },
    {
        "blkio_config": "the host's block devices aren't shared out",
        "cpu_count": _WINDOWS,
        "cpu_percent": _WINDOWS,
        "credential_spec": _WINDOWS,
        "develop": "nothing watches the files of a build",
        "gpus": "no graphics card is handed to a container",
        "models": "no language model is run here",
        "post_start": "there are no hooks; let the command do it",
        "pre_start": "there are no hooks; let a service with depends_on do it",
        "pre_stop": "there are no hooks; let the command do it at its stop signal",
        "provider": "a service is made of containers alone",
        "pull_refresh_after": "pull_policy every_DURATION says it",
        "use_api_socket": "a container that drives its engine owns it; bind the socket instead",
    },
)
