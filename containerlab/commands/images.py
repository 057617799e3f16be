"""``images``, ``history``, ``tag`` and ``rmi``."""

from __future__ import annotations

__all__ = ["history_command", "images_command", "rmi_command", "tag_command"]

from typing import Any

import click
import docker.errors

from containerlab.commands import formats
from containerlab.commands.context import Context, pass_context
from containerlab.commands.many import each
from containerlab.commands.parsing import ONE_PLATFORM, refused, refused_flag, verb
from containerlab.commands.result import Column, Lines, Result, Row, Table
from containerlab.commands.values import filters
from containerlab.lab import lessons


def _identifier(no_trunc: bool) -> Any:
    return str if no_trunc else formats.short_id


def _image_rows(entry: dict[str, Any]) -> list[Row]:
    digests = dict(word.split("@", 1) for word in entry.get("RepoDigests") or [] if "@" in word)
    tags = entry.get("RepoTags") or [f"{name}:<none>" for name in digests] or ["<none>:<none>"]
    return [
        {
            "digest": digests.get(tag.rpartition(":")[0], "<none>"),
            "repository": tag.rpartition(":")[0],
            "tag": tag.rpartition(":")[2],
            "id": entry["Id"],
            "created": entry["Created"],
            "size": entry["Size"],
            "labels": entry.get("Labels") or {},
        }
        for tag in tags
    ]


@verb("images", help="List images, or those of one REPOSITORY[:TAG].")
@click.option("-a", "--all", "everything", is_flag=True, help="Also the untagged images between a build's steps.")
@click.option("-q", "--quiet", is_flag=True, help="Only ids.")
@click.option("-f", "--filter", "words", multiple=True, metavar="K=V", help="As in reference=lab/*, dangling=true.")
@click.option("--format", "template", metavar="TEMPLATE", help="One line each, as in '{{.Repository}}', or json.")
@click.option("--no-trunc", is_flag=True, help="Whole ids.")
@click.option("--digests", is_flag=True, help="Also the digest that the registry knows an image by.")
@refused_flag("--tree", why=ONE_PLATFORM)
@click.argument("repository", required=False)
@pass_context
def images_command(
    context: Context,
    everything: bool,
    quiet: bool,
    words: tuple[str, ...],
    digests: bool,
    template: str | None,
    no_trunc: bool,
    repository: str | None,
) -> Result:
    wanted = filters(words) or {}
    if repository:
        wanted.setdefault("reference", []).append(repository)
    entries = context.client.api.images(all=everything, filters=wanted or None)
    rows = [row for entry in entries for row in _image_rows(entry)]
    if quiet and not template:
        return Lines(list(dict.fromkeys(_identifier(no_trunc)(row["id"]) for row in rows)))
    columns = [
        Column("repository", "REPOSITORY", "Repository"),
        Column("tag", "TAG", "Tag"),
        Column("digest", "DIGEST", "Digest", hidden=not digests),
        Column("id", "IMAGE ID", "ID", _identifier(no_trunc)),
        Column("created", "CREATED", "CreatedSince", formats.ago, formats.ago_calm),
        Column("created", "CREATED AT", "CreatedAt", formats.moment, hidden=True),
        Column("size", "SIZE", "Size", formats.size, number=True),
    ]
    return Table(columns, rows, empty="There are no images.", lines=template)


@verb("history", help="The layers of an image, newest first, and the instruction that made each.")
@click.option("-q", "--quiet", is_flag=True, help="Only ids.")
@click.option("-H", "--human", is_flag=True, default=True, help="Sizes and times in words; =false: in numbers.")
@click.option(
    "--format", "template", metavar="TEMPLATE", help="One line each, as in '{{.Size}} {{.CreatedBy}}', or json."
)
@click.option("--no-trunc", is_flag=True, help="Whole ids and instructions.")
@refused("--platform", why=ONE_PLATFORM)
@click.argument("image")
@pass_context
def history_command(
    context: Context, quiet: bool, human: bool, template: str | None, no_trunc: bool, image: str
) -> Result:
    rows = [
        {
            "id": entry["Id"],
            "created": entry["Created"],
            "created_by": entry["CreatedBy"],
            "size": entry["Size"],
            "comment": entry.get("Comment", ""),
            "tags": entry.get("Tags") or [],
        }
        for entry in context.client.api.history(image)
    ]
    if quiet and not template:
        return Lines([_identifier(no_trunc)(row["id"]) for row in rows])

    def instruction(text: str) -> str:
        shown = " ".join(text.removeprefix("/bin/sh -c #(nop) ").split())
        return shown if no_trunc or len(shown) <= 45 else shown[:44] + "…"

    columns = [
        Column("id", "IMAGE", "ID", _identifier(no_trunc)),
        Column(
            "created", "CREATED", "CreatedSince", formats.ago if human else str, formats.ago_calm if human else None
        ),
        Column("created_by", "CREATED BY", "CreatedBy", instruction),
        Column("size", "SIZE", "Size", formats.size if human else str, number=True),
        Column("comment", "COMMENT", "Comment"),
    ]
    return Table(columns, rows, empty="The image has no history.", lines=template)


@verb("tag", help="Give an image one more name.")
@click.argument("source")
@click.argument("target")
@pass_context
def tag_command(context: Context, source: str, target: str) -> Result:
    head, colon, tail = target.rpartition(":")
    repository, tag = (head, tail) if colon and "/" not in tail else (target, "latest")
    context.client.api.tag(source, repository, tag)
    lessons.made_images([f"{repository}:{tag}"])
    return Lines([])


@verb("rmi", help="Remove images: a tag, and with its last tag the layers nobody else uses.")
@click.option(
    "-f", "--force", is_flag=True, help="Also when a stopped container stands on it; a missing one is no error."
)
@click.option("--no-prune", is_flag=True, help="Keep untagged parents.")
@refused("--platform", why=ONE_PLATFORM)
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@pass_context
def rmi_command(context: Context, force: bool, no_prune: bool, images: tuple[str, ...]) -> Result:
    told: list[str] = []

    def remove(name: str) -> bool:
        try:
            changes = context.client.api.remove_image(name, force=force, noprune=no_prune)
        except docker.errors.ImageNotFound:
            if not force:
                raise
            return False
        for change in changes or []:
            told.extend(f"{action}: {what}" for action, what in change.items())
        return True

    each(context, images, remove)
    return Lines(told)
