"""``build``: a Dockerfile and a context in, an image out."""

from __future__ import annotations

__all__ = ["BuildOptions", "Built", "build", "build_command", "carry_out", "check", "told"]

import codecs
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import click
import docker.errors
import docker.utils.json_stream

from containerlab.commands import html
from containerlab.commands.build_context import Sent, compressed, is_archive, send
from containerlab.commands.build_lint import Checked, read_findings
from containerlab.commands.build_options import build_options
from containerlab.commands.build_secrets import hand_over
from containerlab.commands.build_stages import read_stages, stages_sentence
from containerlab.commands.build_steps import BuildLog
from containerlab.commands.context import Context, pass_context
from containerlab.commands.output import Silent
from containerlab.commands.parsing import verb
from containerlab.commands.result import Lines, Result
from containerlab.commands.streams import post
from containerlab.commands.values import pairs
from containerlab.errors import BuildFailed, HostLacks, UsageError
from containerlab.lab import lessons

_HEAD = 1024
_MOST_TEXT = 16 << 20


@dataclass
class BuildOptions:
    """What was said on the line. ``dockerfile`` is the Dockerfile's text where it isn't in the context (a cell).

    ``archive`` is a context that came as a tar.
    """

    context: Path | None = None
    dockerfile: bytes | None = None
    archive: IO[bytes] | None = None
    file: str | None = None
    tag: tuple[str, ...] = ()
    build_arg: tuple[str, ...] = ()
    label: tuple[str, ...] = ()
    target: str | None = None
    no_cache: bool = False
    network: str | None = None
    quiet: bool = False
    add_host: tuple[str, ...] = ()
    cache_from: tuple[str, ...] = ()
    cgroup_parent: str | None = None
    compress: bool = False
    cpu_period: int | None = None
    cpu_quota: int | None = None
    cpu_shares: int | None = None
    cpuset_cpus: str | None = None
    cpuset_mems: str | None = None
    force_rm: bool = False
    iidfile: Path | None = None
    isolation: str | None = None
    memory: int | None = None
    memory_swap: int | None = None
    platform: str | None = None
    progress: str = "auto"
    pull: bool = False
    secret: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    shm_size: int | None = None
    squash: bool = False
    ulimit: tuple[dict[str, Any], ...] = ()
    check: bool = False


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
                "step": step.number, "stage": step.stage, "instruction": step.instruction, "line": step.line,
                "cached": step.cached, "why": step.why, "seconds": step.seconds, "size": step.size,
                "layer": step.layer, "output": step.output,
            }
            for step in self.log.steps
        ]  # fmt: skip

    def stages(self) -> Any:
        """The stages as a picture (`lab.Figure`): what was built, cached or left out, and the longest path.

        Raises HostLacks where the engine doesn't tell its stages.
        """
        from containerlab.lab.stages import draw_stages  # late: matplotlib is large, and most builds draw nothing

        facts = read_stages(self.log)
        if not facts:
            raise HostLacks("This engine doesn't tell the stages of a build.", hint="The kit's own engine does.")
        return draw_stages([each.to_dict() for each in facts], stages_sentence(facts))

    def to_dict(self) -> dict[str, Any]:
        stages = [each.to_dict() for each in read_stages(self.log)]
        return {"id": self.id, "tags": self.tags, "steps": self.steps, **({"stages": stages} if stages else {})}

    def __str__(self) -> str:
        built = f"Built {', '.join(self.tags) or self.id.removeprefix('sha256:')[:12]}"
        return f"{built}\n{stages_sentence(read_stages(self.log))}" if self.drawn else built

    @property
    def drawn(self) -> bool:
        """Is there a picture of the stages? One alone is no graph."""
        return len(self.log.stages) > 1

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        """With more than one stage their picture stands below the sentence."""
        bundle: dict[str, Any] = super()._repr_mimebundle_(include, exclude)
        if not self.drawn:
            return bundle
        figure = self.stages()
        shown = figure._repr_mimebundle_(include, exclude)
        return {
            **shown,
            "text/plain": f"{bundle['text/plain']}\n\n{shown['text/plain']}",
            "text/html": f"{bundle['text/html']}{shown['text/html']}",
        }

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
    if options.iidfile is not None:
        options.iidfile.unlink(missing_ok=True)
    sent = _sent(context, options)
    archive = compressed(sent.archive) if options.compress else sent.archive
    secrets = hand_over(context, options.secret)
    log, output = BuildLog(), Silent() if options.quiet or options.progress == "quiet" else context.output
    with closing(sent.archive), closing(archive):
        response = post(
            context.client, "/build", params=[*_params(context, options), *sent.params, *secrets], data=archive,
            headers=_headers(context),
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
    if options.iidfile is not None:
        options.iidfile.write_text(log.image, encoding="ascii")
    lessons.made_images(list(options.tag))
    return Built(log.image, list(options.tag), log)


def check(context: Context, options: BuildOptions) -> Checked:
    """What the engine finds in the Dockerfile; nothing is built.

    Raises as ``build`` does for a context or Dockerfile that can't be read, and HostLacks where the engine is another.
    """
    sent = _sent(context, options)
    params = [*_params(context, options), *sent.params]
    with closing(sent.archive):
        try:
            response = post(context.client, "/containerlab/build-check", params=params, data=sent.archive)
        except docker.errors.NotFound as error:
            if "page not found" in str(error):
                raise HostLacks("This engine has no checks.", hint="They are the kit's own engine's.") from None
            raise
    with closing(response):
        return Checked(read_findings(response.json()))


def _sent(context: Context, options: BuildOptions) -> Sent:
    if options.archive is not None:
        return Sent([("dockerfile", options.file or "Dockerfile")], options.archive)
    return send(options.context, options.dockerfile, options.file, engine_reads_folders=context.own_engine)


def _params(context: Context, options: BuildOptions) -> list[tuple[str, str]]:
    arguments = _arguments(context, options.build_arg)
    params = [("rm", "1"), ("forcerm", "1"), ("containerlab", "1")]
    params += [("t", tag) for tag in options.tag]
    params += [("buildargs", json.dumps(arguments))] if arguments else []
    params += [("labels", json.dumps(pairs(options.label, "--label", bare=True)))] if options.label else []
    params += [("target", options.target)] if options.target else []
    params += [("nocache", "1")] if options.no_cache else []
    params += [("networkmode", options.network)] if options.network else []
    params += [("extrahosts", host) for host in options.add_host]
    params += [("cachefrom", json.dumps(options.cache_from))] if options.cache_from else []
    params += [("securityopt", json.dumps(options.security_opt))] if options.security_opt else []
    params += [("ulimits", json.dumps(options.ulimit))] if options.ulimit else []
    params += [(name, "1") for name in ("pull", "squash") if getattr(options, name)]
    return params + [(name, str(value)) for name, value in _limits(options).items() if value is not None]


def _arguments(context: Context, words: tuple[str, ...]) -> dict[str, str | None]:
    """``K=V`` and ``K=@name``; ``K`` alone is the environment's value, None where it has none (as docker/cli)."""
    given = pairs(words, "--build-arg", bare=True)
    bare = {word for word in words if "=" not in word}
    return {key: os.environ.get(key) if key in bare else context.variable(value) for key, value in given.items()}


def _limits(options: BuildOptions) -> dict[str, str | int | None]:
    return {
        "cgroupparent": options.cgroup_parent,
        "cpuperiod": options.cpu_period,
        "cpuquota": options.cpu_quota,
        "cpushares": options.cpu_shares,
        "cpusetcpus": options.cpuset_cpus,
        "cpusetmems": options.cpuset_mems,
        "isolation": options.isolation,
        "memory": options.memory,
        "memswap": options.memory_swap,
        "platform": options.platform,
        "shmsize": options.shm_size,
    }


def _headers(context: Context) -> dict[str, str]:
    """With the accounts of Docker's config.json: the base image may need one."""
    headers = {"Content-Type": "application/tar"}
    context.client.api._set_auth_headers(headers)
    return headers


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


@verb(
    "build",
    help="Build an image from the Dockerfile and the files in the folder PATH (- reads a Dockerfile or a tar).",
)
@build_options
@click.argument("path")
@pass_context
def build_command(context: Context, /, path: str, **options: Any) -> Result:
    chosen = BuildOptions(**options)
    if path == "-" and chosen.file == "-":
        raise UsageError("invalid argument: can't use stdin for both build context and dockerfile")
    if path == "-":
        _from_stdin(context, chosen)
    else:
        chosen.context = Path(path)
    if chosen.file == "-":
        chosen.dockerfile, chosen.file = _text_of_stdin(context, "-f -"), None
    return carry_out(context, chosen)


def carry_out(context: Context, options: BuildOptions) -> Result:
    """The build, or with ``--check`` what there is to say of the Dockerfile."""
    return check(context, options) if options.check else told(build(context, options), options)


def told(result: Built, options: BuildOptions) -> Result:
    """``-q`` gives the id alone."""
    return Lines([result.id]) if options.quiet else result


def _from_stdin(context: Context, options: BuildOptions) -> None:
    """A Dockerfile's text, or a tar of the whole context, of any compression."""
    if context.body is not None or context.stdin_fd is None:
        options.dockerfile = _text_of_stdin(context, "-")
        return
    with open(context.stdin_fd, "rb", closefd=False) as stream:
        head = stream.read(_HEAD)
        if not is_archive(head):
            options.dockerfile = head + stream.read(_MOST_TEXT)
            return
        options.archive = tempfile.TemporaryFile()
        options.archive.write(head)
        shutil.copyfileobj(stream, options.archive)
        options.archive.seek(0)


def _text_of_stdin(context: Context, asked: str) -> bytes:
    """A Dockerfile's text. Raises UsageError in a notebook's cell that has none."""
    if context.body is not None:
        return context.body
    if context.stdin_fd is None:
        message = f"build {asked} reads the Dockerfile from the cell's text."
        raise UsageError(message, hint="Use %%dockerfile -t NAME with a body.")
    with open(context.stdin_fd, "rb", closefd=False) as stream:
        return stream.read(_MOST_TEXT)
