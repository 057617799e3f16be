"""``inspect``, ``info`` and ``version``: what the engine knows, as JSON or as a table."""

from __future__ import annotations

__all__ = [
    "container_inspect_command",
    "formatted",
    "image_inspect_command",
    "info_command",
    "inspect_command",
    "version_command",
]

import json
from typing import Any

import click
import docker.errors

from containerlab import __version__
from containerlab.commands import formats, names, template
from containerlab.commands.context import Context, pass_context
from containerlab.commands.parsing import ONE_PLATFORM, refused, verb
from containerlab.commands.result import Column, Document, Lines, Result, Table
from containerlab.errors import NotFound


def _inspect(context: Context, name: str, kind: str | None, size: bool) -> dict[str, Any]:
    api = context.client.api
    if kind != "image":
        try:
            facts: dict[str, Any] = api.inspect_container(name)
            return facts if not size else {**facts, **_sizes(context, str(facts["Id"]))}
        except docker.errors.NotFound:
            if kind == "container":
                raise
    try:
        image: dict[str, Any] = api.inspect_image(name)
        return image
    except docker.errors.ImageNotFound as missing:
        if kind == "image":
            raise
        known = [*names.container_names(context.client), *names.image_names(context.client)]
        raise NotFound(f"No such object: {name}", hint=names.hint(name, known)) from missing


def _sizes(context: Context, identifier: str) -> dict[str, Any]:
    for entry in context.client.api.containers(all=True, size=True, filters={"id": identifier}):
        return {"SizeRw": entry.get("SizeRw", 0), "SizeRootFs": entry.get("SizeRootFs", 0)}
    return {}


_FORM = click.option("-f", "--format", "form", metavar="TEMPLATE", help="Only this, as in '{{.State.Pid}}'; or json.")
_SIZE = click.option("-s", "--size", is_flag=True, help="Also the sizes of a container's files.")


@verb("inspect", help="Everything the engine knows about containers or images, as JSON.")
@_FORM
@_SIZE
@click.option("--type", "kind", type=click.Choice(["container", "image"]), help="Look only among these.")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@pass_context
def inspect_command(context: Context, form: str | None, size: bool, kind: str | None, names: tuple[str, ...]) -> Result:
    return _told(context, names, kind, form, size)


@verb("inspect", help="Everything the engine knows about containers, as JSON.")
@_FORM
@_SIZE
@click.argument("containers", nargs=-1, required=True, metavar="CONTAINER...")
@pass_context
def container_inspect_command(context: Context, form: str | None, size: bool, containers: tuple[str, ...]) -> Result:
    return _told(context, containers, "container", form, size)


@verb("inspect", help="Everything the engine knows about images, as JSON.")
@_FORM
@refused("--platform", why=ONE_PLATFORM)
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@pass_context
def image_inspect_command(context: Context, form: str | None, images: tuple[str, ...]) -> Result:
    return _told(context, images, "image", form, size=False)


def _told(context: Context, names: tuple[str, ...], kind: str | None, form: str | None, size: bool) -> Result:
    found = [_inspect(context, name, kind, size) for name in names]
    return formatted(found, form) or Document(found, summary=f"What the engine knows about {', '.join(names)}")


def formatted(found: list[dict[str, Any]], form: str | None) -> Lines | None:
    """One line an object by ``--format``; None without it."""
    if form is None:
        return None
    if form == "json":
        return Lines([json.dumps(entry, separators=(",", ":"), ensure_ascii=False) for entry in found])
    return Lines([template.render(form, entry) for entry in found])


_INFO = [
    ("Name", "Name"), ("ServerVersion", "Server version"), ("KernelVersion", "Kernel"), ("OperatingSystem", "System"),
    ("Architecture", "Architecture"), ("NCPU", "Processors"), ("MemTotal", "Memory"), ("Containers", "Containers"),
    ("ContainersRunning", "Running"), ("Images", "Images"), ("Driver", "Storage driver"),
    ("CgroupVersion", "Cgroup version"),
    ("CgroupDriver", "Cgroup driver"), ("DefaultRuntime", "Default runtime"), ("Runtimes", "Runtimes"),
    ("SecurityOptions", "Security options"), ("DockerRootDir", "Store"),
]  # fmt: skip


def _facts(rows: list[tuple[str, str]]) -> Table:
    columns = [Column("fact", "FACT"), Column("value", "VALUE")]
    return Table(columns, [{"fact": fact, "value": value} for fact, value in rows])


def _words(key: str, value: Any) -> str:
    if key == "MemTotal":
        return formats.size(value)
    if isinstance(value, (list, dict)):
        return ", ".join(sorted(str(item) for item in value)) or "none"
    return str(value)


@verb("info", help="The engine and the host under it.")
@click.option("-f", "--format", "form", metavar="TEMPLATE", help="Only this, as in '{{.KernelVersion}}', or json.")
@pass_context
def info_command(context: Context, form: str | None) -> Result:
    facts = context.client.api.info()
    for warning in facts.get("Warnings") or []:
        context.output.notice(str(warning))
    rows = [(title, _words(key, facts[key])) for key, title in _INFO if key in facts]
    return formatted([facts], form) or _facts(rows)


@verb("version", help="The versions of this program and of the engine.")
@click.option("-f", "--format", "form", metavar="TEMPLATE", help="Only this, as in '{{.Server.Version}}', or json.")
@pass_context
def version_command(context: Context, form: str | None) -> Result:
    server = context.client.api.version()
    client = {"Version": __version__, "ApiVersion": context.client.api.api_version}
    rows = [
        ("Client", f"containerlab {client['Version']}, speaking API {client['ApiVersion']}"),
        ("Engine", f"{(server.get('Platform') or {}).get('Name') or 'Docker'} {server['Version']}".strip()),
        ("Engine's API", f"{server.get('MinAPIVersion', '')} to {server['ApiVersion']}"),
        ("Kernel", f"{server.get('Os', '')} {server.get('KernelVersion', '')} {server.get('Arch', '')}"),
    ]
    return formatted([{"Client": client, "Server": server}], form) or _facts(rows)
