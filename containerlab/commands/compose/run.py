"""``run``: one more container of a service, for one command."""

from __future__ import annotations

__all__ = ["run_command"]

import secrets
import shlex
from pathlib import Path
from typing import Any

import click
import msgspec

from containerlab.commands.attached import Attachment, check_input
from containerlab.commands.compose.desk import Desk, pass_desk
from containerlab.commands.compose.exec import wants_terminal
from containerlab.commands.compose.images import ensure
from containerlab.commands.parsing import verb
from containerlab.commands.problems import ContainerExited
from containerlab.commands.result import Finished, Result, Started
from containerlab.commands.run_network import ports
from containerlab.commands.run_options import RunOptions
from containerlab.commands.run_payload import environment
from containerlab.commands.values import pairs
from containerlab.compose import labels
from containerlab.compose.model import Port, Project, Service
from containerlab.compose.observe import Observed
from containerlab.compose.plan import UpOptions, plan_up

_KEEPS_PORTS = "service_ports"


@verb(
    "run",
    help="Run COMMAND in a container of its own that is made as SERVICE's are, its dependencies started.",
    context_settings={"allow_interspersed_args": False},
)
@click.option("-d", "--detach", is_flag=True, help="Run it in the background.")
@click.option("--rm", is_flag=True, help="Remove it when it ends.")
@click.option("-e", "--env", multiple=True, metavar="K=V", help="Set an environment variable.")
@click.option("--env-from-file", multiple=True, type=click.Path(path_type=Path), help="Read variables from a file.")
@click.option("--entrypoint", metavar="PROGRAM", help="In place of the entrypoint.")
@click.option("-l", "--label", multiple=True, metavar="K=V", help="Note something on it.")
@click.option("--name", metavar="NAME", help="Its name.")
@click.option("--no-deps", is_flag=True, help="Don't start what the service depends on.")
@click.option("-p", "--publish", multiple=True, metavar="PORTS", help="Publish a port.")
@click.option("-P", "--service-ports", is_flag=True, help="Publish the service's own ports.")
@click.option("--use-aliases", is_flag=True, help="Let others reach it by the service's name.")
@click.option("-v", "--volume", multiple=True, metavar="SOURCE:DIR", help="Mount one more volume or folder.")
@click.option("-u", "--user", metavar="USER[:GROUP]", help="Run as this user of the container.")
@click.option("-w", "--workdir", metavar="DIR", help="Start in this folder of the container.")
@click.option("--cap-add", multiple=True, metavar="CAP", help="One more capability.")
@click.option("--cap-drop", multiple=True, metavar="CAP", help="One less.")
@click.option("-T", "--no-tty", "--no-TTY", "no_tty", is_flag=True, help="No terminal.")
@click.option("-i", "--interactive", is_flag=True, default=True, help="Keep standard input open (=false: not).")
@click.option("--build", is_flag=True, help="Build the image before.")
@click.option("--pull", type=click.Choice(["always", "missing", "never", "policy"]), help="Fetch the image first.")
@click.option("--quiet-pull", is_flag=True, help="Pull without progress.")
@click.option("--remove-orphans", is_flag=True, help="Remove containers that no file speaks of.")
@click.option(
    "--no-raise", "raising", is_flag=True, flag_value=False, default=True,
    help="In a notebook: let the cell succeed whatever the exit code is.",
)  # fmt: skip
@click.argument("service")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@pass_desk
def run_command(desk: Desk, /, service: str, command: tuple[str, ...], **said: Any) -> Result:
    desk.body_is_input = True
    project = desk.selected([service])
    seen = _prepared(desk, project, service, said)
    own = _changed(desk, project.services[service], command, said)
    what = shlex.join(["compose", "run", service, *command])
    check_input(
        desk.context, "compose run", service, interactive=said["interactive"], tty=own.tty, detach=said["detach"]
    )
    slug = secrets.token_hex(32)
    name = said["name"] or f"{project.name}-{service}-run-{slug[:12]}"
    more = {**pairs(said["label"], "--label", bare=True), labels.ONEOFF: "True", labels.SLUG: slug}

    def tweak(body: dict[str, Any]) -> None:
        body["HostConfig"]["AutoRemove"] = bool(said["rm"])
        body["HostConfig"]["Binds"] = [*(body["HostConfig"].get("Binds") or []), *said["volume"]] or None
        body["StdinOnce"] = own.stdin_open
        body["AttachStdin"] = own.stdin_open

    made = desk.doer(project, seen).create(own, 1, name, more=more, aliases=said["use_aliases"], tweak=tweak)
    if said["detach"]:
        desk.context.client.api.start(made)
        return Started(made, name, own.image)
    return _stay(desk, made, name, what, own, said)


def _prepared(desk: Desk, project: Project, service: str, said: dict[str, Any]) -> Observed:
    """Networks and volumes, and what the service depends on, up; gives what is there then."""
    policy = said["pull"] if said["pull"] != "policy" else None
    images = ensure(desk, project, build_all=said["build"], policy=policy or "", quiet=said["quiet_pull"])
    seen = desk.observe()
    seen = Observed(seen.instances, seen.networks, seen.volumes, images)
    rest = {} if said["no_deps"] else {name: one for name, one in project.services.items() if name != service}
    # The service itself with no container: its networks and volumes are made, and nothing is started.
    around: dict[str, Service] = {**rest, service: msgspec.structs.replace(project.services[service], scale=0)}
    if said["no_deps"]:
        around = {service: around[service]}
    ground = msgspec.structs.replace(
        project,
        services=around,
        disabled={**project.disabled, **{k: v for k, v in project.services.items() if k not in around}},
    )
    here = Observed([one for one in seen.instances if one.service != service], seen.networks, seen.volumes, images)
    options = UpOptions(remove_orphans=said["remove_orphans"])
    plan = plan_up(ground, here, desk.digests(ground), options)
    plan.kept.clear()
    if not said["remove_orphans"]:
        desk.tell_orphans(plan.orphans)
    desk.carry_out(plan, ground, here)
    seen = desk.observe()
    return Observed(seen.instances, seen.networks, seen.volumes, images)


def _changed(desk: Desk, service: Service, command: tuple[str, ...], said: dict[str, Any]) -> Service:
    variables = dict(service.environment)
    for word in environment(said["env"], said["env_from_file"], desk.context.variable):
        key, _, value = word.partition("=")
        variables[key] = value
    interactive = said["interactive"] and not said["detach"] and not _mute(desk)
    changes: dict[str, Any] = {
        "environment": variables, "restart": "", "container_name": "", "stdin_open": interactive or service.stdin_open,
        "tty": wants_terminal(desk, no_tty=said["no_tty"]) and not said["detach"],
        "ports": (*(service.ports if said[_KEEPS_PORTS] else ()), *_published(said["publish"])),
        "cap_add": (*service.cap_add, *said["cap_add"]), "cap_drop": (*service.cap_drop, *said["cap_drop"]),
    }  # fmt: skip
    if command:
        changes["command"] = command
    if said["entrypoint"] is not None:
        changes |= {"entrypoint": tuple(shlex.split(said["entrypoint"])), "command": command or None}
    if said["user"]:
        changes["user"] = said["user"]
    if said["workdir"]:
        changes["working_dir"] = said["workdir"]
    return msgspec.structs.replace(service, **changes)


def _mute(desk: Desk) -> bool:
    """Nothing is there for it to read."""
    return desk.context.body is None and (desk.context.notebook or desk.context.stdin_fd is None)


def _published(words: tuple[str, ...]) -> list[Port]:
    _, bindings = ports(RunOptions(image="", command=(), publish=words))
    return [
        Port(
            target=int(inside.partition("/")[0]), protocol=inside.partition("/")[2], published=binding["HostPort"],
            host_ip=binding["HostIp"],
        )
        for inside, found in bindings.items()
        for binding in found
    ]  # fmt: skip


def _stay(desk: Desk, made: str, name: str, what: str, own: Service, said: dict[str, Any]) -> Result:
    context = desk.context
    interactive = own.stdin_open and not _mute(desk)
    attachment = Attachment(
        context, made, name, what, tty=own.tty, interactive=interactive, remove=said["rm"],
        streams=("stdin", "stdout", "stderr") if interactive else ("stdout", "stderr"),
    )  # fmt: skip
    try:
        attachment.attach(condition="removed" if said["rm"] else "next-exit")
        context.client.api.start(made)
        result = attachment.finish()
    except KeyboardInterrupt:
        attachment.abandon()
        raise
    finally:
        attachment.close()
    if isinstance(result, Finished) and result.exit_code and context.notebook and said["raising"]:
        raise ContainerExited(result)
    return result
