"""``build``: a Dockerfile and a context in, an image out."""

from __future__ import annotations

__all__ = ["BuildOptions", "Built", "build", "build_command"]

import codecs
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import docker.utils.json_stream

from containerlab.commands import html
from containerlab.commands.build_context import send
from containerlab.commands.build_steps import BuildLog
from containerlab.commands.context import Context, pass_context
from containerlab.commands.output import Silent
from containerlab.commands.parsing import verb
from containerlab.commands.result import Lines, Result
from containerlab.commands.streams import post
from containerlab.commands.values import pairs
from containerlab.errors import BuildFailed, UsageError


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
    sent = send(options.context, options.dockerfile, options.file, engine_reads_folders=context.own_engine)
    log, output = BuildLog(), Silent() if options.quiet else context.output
    with closing(sent.archive):
        response = post(
            context.client, "/build", params=[*_params(context, options), *sent.params], data=sent.archive,
            headers={"Content-Type": "application/tar"},
        )  # fmt: skip
    try:
        for message in _messages(response):
            log.feed(message)
            output.step(log)
        log.finish()
        output.step(log)
    finally:
        response.raw.close()
        response.close()
    if log.error:
        raise _failure(log, options)
    return Built(log.image, list(options.tag), log)


def _params(context: Context, options: BuildOptions) -> list[tuple[str, str]]:
    arguments = {
        key: context.variable(value) for key, value in pairs(options.build_arg, "--build-arg", bare=True).items()
    }
    params = [("rm", "1"), ("forcerm", "1"), ("containerlab", "1")]
    params += [("t", tag) for tag in options.tag]
    params += [("buildargs", json.dumps(arguments))] if arguments else []
    params += [("labels", json.dumps(pairs(options.label, "--label", bare=True)))] if options.label else []
    params += [("target", options.target)] if options.target else []
    params += [("nocache", "1")] if options.no_cache else []
    params += [("networkmode", options.network)] if options.network else []
    return params


def _messages(response: Any) -> Iterator[dict[str, Any]]:
    texts = codecs.iterdecode(response.iter_content(chunk_size=None), "utf-8", "replace")
    yield from docker.utils.json_stream.json_stream(texts)


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


@verb(
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
    return told(build(context, chosen), chosen)


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
