"""The verbs that look at a project: ``ps``, ``ls``, ``top``, ``port``, ``events``, ``version``."""

from __future__ import annotations

__all__ = [
    "events_command",
    "ls_command",
    "port_command",
    "ps_command",
    "service_table",
    "top_command",
    "version_command",
]

import json
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click

from containerlab import __version__
from containerlab.commands import formats
from containerlab.commands.compose.desk import Desk, pass_desk
from containerlab.commands.parsing import verb
from containerlab.commands.ps import container_row
from containerlab.commands.result import Column, Document, Lines, Result, Row, Table
from containerlab.commands.values import MOMENT, filters
from containerlab.compose import labels
from containerlab.compose.observe import Instance, exit_code, projects
from containerlab.errors import InvalidParameter, UsageError

_STATES = ("paused", "restarting", "removing", "running", "dead", "created", "exited")
_SERVICES = click.argument("services", nargs=-1, metavar="[SERVICE...]")


def service_table(ones: Sequence[Instance], *, empty: str, no_trunc: bool = False, lines: str | None = None) -> Table:
    """One row a container, as ``compose ps`` shows them."""

    def command(text: str) -> str:
        return formats.command_line(text, None if no_trunc else 20)

    columns = [
        Column("name", "NAME", "Name"),
        Column("image", "IMAGE", "Image"),
        Column("command", "COMMAND", "Command", command),
        Column("service", "SERVICE", "Service"),
        Column("created", "CREATED", "RunningFor", formats.ago, formats.ago_calm),
        Column("status", "STATUS", "Status", calm=formats.status_calm),
        Column("ports", "PORTS", "Ports", ", ".join),
        Column("id", "CONTAINER ID", "ID", hidden=True),
        Column("state", "STATE", "State", hidden=True),
        Column("health", "HEALTH", "Health", hidden=True),
        Column("exit_code", "EXIT CODE", "ExitCode", hidden=True),
        Column("project", "PROJECT", "Project", hidden=True),
    ]
    return Table(columns, [_row(one) for one in ones], empty=empty, lines=lines)


def _row(one: Instance) -> Row:
    row = container_row(dict(one.entry))
    return {
        **row, "name": one.name, "service": one.service, "health": one.health, "exit_code": exit_code(one) or 0,
        "project": row["labels"].get(labels.PROJECT, ""),
    }  # fmt: skip


@verb("ps", help="List the project's containers: the running ones, or all with -a.")
@click.option("-a", "--all", "everything", is_flag=True, help="Also those that have stopped, and those of run.")
@click.option("-q", "--quiet", is_flag=True, help="Only ids.")
@click.option("--services", "only_services", is_flag=True, help="Only the services' names.")
@click.option("--status", "states", multiple=True, type=click.Choice(_STATES), help="Only those in this state.")
@click.option("--filter", "word", metavar="status=STATE", help="The same.")
@click.option("--format", "form", metavar="FORMAT", help="table, json, or one line each, as in '{{.Name}}'.")
@click.option("--no-trunc", is_flag=True, help="Whole commands.")
@click.option("--orphans", is_flag=True, default=True, help="Also those that no file speaks of (=false: not).")
@_SERVICES
@pass_desk
def ps_command(
    desk: Desk,
    services: tuple[str, ...],
    everything: bool,
    quiet: bool,
    only_services: bool,
    states: tuple[str, ...],
    word: str | None,
    form: str | None,
    no_trunc: bool,
    orphans: bool,
) -> Result:
    if word is not None:
        key, _, state = word.partition("=")
        if key != "status" or state not in _STATES:
            raise UsageError(f"unknown filter {word}", hint="status=running is one that is known.")
        states = (*states, state)
    ones = desk.containers(services, everything=everything or bool(states), oneoff=everything)
    if not orphans and desk.known_project is not None:
        strangers = {one.id for one in desk.observe().orphans(desk.known_project)}
        ones = [one for one in ones if one.id not in strangers]
    ones = [one for one in ones if not states or one.state in states]
    if quiet:
        return Lines([one.id for one in ones])
    if only_services:
        return Lines(list(dict.fromkeys(one.service for one in ones)))
    lines = None if form in (None, "table") else form
    empty = "No container of this project." if everything else "No container of this project is running."
    return service_table(ones, empty=empty, no_trunc=no_trunc, lines=lines)


@verb("ls", help="List the projects that have containers.")
@click.option("-a", "--all", "everything", is_flag=True, help="Also those whose containers have all stopped.")
@click.option("-q", "--quiet", is_flag=True, help="Only names.")
@click.option("--filter", "words", multiple=True, metavar="name=PART", help="Only those whose name holds this.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", help="table, or json.")
@pass_desk
def ls_command(desk: Desk, everything: bool, quiet: bool, words: tuple[str, ...], form: str) -> Result:
    asked = filters(words) or {}
    if set(asked) - {"name"}:
        raise UsageError(f"invalid filter {next(iter(set(asked) - {'name'}))!r}")
    rows: list[Row] = []
    for name, ones in projects(desk.context.client).items():
        counted = [one for one in ones if not one.oneoff and (everything or one.state == "running")]
        if not counted or not all(part in name for part in asked.get("name", [])):
            continue
        states = sorted({one.state for one in counted})
        files = dict.fromkeys(
            file for one in counted for file in one.entry["Labels"].get(labels.CONFIG_FILES, "").split(",") if file
        )
        status = ", ".join(f"{state}({sum(one.state == state for one in counted)})" for state in states)
        rows.append({"name": name, "status": status, "files": list(files)})
    if quiet:
        return Lines([row["name"] for row in rows])
    if form == "json":
        return Document(
            [{"Name": row["name"], "Status": row["status"], "ConfigFiles": ",".join(row["files"])} for row in rows]
        )
    columns = [Column("name", "NAME"), Column("status", "STATUS"), Column("files", "CONFIG FILES", text=",".join)]
    return Table(columns, rows, empty="No project runs.")


@verb("top", help="The processes of the project's containers.")
@_SERVICES
@pass_desk
def top_command(desk: Desk, services: tuple[str, ...]) -> Result:
    titles: dict[str, None] = {}
    rows: list[Row] = []
    for one in desk.containers(services, everything=False):
        answer = desk.context.client.api.top(one.id)
        titles |= dict.fromkeys(answer["Titles"])
        rows += [
            {"service": one.service, "number": one.number, **dict(zip(answer["Titles"], process, strict=False))}
            for process in answer["Processes"] or []
        ]
    order = sorted(titles, key=lambda title: title == "CMD")
    columns = [Column("service", "SERVICE"), Column("number", "#"), *(Column(title, title) for title in order)]
    return Table(columns, [{**dict.fromkeys(order, "-"), **row} for row in rows], empty="No process of this project.")


@verb("port", help="Where on the host a service's port is published.")
@click.option("--index", type=int, default=0, metavar="N", help="Of the container with this number.")
@click.option("--protocol", type=click.Choice(["tcp", "udp"]), default="tcp", help="tcp, or udp.")
@click.argument("service")
@click.argument("port", metavar="PRIVATE_PORT")
@pass_desk
def port_command(desk: Desk, service: str, port: str, index: int, protocol: str) -> Result:
    number, _, named = port.partition("/")
    if not number.isdecimal():
        raise InvalidParameter(f"invalid port ({number}): a number is expected.")
    one = desk.one_container(service, index)
    ports = desk.context.client.api.inspect_container(one.id)["NetworkSettings"].get("Ports") or {}
    bindings = ports.get(f"{number}/{named or protocol}") or []
    if not bindings:
        raise InvalidParameter(f"no port {number}/{named or protocol} for container {one.name}")
    address = bindings[0]["HostIp"]
    return Lines([f"{f'[{address}]' if ':' in address else address}:{bindings[0]['HostPort']}"])


@verb("events", help="What happens to the project's containers: live in a terminal, so far in a notebook.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object each.")
@click.option("--since", type=MOMENT, help="From then on: 10m, or 2026-01-31T12:00:00.")
@click.option("--until", type=MOMENT, help="Up to then.")
@_SERVICES
@pass_desk
def events_command(
    desk: Desk, services: tuple[str, ...], as_json: bool, since: float | None, until: float | None
) -> Result:
    context = desk.context
    desk.check_names(services)
    if context.notebook:
        since, until = since or 1.0, until or time.time()
    stream = context.client.api.events(
        since=None if since is None else f"{since:.9f}", until=None if until is None else f"{until:.9f}", decode=True,
        filters={"label": [f"{labels.PROJECT}={desk.name}"], "type": ["container"]},
    )  # fmt: skip
    told: list[str] = []
    try:
        for event in stream:
            attributes = event["Actor"].get("Attributes") or {}
            if services and attributes.get(labels.SERVICE) not in services:
                continue
            line = _event_line(event, attributes, as_json=as_json)
            if context.notebook:
                told.append(line)
            else:
                context.output.stdout(f"{line}\n".encode())
    finally:
        stream.close()
    return Lines(told)


def _event_line(event: dict[str, Any], attributes: dict[str, str], *, as_json: bool) -> str:
    own = {key: value for key, value in attributes.items() if not key.startswith("com.docker.compose.")}
    moment = datetime.fromtimestamp(event["timeNano"] / 1e9)
    identifier = event["Actor"]["ID"]
    if not as_json:
        words = ", ".join(f"{key}={value}" for key, value in sorted(own.items()))
        return f"{moment.isoformat(' ', 'microseconds')} container {event['Action']} {identifier} ({words})"
    return json.dumps(
        {
            "time": moment.astimezone().isoformat(), "type": "container", "service": attributes.get(labels.SERVICE, ""),
            "id": identifier, "action": event["Action"], "attributes": own,
        }
    )  # fmt: skip


@verb("version", help="Which Compose this is.")
@click.option("--short", is_flag=True, help="The number alone.")
@click.option(
    "-f", "--format", "form", type=click.Choice(["pretty", "json"]), default="pretty", help="pretty, or json."
)
@pass_desk
def version_command(desk: Desk, short: bool, form: str) -> Result:
    if form == "json":
        return Document({"version": __version__})
    return Lines([__version__ if short else f"containerlab compose version {__version__}"])
