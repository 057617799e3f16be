"""The fields of a service, each with its reader; and those of the specification that one host, this engine, can't
carry out."""

from __future__ import annotations

__all__ = ["SERVICE", "SERVICE_FIELDS"]

from typing import Any

from containerlab.compose import model, ports
from containerlab.compose.nodes import Fields, Node, Scalar, fields_of, kind
from containerlab.compose.parts import ISOLATION, WINDOWS, address, blob_use, build, deploy, healthcheck, mount, port
from containerlab.compose.reading import (
    Reader,
    boolean,
    byte_size,
    choice,
    command,
    duration,
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

_words = listing(word)
_limit = integer


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
        "ipv4_address": address,
        "ipv6_address": address,
        "link_local_ips": listing(address),
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
    required=("condition",),
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


_READERS: dict[str, Reader] = {
    "image": string,
    "build": build,
    "command": command,
    "entrypoint": command,
    "environment": pairs,
    "env_file": listing(table({"path": string, "required": boolean, "format": choice("raw")})),
    "label_file": strings,
    "ports": listing(port),
    "expose": one_of_a_kind(_exposed),
    "volumes": listing(mount),
    "volumes_from": listing(_volumes_from),
    "tmpfs": strings,
    "networks": _named(_NETWORK_USE),
    "network_mode": string,
    "depends_on": _named(_DEPENDENCY),
    "links": _links,
    "external_links": listing(_external_link),
    "healthcheck": healthcheck,
    "deploy": deploy,
    "scale": integer,
    "profiles": one_of_a_kind(matching(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*", "a name ([a-zA-Z0-9][a-zA-Z0-9_.-]*)")),
    "secrets": blob_use("/run/secrets/"),
    "configs": blob_use("/"),
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
        struct(model.Device, {"source": string, "target": string, "permissions": string}, required=("source", "target"))
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
    "isolation": ISOLATION,
}
_REFUSED = {
    "blkio_config": "the host's block devices aren't shared out",
    "cpu_count": WINDOWS,
    "cpu_percent": WINDOWS,
    "credential_spec": WINDOWS,
    "develop": "nothing watches the files of a build",
    "gpus": "no graphics card is handed to a container",
    "models": "no language model is run here",
    "post_start": "there are no hooks; let the command do it",
    "pre_start": "there are no hooks; let a service with depends_on do it",
    "pre_stop": "there are no hooks; let the command do it at its stop signal",
    "provider": "a service is made of containers alone",
    "pull_refresh_after": "pull_policy every_DURATION says it",
    "use_api_socket": "a container that drives its engine owns it; bind the socket instead",
}
SERVICE = table(_READERS, _REFUSED)
SERVICE_FIELDS = frozenset({*_READERS, *_REFUSED, "extends"})
