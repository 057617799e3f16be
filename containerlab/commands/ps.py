"""``ps``: the containers there are."""

from __future__ import annotations

__all__ = ["container_row", "ps_command"]

from typing import Any

import click

from containerlab.commands import formats
from containerlab.commands.context import Context, pass_context
from containerlab.commands.parsing import verb
from containerlab.commands.result import Column, Lines, Result, Row, Table
from containerlab.commands.values import filters


def _columns(no_trunc: bool, size: bool) -> list[Column]:
    def identifier(text: str) -> str:
        return text if no_trunc else formats.short_id(text)

    def command(text: str) -> str:
        return formats.command_line(text, None if no_trunc else 20)

    return [
        Column("id", "CONTAINER ID", "ID", identifier),
        Column("image", "IMAGE", "Image"),
        Column("command", "COMMAND", "Command", command),
        Column("created", "CREATED", "RunningFor", formats.ago, formats.ago_calm),
        Column("status", "STATUS", "Status", calm=formats.status_calm),
        Column("ports", "PORTS", "Ports", ", ".join),
        Column("name", "NAMES", "Names"),
        Column("size", "SIZE", "Size", _size, number=True, hidden=not size),
        Column("state", "STATE", "State", hidden=True),
        Column("created", "CREATED AT", "CreatedAt", formats.moment, hidden=True),
        Column("volumes", "LOCAL VOLUMES", "LocalVolumes", hidden=True),
        Column("labels", "LABELS", "Labels", _labels, hidden=True),
        Column("networks", "NETWORKS", "Networks", ",".join, hidden=True),
        Column("mounts", "MOUNTS", "Mounts", ",".join, hidden=True),
    ]


def _size(sizes: tuple[int, int] | None) -> str:
    return "" if sizes is None else f"{formats.size(sizes[0])} (virtual {formats.size(sizes[1])})"


def _labels(labels: dict[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def container_row(entry: dict[str, Any]) -> Row:
    names = [name.lstrip("/") for name in entry.get("Names") or []]
    own = [name for name in names if "/" not in name]
    return {
        "id": entry["Id"],
        "image": entry["Image"],
        "command": entry.get("Command", ""),
        "created": entry["Created"],
        "status": entry["Status"],
        "state": entry["State"],
        "ports": sorted({_port(port) for port in entry.get("Ports") or []}),
        "name": (own or names or [""])[0],
        "size": (entry.get("SizeRw", 0), entry.get("SizeRootFs", 0)) if "SizeRootFs" in entry else None,
        "labels": entry.get("Labels") or {},
        "networks": sorted((entry.get("NetworkSettings") or {}).get("Networks") or {}),
        "volumes": sum(mount.get("Type") == "volume" for mount in entry.get("Mounts") or []),
        "mounts": [mount.get("Name") or mount.get("Source", "") for mount in entry.get("Mounts") or []],
    }


def _port(port: dict[str, Any]) -> str:
    inner = f"{port['PrivatePort']}/{port['Type']}"
    return f"{port.get('IP', '')}:{port['PublicPort']}->{inner}" if port.get("PublicPort") else inner


@verb("ps", help="List containers: the running ones, or all with -a.")
@click.option("-a", "--all", "everything", is_flag=True, help="Also those that are created or have stopped.")
@click.option("-q", "--quiet", is_flag=True, help="Only ids.")
@click.option("-n", "--last", type=int, default=-1, metavar="N", help="The N newest, in any state.")
@click.option("-l", "--latest", is_flag=True, help="The newest, in any state.")
@click.option("-s", "--size", is_flag=True, help="Also the size of the writable layer.")
@click.option("-f", "--filter", "words", multiple=True, metavar="K=V", help="As in status=exited, name=web, label=x.")
@click.option(
    "--format", "template", metavar="TEMPLATE", help="One line each, as in '{{.Names}}: {{.Status}}', or json."
)
@click.option("--no-trunc", is_flag=True, help="Whole ids and commands.")
@pass_context
def ps_command(
    context: Context,
    everything: bool,
    quiet: bool,
    last: int,
    latest: bool,
    size: bool,
    words: tuple[str, ...],
    template: str | None,
    no_trunc: bool,
) -> Result:
    limit = last if last != -1 else 1 if latest else -1
    entries = context.client.api.containers(all=everything, limit=limit, size=size, filters=filters(words))
    rows = [container_row(entry) for entry in entries]
    if quiet and template:
        context.output.notice("WARNING: Ignoring custom format, because both --format and --quiet are set.")
    if quiet:
        return Lines([row["id"] if no_trunc else formats.short_id(row["id"]) for row in rows])
    empty = "There are no containers." if everything else "No container is running."
    return Table(_columns(no_trunc, size), rows, empty=empty, lines=template)
