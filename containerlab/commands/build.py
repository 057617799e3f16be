"""``build``: a Dockerfile and a context in, an image out."""

from __future__ import annotations

__all__ = ["BuildOptions", "Built", "build", "build_command"]

import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any

import click
import docker.utils
import docker.utils.build
import docker.utils.json_stream

from containerlab.commands import html
from containerlab.commands.build_steps import BuildLog
from containerlab.commands.context import Context, pass_context
from containerlab.commands.result import Lines, Result
from containerlab.commands.streams import post
from containerlab.commands.values import pairs
from containerlab.errors import BuildFailed, UsageError

_CELL_DOCKERFILE = ".containerlab.Dockerfile"


@dataclass
class BuildOptions:
    """What was said on the line. ``dockerfile`` is the Dockerfile's text where it isn't in the context (a cell)."""

    context: Path | None = None
    dockerfile: bytes | None = None
    file: str | None = None
    tag: tuple[str, ...] = ()
    build_arg: tuple[str, ...] = ()
    label: tuple[str, ...] = ()
    target: str | None = None
    no_cache: bool = False
    network: str | None = None
    quiet: bool = False


@dataclass(repr=False)
class Built(Result):
    """An image that was built: its id (``sha256:…``), its tags, its steps."""

    id: str
    tags: list[str]
    log: BuildLog = field(repr=False)

    @property
    def steps(self) -> list[dict[str, Any]]:
        return [
            {
                "step": step.number, "instruction": step.instruction, "line": step.line, "cached": step.cached,
                "seconds": step.seconds, "size": step.size, "output": step.output,
            }
            for step in self.log.steps
        ]  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        return {"id": self.id, "tags": self.tags, "steps": self.steps}

    def __str__(self) -> str:
        return f"Built {', '.join(self.tags) or self.id.removeprefix('sha256:')[:12]}"

    def calm(self) -> str:
        steps = len(self.log.steps)
        cached = sum(step.cached for step in self.log.steps)
        what = ", ".join(self.tags) or "an untagged image"
        return f"Built {what} in {steps} step{'s' * (steps != 1)}, {cached} from the cache."

    def body(self) -> str:
        return f"<p>{html.escape(self.calm())}</p>"


def build(context: Context, options: BuildOptions) -> Built:
    """Send the context, tell every step to the output, and give the image.

    Raises UsageError for a context that isn't there, InvalidParameter for a bad Dockerfile, BuildFailed for a step.
    An interrupt closes the connection, which ends the build in the engine.
    """
    name, archive = _context(options)
    log = BuildLog()
    with closing(archive):
        response = post(
            context.client, "/build", params=_params(context, options, name), data=archive,
            headers={"Content-Type": "application/tar"},
        )  # fmt: skip
    try:
        for message in _messages(response):
            log.feed(message)
            context.output.step(log)
        log.finish()
        context.output.step(log)
    finally:
        response.raw.close()
        response.close()
    if log.error:
        raise _failure(log, options)
    return Built(log.image, list(options.tag), log)


def _params(context: Context, options: BuildOptions, name: str) -> list[tuple[str, str]]:
    arguments = {
        key: context.variable(value) for key, value in pairs(options.build_arg, "--build-arg", bare=True).items()
    }
    params = [("dockerfile", name), ("rm", "1"), ("forcerm", "1"), ("containerlab", "1")]
    params += [("t", tag) for tag in options.tag]
    params += [("buildargs", json.dumps(arguments))] if arguments else []
    params += [("labels", json.dumps(pairs(options.label, "--label", bare=True)))] if options.label else []
    params += [("target", options.target)] if options.target else []
    params += [("nocache", "1")] if options.no_cache else []
    params += [("networkmode", options.network)] if options.network else []
    return params


def _messages(response: Any) -> Iterator[dict[str, Any]]:
    texts = (piece.decode("utf-8", "replace") for piece in response.iter_content(chunk_size=None))
    yield from docker.utils.json_stream.json_stream(texts)


def _context(options: BuildOptions) -> tuple[str, IO[bytes]]:
    """The Dockerfile's name in the context, and the context as an open tar. Raises UsageError."""
    if options.context is None:
        name = options.file or "Dockerfile"
        return name, _tar_of_one(name, options.dockerfile or b"")
    root = options.context.expanduser()
    if not root.is_dir():
        raise UsageError(f"The context {options.context} is not a folder.")
    ignored = root / ".dockerignore"
    exclude = docker_ignore(ignored.read_text(encoding="utf-8", errors="replace")) if ignored.is_file() else []
    if options.dockerfile is not None:
        name = options.file or _CELL_DOCKERFILE
        text = options.dockerfile.decode("utf-8", "replace")
        return name, docker.utils.tar(str(root), exclude=exclude, dockerfile=(name, text))
    path, text_outside = _dockerfile_of(options.file, root)
    return path, docker.utils.tar(str(root), exclude=exclude, dockerfile=(path, text_outside))


def docker_ignore(text: str) -> list[str]:
    """The patterns of a ``.dockerignore``."""
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def _dockerfile_of(file: str | None, root: Path) -> tuple[str, str | None]:
    """``-f`` is a path of the caller's; inside the context by its name there, else by its text. Raises UsageError."""
    path = Path(file).expanduser() if file else root / "Dockerfile"
    if file and not path.is_absolute() and not path.is_file():
        path = root / file
    if not path.is_file():
        raise UsageError(
            f"There is no {path}.", hint="-f names the Dockerfile; without it, it is the context's Dockerfile."
        )
    if path.resolve().is_relative_to(root.resolve()):
        return str(PurePosixPath(path.resolve().relative_to(root.resolve()))), None
    return _CELL_DOCKERFILE, path.read_text(encoding="utf-8", errors="replace")


def _tar_of_one(name: str, content: bytes) -> IO[bytes]:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        entry.mode = 0o644
        archive.addfile(entry, io.BytesIO(content))
    out.seek(0)
    return out


def _failure(log: BuildLog, options: BuildOptions) -> BuildFailed:
    step = log.steps[-1] if log.steps else None
    if step is None:
        return BuildFailed(log.error)
    tail = "\n".join(f"  | {line}" for line in step.output.rstrip().splitlines()[-10:])
    place = f"line {step.line}: " if step.line else ""
    head = f"Step {step.number}/{step.total} failed: {place}{step.instruction}"
    return BuildFailed(
        "\n".join(part for part in (head, log.error, tail) if part),
        line=step.line, source=step.instruction, exit_code=log.error_code,
    )  # fmt: skip


def build_options(command: Any) -> Any:
    """The options that ``build`` and ``%%dockerfile`` share."""
    options = [
        click.option("-t", "--tag", multiple=True, metavar="NAME[:TAG]", help="Name the image."),
        click.option("-f", "--file", metavar="NAME", help="The Dockerfile's name."),
        click.option("--build-arg", multiple=True, metavar="K=V", help="A value for ARG, or @name."),
        click.option("--label", multiple=True, metavar="K=V", help="Note something on the image."),
        click.option("--target", metavar="STAGE", help="Stop at this stage."),
        click.option("--no-cache", is_flag=True, help="Execute every step again."),
        click.option("--network", metavar="NETWORK", help="The network of RUN: none or host."),
        click.option("-q", "--quiet", is_flag=True, help="Show no steps, only the image's id."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@click.command(
    "build", help="Build an image from the Dockerfile and the files in the folder PATH (- reads the Dockerfile alone)."
)
@build_options
@click.argument("path")
@pass_context
def build_command(context: Context, /, path: str, **options: Any) -> Result:
    chosen = BuildOptions(**options)
    if path == "-":
        chosen.dockerfile = context.body if context.body is not None else _read_stdin(context)
    else:
        chosen.context = Path(path)
    return told(build_quietly(context, chosen), chosen)


def build_quietly(context: Context, options: BuildOptions) -> Built:
    """:func:`build`, with no steps shown under ``-q``."""
    return build(
        Context(connect=lambda: context.client, variables=context.variables) if options.quiet else context, options
    )


def told(result: Built, options: BuildOptions) -> Result:
    """``-q`` gives the id alone."""
    return Lines([result.id]) if options.quiet else result


def _read_stdin(context: Context) -> bytes:
    if context.stdin_fd is None:
        raise UsageError(
            "build - reads the Dockerfile from the cell's text.", hint="Use %%dockerfile -t NAME with a body."
        )
    with open(context.stdin_fd, "rb", closefd=False) as stream:
        return stream.read(16 * 2**20)
