"""``top``, ``stats``, ``memory`` and ``timeline``: what a container does and costs right now, and how it began."""

from __future__ import annotations

__all__ = ["memory_command", "stats_command", "timeline_command", "top_command"]

from typing import Any

import click

from containerlab.commands import formats, names
from containerlab.commands.context import Context, pass_context
from containerlab.commands.own_engine import lab_facts
from containerlab.commands.result import Column, Result, Row, Table


@click.command(
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


def _cpu_percent(now: dict[str, Any]) -> float:
    """As docker/cli ``container/stats_helpers.go``: of one processor, so that two busy ones are 200."""
    before, after = now.get("precpu_stats") or {}, now.get("cpu_stats") or {}
    used = after.get("cpu_usage", {}).get("total_usage", 0) - before.get("cpu_usage", {}).get("total_usage", 0)
    passed = after.get("system_cpu_usage", 0) - before.get("system_cpu_usage", 0)
    cpus = after.get("online_cpus") or len(after.get("cpu_usage", {}).get("percpu_usage") or []) or 1
    return 100.0 * used * cpus / passed if used > 0 and passed > 0 else 0.0


def _memory_used(now: dict[str, Any]) -> int:
    """Without the page cache that could be given back (``total_inactive_file``, on cgroup v2 ``inactive_file``)."""
    memory = now.get("memory_stats") or {}
    details = memory.get("stats") or {}
    return max(
        0, int(memory.get("usage", 0)) - int(details.get("total_inactive_file", details.get("inactive_file", 0)))
    )


def _stats_row(identifier: str, name: str, now: dict[str, Any]) -> Row:
    limit = int((now.get("memory_stats") or {}).get("limit", 0))
    used = _memory_used(now)
    return {
        "id": identifier,
        "name": name,
        "cpu_percent": _cpu_percent(now),
        "memory": used,
        "limit": limit,
        "memory_percent": 100.0 * used / limit if limit else 0.0,
        "pids": int((now.get("pids_stats") or {}).get("current", 0)),
    }


def _percent(amount: float) -> str:
    return f"{amount:.2f}%"


_CLEAR = "\x1b[H\x1b[2J"
_STATS = [
    Column("id", "CONTAINER ID", "ID", formats.short_id),
    Column("name", "NAME", "Name"),
    Column("cpu_percent", "CPU %", "CPUPerc", _percent, number=True),
    Column("memory", "MEM USAGE", "MemUsage", formats.size, number=True),
    Column("limit", "LIMIT", "MemLimit", lambda limit: formats.size(limit) if limit else "none", number=True),
    Column("memory_percent", "MEM %", "MemPerc", _percent, number=True),
    Column("pids", "PIDS", "PIDs", number=True),
]


@click.command("stats", help="What running containers use of processor, memory and processes; live in a terminal.")
@click.option("-a", "--all", "everything", is_flag=True, help="Also containers that don't run.")
@click.option("--no-stream", is_flag=True, help="One reading, which is what a notebook or a pipe gets anyway.")
@click.option(
    "--format", "template", metavar="TEMPLATE", help="One line each, as in '{{.Name}} {{.MemUsage}}', or json."
)
@click.argument("containers", nargs=-1)
@pass_context
def stats_command(
    context: Context, everything: bool, no_stream: bool, template: str | None, containers: tuple[str, ...]
) -> Result:
    table = _stats(context, containers, everything, template)
    while context.terminal is not None and not no_stream:
        context.output.stdout(f"{_CLEAR}{table}\n".encode())
        table = _stats(context, containers, everything, template)
    return table


def _stats(context: Context, containers: tuple[str, ...], everything: bool, template: str | None) -> Table:
    """One reading, which takes the engine about a second: a share of the processor needs two moments."""
    api = context.client.api
    if containers:
        chosen = [(api.inspect_container(name)["Id"], name) for name in containers]
    else:
        chosen = [(entry["Id"], entry["Names"][0].lstrip("/")) for entry in api.containers(all=everything)]
    rows = [_stats_row(identifier, name, api.stats(identifier, stream=False)) for identifier, name in chosen]
    return Table(_STATS, rows, empty="No container is running.", lines=template)


@click.command("memory", help="What containers cost the host in memory; for a virtual machine that is all of QEMU.")
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


@click.command("timeline", help="The kernel steps of a container's start, and when each was done.")
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
    if rows and not as_table:
        result.draw(lambda: _timeline_figure(context, container))
    return result


def _timeline_figure(context: Context, container: str) -> Any:
    from containerlab.lab.timeline import timeline

    return timeline(context.client, container)


def _milliseconds(microseconds: float) -> str:
    return f"{microseconds / 1000:.3f} ms"
