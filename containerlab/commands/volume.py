"""``volume create``, ``ls``, ``inspect``, ``rm`` and ``prune`` (docker/cli ``command/volume``)."""

from __future__ import annotations

__all__ = [
    "volume_create_command",
    "volume_inspect_command",
    "volume_list_command",
    "volume_prune_command",
    "volume_remove_command",
]

from collections.abc import Callable
from typing import Any

import click
import docker.errors

from containerlab.commands.context import Context, pass_context
from containerlab.commands.inspect import formatted
from containerlab.commands.many import each
from containerlab.commands.parsing import refused, refused_flag, verb
from containerlab.commands.prune import Pruned, asked
from containerlab.commands.result import Column, Document, Lines, Result, Table
from containerlab.commands.values import filters, pairs
from containerlab.lab import lessons

_CLUSTER = "there is no swarm here: volumes are this host's"
_CLUSTER_OPTIONS = (
    *("--availability", "--group", "--limit-bytes", "--required-bytes", "--scope", "--secret", "--sharing"),
    *("--topology-preferred", "--topology-required", "--type"),
)


def _of_a_cluster(command: Callable[..., Any]) -> Callable[..., Any]:
    for name in _CLUSTER_OPTIONS:
        command = refused(name, why=_CLUSTER)(command)
    return command


_FILTER = click.option("-f", "--filter", "words", multiple=True, metavar="K=V", help="Only such, as in dangling=true.")


@verb("create", help="Make a volume: a folder whose content outlives the containers that use it.")
@click.option("-d", "--driver", default="local", help="Who keeps it; there is local.")
@click.option("--label", "labels", multiple=True, metavar="K=V", help="Note something on it.")
@click.option("-o", "--opt", "options", multiple=True, metavar="K=V", help="type=none, o=bind, device=/FOLDER.")
@_of_a_cluster
@click.argument("name", required=False)
@pass_context
def volume_create_command(
    context: Context, driver: str, labels: tuple[str, ...], options: tuple[str, ...], name: str | None
) -> Result:
    marked = {**lessons.labels(), **(pairs(labels, "--label", bare=True) or {})}
    made = context.client.api.create_volume(name, driver, driver_opts=pairs(options, "--opt"), labels=marked or None)
    return Lines([made["Name"]])


@verb("ls", help="List the volumes.")
@click.option("-q", "--quiet", is_flag=True, help="Only names.")
@_FILTER
@click.option("--format", "template", metavar="TEMPLATE", help="One line each, as in '{{.Name}}', or json.")
@refused_flag("--cluster", why=_CLUSTER)
@pass_context
def volume_list_command(context: Context, quiet: bool, words: tuple[str, ...], template: str | None) -> Result:
    found = context.client.api.volumes(filters=filters(words))["Volumes"] or []
    rows = [
        {
            "driver": entry["Driver"],
            "name": entry["Name"],
            "mountpoint": entry["Mountpoint"],
            "labels": entry.get("Labels") or {},
        }
        for entry in found
    ]
    if quiet and template is None:
        return Lines([row["name"] for row in rows])
    columns = [Column("driver", "DRIVER", "Driver"), Column("name", "VOLUME NAME", "Name")]
    return Table(columns, rows, empty="There are no volumes.", lines=template)


@verb("inspect", help="Everything the engine knows about volumes, as JSON.")
@click.option("-f", "--format", "form", metavar="TEMPLATE", help="As in '{{.Mountpoint}}', or json.")
@click.argument("volumes", nargs=-1, required=True, metavar="VOLUME...")
@pass_context
def volume_inspect_command(context: Context, form: str | None, volumes: tuple[str, ...]) -> Result:
    found = [context.client.api.inspect_volume(name) for name in volumes]
    return formatted(found, form) or Document(found, summary=f"What the engine knows about {', '.join(volumes)}")


@verb("rm", help="Remove volumes that no container uses, and all that is in them.")
@click.option("-f", "--force", is_flag=True, help="A volume that isn't there is no error.")
@click.argument("volumes", nargs=-1, required=True, metavar="VOLUME...")
@pass_context
def volume_remove_command(context: Context, force: bool, volumes: tuple[str, ...]) -> Result:
    def remove(name: str) -> None:
        try:
            context.client.api.remove_volume(name)
        except docker.errors.NotFound:
            if not force:  # docker-py takes the flag and doesn't send it
                raise

    return each(context, volumes, remove)


@verb("prune", help="Remove anonymous volumes that no container uses; with -a named ones too.")
@click.option("-a", "--all", "everything", is_flag=True, help="Also named ones that no container uses.")
@click.option("--filter", "words", multiple=True, metavar="K=V", help="Only such, as in label=x.")
@click.option("-f", "--force", is_flag=True, help="Don't ask first; a notebook needs it.")
@pass_context
def volume_prune_command(context: Context, everything: bool, words: tuple[str, ...], force: bool) -> Result:
    wanted = {**(filters(words) or {}), **({"all": ["true"]} if everything else {})}

    def work(pruned: Pruned) -> None:
        answer = context.client.api.prune_volumes(filters=wanted or None)
        pruned.volumes += answer.get("VolumesDeleted") or []
        pruned.reclaimed += answer.get("SpaceReclaimed") or 0

    kind = "volumes" if everything else "anonymous volumes"
    warning = f"This will remove {kind} not used by at least one container.\n"
    return asked(context, warning, "volume prune", force, work)
