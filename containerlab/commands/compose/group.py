"""``compose`` itself: the options before the verb, and which verbs there are."""

from __future__ import annotations

__all__ = ["compose_group", "rest_after_options", "verb_after"]

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from containerlab.commands import names
from containerlab.commands.compose.verbs import SECTIONS, verb_command
from containerlab.commands.context import Context
from containerlab.commands.result import Lines, Result

ELSEWHERE = {
    **dict.fromkeys(
        ("attach", "cp", "stats"), "The verb of that name takes a container: `compose ps` has their names."
    ),
    **dict.fromkeys(("push", "export", "commit"), "The verb of that name does it, an image or container at a time."),
    "watch": "Files aren't watched here; `compose up --build` builds anew what has changed.",
    "convert": "It is called config.",
}
"""Docker's verbs that aren't here."""


class _Group(click.Group):
    """Verbs by section, and ``did you mean`` for one that doesn't exist."""

    @property
    def commands(self) -> dict[str, click.Command]:
        """All of them, imported."""
        return {name: command for name in self.list_commands(None) if (command := verb_command(name)) is not None}

    @commands.setter
    def commands(self, value: object) -> None:
        """click's own start with none."""

    def list_commands(self, ctx: click.Context | None) -> list[str]:
        return [name for verbs in SECTIONS.values() for name in verbs]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return verb_command(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if self.get_command(ctx, args[0]) is None:
            hint = ELSEWHERE.get(args[0]) or names.hint(args[0], self.list_commands(ctx))
            raise click.UsageError(" ".join(filter(None, [f"There is no verb 'compose {args[0]}'.", hint])), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, self.list_commands(ctx)))
        for title, verbs in SECTIONS.items():
            with formatter.section(title):
                commands = {name: verb_command(name) for name in verbs}
                formatter.write_dl(
                    [(name.ljust(width), command.help or "") for name, command in commands.items() if command]
                )


@click.group(
    "compose",
    cls=_Group,
    help="An application of several containers from one file.",
    invoke_without_command=True,
    subcommand_metavar="VERB [ARGS]...",
)
@click.option("-f", "--file", "files", multiple=True, metavar="FILE", help="The Compose file; several are merged.")
@click.option("-p", "--project-name", metavar="NAME", help="The project's name (the folder's).")
@click.option(
    "--project-directory", "directory", type=click.Path(path_type=Path), metavar="DIR",
    help="What relative paths start from (the first file's folder).",
)  # fmt: skip
@click.option("--profile", "profiles", multiple=True, metavar="NAME", help="Also the services of this profile.")
@click.option("--env-file", "env_files", multiple=True, type=click.Path(path_type=Path), help="In place of .env.")
@click.option(
    "--ansi", type=click.Choice(["auto", "never", "always"]), default="auto", help="Colours: auto, never, always."
)
@click.option("--parallel", type=int, default=16, metavar="N", help="So many things at a time (-1: no limit).")
@click.pass_context
def compose_group(click_context: click.Context, /, parallel: int, **said: Any) -> Result:
    from containerlab.commands.compose.desk import Desk

    context = click_context.find_object(Context)
    if context is None:
        raise TypeError("compose runs within a Context")
    click_context.obj = Desk(context, parallel=parallel if parallel > 0 else 64, **said)
    return Lines([] if click_context.invoked_subcommand else click_context.get_help().splitlines())


def rest_after_options(words: Sequence[str]) -> list[str] | None:
    """The words from the verb on; None while an option still waits for its value."""
    takes_value = {
        name for option in compose_group.params for name in option.opts if not getattr(option, "is_flag", True)
    }
    rest = list(words)
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if option in takes_value:
            if not rest:
                return None
            rest.pop(0)
    return rest


def verb_after(words: Sequence[str]) -> str:
    """The verb of a line of ``%compose``."""
    return (rest_after_options(words) or [""])[0]
