"""``up`` and ``create``: make what is there what the files say."""

from __future__ import annotations

__all__ = ["Upped", "create_command", "up_command"]

from collections.abc import Sequence
from typing import Any

import click

from containerlab.commands.compose.asked import Asked
from containerlab.commands.compose.desk import Desk, pass_desk
from containerlab.commands.compose.images import ensure
from containerlab.commands.parsing import refused_flag, verb
from containerlab.commands.result import Lines, Result
from containerlab.compose.model import Project
from containerlab.compose.observe import Instance, Observed
from containerlab.compose.plan import plan_up
from containerlab.errors import NotFound


class Upped(Result):
    """A project that is up: its services as a table, and in a notebook their graph."""

    def __init__(self, project: Project, ones: Sequence[Instance]) -> None:
        from containerlab.commands.compose.look import service_table

        self.project, self.table = project, service_table(ones, empty="No container of this project.")
        self.ones = list(ones)

    def to_dict(self) -> dict[str, Any]:
        return {"project": self.project.name, **self.table.to_dict()}

    def __iter__(self) -> Any:
        return iter(self.table)

    def __len__(self) -> int:
        return len(self.table)

    def __str__(self) -> str:
        return ""

    def calm(self) -> str:
        return self.table.calm()

    def figure(self) -> Any:
        """The graph of services, networks and volumes. Needs matplotlib."""
        from containerlab.commands.compose.graph import draw

        return draw(self.project, self.ones)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return dict(self.figure()._repr_mimebundle_(include, exclude))


def up(desk: Desk, asked: Asked) -> Result:
    """Images first, then the plan. Attached unless ``-d``; in a notebook it returns once all are up.

    Raises ComposeError, NotFound, StartFailed for what doesn't come up.
    """
    asked.check()
    project = desk.selected(asked.services, dependencies=not asked.no_deps)
    if not project.services:
        raise NotFound("no service selected")
    images = ensure(
        desk, project, build_all=asked.build, no_build=asked.no_build, policy=asked.pull or "",
        quiet=asked.quiet_pull or asked.quiet_build,
    )  # fmt: skip
    seen = desk.observe()
    seen = Observed(seen.instances, seen.networks, seen.volumes, images)
    notebook = desk.context.notebook
    attached = not (asked.detach or asked.wait or asked.no_start) and (asked.watched or not notebook)
    waiting = asked.wait or (notebook and not asked.detach and not attached and not asked.no_start)
    options = asked.options(project, waiting=waiting, lenient=waiting and not asked.wait)
    plan = plan_up(project, seen, desk.digests(project), options)
    if not asked.remove_orphans:
        desk.tell_orphans(plan.orphans)
    if attached:
        from containerlab.commands.compose.attached import stay

        return stay(desk, project, seen, plan, asked)
    try:
        desk.carry_out(plan, project, seen, wait_timeout=asked.wait_timeout or None)
    except KeyboardInterrupt:
        if notebook:
            desk.stop(project, asked.timeout)
        raise
    if not notebook:
        return Lines([])
    return Upped(project, [one for one in desk.containers() if one.service in project.services])


_SECONDS = click.option("-t", "--timeout", type=int, metavar="SECONDS", help="Wait this long for what has to stop.")


def _making(command: Any) -> Any:
    """The options that ``up`` and ``create`` share."""
    for option in reversed(
        (
            click.option("--build", is_flag=True, help="Build images before."),
            click.option("--no-build", is_flag=True, help="Build nothing, even where an image is missing."),
            click.option(
                "--pull", type=click.Choice(["always", "missing", "never", "policy"]), help="Fetch images first."
            ),
            click.option("--scale", multiple=True, metavar="SERVICE=N", help="So many containers of this service."),
            click.option("--force-recreate", is_flag=True, help="Make containers anew that haven't changed."),
            click.option("--no-recreate", is_flag=True, help="Leave containers as they are, changed or not."),
            click.option("--remove-orphans", is_flag=True, help="Remove containers that no file speaks of."),
            click.option("--quiet-pull", is_flag=True, help="Pull without progress."),
            click.option("--quiet-build", is_flag=True, help="Build without showing the steps."),
            click.option("-y", "--yes", is_flag=True, hidden=True, expose_value=False),
            click.argument("services", nargs=-1, metavar="[SERVICE...]"),
        )
    ):
        command = option(command)
    return command


@verb("up", help="Create and start what the file says; only what has changed is made anew.")
@click.option("-d", "--detach", is_flag=True, help="Run them in the background.")
@click.option("--wait", is_flag=True, help="Return once all are running or healthy; implies -d.")
@click.option("--wait-timeout", type=int, metavar="SECONDS", help="The longest to wait.")
@click.option("--no-deps", is_flag=True, help="Only the named services, not what they depend on.")
@click.option("--no-start", is_flag=True, help="Create, and don't start.")
@click.option("--abort-on-container-exit", is_flag=True, help="Stop all as soon as one has ended.")
@click.option("--abort-on-container-failure", is_flag=True, help="Stop all as soon as one has failed.")
@click.option("--exit-code-from", metavar="SERVICE", help="End with this service's exit code, all stopped.")
@_SECONDS
@click.option("-V", "--renew-anon-volumes", is_flag=True, help="Anonymous volumes are new, not the former ones.")
@click.option("--attach", multiple=True, metavar="SERVICE", help="Show the output of these alone.")
@click.option("--no-attach", multiple=True, metavar="SERVICE", help="Don't show the output of these.")
@click.option("--no-color", is_flag=True, help="No colours.")
@click.option("--no-log-prefix", is_flag=True, help="No names before the lines.")
@click.option("--timestamps", is_flag=True, help="Put the time before each line.")
@refused_flag("-w", "--watch", why="files aren't watched; `up --build` builds anew what has changed")
@refused_flag("--menu", why="there are no shortcuts here")
@refused_flag("--always-recreate-deps", why="name the services and use --force-recreate")
@refused_flag("--attach-dependencies", why="without names all services are shown")
@_making
@pass_desk
def up_command(desk: Desk, /, **said: Any) -> Result:
    return up(desk, Asked(**{**said, "pull": None if said["pull"] == "policy" else said["pull"]}))


@verb("create", help="Create the containers of services, and don't start them.")
@_making
@pass_desk
def create_command(desk: Desk, /, **said: Any) -> Result:
    return up(desk, Asked(**{**said, "pull": None if said["pull"] == "policy" else said["pull"]}, no_start=True))
