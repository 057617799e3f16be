"""Docker's groups: ``container ls``, ``image rm``, ``system df`` and such, most of them verbs by a longer name."""

from __future__ import annotations

__all__ = ["ALIASES", "ELSEWHERE", "Family", "families", "unknown"]

from collections.abc import Mapping

import click

from containerlab.commands import disk, inspect, names, network, network_map, prune, share, volume
from containerlab.commands.context import Context, pass_context
from containerlab.commands.result import Lines, Result
from containerlab.errors import UsageError

# Group: its help, its verbs that have the same name outside of it, those under another one, those of its own.
_FAMILIES: dict[str, tuple[str, tuple[str, ...], dict[str, str], dict[str, click.Command]]] = {
    "container": (
        "Containers: the verbs by their longer names, and prune.",
        (
            "attach", "commit", "cp", "create", "diff", "exec", "export", "kill", "logs", "pause", "port", "rename",
            "restart", "rm", "run", "start", "stats", "stop", "top", "unpause", "update", "wait",
        ),
        {"ls": "ps"},
        {"inspect": inspect.container_inspect_command, "prune": prune.container_prune_command},
    ),
    "image": (
        "Images: the verbs by their longer names, and prune.",
        ("build", "history", "import", "load", "pull", "push", "save", "tag"),
        {"ls": "images", "rm": "rmi"},
        {"inspect": inspect.image_inspect_command, "prune": prune.image_prune_command},
    ),
    "network": (
        "Networks: who can reach whom, and by which name.",
        (),
        {},
        {
            "connect": network.network_connect_command,
            "create": network.network_create_command,
            "disconnect": network.network_disconnect_command,
            "inspect": network.network_inspect_command,
            "ls": network.network_list_command,
            "map": network_map.network_map_command,
            "prune": network.network_prune_command,
            "rm": network.network_remove_command,
        },
    ),
    "volume": (
        "Volumes: data that outlives containers.",
        (),
        {},
        {
            "create": volume.volume_create_command,
            "inspect": volume.volume_inspect_command,
            "ls": volume.volume_list_command,
            "prune": volume.volume_prune_command,
            "rm": volume.volume_remove_command,
        },
    ),
    "system": (
        "The engine: what it takes of the disk, and prune.",
        ("events", "info"),
        {},
        {"df": disk.df_command, "prune": prune.system_prune_command, "share": share.share_command},
    ),
    "builder": ("Builds: build, and prune of what they keep.", ("build",), {}, {"prune": prune.builder_prune_command}),
}  # fmt: skip
ALIASES = {"list": "ls", "ps": "ls", "remove": "rm"}
"""Docker's other words for a verb of a group."""

ELSEWHERE = {
    "search": "There is no search: name the image that you want.",
    **dict.fromkeys(("buildx", "bake"), "There is no BuildKit here: `build` builds."),
    **dict.fromkeys(("swarm", "node", "service", "stack", "config", "secret"), "There is no swarm here: one host."),
    **dict.fromkeys(("checkpoint", "context", "manifest", "plugin", "trust"), "Docker's; not carried out here."),
}
"""Verbs of Docker's that aren't here, and what to say of them."""


class Family(click.Group):
    """A group of verbs that says which there are when it is called alone."""

    def find(self, name: str) -> click.Command | None:
        return self.commands.get(name) or self.commands.get(ALIASES.get(name, ""))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return self.find(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            rows = [(name, command.help or "") for name, command in self.commands.items()]
            if self.name == "system" and ctx.find_root().info_name == "containerlab":
                rows = [
                    ("check", "Prove that store, kernel and records agree; --repair mends them."),
                    *rows,
                    ("reset", "End the engine, and remove all images, containers and volumes."),
                ]
            formatter.write_dl(rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            if self.name == "system" and args[0] in ("check", "reset"):
                words = f"system {args[0]}"
                raise UsageError(f"{words} is for a terminal, not for a cell.", hint=f"!containerlab {words}")
            raise unknown(ctx, f"{self.name} {args[0]}", names.hint(args[0], self.commands))
        return super().resolve_command(ctx, args)


def unknown(ctx: click.Context, verb: str, hint: str) -> click.UsageError:
    return click.UsageError(" ".join(filter(None, [f"There is no verb {verb!r}.", hint])), ctx)


def families(verbs: Mapping[str, click.Command]) -> list[Family]:
    """The groups, with those of ``verbs`` that belong to each and are there."""
    return [_family(name, verbs) for name in _FAMILIES]


def _family(name: str, verbs: Mapping[str, click.Command]) -> Family:
    help, same, renamed, own = _FAMILIES[name]
    found = {**{verb: verbs[verb] for verb in same if verb in verbs}, **own}
    found |= {shown: verbs[verb] for shown, verb in renamed.items() if verb in verbs}

    def told(context: Context) -> Result:
        current = click.get_current_context()
        return Lines([] if current.invoked_subcommand else current.get_help().splitlines())

    return Family(
        name,
        help=help,
        callback=pass_context(told),
        commands=dict(sorted(found.items())),
        invoke_without_command=True,
        options_metavar="",
        subcommand_metavar="VERB [ARGS]...",
    )
