"""``logs``: what a container's program has written."""

from __future__ import annotations

__all__ = ["logs_command"]

from typing import Any

import click

from containerlab.commands.context import Context, pass_context
from containerlab.commands.output import Recorder
from containerlab.commands.parsing import verb
from containerlab.commands.result import Finished, Result
from containerlab.commands.streams import Frames, get
from containerlab.commands.values import MOMENT
from containerlab.errors import UsageError


@verb("logs", help="Show what a container's program has written so far.")
@click.option("-f", "--follow", is_flag=True, help="Go on until the container ends.")
@click.option("-n", "--tail", default="all", metavar="N", help="Only the last N lines.")
@click.option("--since", type=MOMENT, help="Only from then on: 10m, or 2026-01-31T12:00:00.")
@click.option("--until", type=MOMENT, help="Only up to then.")
@click.option("-t", "--timestamps", is_flag=True, help="Put the time before each line.")
@click.option("--details", is_flag=True, hidden=True)
@click.argument("container")
@pass_context
def logs_command(
    context: Context,
    container: str,
    follow: bool,
    tail: str,
    since: float | None,
    until: float | None,
    timestamps: bool,
    details: bool,
) -> Result:
    if tail != "all" and not tail.isdecimal():
        raise UsageError(f"--tail {tail}: a number of lines, or all, is expected.")
    params: dict[str, Any] = {
        "stdout": 1,
        "stderr": 1,
        "follow": int(follow),
        "tail": tail,
        "timestamps": int(timestamps),
        "details": int(details),
    }
    params.update({key: f"{moment:.9f}" for key, moment in (("since", since), ("until", until)) if moment is not None})
    tty = bool(context.client.api.inspect_container(container)["Config"]["Tty"])
    recorder = Recorder(context.output)
    frames = Frames(raw=tty)
    response = get(context.client, f"/containers/{container}/logs", params=params)
    try:
        for piece in response.iter_content(chunk_size=None):
            for stream, payload in frames.feed(piece):
                recorder.write(stream, payload)
    finally:
        response.close()
    return Finished(
        what=f"logs of {container}",
        stdout=recorder.text(1),
        stderr=recorder.text(2),
        name=container,
        truncated=recorder.truncated,
    )
