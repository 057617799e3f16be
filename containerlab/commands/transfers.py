"""``pull`` and ``push``: images between the engine and registries, with progress."""

from __future__ import annotations

__all__ = ["Transferred", "pull", "pull_command", "push", "push_command"]

import codecs
from dataclasses import dataclass, field
from typing import Any

import click
import docker.auth
import docker.utils.json_stream

from containerlab.commands import html
from containerlab.commands.context import Context, pass_context
from containerlab.commands.output import Silent
from containerlab.commands.parsing import ONE_PLATFORM, content_trust, refused, verb
from containerlab.commands.result import Lines, Result
from containerlab.commands.streams import post
from containerlab.commands.transfer_log import TransferLog
from containerlab.errors import RegistryError, UsageError


@dataclass(repr=False)
class Transferred(Result):
    """What was pulled or pushed: its name, the digest it has there, its layers."""

    what: str
    reference: str
    log: TransferLog = field(repr=False)

    @property
    def digest(self) -> str:
        return self.log.digest

    @property
    def moved(self) -> int:
        """Layers that had to be sent or fetched."""
        return sum(part.status in ("Pull complete", "Pushed") for part in self.log.parts.values())

    def to_dict(self) -> dict[str, Any]:
        layers = {part.id: part.status for part in self.log.parts.values()}
        return {"what": self.what, "reference": self.reference, "digest": self.digest, "layers": layers}

    def __str__(self) -> str:
        return self.reference

    def calm(self) -> str:
        count = len(self.log.parts)
        layers = f"{count} layer{'s' * (count != 1)}, {self.moved} of them {'sent' if self.what == 'Pushed' else 'new'}"
        return f"{self.what} {self.reference}: {layers}."

    def body(self) -> str:
        return f"<p>{html.escape(self.calm())}</p>"


def pull(
    context: Context,
    image: str,
    *,
    all_tags: bool = False,
    platform: str | None = None,
    quiet: bool = False,
    aside: bool = False,
) -> Transferred:
    """Fetch an image. Raises RegistryError, and docker.errors.APIError for one that the registry doesn't have.

    ``aside`` keeps what is told off standard output.

    An interrupt closes the connection, which ends the pull in the engine.
    """
    reference = image if all_tags else _tagged(image)
    name, tag = (image, None) if all_tags else _split(reference)
    log = TransferLog(f"Pulling {reference}", aside)
    params = [("fromImage", name), ("tag", tag or ""), ("platform", platform or "")]
    return Transferred("Pulled", reference, _follow(context, "/images/create", params, name, log, quiet))


def push(context: Context, image: str, *, all_tags: bool = False, quiet: bool = False) -> Transferred:
    """Send an image under its name. Raises NotFound, RegistryError."""
    reference = image if all_tags else _tagged(image)
    name, tag = (image, None) if all_tags else _split(reference)
    if all_tags and ":" in image.rpartition("/")[2]:
        raise UsageError("tag can't be used with --all-tags/-a")
    path, params = f"/images/{name}/push", [("tag", tag or "")]
    return Transferred(
        "Pushed", reference, _follow(context, path, params, name, TransferLog(f"Pushing {reference}"), quiet)
    )


def _follow(
    context: Context, path: str, params: list[tuple[str, str]], name: str, log: TransferLog, quiet: bool
) -> TransferLog:
    """Ask, with the account that Docker's config.json has for the registry, and tell what is heard."""
    output = Silent() if quiet else context.output
    registry, _ = docker.auth.resolve_repository_name(name)
    account = docker.auth.get_config_header(context.client.api, registry)
    headers = {"X-Registry-Auth": account} if account else {}
    response = post(context.client, path, params=[pair for pair in params if pair[1]], headers=headers)
    try:
        texts = codecs.iterdecode(response.iter_content(chunk_size=None), "utf-8", "replace")
        for message in docker.utils.json_stream.json_stream(texts):
            log.feed(message)
            output.transfer(log)
    finally:
        log.ended = True
        output.transfer(log)
        response.raw.close()
        response.close()
    if log.error:
        head, _, hint = log.error.partition("\n")
        raise RegistryError(head, hint=hint)
    return log


def _tagged(image: str) -> str:
    return image if "@" in image or ":" in image.rpartition("/")[2] else f"{image}:latest"


def _split(reference: str) -> tuple[str, str]:
    """Name and tag, or digest, as docker-py takes them."""
    if "@" in reference:
        name, _, digest = reference.partition("@")
        return name, digest
    name, _, tag = reference.rpartition(":")
    return name, tag


@verb("pull", help="Fetch an image from its registry.")
@content_trust
@click.option("-a", "--all-tags", is_flag=True, help="Every tag of the repository.")
@click.option("--platform", metavar="OS/ARCH", help="The image for this platform, as in linux/arm64.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
@click.argument("image", metavar="NAME[:TAG|@DIGEST]")
@pass_context
def pull_command(context: Context, all_tags: bool, platform: str | None, quiet: bool, image: str) -> Result:
    if all_tags and ("@" in image or ":" in image.rpartition("/")[2]):
        raise UsageError("tag can't be used with --all-tags/-a")
    done = pull(context, image, all_tags=all_tags, platform=platform, quiet=quiet)
    return Lines([done.reference]) if quiet else done


@verb("push", help="Send an image to the registry that its name begins with.")
@content_trust
@refused("--platform", why=ONE_PLATFORM)
@click.option("-a", "--all-tags", is_flag=True, help="Every tag of the repository.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
@click.argument("image", metavar="NAME[:TAG]")
@pass_context
def push_command(context: Context, all_tags: bool, quiet: bool, image: str) -> Result:
    done = push(context, image, all_tags=all_tags, quiet=quiet)
    return Lines([done.reference]) if quiet else done
