"""The one tree of verbs that the command line and the magics run."""

from __future__ import annotations

__all__ = ["BELOW_THE_LINE", "SECTIONS", "invoke", "tree", "verb_of"]

import shlex
from collections.abc import Sequence

import click

from containerlab import __version__
from containerlab.commands import (
    archives,
    build,
    commit,
    course,
    cp,
    diff,
    events,
    exec,
    figures,
    groups,
    images,
    inspect,
    invoking,
    layers,
    lifecycle,
    login,
    logs,
    mounts,
    names,
    pause,
    port,
    ps,
    run,
    stats,
    trace,
    transfers,
    update,
    watch,
    watching,
    where,
)
from containerlab.commands.compose.group import compose_group
from containerlab.commands.context import Context
from containerlab.commands.result import Result
from containerlab.errors import UsageError

SECTIONS: dict[str, list[click.Command]] = {
    "Run a container": [
        run.run_command,
        run.create_command,
        lifecycle.start_command,
        exec.exec_command,
        cp.cp_command,
        lifecycle.attach_command,
        update.update_command,
    ],
    "See what it does": [
        ps.ps_command,
        logs.logs_command,
        figures.top_command,
        port.port_command,
        stats.stats_command,
        inspect.inspect_command,
        diff.diff_command,
        events.events_command,
        lifecycle.wait_command,
    ],
    "Hold it, end it": [
        pause.pause_command,
        pause.unpause_command,
        lifecycle.stop_command,
        lifecycle.kill_command,
        lifecycle.restart_command,
        lifecycle.rename_command,
        lifecycle.rm_command,
    ],
    "Images": [
        build.build_command,
        images.images_command,
        images.history_command,
        images.tag_command,
        transfers.pull_command,
        transfers.push_command,
        login.login_command,
        login.logout_command,
        images.rmi_command,
        archives.save_command,
        archives.load_command,
        archives.export_command,
        archives.import_command,
        commit.commit_command,
    ],
    "Several containers": [compose_group],
    "Look inside": [
        layers.layers_command,
        where.where_command,
        figures.timeline_command,
        figures.life_command,
        watching.namespaces_command,
        watching.usage_command,
        watch.watch_command,
        figures.memory_command,
        mounts.mounts_command,
        layers.compare_command,
    ],
    "The course": [
        course.lesson_command,
        course.check_command,
        course.progress_command,
        course.reset_command,
        course.lang_command,
    ],
    "The engine": [inspect.info_command, inspect.version_command, trace.trace_command],
}
# Dispatched by ``__main__`` to below the line of docs/design.md; a terminal's help lists them too.
BELOW_THE_LINE = {
    "serve": "Run the engine in the foreground. Every verb starts one by itself.",
    "doctor": "What this host can do, and what is missing for the rest.",
    "system check": "Prove that the store, the kernel and the engine's records agree; --repair mends them.",
}


class _Tree(click.Group):
    """Verbs by section, and ``did you mean`` for one that doesn't exist."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self.commands]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        verb = args[0]
        if not verb.startswith("-") and self.get_command(ctx, verb) is None:
            if verb in BELOW_THE_LINE:
                raise UsageError(f"{verb} is for a terminal, not for a cell.", hint=f"!containerlab {shlex.join(args)}")
            raise groups.unknown(ctx, verb, groups.ELSEWHERE.get(verb) or names.hint(verb, self.commands))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        families = {name: command for name, command in self.commands.items() if isinstance(command, groups.Family)}
        width = max(map(len, [*self.commands, *BELOW_THE_LINE]))
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([((command.name or "").ljust(width), command.help or "") for command in commands])
        with formatter.section("Groups, as Docker has them"):
            formatter.write_dl([(name.ljust(width), command.help or "") for name, command in families.items()])
        if ctx.info_name == "containerlab":
            with formatter.section("This host"):
                formatter.write_dl([(name.ljust(width), text) for name, text in BELOW_THE_LINE.items()])


def _tree() -> click.Group:
    root = _Tree(
        "containerlab",
        help="Learn what a container is by running one. The verbs and their options are Docker's.",
        options_metavar="",
        subcommand_metavar="VERB [ARGS]...",
        epilog="`VERB --help` tells the options of a verb.",
    )
    version = click.version_option(
        __version__, "-v", "--version", prog_name="containerlab", message="%(prog)s %(version)s"
    )
    root = version(root)
    for commands in SECTIONS.values():
        for command in commands:
            root.add_command(command)
    for family in groups.families(dict(root.commands)):
        root.add_command(family)
    return root


tree = _tree()


def verb_of(words: Sequence[str]) -> str:
    """The verb of a line by its own name: ``run`` for ``container run``, ``ps`` for ``container ls``."""
    command: click.Command | None = tree.commands.get(words[0]) if words else None
    if isinstance(command, groups.Family):
        command = command.find(words[1]) if len(words) > 1 else None
    return "" if command is None else command.name or ""


def invoke(
    arguments: Sequence[str], context: Context, *, prog: str = "containerlab", command: click.Command = tree
) -> Result:
    """Run one verb, of the whole tree unless ``command`` says of which. See :func:`invoking.invoke`."""
    return invoking.invoke(arguments, context, prog=prog, command=command)
