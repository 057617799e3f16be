"""``save``, ``load``, ``import`` and ``export``: images and containers as tars. Options and words are Docker's."""

from __future__ import annotations

__all__ = [
    "Loaded",
    "Written",
    "export_command",
    "import_command",
    "load_command",
    "save_command",
]

import codecs
import contextlib
import json
import os
import secrets
import stat
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import click
import docker.utils.json_stream
import requests

from containerlab.commands import formats
from containerlab.commands.context import Context, pass_context
from containerlab.commands.output import StandardOutput
from containerlab.commands.parsing import verb
from containerlab.commands.result import Lines, Result
from containerlab.commands.streams import get, post
from containerlab.commands.transfer_log import TransferLog
from containerlab.errors import ContainerlabError, UsageError

_CHUNK = 1 << 20


@dataclass(repr=False)
class Written(Result):
    """A tar that was written: what of, where to (empty: standard output), and its bytes."""

    what: str
    path: str
    size: int

    def to_dict(self) -> dict[str, Any]:
        return {"what": self.what, "path": self.path, "size": self.size}

    def __str__(self) -> str:
        return ""

    def calm(self) -> str:
        return f"{self.what} is in {self.path}, {formats.size(self.size)}." if self.path else ""


@dataclass(repr=False)
class Loaded(Result):
    """What an archive held: the names of its images, and the ids of those without one."""

    images: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        return {"images": self.images}

    def __iter__(self) -> Iterator[str]:
        return iter(self.images)

    def __str__(self) -> str:
        return "\n".join(self.lines)


@verb("save", help="Write images to a tar, with all their layers and names; it goes to standard output without -o.")
@click.option("-o", "--output", metavar="FILE", help="Write to this file.")
@click.option("--platform", metavar="OS/ARCH", help="Only the image for this platform, as in linux/amd64.")
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@pass_context
def save_command(context: Context, output: str | None, platform: str | None, images: tuple[str, ...]) -> Result:
    _check_output(context, output)
    params = [("names", context.variable(name)) for name in images] + _platform(platform)
    return _write(context, get(context.client, "/images/get", params=params), ", ".join(images), output)


@verb("export", help="Write a container's whole root file system to a tar; it goes to standard output without -o.")
@click.option("-o", "--output", metavar="FILE", help="Write to this file.")
@click.argument("container")
@pass_context
def export_command(context: Context, output: str | None, container: str) -> Result:
    _check_output(context, output)
    name = context.variable(container)
    return _write(context, get(context.client, f"/containers/{name}/export"), name, output)


@verb("load", help="Take in the images of a tar that save has written, of any compression.")
@click.option("-i", "--input", "source", metavar="FILE", help="Read this file, not standard input.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
@click.option("--platform", metavar="OS/ARCH", help="Only the image for this platform, as in linux/amd64.")
@pass_context
def load_command(context: Context, source: str | None, quiet: bool, platform: str | None) -> Result:
    quiet = quiet or (context.terminal is None and not context.notebook)
    params = [("quiet", "1" if quiet else "0"), *_platform(platform)]
    loaded, log = Loaded(), TransferLog("Loading images", aside=True)
    with _opened(context, source, "load") as body:
        response = post(context.client, "/images/load", params=params, data=body, headers=_TAR)
    for message in _messages(response, log):
        said = str(message.get("stream", "")).rstrip("\n")
        if said:
            loaded.lines.append(said)
            head, _, name = said.partition(": ")
            loaded.images += [name] if head in ("Loaded image", "Loaded image ID") else []
        elif not quiet:
            log.feed(message)
            context.output.transfer(log)
    log.ended = True
    if log.parts:
        context.output.transfer(log)
    return loaded


@verb("import", help="Make an image of one layer from the tar of a root file system; - is standard input.")
@click.option("-c", "--change", "changes", multiple=True, metavar="INSTRUCTION", help="As in --change 'CMD [\"sh\"]'.")
@click.option("-m", "--message", default="", help="What the image's history says of it.")
@click.option("--platform", metavar="OS/ARCH", help="What the image is for, where not for this host.")
@click.argument("source", metavar="FILE|-")
@click.argument("repository", required=False, metavar="[REPOSITORY[:TAG]]")
@pass_context
def import_command(
    context: Context,
    changes: tuple[str, ...],
    message: str,
    platform: str | None,
    source: str,
    repository: str | None,
) -> Result:
    name, tag = split_name(repository)
    asked = [("fromSrc", "-"), ("repo", name), ("tag", tag), ("message", message), ("platform", platform or "")]
    params = [pair for pair in asked if pair[1]] + [("changes", change) for change in changes]
    if "://" in source:
        raise UsageError(f"{source} can't be fetched.", hint="Download it first, then import the file.")
    with _opened(context, None if source == "-" else source, "import") as body:
        response = post(context.client, "/images/create", params=params, data=body, headers=_TAR)
    said = [str(each["status"]) for each in _messages(response, TransferLog("")) if "status" in each]
    return Lines(said[-1:])


_TAR = {"Content-Type": "application/x-tar"}


def split_name(repository: str | None) -> tuple[str, str]:
    """``REPOSITORY[:TAG]`` as the API takes it, in two."""
    head, colon, tail = (repository or "").rpartition(":")
    return (head, tail) if colon and "/" not in tail else (repository or "", "")


def _platform(text: str | None) -> list[tuple[str, str]]:
    """The API's JSON of ``linux/arm64/v8``."""
    if not text:
        return []
    keys = ("os", "architecture", "variant")
    return [("platform", json.dumps(dict(zip(keys, text.split("/"), strict=False))))]


def _check_output(context: Context, output: str | None) -> None:
    on_screen = isinstance(context.output, StandardOutput) and sys.stdout.isatty()
    if output is None and (context.notebook or on_screen):
        raise UsageError("A tar isn't written to a notebook or a terminal.", hint="Name a file: -o FILE.")


def _write(context: Context, response: requests.Response, what: str, output: str | None) -> Result:
    """Standard output as it comes; a file is whole or not there."""
    size = 0
    with contextlib.closing(response):
        pieces: Iterable[bytes] = response.iter_content(_CHUNK)
        if output is None:
            for piece in pieces:
                context.output.stdout(piece)
                size += len(piece)
            return Written(what, "", size)
        with _whole(Path(output).expanduser()) as file:
            for piece in pieces:
                size += file.write(piece)
    return Written(what, output, size)


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[IO[bytes]]:
    """A new file that takes ``path``'s place when everything is in it; what isn't a file is written to as it is."""
    try:
        if path.exists() and not stat.S_ISREG(path.stat().st_mode):
            with open(path, "wb") as file:
                yield file
            return
        half = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}.tmp")
        try:
            with open(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
                yield file
            half.rename(path)
        finally:
            half.unlink(missing_ok=True)
    except OSError as error:
        if isinstance(error, requests.RequestException):
            raise
        raise ContainerlabError(f"{path} can't be written: {error.strerror}") from error


@contextlib.contextmanager
def _opened(context: Context, source: str | None, what: str) -> Iterator[Any]:
    """The file, or standard input; both are sent piece by piece."""
    if source is not None:
        try:
            file = open(Path(source).expanduser(), "rb")
        except OSError as error:
            raise UsageError(f"{source} can't be read: {error.strerror}") from error
        with file:
            yield file
    elif context.stdin_fd is not None and context.terminal is None:
        with open(context.stdin_fd, "rb", closefd=False) as stream:
            yield iter(lambda: stream.read(_CHUNK), b"")
    else:
        raise UsageError(f"{what} has nothing to read.", hint="Name a file, or give a tar to standard input.")


def _messages(response: requests.Response, log: TransferLog) -> Iterator[dict[str, Any]]:
    """The engine's messages. Raises ContainerlabError for one that tells an error."""
    with contextlib.closing(response):
        texts = codecs.iterdecode(response.iter_content(chunk_size=None), "utf-8", "replace")
        for message in docker.utils.json_stream.json_stream(texts):
            log.error = str(message.get("error") or "")
            if log.error:
                head, _, hint = log.error.partition("\n")
                raise ContainerlabError(head, hint=hint)
            yield message
