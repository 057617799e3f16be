"""``events``: what the engine has done."""

from __future__ import annotations

__all__ = ["events_command"]

import json
import time
from datetime import datetime
from typing import Any

import click

from containerlab.commands import template
from containerlab.commands.context import Context, pass_context
from containerlab.commands.parsing import verb
from containerlab.commands.result import Column, Lines, Result, Row, Table
from containerlab.commands.values import MOMENT, filters


def _row(event: dict[str, Any]) -> Row:
    actor = event.get("Actor") or {}
    attributes = actor.get("Attributes") or {}
    return {
        "time": event["timeNano"] / 1e9 if "timeNano" in event else float(event["time"]),
        "type": event["Type"],
        "action": event["Action"],
        "name": attributes.get("name") or str(actor.get("ID", ""))[:12],
        "id": actor.get("ID", ""),
        "attributes": attributes,
    }


def _line(row: Row) -> str:
    moment = datetime.fromtimestamp(row["time"]).astimezone().isoformat(timespec="microseconds")
    words = ", ".join(f"{key}={value}" for key, value in sorted(row["attributes"].items()))
    return f"{moment} {row['type']} {row['action']} {row['id']}" + (f" ({words})" if words else "")


_COLUMNS = [
    Column("type", "TYPE", "Type"),
    Column("action", "ACTION", "Action"),
    Column("name", "NAME", "Name"),
]


@verb("events", help="What the engine does: live in a terminal, so far in a notebook.")
@click.option("--since", type=MOMENT, help="From then on: 10m, or 2026-01-31T12:00:00.")
@click.option("--until", type=MOMENT, help="Up to then; without it, a terminal shows events until it is interrupted.")
@click.option("--for", "span", type=click.FloatRange(0, 600), metavar="SECONDS", help="From now on, for so long.")
@click.option("-f", "--filter", "words", multiple=True, metavar="K=V", help="As in type=container, event=start.")
@click.option("--format", "form", metavar="TEMPLATE", help="One line each, as in '{{.Action}}', or json.")
@pass_context
def events_command(
    context: Context,
    since: float | None,
    until: float | None,
    span: float | None,
    words: tuple[str, ...],
    form: str | None,
) -> Result:
    if span is not None:
        since = time.time() if since is None else since
        until = time.time() + span
    elif context.notebook:
        until = time.time() if until is None else until
        since = 1.0 if since is None else since
    stream = context.client.api.events(
        since=None if since is None else f"{since:.9f}",
        until=None if until is None else f"{until:.9f}",
        filters=filters(words),
        decode=True,
    )
    rows: list[Row] = []
    lines: list[str] = []
    try:
        for event in stream:
            row = _row(event)
            rows.append(row)
            if form is not None and context.notebook:
                lines.append(_formatted(event, row, form))
            if not context.notebook:
                context.output.stdout(f"{_formatted(event, row, form)}\n".encode())
    finally:
        stream.close()
    if not context.notebook:
        return Lines([])
    return Lines(lines) if form is not None else Table(_COLUMNS, rows, empty="Nothing has happened.")


def _formatted(event: dict[str, Any], row: Row, form: str | None) -> str:
    if form is None:
        return _line(row)
    return json.dumps(event) if form in ("json", "{{json .}}") else template.render(form, event)
