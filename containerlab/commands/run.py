"""``run`` and ``create``."""

from __future__ import annotations

__all__ = ["create", "create_command", "describe", "run", "run_command"]

import shlex
from collections.abc import Callable
from typing import Any

import click
import docker.errors

from containerlab.commands.attached import Attachment, check_input
from containerlab.commands.context import Context, pass_context
from containerlab.commands.id_file import IdFile
from containerlab.commands.parsing import verb
from containerlab.commands.problems import ContainerExited, start_failure, translate
from containerlab.commands.result import Finished, Result, Started
from containerlab.commands.run_options import RunOptions, container_options, run_options
from containerlab.commands.run_payload import create_payload, streams
from containerlab.commands.streams import detach_bytes
from containerlab.commands.transfers import pull
from containerlab.errors import ContainerlabError, RegistryError, UsageError
from containerlab.lab import lessons

_SETTINGS = {"allow_interspersed_args": False}


def describe(options: RunOptions) -> str:
    """The program in words that are the same at every run: image, then command."""
    words = shlex.join([options.image, *options.command])
    return words if len(words) <= 120 else words[:119] + "…"


def create(context: Context, options: RunOptions) -> Started:
    """Make a container, and don't start it.

    Raises NoSuchImage with near names, Conflict for a taken name, UsageError for options that don't go together.
    """
    if options.replace:
        _remove_namesake(context, options)
    payload = create_payload(options, context.variable)
    with IdFile(options.cidfile) as id_file:
        new_volumes = lessons.volumes_to_come(context.client, payload)
        answer = _made(context, options, payload)
        lessons.made_volumes(new_volumes)
        id_file.write(answer["Id"])
    warnings = [str(warning) for warning in answer.get("Warnings") or []]
    for warning in warnings:
        context.output.notice(f"WARNING: {warning}")
    name = options.name or str(context.client.api.inspect_container(answer["Id"])["Name"]).lstrip("/")
    return Started(answer["Id"], name, options.image, "is created; `start` runs it", warnings)


def run(context: Context, options: RunOptions) -> Result:
    """Make a container, start it, and stay with it until its program ends, or not (``-d``).

    Raises StartFailed (exit code 125, 126 or 127) and, in a notebook, ContainerExited for an exit code that isn't 0.
    """
    rest = shlex.join([options.image, *(options.command or ("sh",))])
    check_input(context, "run", rest, interactive=options.interactive, tty=options.tty, detach=options.detach)
    if options.detach_keys:
        detach_bytes(options.detach_keys)
    options.interactive = options.interactive or context.body is not None
    joined = streams(options)
    made = create(context, options)
    if options.detach:
        _start(context, made, options)
        return Started(made.id, made.name, made.image, warnings=made.warnings)
    result = _stay(context, made, options, joined)
    if isinstance(result, Finished) and result.exit_code and context.notebook and options.raising:
        raise ContainerExited(result)
    return result


def _stay(context: Context, made: Started, options: RunOptions, joined: tuple[str, ...]) -> Result:
    """With no output to show, a terminal is given the id once the input has been sent."""
    attachment = Attachment(
        context, made.id, made.name, describe(options),
        tty=options.tty, interactive=options.interactive, remove=options.rm, unnamed=options.name is None,
        streams=joined, keys=options.detach_keys, proxy=options.sig_proxy,
    )  # fmt: skip
    try:
        attachment.attach(condition="removed" if options.rm else "next-exit")
        _start(context, made, options)
        result = attachment.finish()
        return result if {"stdout", "stderr"} & set(joined) else Started(made.id, made.name, made.image)
    except KeyboardInterrupt:
        attachment.abandon()
        raise
    finally:
        attachment.close()


def _start(context: Context, made: Started, options: RunOptions) -> None:
    api = context.client.api
    try:
        api.start(made.id)
    except docker.errors.APIError as error:
        problem = translate(error)
        if problem is None or problem.status in (404, 409):
            raise
        raise start_failure(problem.message, problem.hint) from error


def _remove_namesake(context: Context, options: RunOptions) -> None:
    if not options.name:
        raise UsageError("--replace needs --name: it replaces the container of that name.")
    try:
        context.client.api.remove_container(options.name, force=True, v=True)
    except docker.errors.NotFound:
        pass


def _made(context: Context, options: RunOptions, payload: dict[str, Any]) -> dict[str, Any]:
    """The engine's answer; the image is pulled first where ``--pull`` says so, or where it is missing."""
    api = context.client.api
    if options.pull == "always":
        _pull(context, options)
    try:
        answer = api.create_container_from_config(payload, name=options.name, platform=options.platform)
    except docker.errors.ImageNotFound as missing:
        if options.pull == "never":
            raise
        _pull(context, options, translate(missing, context.client))
        answer = api.create_container_from_config(payload, name=options.name, platform=options.platform)
    made: dict[str, Any] = answer
    return made


def _pull(context: Context, options: RunOptions, missing: ContainerlabError | None = None) -> None:
    """Ask the engine for the image, as ``docker run`` does; a refusal is told as the ``missing`` image."""
    image = options.image
    reference = image if ":" in image.rpartition("/")[2] or "@" in image else f"{image}:latest"
    if missing is not None and not options.quiet and not context.notebook:
        context.output.notice(f"Unable to find image '{reference}' locally")
    try:
        pull(context, reference, platform=options.platform, quiet=options.quiet, aside=not context.notebook)
    except (docker.errors.APIError, RegistryError) as refusal:
        if missing is None:
            raise
        raise _not_pulled(missing, translate(refusal)) from refusal


def _not_pulled(missing: ContainerlabError, refusal: ContainerlabError | None) -> ContainerlabError:
    """The missing image's own message, and below it why it can't be had from elsewhere."""
    if refusal is not None:
        words = (f"It can't be pulled: {refusal.message}", missing.hint or refusal.hint)
        missing.hint = "\n".join(word for word in words if word)
    return missing


def _command(name: str, help: str) -> Callable[[Callable[..., Result]], click.Command]:
    return verb(name, help=help, context_settings=_SETTINGS, options_metavar="[OPTIONS]")


@_command("run", "Make a container from IMAGE and run COMMAND in it (the image's own command without one).")
@run_options
@click.argument("image")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@pass_context
def run_command(context: Context, /, **options: Any) -> Result:
    return run(context, RunOptions(**options))


@_command("create", "Make a container from IMAGE without starting it.")
@container_options
@click.argument("image")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@pass_context
def create_command(context: Context, /, **options: Any) -> Result:
    return create(context, RunOptions(**options))
