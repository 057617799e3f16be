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
from containerlab.commands.problems import ContainerExited, start_failure, translate
from containerlab.commands.result import Finished, Result, Started
from containerlab.commands.run_options import RunOptions, container_options, run_options
from containerlab.commands.run_payload import create_payload
from containerlab.errors import ContainerlabError, UsageError

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
    api = context.client.api
    try:
        answer = api.create_container_from_config(payload, name=options.name)
    except docker.errors.ImageNotFound as missing:
        _pull(context, options.image, missing)
        answer = api.create_container_from_config(payload, name=options.name)
    warnings = [str(warning) for warning in answer.get("Warnings") or []]
    for warning in warnings:
        context.output.notice(f"WARNING: {warning}")
    name = options.name or str(api.inspect_container(answer["Id"])["Name"]).lstrip("/")
    return Started(answer["Id"], name, options.image, "is created; `start` runs it", warnings)


def run(context: Context, options: RunOptions) -> Result:
    """Make a container, start it, and stay with it until its program ends, or not (``-d``).

    Raises StartFailed (exit code 125, 126 or 127) and, in a notebook, ContainerExited for an exit code that isn't 0.
    """
    rest = shlex.join([options.image, *(options.command or ("sh",))])
    check_input(context, "run", rest, interactive=options.interactive, tty=options.tty, detach=options.detach)
    options.interactive = options.interactive or context.body is not None
    made = create(context, options)
    if options.detach:
        _start(context, made, options)
        return Started(made.id, made.name, made.image, warnings=made.warnings)
    result = _stay(context, made, options)
    if result.exit_code and context.notebook and options.raising:
        raise ContainerExited(result)
    return result


def _stay(context: Context, made: Started, options: RunOptions) -> Finished:
    attachment = Attachment(
        context, made.id, made.name, describe(options),
        tty=options.tty, interactive=options.interactive, remove=options.rm, unnamed=options.name is None,
    )  # fmt: skip
    try:
        attachment.attach(condition="removed" if options.rm else "next-exit")
        _start(context, made, options)
        return attachment.finish()
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


def _pull(context: Context, image: str, missing: docker.errors.ImageNotFound) -> None:
    """Ask the engine for an image it doesn't have, as ``docker run`` does; its refusal is told as the missing image."""
    problem = translate(missing, context.client) or ContainerlabError(str(missing))
    reference = image if ":" in image.rpartition("/")[2] or "@" in image else f"{image}:latest"
    try:
        for message in context.client.api.pull(reference, stream=True, decode=True):
            if "error" in message:
                raise problem from missing
    except docker.errors.APIError as refusal:
        raise problem from refusal


def _command(name: str, help: str) -> Callable[[Callable[..., Result]], click.Command]:
    return click.command(name, help=help, context_settings=_SETTINGS, options_metavar="[OPTIONS]")


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
