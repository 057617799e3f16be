"""A container as Docker's JSON shows it: ``inspect`` and one entry of the list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from containerlab.engine.clock import ago, rfc3339
from containerlab.engine.container import Container
from containerlab.engine.models import encode
from containerlab.engine.network_views import network_settings, networks, port_list
from containerlab.engine.options import network_mode
from containerlab.engine.state import MountPoint

__all__ = ["GRAPH_DRIVER", "inspect_view", "list_view", "status_text"]

GRAPH_DRIVER = "overlay2"


def inspect_view(container: Container, layers: str, lower: list[str]) -> dict[str, Any]:
    """``GET /containers/NAME/json``; ``layers`` is the folder that ``lower``'s names are relative to."""
    record, folder = container.record, str(container.folder)
    return {
        "Id": container.id,
        "Created": rfc3339(record.created),
        "Path": record.path,
        "Args": record.args,
        "State": _state(container),
        "Image": record.image,
        "ResolvConfPath": f"{folder}/resolv.conf",
        "HostnamePath": f"{folder}/hostname",
        "HostsPath": f"{folder}/hosts",
        "LogPath": str(container.log_path) if record.log_driver == "json-file" else "",
        "Name": f"/{container.name}",
        "RestartCount": container.state.restart_count,
        "Driver": GRAPH_DRIVER,
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "ExecIDs": sorted(container.execs) or None,
        "HostConfig": _host_config(container),
        "GraphDriver": {
            "Name": GRAPH_DRIVER,
            "Data": {
                "LowerDir": ":".join(f"{layers}/{name}" for name in lower),
                "UpperDir": f"{folder}/upper",
                "WorkDir": f"{folder}/work",
            },
        },
        "Mounts": [_mount(point) for point in record.mounts],
        "Config": encode(record.config),
        "NetworkSettings": network_settings(container),
    }


def list_view(container: Container, linked: Sequence[str] = ()) -> dict[str, Any]:
    """One entry of ``GET /containers/json``; ``linked`` is what others call it by their links."""
    record = container.record
    return {
        "Id": container.id,
        "Names": [f"/{container.name}", *linked],
        "Image": record.config.image,
        "ImageID": record.image,
        "Command": " ".join([record.path, *record.args]),
        "Created": record.created // 1_000_000_000,
        "Ports": port_list(container),
        "Labels": record.config.labels,
        "State": container.state.status,
        "Status": status_text(container),
        "HostConfig": {"NetworkMode": network_mode(record.host_config)},
        "NetworkSettings": {"Networks": networks(container)},
        "Mounts": [_mount(point) for point in record.mounts],
    }


def status_text(container: Container) -> str:
    """Docker's words of ``ps``: ``Up 3 minutes``, ``Exited (0) 2 hours ago``."""
    state = container.state
    if state.status == "running":
        return f"Up {ago(state.started_at)}{_health_word(container)}"
    if state.status == "paused":
        return f"Up {ago(state.started_at)} (Paused)"
    if state.status == "restarting":
        return f"Restarting ({state.exit_code}) {ago(state.finished_at)} ago"
    if state.status == "exited":
        return f"Exited ({state.exit_code}) {ago(state.finished_at)} ago"
    return {"created": "Created", "removing": "Removal In Progress", "dead": "Dead"}[state.status]


def _health_word(container: Container) -> str:
    if container.health is None:
        return ""
    return " (health: starting)" if container.health.status == "starting" else f" ({container.health.status})"


def _state(container: Container) -> dict[str, Any]:
    state = container.state
    health = {"Health": container.health.view()} if container.health is not None else {}
    return {
        **health,
        "Status": state.status,
        "Running": container.active,
        "Paused": state.status == "paused",
        "Restarting": state.status == "restarting",
        "OOMKilled": state.oom_killed,
        "Dead": state.status == "dead",
        "Pid": state.pid,
        "ExitCode": state.exit_code,
        "Error": state.error,
        "StartedAt": rfc3339(state.started_at),
        "FinishedAt": rfc3339(state.finished_at),
    }


def _host_config(container: Container) -> dict[str, Any]:
    shown = encode(container.record.host_config)
    shown["NetworkMode"] = network_mode(container.record.host_config)
    return shown


def _mount(point: MountPoint) -> dict[str, Any]:
    shown: dict[str, Any] = {"Type": point.type}
    if point.name:
        shown["Name"] = point.name
    shown |= {"Source": point.source, "Destination": point.destination}
    if point.type == "volume":
        shown["Driver"] = "local"
    return {**shown, "Mode": point.mode, "RW": point.rw, "Propagation": point.propagation}
