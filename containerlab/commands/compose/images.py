"""The images that services need: built, pulled, or refused; and the verbs ``build``, ``pull`` and ``images``."""

from __future__ import annotations

__all__ = ["build_command", "ensure", "images_command", "pull_command"]

import contextlib
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import click
import docker.errors

from containerlab import __version__
from containerlab.commands import formats
from containerlab.commands.compose.desk import Desk, pass_desk
from containerlab.commands.parsing import refused_flag, verb
from containerlab.commands.result import Column, Document, Lines, Result, Row, Table
from containerlab.compose import labels
from containerlab.compose.model import Project, Service
from containerlab.compose.payload import image_name
from containerlab.errors import ContainerlabError, InvalidParameter, UsageError

_SERVICES = click.argument("services", nargs=-1, metavar="[SERVICE...]")


def ensure(
    desk: Desk,
    project: Project,
    *,
    build_all: bool = False,
    no_build: bool = False,
    policy: str = "",
    quiet: bool = False,
) -> dict[str, str]:
    """Have every service's image; gives its id by name. ``policy``: always, missing or never, over the file's own.

    Raises NoSuchImage, BuildFailed, RegistryError.
    """
    done: dict[str, str] = {}
    for service in project.services.values():
        image = image_name(project, service)
        if image in done:
            continue
        chosen = policy or service.pull_policy
        if chosen in ("daily", "weekly") or chosen.startswith("every_"):
            raise InvalidParameter(
                f"service {service.name}: pull_policy {chosen} isn't carried out: when an image was pulled isn't kept",
                hint="always, missing and never are.",
            )
        found = _identifier(desk, image)
        if service.build is not None and not no_build and (build_all or found is None or chosen == "build"):
            found = _build(desk, project, service, quiet=quiet)
        elif service.build is None and (chosen == "always" or (found is None and chosen != "never")):
            _pull(desk, service, image, quiet=quiet)
            found = _identifier(desk, image)
        done[image] = found or _refuse(desk, image)
    return done


def _identifier(desk: Desk, image: str) -> str | None:
    try:
        return str(desk.context.client.api.inspect_image(image)["Id"])
    except docker.errors.NotFound:
        return None


def _refuse(desk: Desk, image: str) -> str:
    """Docker's own words, with near names."""
    return str(desk.context.client.api.inspect_image(image)["Id"])


def _pull(desk: Desk, service: Service, image: str, *, quiet: bool) -> None:
    from containerlab.commands.transfers import pull

    try:
        pull(desk.context, image, platform=service.platform or None, quiet=quiet, aside=not desk.context.notebook)
    except docker.errors.NotFound:
        raise
    except ContainerlabError as refusal:
        refusal.message = f"service {service.name}: {refusal.message}"
        raise


def _build(
    desk: Desk, project: Project, service: Service, *, quiet: bool = False, no_cache: bool = False, pull: bool = False,
    arguments: Collection[str] = (), memory: int | None = None,
) -> str:  # fmt: skip
    from containerlab.commands.build import BuildOptions, build

    plan = service.build
    if plan is None:
        raise UsageError(f"service {service.name} has nothing to build")
    options = BuildOptions(
        context=Path(plan.context),
        dockerfile=plan.dockerfile_inline.encode() if plan.dockerfile_inline else None,
        file=None if plan.dockerfile_inline else plan.dockerfile or None,
        tag=(image_name(project, service), *plan.tags),
        build_arg=(*(key if value is None else f"{key}={value}" for key, value in plan.args.items()), *arguments),
        label=tuple(f"{key}={value}" for key, value in {**plan.labels, **_own_labels(project, service)}.items()),
        target=plan.target or None,
        no_cache=no_cache or plan.no_cache,
        pull=pull or plan.pull,
        network=plan.network or None,
        add_host=plan.extra_hosts,
        cache_from=plan.cache_from,
        shm_size=plan.shm_size,
        platform=plan.platforms[0] if len(plan.platforms) == 1 else None,
        secret=tuple(_secret(project, use.source, use.target) for use in plan.secrets),
        memory=memory,
        quiet=quiet,
    )
    if len(plan.platforms) > 1:
        raise UsageError(f"service {service.name}: an image here has one platform, its own")
    if not quiet:
        desk.context.output.notice(f"Building {service.name}")
    return build(desk.context, options).id


def _own_labels(project: Project, service: Service) -> dict[str, str]:
    return {labels.PROJECT: project.name, labels.SERVICE: service.name, labels.VERSION: __version__}


def _secret(project: Project, source: str, target: str) -> str:
    blob = project.secrets[source]
    return f"id={target or source},src={blob.file}" if blob.file else f"id={target or source},env={blob.environment}"


@verb("build", help="Build the images of services that have a build section.")
@click.option("--build-arg", "arguments", multiple=True, metavar="K=V", help="Set a build argument.")
@click.option("--no-cache", is_flag=True, help="Build every step anew.")
@click.option("--pull", "pull_bases", is_flag=True, help="Fetch the base images anew.")
@click.option("-m", "--memory", type=int, hidden=True)
@click.option("-q", "--quiet", is_flag=True, help="Don't show the steps.")
@click.option("--with-dependencies", is_flag=True, help="Also what the services depend on.")
@refused_flag("--push", why="images are pushed by `push`")
@_SERVICES
@pass_desk
def build_command(
    desk: Desk,
    services: tuple[str, ...],
    arguments: tuple[str, ...],
    no_cache: bool,
    pull_bases: bool,
    memory: int | None,
    quiet: bool,
    with_dependencies: bool,
) -> Result:
    project = desk.selected(services, dependencies=with_dependencies or not services)
    built = []
    for service in project.services.values():
        if service.build is None:
            continue
        _build(
            desk, project, service, quiet=quiet, no_cache=no_cache, pull=pull_bases, arguments=arguments, memory=memory
        )
        built.append(image_name(project, service))
    if not built and not desk.context.notebook:
        desk.warn("No services to build")
    return _told(built, "Built", "No service of this project is built.")


def _told(images: list[str], what: str, nothing: str) -> Table:
    return Table(
        [Column("image", "IMAGE")],
        [{"image": image} for image in images],
        empty=nothing,
        lines=f"{{{{.image}}}} {what}",
    )


@verb("pull", help="Fetch the images of services.")
@click.option("--ignore-buildable", is_flag=True, help="Leave out what can be built.")
@click.option("--ignore-pull-failures", is_flag=True, help="Go on after an image that can't be had.")
@click.option("--include-deps", is_flag=True, help="Also those of what the services depend on.")
@click.option("--policy", type=click.Choice(["missing", "always"]), help="Leave what is here (missing), or not.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
@_SERVICES
@pass_desk
def pull_command(
    desk: Desk,
    services: tuple[str, ...],
    ignore_buildable: bool,
    ignore_pull_failures: bool,
    include_deps: bool,
    policy: str | None,
    quiet: bool,
) -> Result:
    project = desk.selected(services, dependencies=include_deps or not services)
    done: dict[str, None] = {}
    for service in project.services.values():
        image = image_name(project, service)
        skipped = not service.image or (service.build is not None and ignore_buildable)
        if skipped or image in done or (policy == "missing" and _identifier(desk, image)):
            continue
        try:
            _pull(desk, service, image, quiet=quiet)
        except (docker.errors.APIError, ContainerlabError) as refusal:
            if not ignore_pull_failures:
                raise
            desk.warn(str(refusal).partition("\n")[0])
        done[image] = None
    return _told(list(done), "Pulled", "No image was pulled.")


def _image_rows(desk: Desk, services: Iterable[str]) -> list[Row]:
    rows, api = [], desk.context.client.api
    for one in desk.containers(list(services)):
        tag = str(one.entry.get("Image", ""))
        facts: dict[str, Any] = {}
        with contextlib.suppress(docker.errors.NotFound):
            facts = api.inspect_image(one.image_id)
        named = tag if not tag.startswith("sha256:") else next(iter(facts.get("RepoTags") or []), "")
        repository, colon, version = named.rpartition(":")
        if not colon or "/" in version:
            repository, version = named, "latest" if named else ""
        rows.append(
            {
                "container": one.name, "repository": repository or "<none>", "tag": version or "<none>",
                "platform": f"{facts.get('Os', '')}/{facts.get('Architecture', '')}", "id": one.image_id,
                "size": int(facts.get("Size", 0)), "created": str(facts.get("Created", "")),
            }
        )  # fmt: skip
    return rows


def _ago(moment: str) -> str:
    return formats.ago(formats.parse_time(moment.replace("Z", "+00:00"))) if moment else "N/A"


def _ago_calm(moment: str) -> str:
    return formats.ago_calm(formats.parse_time(moment.replace("Z", "+00:00"))) if moment else "N/A"


@verb("images", help="List the images that the project's containers were made from.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", help="table, or json.")
@click.option("-q", "--quiet", is_flag=True, help="Only ids.")
@_SERVICES
@pass_desk
def images_command(desk: Desk, services: tuple[str, ...], form: str, quiet: bool) -> Result:
    rows = _image_rows(desk, services)
    if quiet:
        return Lines(list(dict.fromkeys(row["id"].removeprefix("sha256:") for row in rows)))
    if form == "json":
        keys = {"id": "ID", "container": "ContainerName", "repository": "Repository", "tag": "Tag",
                "platform": "Platform", "size": "Size", "created": "Created"}  # fmt: skip
        return Document([{keys[key]: value for key, value in row.items()} for row in rows])
    columns = [
        Column("container", "CONTAINER"), Column("repository", "REPOSITORY"), Column("tag", "TAG"),
        Column("platform", "PLATFORM"), Column("id", "IMAGE ID", text=formats.short_id),
        Column("size", "SIZE", text=formats.size, number=True),
        Column("created", "CREATED", text=_ago, calm=_ago_calm),
    ]  # fmt: skip
    return Table(columns, rows, empty="No container of this project.")
