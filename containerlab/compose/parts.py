"""The larger parts of a service, each with its reader: ports, mounts, builds, health checks, secrets, ``deploy``."""

from __future__ import annotations

__all__ = ["ISOLATION", "WINDOWS", "address", "blob_use", "build", "deploy", "healthcheck", "mount", "port"]

import ipaddress
from typing import Any

from containerlab.compose import model, mounts, ports
from containerlab.compose.nodes import Items, Node, Scalar, fields_of
from containerlab.compose.reading import (
    boolean,
    byte_size,
    choice,
    duration,
    file_mode,
    integer,
    listing,
    number,
    pairs,
    string,
    strings,
    struct,
    table,
    word,
    words_by_name,
)

_SWARM = "it is a swarm's, and this is one host"
WINDOWS = "it is Windows'"
_BUILDKIT = "it is BuildKit's, and this builder is the classic one"


def address(node: Node) -> str:
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


port = struct(
    model.Port,
    {
        "target": _target_port,
        "published": _published,
        "host_ip": address,
        "protocol": _protocol,
        "mode": choice("ingress", "host"),
        "name": string,
        "app_protocol": string,
    },
    required=("target",),
)


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


def mount(node: Node) -> model.Mount:
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


def build(node: Node) -> model.Build:
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


def blob_use(root: str) -> Any:
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


ISOLATION = _only("default", WINDOWS)
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
        "secrets": blob_use(""),
        "tags": strings,
        "platforms": strings,
        "isolation": ISOLATION,
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


def healthcheck(node: Node) -> model.Healthcheck:
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


def deploy(node: Node) -> model.Deploy:
    found = _DEPLOY(node)
    resources = found.pop("resources", {})
    found.pop("mode", None)
    return model.Deploy(**found, **resources)
