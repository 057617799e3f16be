"""``stats``: what containers use now, as readings, and live where somebody looks on."""

from __future__ import annotations

__all__ = ["stats_command"]

import time
from dataclasses import replace
from typing import Any

import click

from containerlab.commands import formats
from containerlab.commands.context import Context, pass_context
from containerlab.commands.parsing import verb
from containerlab.commands.result import Column, Result, Row, Table


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


def _row(identifier: str, name: str, now: dict[str, Any]) -> Row:
    limit = int((now.get("memory_stats") or {}).get("limit", 0))
    used = _memory_used(now)
    return {
        "id": identifier,
        "asked": name,
        "name": str(now.get("name") or name).lstrip("/"),
        "cpu_percent": _cpu_percent(now),
        "memory": used,
        "limit": limit,
        "memory_percent": 100.0 * used / limit if limit else 0.0,
        "net": _net(now),
        "block": _block(now),
        "pids": int((now.get("pids_stats") or {}).get("current", 0)),
    }


def _net(now: dict[str, Any]) -> tuple[int, int]:
    """Bytes received and sent, over all interfaces."""
    cards = (now.get("networks") or {}).values()
    return sum(card.get("rx_bytes", 0) for card in cards), sum(card.get("tx_bytes", 0) for card in cards)


def _block(now: dict[str, Any]) -> tuple[int, int]:
    """Bytes read and written."""
    entries = (now.get("blkio_stats") or {}).get("io_service_bytes_recursive") or []
    amounts = {"read": 0, "write": 0}
    for entry in entries:
        if entry["op"].lower() in amounts:
            amounts[entry["op"].lower()] += int(entry["value"])
    return amounts["read"], amounts["write"]


def _percent(amount: float) -> str:
    return f"{amount:.2f}%"


def _both(moved: tuple[int, int]) -> str:
    return " / ".join(formats.size(count) for count in moved)


_CLEAR = "\x1b[H\x1b[2J"
_AT = Column("at", "AT", text=lambda at: f"{at:.1f} s", number=True)
_STATS = [
    Column("id", "CONTAINER ID", "ID", formats.short_id),
    Column("asked", "CONTAINER", "Container", hidden=True),
    Column("name", "NAME", "Name"),
    Column("cpu_percent", "CPU %", "CPUPerc", _percent, number=True),
    Column("memory", "MEM USAGE", "MemUsage", formats.size, number=True),
    Column("limit", "LIMIT", "MemLimit", lambda limit: formats.size(limit) if limit else "none", number=True),
    Column("memory_percent", "MEM %", "MemPerc", _percent, number=True),
    Column("net", "NET I/O", "NetIO", _both, hidden=True),
    Column("block", "BLOCK I/O", "BlockIO", _both, hidden=True),
    Column("pids", "PIDS", "PIDs", number=True),
]


@verb("stats", help="What running containers use of processor, memory and processes; live in a terminal.")
@click.option("-a", "--all", "everything", is_flag=True, help="Also containers that don't run.")
@click.option("--no-stream", is_flag=True, help="One reading, which is what a notebook or a pipe gets anyway.")
@click.option(
    "--for", "span", type=click.FloatRange(0, 600), metavar="SECONDS", help="Read for so long; a row a reading."
)
@click.option(
    "--format", "template", metavar="TEMPLATE", help="One line each, as in '{{.Name}} {{.MemUsage}}', or json."
)
@click.option("--no-trunc", is_flag=True, help="Whole ids.")
@click.argument("containers", nargs=-1)
@pass_context
def stats_command(
    context: Context,
    everything: bool,
    no_stream: bool,
    span: float | None,
    template: str | None,
    no_trunc: bool,
    containers: tuple[str, ...],
) -> Result:
    columns = [replace(_STATS[0], text=str), *_STATS[1:]] if no_trunc else _STATS

    def read() -> Table:
        rows = _read(context, containers, everything)
        return Table(columns, rows, empty="No container is running.", lines=template)

    if span is not None:
        return Table([_AT, *columns], _series(context, containers, everything, span), lines=template)
    table = read()
    while context.terminal is not None and not no_stream:
        context.output.stdout(f"{_CLEAR}{table}\n".encode())
        table = read()
    table.live_by(context.live, read)
    return table


def _read(context: Context, containers: tuple[str, ...], everything: bool) -> list[Row]:
    """One reading, which takes the engine about a second: a share of the processor needs two moments."""
    api = context.client.api
    if containers:
        chosen = [(api.inspect_container(name)["Id"], name) for name in containers]
    else:
        chosen = [(entry["Id"], entry["Names"][0].lstrip("/")) for entry in api.containers(all=everything)]
    return [_row(identifier, name, api.stats(identifier, stream=False)) for identifier, name in chosen]


def _series(context: Context, containers: tuple[str, ...], everything: bool, span: float) -> list[Row]:
    """Readings until ``span`` seconds have passed, one at least; ``at`` is in seconds since the first was asked for."""
    began = time.monotonic()
    rows: list[Row] = []
    while True:
        asked = time.monotonic()
        rows += [{"at": asked - began, **row} for row in _read(context, containers, everything)]
        left = span - (time.monotonic() - began)
        if left <= 0 or not rows:
            return rows
        time.sleep(max(0.0, min(left, 1.0 - (time.monotonic() - asked))))
