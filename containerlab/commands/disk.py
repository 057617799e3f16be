"""``system df``: what images, containers, volumes and the build cache take of the disk.

Source: docker/cli ``formatter/disk_usage.go``, for what counts as active and what as reclaimable.
"""

from __future__ import annotations

__all__ = ["DiskUsage", "df_command"]

import json
from typing import Any

import click

from containerlab.commands import formats, html, template
from containerlab.commands.context import Context, pass_context
from containerlab.commands.parsing import verb
from containerlab.commands.result import Column, Lines, Result, Row, Table
from containerlab.errors import UsageError

_LIVE = ("running", "paused", "restarting")


def _size(count: int) -> str:
    return "N/A" if count < 0 else formats.size(count, 4)


def _reclaimable(value: tuple[int, int]) -> str:
    amount, total = value
    return f"{_size(amount)} ({amount * 100 // total}%)" if total > 0 else _size(amount)


_KINDS = [
    Column("type", "TYPE", "Type"),
    Column("total", "TOTAL", "TotalCount", number=True),
    Column("active", "ACTIVE", "Active", number=True),
    Column("size", "SIZE", "Size", _size, number=True),
    Column("reclaimable_of", "RECLAIMABLE", "Reclaimable", _reclaimable, number=True),
]
_DETAILS: dict[str, tuple[str, list[Column]]] = {
    "Images": (
        "Images space usage:",
        [
            Column("repository", "REPOSITORY", "Repository"),
            Column("tag", "TAG", "Tag"),
            Column("id", "IMAGE ID", "ID", formats.short_id),
            Column("created", "CREATED", "CreatedSince", formats.ago, formats.ago_calm),
            Column("size", "SIZE", "Size", formats.size, number=True),
            Column("shared", "SHARED SIZE", "SharedSize", _size, number=True),
            Column("unique", "UNIQUE SIZE", "UniqueSize", _size, number=True),
            Column("containers", "CONTAINERS", "Containers", number=True),
        ],
    ),
    "Containers": (
        "Containers space usage:",
        [
            Column("id", "CONTAINER ID", "ID", formats.short_id),
            Column("image", "IMAGE", "Image"),
            Column("command", "COMMAND", "Command", formats.command_line),
            Column("volumes", "LOCAL VOLUMES", "LocalVolumes", number=True),
            Column("size", "SIZE", "Size", formats.size, number=True),
            Column("created", "CREATED", "RunningFor", formats.ago, formats.ago_calm),
            Column("status", "STATUS", "Status", calm=formats.status_calm),
            Column("name", "NAMES", "Names"),
        ],
    ),
    "Volumes": (
        "Local Volumes space usage:",
        [
            Column("name", "VOLUME NAME", "Name"),
            Column("links", "LINKS", "Links", number=True),
            Column("size", "SIZE", "Size", _size, number=True),
        ],
    ),
    "BuildCache": (
        "Build cache usage: {}",
        [
            Column("id", "CACHE ID", "ID", formats.short_id),
            Column("type", "CACHE TYPE", "CacheType"),
            Column("size", "SIZE", "Size", formats.size, number=True),
            Column("description", "DESCRIPTION", "Description"),
            Column("in_use", "IN USE", "InUse", text=lambda used: str(used).lower()),
            Column("shared", "SHARED", "Shared", text=lambda shared: str(shared).lower()),
        ],
    ),
}


class DiskUsage(Result):
    """``-v``: every image, container, volume and cache entry, with what each takes; ``tables`` by Docker's names."""

    def __init__(self, rows: dict[str, list[Row]]) -> None:
        cache = _size(sum(row["size"] for row in rows["BuildCache"]))
        self.titles = {name: title.format(cache) for name, (title, _) in _DETAILS.items()}
        self.tables = {name: Table(columns, rows[name]) for name, (_, columns) in _DETAILS.items()}

    def to_dict(self) -> dict[str, Any]:
        return {name: table.rows for name, table in self.tables.items()}

    def fields(self) -> dict[str, Any]:
        """Under the names of ``--format``, ids whole."""
        return {
            name: [{**table.fields(row), **({"ID": row["id"]} if "id" in row else {})} for row in table.rows]
            for name, table in self.tables.items()
        }

    def __str__(self) -> str:
        return "\n\n".join(f"{self.titles[name]}\n\n{table}" for name, table in self.tables.items())

    def calm(self) -> str:
        return "\n\n".join(f"{self.titles[name]}\n\n{table.calm()}" for name, table in self.tables.items())

    def body(self) -> str:
        return "".join(
            f"<p><b>{html.escape(self.titles[name])}</b></p>{table.body()}" for name, table in self.tables.items()
        )


@verb("df", help="What images, containers, volumes and the build cache take of the disk.")
@click.option("-v", "--verbose", is_flag=True, help="Each of them.")
@click.option("--format", "form", metavar="TEMPLATE", help="One line each, as in '{{.Type}} {{.Size}}', or json.")
@pass_context
def df_command(context: Context, verbose: bool, form: str | None) -> Result:
    usage = context.client.api.df()
    if not verbose:
        return Table(_KINDS, _summary(usage), lines=form)
    details = DiskUsage(_details(usage))
    if form is None:
        return details
    if form.startswith("table"):
        raise UsageError("--format: no table is understood with -v.", hint="json is, and '{{json .Images}}'.")
    fields = details.fields()
    return Lines([json.dumps(fields, ensure_ascii=False) if form == "json" else template.render(form, fields)])


def _summary(usage: dict[str, Any]) -> list[Row]:
    images, containers = usage.get("Images") or [], usage.get("Containers") or []
    volumes, caches = usage.get("Volumes") or [], usage.get("BuildCache") or []
    layers = usage.get("LayersSize") or 0
    used = [image for image in images if image.get("Containers") != 0]
    kept = sum(image["Size"] - image["SharedSize"] for image in used if -1 not in (image["Size"], image["SharedSize"]))
    alive = [entry for entry in containers if entry["State"] in _LIVE]
    held = [volume["UsageData"] for volume in volumes if volume.get("UsageData")]
    whole = [entry for entry in caches if not entry.get("Shared")]
    return [
        _row("Images", len(images), len(used), layers, layers - kept),
        _row(
            "Containers", len(containers), len(alive), sum(entry.get("SizeRw", 0) for entry in containers),
            sum(entry.get("SizeRw", 0) for entry in containers if entry not in alive),
        ),
        _row(
            "Local Volumes", len(volumes), sum(data["RefCount"] > 0 for data in held),
            sum(max(0, data["Size"]) for data in held),
            sum(max(0, data["Size"]) for data in held if not data["RefCount"]),
        ),
        _row(
            "Build Cache", len(caches), sum(bool(entry.get("InUse")) for entry in caches),
            sum(entry["Size"] for entry in whole), sum(entry["Size"] for entry in whole if not entry.get("InUse")),
        ),
    ]  # fmt: skip


def _row(kind: str, total: int, active: int, size: int, reclaimable: int) -> Row:
    return {
        "type": kind, "total": total, "active": active, "size": size, "reclaimable": reclaimable,
        "reclaimable_of": (reclaimable, size),
    }  # fmt: skip


def _details(usage: dict[str, Any]) -> dict[str, list[Row]]:
    return {
        "Images": [row for image in usage.get("Images") or [] for row in _image(image)],
        "Containers": [_container(entry) for entry in usage.get("Containers") or []],
        "Volumes": [
            {
                "name": volume["Name"],
                "links": (volume.get("UsageData") or {}).get("RefCount", 0),
                "size": (volume.get("UsageData") or {}).get("Size", -1),
            }
            for volume in usage.get("Volumes") or []
        ],
        "BuildCache": [
            {
                "id": entry["ID"], "type": entry["Type"], "size": entry["Size"],
                "description": entry.get("Description", ""), "in_use": bool(entry.get("InUse")),
                "shared": bool(entry.get("Shared")),
            }
            for entry in usage.get("BuildCache") or []
        ],
    }  # fmt: skip


def _image(image: dict[str, Any]) -> list[Row]:
    shared = image.get("SharedSize", -1)
    return [
        {
            "repository": tag.rpartition(":")[0], "tag": tag.rpartition(":")[2], "id": image["Id"],
            "created": image["Created"], "size": image["Size"], "shared": shared,
            "unique": -1 if shared < 0 else image["Size"] - shared, "containers": image.get("Containers", -1),
        }
        for tag in image.get("RepoTags") or ["<none>:<none>"]
    ]  # fmt: skip


def _container(entry: dict[str, Any]) -> Row:
    return {
        "id": entry["Id"], "image": entry["Image"], "command": entry.get("Command", ""),
        "volumes": sum(mount.get("Type") == "volume" for mount in entry.get("Mounts") or []),
        "size": entry.get("SizeRw", 0), "created": entry["Created"], "status": entry["Status"],
        "name": (entry.get("Names") or [""])[0].lstrip("/"),
    }  # fmt: skip
