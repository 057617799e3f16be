"""The verbs that end a project or hold it: ``down``, ``stop``, ``start``, ``restart``, ``kill``, ``rm``, ``pause``."""

from __future__ import annotations

__all__ = [
    "down_command",
    "kill_command",
    "pause_command",
    "restart_command",
    "rm_command",
    "scale_command",
    "start_command",
    "stop_command",
    "unpause_command",
    "wait_command",
]

import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any

import click

from containerlab.commands.compose.asked import Asked
from containerlab.commands.compose.board import Board
from containerlab.commands.compose.desk import Desk, pass_desk
from containerlab.commands.compose.up import up
from containerlab.commands.confirm import confirmed
from containerlab.commands.parsing import verb
from containerlab.commands.result import Lines, Result
from containerlab.commands.streams import post
from containerlab.compose.deeds import Told
from containerlab.compose.ending import DownOptions, plan_down, plan_remove, plan_start, plan_stop
from containerlab.compose.observe import Instance
from containerlab.compose.steps import Plan, Restart
from containerlab.errors import NotFound

_SERVICES = click.argument("services", nargs=-1, metavar="[SERVICE...]")
_SECONDS = click.option("-t", "--timeout", type=int, metavar="SECONDS", help="Wait this long before killing.")


@verb("down", help="Stop and remove the project's containers and networks; data in volumes stays without -v.")
@click.option("-v", "--volumes", is_flag=True, help="Also the volumes: their data is gone.")
@click.option(
    "--rmi", type=click.Choice(["local", "all"]), help="Also images: all, or those without a name of their own."
)
@click.option("--remove-orphans", is_flag=True, help="Also containers that no file speaks of.")
@_SECONDS
@_SERVICES
@pass_desk
def down_command(
    desk: Desk, services: tuple[str, ...], volumes: bool, rmi: Any, remove_orphans: bool, timeout: int | None
) -> Result:
    desk.check_names(services)
    seen, project = desk.observe(), desk.known_project
    options = DownOptions(
        services=frozenset(services) if services else None, volumes=volumes, images=rmi or "",
        remove_orphans=remove_orphans, timeout=timeout,
    )  # fmt: skip
    plan = plan_down(desk.name, project, seen, options)
    desk.tell_orphans(plan.orphans)
    if not plan.steps:
        desk.warn(f'No resource found to remove for project "{desk.name}".')
    desk.carry_out(plan, project, seen)
    return Lines([])


@verb("stop", help="Stop containers, and keep them.")
@_SECONDS
@_SERVICES
@pass_desk
def stop_command(desk: Desk, services: tuple[str, ...], timeout: int | None) -> Result:
    plan = plan_stop(desk.known_project, desk.containers(services), timeout)
    desk.carry_out(plan, desk.known_project)
    return Lines([])


@verb("start", help="Start containers that are there, each after what it depends on.")
@click.option("--wait", is_flag=True, help="Return once all are running or healthy.")
@click.option("--wait-timeout", type=int, metavar="SECONDS", help="The longest to wait.")
@_SERVICES
@pass_desk
def start_command(desk: Desk, services: tuple[str, ...], wait: bool, wait_timeout: int | None) -> Result:
    ones = desk.containers(services)
    there = {one.service for one in ones}
    project = desk.known_project
    for name in services or (project.services if project else ()):
        if name not in there:
            raise NotFound(f'service "{name}" has no container to start', hint=f"`compose up {name}` makes one.")
    desk.carry_out(plan_start(project, ones, wait=wait), project, wait_timeout=wait_timeout)
    return Lines([])


@verb("restart", help="Stop containers and start them again; changes of the file have no say in it.")
@click.option("--no-deps", is_flag=True, help="Not those that depend on them (restart: true).")
@_SECONDS
@_SERVICES
@pass_desk
def restart_command(desk: Desk, services: tuple[str, ...], no_deps: bool, timeout: int | None) -> Result:
    project = desk.known_project
    wanted = set(services)
    if project is not None and services and not no_deps:
        wanted |= {
            name
            for name, service in project.services.items()
            if any(dependency.restart and other in wanted for other, dependency in service.depends_on.items())
        }
    ones = desk.containers(sorted(wanted))
    plan, last = Plan(), dict[str, list[int]]()
    order = plan_start(project, [_ended(one) for one in ones])
    by_name = {one.name: one for one in ones}
    for deed in order.deeds():
        one = by_name.get(getattr(deed, "name", ""))
        if one is None:
            continue
        needs = [step for other in _above(desk, one) for step in last.get(other, [])]
        last.setdefault(one.service, []).append(plan.add(Restart(one, timeout), needs))
    desk.carry_out(plan, project)
    return Lines([])


def _ended(one: Instance) -> Instance:
    return Instance(
        one.id, one.name, one.service, one.number, state="exited", depends_on=one.depends_on, entry=one.entry
    )


def _above(desk: Desk, one: Instance) -> Sequence[str]:
    project = desk.known_project
    known = project.services.get(one.service) if project else None
    return list(known.depends_on) if known else one.depends_on


@verb("kill", help="End containers at once, or send them a signal.")
@click.option("-s", "--signal", default="SIGKILL", metavar="SIGNAL", help="This one (SIGKILL).")
@click.option("--remove-orphans", is_flag=True, help="Also remove containers that no file speaks of.")
@_SERVICES
@pass_desk
def kill_command(desk: Desk, services: tuple[str, ...], signal: str, remove_orphans: bool) -> Result:
    ones = desk.containers(services, everything=False)
    if not ones:
        desk.warn("no container to kill")
    _each(desk, ones, ("Killing", "Killed"), lambda one: desk.context.client.api.kill(one.id, signal))
    if remove_orphans and desk.known_project is not None:
        for one in desk.observe().orphans(desk.known_project):
            desk.context.client.api.remove_container(one.id, force=True)
    return Lines([])


@verb("rm", help="Remove containers that have stopped.")
@click.option("-f", "--force", is_flag=True, help="Don't ask.")
@click.option("-s", "--stop", is_flag=True, help="Stop them first, where needed.")
@click.option("-v", "--volumes", is_flag=True, help="Also their anonymous volumes.")
@click.option("-a", "--all", is_flag=True, hidden=True, expose_value=False)
@_SERVICES
@pass_desk
def rm_command(desk: Desk, services: tuple[str, ...], force: bool, stop: bool, volumes: bool) -> Result:
    project = desk.known_project
    if stop:
        desk.carry_out(plan_stop(project, desk.containers(services), None), project)
    ones = [one for one in desk.containers(services) if one.state not in ("running", "paused", "restarting")]
    if not ones:
        desk.context.output.notice("No stopped containers")
        return Lines([])
    warning = f"Going to remove {', '.join(one.name for one in ones)}\n"
    if not confirmed(desk.context, warning, verb="compose rm", force=force):
        return Lines([])
    desk.carry_out(plan_remove(ones, volumes=volumes), project)
    return Lines([])


@verb("pause", help="Hold the processes of containers.")
@_SERVICES
@pass_desk
def pause_command(desk: Desk, services: tuple[str, ...]) -> Result:
    ones = [one for one in desk.containers(services) if one.state == "running"]
    _each(desk, ones, ("Pausing", "Paused"), lambda one: desk.context.client.api.pause(one.id))
    return Lines([])


@verb("unpause", help="Let them go on.")
@_SERVICES
@pass_desk
def unpause_command(desk: Desk, services: tuple[str, ...]) -> Result:
    ones = [one for one in desk.containers(services) if one.state == "paused"]
    _each(desk, ones, ("Unpausing", "Unpaused"), lambda one: desk.context.client.api.unpause(one.id))
    return Lines([])


@verb("wait", help="Wait until the first of the services' containers has ended, and give its exit code.")
@click.option("--down-project", is_flag=True, help="Then take the whole project down.")
@click.argument("services", nargs=-1, required=True, metavar="SERVICE...")
@pass_desk
def wait_command(desk: Desk, services: tuple[str, ...], down_project: bool) -> Result:
    ones = desk.containers(services)
    if not ones:
        raise NotFound(f"no containers for services {', '.join(services)}")
    ended: queue.SimpleQueue[tuple[str, int]] = queue.SimpleQueue()

    def await_end(one: Instance) -> None:
        answer = post(desk.context.client, f"/containers/{one.id}/wait", params={"condition": "not-running"})
        ended.put((one.name, int(answer.json()["StatusCode"])))

    for one in ones:
        threading.Thread(target=await_end, args=(one,), daemon=True).start()
    name, code = ended.get()
    if down_project:
        seen = desk.observe()
        desk.carry_out(plan_down(desk.name, desk.known_project, seen, DownOptions()), desk.known_project, seen)
    return Lines([f'container "{name}" exited with status code {code}'], exit_code=code)


@verb("scale", help="Have so many containers of services.")
@click.option("--no-deps", is_flag=True, help="Don't start what they depend on.")
@click.argument("scales", nargs=-1, required=True, metavar="SERVICE=N...")
@pass_desk
def scale_command(desk: Desk, scales: tuple[str, ...], no_deps: bool) -> Result:
    services = tuple(word.partition("=")[0] for word in scales)
    return up(desk, Asked(services=services, scale=scales, detach=True, no_deps=no_deps, no_recreate=True))


def _each(desk: Desk, ones: Sequence[Instance], words: tuple[str, str], act: Callable[[Instance], object]) -> Board:
    """The same to every one, told like the steps of a plan."""
    board = Board()
    for one in ones:
        for word, state in zip(words, ("working", "done"), strict=True):
            if state == "done":
                act(one)
            board.hear(Told("Container", one.name, word, state, one.service))
            desk.context.output.services(board)
    board.ended = True
    desk.context.output.services(board)
    return board
