"""``logs``: what all containers have written, by time."""

from __future__ import annotations

__all__ = ["logs_command"]

from typing import Any

import click

from containerlab.commands.compose.desk import Desk, pass_desk
from containerlab.commands.compose.follow import Printer, Streams, merged
from containerlab.commands.output import Recorder
from containerlab.commands.parsing import verb
from containerlab.commands.result import Finished, Result
from containerlab.commands.values import MOMENT
from containerlab.errors import UsageError


class _Kept(Recorder):
    """A recorder that is an output, as a printer wants one."""

    def stdout(self, data: bytes) -> None:
        self.write(1, data)

    def stderr(self, data: bytes) -> None:
        self.write(2, data)


@verb("logs", help="Show what the project's containers have written, each line with its container's name.")
@click.option("-f", "--follow", is_flag=True, help="Go on until they end.")
@click.option("-n", "--tail", default="all", metavar="N", help="Only the last N lines of each.")
@click.option("--since", type=MOMENT, help="Only from then on: 10m, or 2026-01-31T12:00:00.")
@click.option("--until", type=MOMENT, help="Only up to then.")
@click.option("-t", "--timestamps", is_flag=True, help="Put the time before each line.")
@click.option("--no-log-prefix", is_flag=True, help="No names before the lines.")
@click.option("--no-color", is_flag=True, help="No colours.")
@click.option("--index", type=int, default=0, metavar="N", help="Of the container with this number.")
@click.argument("services", nargs=-1, metavar="[SERVICE...]")
@pass_desk
def logs_command(
    desk: Desk,
    services: tuple[str, ...],
    follow: bool,
    tail: str,
    since: float | None,
    until: float | None,
    timestamps: bool,
    no_log_prefix: bool,
    no_color: bool,
    index: int,
) -> Result:
    if tail != "all" and not tail.isdecimal():
        raise UsageError(f"--tail {tail}: a number of lines, or all, is expected.")
    ones = [one for one in desk.containers(services) if not index or one.number == index]
    recorder = _Kept(desk.context.output)
    printer = Printer(
        recorder, [one.title for one in ones],  # type: ignore[arg-type]
        coloured=desk.coloured and not no_color, prefixed=not no_log_prefix,
    )  # fmt: skip
    params: dict[str, Any] = {"tail": tail}
    params |= {key: f"{moment:.9f}" for key, moment in (("since", since), ("until", until)) if moment is not None}
    if follow:
        streams = Streams(desk.context.client, printer, timestamps=timestamps, on_exit=lambda *_: None)
        try:
            for one in ones:
                streams.follow(one.service, one.id, one.title, **params)
            streams.wait()
        finally:
            streams.closed.set()
            printer.muted = True
    else:
        merged(desk.context.client, ones, printer, params, timestamps=timestamps)
    return Finished(
        what=f"logs of {desk.name}", stdout=recorder.text(1), stderr=recorder.text(2), truncated=recorder.truncated
    )
