"""``port``: where on the host a container's ports are published."""

from __future__ import annotations

__all__ = ["port_command"]

import click

from containerlab.commands.context import Context, pass_context
from containerlab.commands.parsing import verb
from containerlab.commands.result import Column, Lines, Result, Row, Table
from containerlab.errors import InvalidParameter, NotFound


@verb("port", help="Where on the host a container's ports are published: all of them, or one.")
@click.argument("container")
@click.argument("port", required=False, metavar="[PORT[/PROTOCOL]]")
@pass_context
def port_command(context: Context, container: str, port: str | None) -> Result:
    facts = context.client.api.inspect_container(container)
    rows: list[Row] = [
        {"port": inside, "address": binding.get("HostIp", ""), "host_port": binding.get("HostPort", "")}
        for inside, bindings in sorted((facts["NetworkSettings"].get("Ports") or {}).items(), key=_number)
        for binding in bindings or []
    ]
    if port is None:
        return _Ports(rows)
    number, _, protocol = port.partition("/")
    if not number.isdecimal():
        raise InvalidParameter(f"invalid port ({number}): a number is expected.")
    found = [row for row in rows if row["port"] == f"{number}/{protocol or 'tcp'}"]
    if not found:
        raise NotFound(f"No public port '{port}' published for {container}")
    return Lines([_outside(row) for row in found])


def _number(item: tuple[str, object]) -> tuple[int, str]:
    number, _, protocol = item[0].partition("/")
    return int(number), protocol


def _outside(row: Row) -> str:
    address = f"[{row['address']}]" if ":" in row["address"] else row["address"]
    return f"{address}:{row['host_port']}"


class _Ports(Table):
    """A terminal is told in Docker's lines: ``80/tcp -> 0.0.0.0:8080``."""

    def __init__(self, rows: list[Row]) -> None:
        columns = [Column("port", "PORT"), Column("address", "ADDRESS"), Column("host_port", "HOST PORT", number=True)]
        super().__init__(columns, rows, empty="No port is published.", lines="docker")

    def _format_row(self, row: Row) -> str:
        return f"{row['port']} -> {_outside(row)}"

    def body(self) -> str:
        lines, self.lines = self.lines, None
        try:
            return super().body()
        finally:
            self.lines = lines
