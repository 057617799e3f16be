"""``top``, ``memory``, ``timeline`` and ``life``: what a container does and costs, how it began, what became of it."""

from __future__ import annotations

__all__ = ["life_command", "memory_command", "timeline_command", "top_command"]

from typing import Any

import click

from containerlab.commands import formats, names
from containerlab.commands.context import Context, pass_context
from containerlab.commands.own_engine import lab_facts
from containerlab.commands.parsing import verb
from containerlab.commands.result import Column, Result, Table


@verb(
    "top",
    help="The processes of a container, with the host's process ids.",
    context_settings={"ignore_unknown_options": True},
)
@click.argument("container")
@click.argument("ps_options", nargs=-1, type=click.UNPROCESSED, metavar="[PS OPTIONS]")
@pass_context
def top_command(context: Context, container: str, ps_options: tuple[str, ...]) -> Result:
    answer = context.client.api.top(container, ps_args=" ".join(ps_options) or None)
    titles = answer["Titles"]
    rows = [dict(zip(titles, process, strict=False)) for process in answer["Processes"] or []]
    return Table([Column(title, title) for title in titles], rows, empty="No process runs in it.")


@verb("memory", help="What containers cost the host in memory; for a virtual machine that is all of QEMU.")
@click.argument("containers", nargs=-1)
@pass_context
def memory_command(context: Context, containers: tuple[str, ...]) -> Result:
    chosen = containers or tuple(name for name in names.container_names(context.client) if _running(context, name))
    rows = [
        {"name": name, **lab_facts(context, f"/containerlab/containers/{name}/memory", "a container's memory")}
        for name in chosen
    ]

    def amount(count: int | None) -> str:
        return "not measured" if count is None else formats.size(count)

    columns = [
        Column("name", "NAME"),
        Column("backend", "BACKEND"),
        Column("accel", "ACCELERATOR", text=lambda accel: accel or "none"),
        Column("pss_bytes", "PSS", text=amount, number=True),
        Column("cgroup_bytes", "CGROUP", text=amount, number=True),
        Column("processes", "PROCESSES", number=True),
    ]
    return Table(columns, rows, empty="No container is running.")


def _running(context: Context, name: str) -> bool:
    return bool(context.client.api.inspect_container(name)["State"]["Running"])


@verb("timeline", help="The kernel steps of a container's start, and when each was done.")
@click.option("--table", "as_table", is_flag=True, help="A table in place of the picture.")
@click.argument("container")
@pass_context
def timeline_command(context: Context, container: str, as_table: bool) -> Result:
    steps = lab_facts(context, f"/containerlab/containers/{container}/timeline", "the steps of a start")["steps"]
    before = 0
    rows = []
    for step in steps:
        rows.append({"step": step["step"], "at_us": step["at_us"], "took_us": step["at_us"] - before})
        before = step["at_us"]
    columns = [
        Column("step", "STEP"),
        Column("at_us", "AT", text=_milliseconds, number=True),
        Column("took_us", "TOOK", text=_milliseconds, number=True),
    ]
    result = Table(columns, rows, empty=f"{container} has not been started yet.")
    if rows and context.notebook and not as_table:
        result.draw(_timeline_figure(context, container))
    return result


def _timeline_figure(context: Context, container: str) -> Any:
    from containerlab.lab.timeline import timeline

    return timeline(context.client, container)


def _milliseconds(microseconds: float) -> str:
    return f"{microseconds / 1000:.3f} ms"


@verb("life", help="The states that a container went through, and what made it go on; also of one that is gone.")
@click.option("--table", "as_table", is_flag=True, help="A table in place of the picture.")
@click.argument("container")
@pass_context
def life_command(context: Context, container: str, as_table: bool) -> Result:
    from containerlab.lab.life import read_life

    turns = read_life(context.client, container)
    rows = [{"event": turn.event, "state": turn.state, "detail": turn.detail} for turn in turns]
    columns = [
        Column("event", "EVENT"),
        Column("state", "STATE AFTER IT", text=lambda state: state or "the same"),
        Column("detail", "DETAIL"),
    ]
    result = Table(columns, rows)
    if context.notebook and not as_table:
        result.draw(_life_figure(container, turns))
    return result


def _life_figure(container: str, turns: list[Any]) -> Any:
    from containerlab.lab.life_figure import draw_life

    return draw_life(container, turns)
