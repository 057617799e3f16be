"""``container prune``, ``image prune``, ``builder prune`` and ``system prune``: remove what nobody needs.

Source: docker/cli ``command/{container,image,builder,system}/prune.go``, for what is asked, sent and told.
"""

from __future__ import annotations

__all__ = [
    "Pruned",
    "asked",
    "builder_prune_command",
    "container_prune_command",
    "image_prune_command",
    "system_prune_command",
]

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import click
import docker.errors

from containerlab.commands import formats, html
from containerlab.commands.confirm import confirmed
from containerlab.commands.context import Context, pass_context
from containerlab.commands.parsing import verb
from containerlab.commands.result import Lines, Result
from containerlab.commands.values import BYTES, filters
from containerlab.errors import InvalidParameter

_FORCE = click.option("-f", "--force", is_flag=True, help="Don't ask first; a notebook needs it.")
_FILTER = click.option("--filter", "words", multiple=True, metavar="K=V", help="Only such, as in until=24h, label=x.")


@dataclass(repr=False)
class Pruned(Result):
    """What was removed: ids by kind (an image's as the words ``deleted: …``), and the bytes that are free again."""

    containers: list[str] = field(default_factory=list)
    networks: list[str] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    caches: list[str] = field(default_factory=list)
    reclaimed: int = 0

    @property
    def _sections(self) -> list[tuple[str, str, list[str]]]:
        return [
            ("Deleted Containers:", "container", self.containers),
            ("Deleted Networks:", "network", self.networks),
            ("Deleted Volumes:", "volume", self.volumes),
            ("Deleted Images:", "image", self.images),
            ("Deleted build cache objects:", "build cache entry", self.caches),
        ]

    def to_dict(self) -> dict[str, Any]:
        return {
            "containers": self.containers, "networks": self.networks, "volumes": self.volumes, "images": self.images,
            "caches": self.caches, "reclaimed": self.reclaimed,
        }  # fmt: skip

    def __str__(self) -> str:
        told = ["\n".join([title, *lines, "", ""]) for title, _, lines in self._sections if lines]
        return "".join([*told, f"Total reclaimed space: {formats.size(self.reclaimed, 4)}"])

    def calm(self) -> str:
        counts = [(kind, sum(not line.startswith("untagged: ") for line in lines)) for _, kind, lines in self._sections]
        words = [f"{count} {kind if count == 1 else formats.plural(kind)}" for kind, count in counts if count]
        return f"Removed {', '.join(words) or 'nothing'}; {formats.size(self.reclaimed, 4)} are free again."

    def body(self) -> str:
        return f"<p>{html.escape(self.calm())}</p>"


def _containers(context: Context, wanted: dict[str, list[str]] | None, pruned: Pruned) -> None:
    answer = context.client.api.prune_containers(filters=wanted)
    pruned.containers += answer.get("ContainersDeleted") or []
    pruned.reclaimed += answer.get("SpaceReclaimed") or 0


def _images(context: Context, wanted: dict[str, list[str]] | None, pruned: Pruned, *, everything: bool) -> None:
    answer = context.client.api.prune_images(filters={**(wanted or {}), "dangling": str(not everything).lower()})
    for change in answer.get("ImagesDeleted") or []:
        pruned.images += [f"{action.lower()}: {what}" for action, what in change.items()]
    pruned.reclaimed += answer.get("SpaceReclaimed") or 0


def _caches(
    context: Context, wanted: dict[str, list[str]] | None, pruned: Pruned, *, everything: bool, keep: int | None = None
) -> None:
    answer = context.client.api.prune_builds(filters=wanted, keep_storage=keep, all=everything or None)
    pruned.caches += answer.get("CachesDeleted") or []
    pruned.reclaimed += answer.get("SpaceReclaimed") or 0


def asked(context: Context, warning: str, what: str, force: bool, work: Callable[[Pruned], None]) -> Result:
    """``work``, once the person at the terminal has agreed to ``warning``."""
    if not confirmed(context, f"WARNING! {warning}", verb=what, force=force):
        return Lines([])
    pruned = Pruned()
    work(pruned)
    return pruned


@verb("prune", help="Remove all containers that don't run.")
@_FILTER
@_FORCE
@pass_context
def container_prune_command(context: Context, words: tuple[str, ...], force: bool) -> Result:
    wanted = filters(words)
    warning = "This will remove all stopped containers.\n"
    return asked(context, warning, "container prune", force, lambda pruned: _containers(context, wanted, pruned))


@verb("prune", help="Remove untagged images; with -a all that no container uses.")
@click.option("-a", "--all", "everything", is_flag=True, help="Also tagged ones that no container uses.")
@_FILTER
@_FORCE
@pass_context
def image_prune_command(context: Context, everything: bool, words: tuple[str, ...], force: bool) -> Result:
    wanted = filters(words)
    kind = "images without at least one container associated to them" if everything else "dangling images"
    return asked(
        context, f"This will remove all {kind}.\n", "image prune", force,
        lambda pruned: _images(context, wanted, pruned, everything=everything),
    )  # fmt: skip


@verb("prune", help="Remove what builds have kept to be quick the next time.")
@click.option("-a", "--all", "everything", is_flag=True, help="All of it that nobody uses.")
@click.option("--keep-storage", type=BYTES, hidden=True)
@_FILTER
@_FORCE
@pass_context
def builder_prune_command(
    context: Context, everything: bool, keep_storage: int | None, words: tuple[str, ...], force: bool
) -> Result:
    wanted = filters(words)
    kind = "build cache" if everything else "dangling build cache"
    return asked(
        context, f"This will remove all {kind}. ", "builder prune", force,
        lambda pruned: _caches(context, wanted, pruned, everything=everything, keep=keep_storage),
    )  # fmt: skip


@verb("prune", help="Remove stopped containers, untagged images and the build cache; with -a all unused images.")
@click.option("-a", "--all", "everything", is_flag=True, help="Also tagged images that no container uses.")
@click.option("--volumes", is_flag=True, help="Also anonymous volumes that no container uses.")
@_FILTER
@_FORCE
@pass_context
def system_prune_command(
    context: Context, everything: bool, volumes: bool, words: tuple[str, ...], force: bool
) -> Result:
    wanted = filters(words)
    if volumes and wanted and "until" in wanted:
        raise InvalidParameter('The "until" filter is not supported with "--volumes"')

    def work(pruned: Pruned) -> None:
        api = context.client.api
        _containers(context, wanted, pruned)
        pruned.networks += _network_filters(api, wanted)
        if volumes:
            answer = api.prune_volumes(filters=wanted)
            pruned.volumes += answer.get("VolumesDeleted") or []
            pruned.reclaimed += answer.get("SpaceReclaimed") or 0
        _images(context, wanted, pruned, everything=everything)
        _filtered_caches(context, wanted, pruned, everything=everything)

    return asked(context, _system_warning(everything, volumes, words), "system prune", force, work)


def _network_filters(api: Any, wanted: dict[str, list[str]] | None) -> list[str]:
    return list(api.prune_networks(filters=wanted).get("NetworksDeleted") or [])


def _filtered_caches(
    context: Context, wanted: dict[str, list[str]] | None, pruned: Pruned, *, everything: bool
) -> None:
    """An engine that can't choose among its cache keeps all of it, and says so, after the rest is done."""
    try:
        _caches(context, wanted, pruned, everything=everything)
    except docker.errors.APIError as refusal:
        if not wanted or refusal.response is None or refusal.response.status_code != 400:
            raise
        context.output.notice("The build cache is left as it is: its entries can't be chosen by --filter here.")


def _system_warning(everything: bool, volumes: bool, words: Sequence[str]) -> str:
    kinds = ["all stopped containers", "all networks not used by at least one container"]
    kinds += ["all anonymous volumes not used by at least one container"] if volumes else []
    kinds += ["all images without at least one container associated to them" if everything else "all dangling images"]
    kinds += ["all build cache" if everything else "unused build cache"]
    lines = ["This will remove:", *(f"  - {kind}" for kind in kinds), ""]
    if words:
        lines += ["  Items to be pruned will be filtered with:", *(f"  - {word}" for word in sorted(words)), ""]
    return "\n".join([*lines, ""])
