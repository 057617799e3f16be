"""``compose config``: the project as it is understood, or lists of its parts. No engine is asked."""

from __future__ import annotations

__all__ = ["config_command"]

from pathlib import Path

import click

from containerlab.commands.compose.desk import Desk, pass_desk
from containerlab.commands.parsing import refused_flag, verb
from containerlab.commands.result import Column, Lines, Result, Table
from containerlab.compose import config
from containerlab.compose.interpolation import variables_of
from containerlab.errors import ComposeError, UsageError

_LISTS = ("services", "volumes", "networks")
_ALONE = "--no-interpolate goes alone: what isn't filled in can't be taken apart."


@verb("config", help="The project as it is understood: every file merged, every variable filled in.")
@click.option("--format", "form", type=click.Choice(["yaml", "json"]), default="yaml", help="yaml, or json.")
@click.option("-q", "--quiet", is_flag=True, help="Only check it.")
@click.option("--services", "only", flag_value="services", help="The services' names.")
@click.option("--volumes", "only", flag_value="volumes", help="The volumes' names.")
@click.option("--networks", "only", flag_value="networks", help="The networks' names.")
@click.option("--profiles", "only", flag_value="profiles", help="The profiles' names.")
@click.option("--images", "only", flag_value="images", help="The images' names.")
@click.option("--environment", "only", flag_value="environment", help="The variables that are filled in.")
@click.option("--variables", "only", flag_value="variables", help="The variables that the files name.")
@click.option("--no-interpolate", is_flag=True, help="Leave variables in, as they are written.")
@click.option("--hash", "hashed", metavar="SERVICES", help="The services' configuration hashes ('*': of all).")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file.")
@refused_flag("--resolve-image-digests", why="what a name stands for in a registry isn't asked for")
@refused_flag("--lock-image-digests", why="what a name stands for in a registry isn't asked for")
@refused_flag("--no-normalize", why="the long forms are what is printed; --no-interpolate leaves most as it is written")
@refused_flag("--no-path-resolution", why="paths are absolute in what is printed")
@refused_flag("--no-consistency", why="a project that doesn't fit is an error")
@refused_flag("--no-env-resolution", why="env_file is part of the environment that is printed")
@refused_flag("--models", why="no language model is run here")
@click.argument("services", nargs=-1, metavar="[SERVICE...]")
@pass_desk
def config_command(
    desk: Desk,
    services: tuple[str, ...],
    form: str,
    quiet: bool,
    only: str | None,
    hashed: str | None,
    no_interpolate: bool,
    output: Path | None,
) -> Result:
    if only == "variables":
        return _variables(desk)
    if no_interpolate:
        if services or form != "yaml" or only or hashed or quiet:
            raise UsageError(_ALONE)
        return _text(desk.unfilled(), output)
    project = desk.selected(services)
    if quiet:
        return Lines([])
    if hashed:
        return _hashes(desk, hashed, services)
    if only == "images":
        return Lines(config.images(project))
    if only == "environment":
        return Lines([f"{key}={value}" for key, value in sorted(project.environment.items())])
    if only == "profiles":
        every = {**project.services, **project.disabled}.values()
        return Lines(sorted({profile for service in every for profile in service.profiles}))
    if only in _LISTS:
        return Lines(list(getattr(project, only)))
    return _text(config.as_json(project) if form == "json" else config.as_yaml(project), output)


def _text(text: str, output: Path | None) -> Result:
    if output is None:
        return Lines(text.rstrip("\n").split("\n"))
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ComposeError(f"open {output}: {(error.strerror or str(error)).lower()}") from error
    return Lines([])


def _hashes(desk: Desk, asked: str, services: tuple[str, ...]) -> Result:
    project = desk.selected(services)
    wanted = sorted(project.services) if asked == "*" else asked.split(",")
    desk.check_names(wanted)
    digests = desk.digests(project)
    return Lines([f"{name} {digests[name]}" for name in wanted if name in digests])


def _variables(desk: Desk) -> Result:
    """Each variable once, as docker compose lists them."""
    columns = [
        Column("name", "NAME", "Name"),
        Column("required", "REQUIRED", "Required", lambda required: "true" if required else "false"),
        Column("default", "DEFAULT VALUE", "DefaultValue"),
        Column("alternate", "ALTERNATE VALUE", "PresenceValue"),
    ]
    found = variables_of(desk.unfilled_tree())
    rows = [
        {"name": name, "required": one.required, "default": one.default, "alternate": one.alternate}
        for name, one in sorted(found.items())
    ]
    return Table(columns, rows, empty="The files name no variables.")
